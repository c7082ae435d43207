"""`fingerpost up`: ready at once, whole again after a crash of a part, and gone without a trace."""

import json
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from core.embedded.servers import find_running
from tests.docs.readme import README, blocks, printed, shape
from tests.server.cli.processes import Process, in_use, open_files, until
from tests.server.cli.running import Client, Up, run, said, up

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One `up --json` that most tests share."""
    with up(tmp_path_factory.mktemp("shared") / "state", "--json") as started:
        yield started


@pytest.fixture(scope="module")
def client(running: Up) -> Client:
    return Client(said(running.line()))


class Ended(NamedTuple):
    """One run of `up` from its first word to its end."""

    said: dict[str, Any]
    rest: str
    code: int
    errors: str
    left: list[str]
    posts: list[str]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """Two runs on one state, one after the other; the first ended by SIGTERM, the second by SIGINT."""
    state = tmp_path_factory.mktemp("runs") / "state"
    return {number.name: _whole_run(state, number) for number in (signal.SIGTERM, signal.SIGINT)}


def _whole_run(state: Path, number: signal.Signals) -> Ended:
    with up(state, "--json") as started:
        line = said(started.line())
        client = Client(line)
        client.published(client.post(number.name))
        posts = client.http.get("/api/v1/post/", params={"teamId": line["teamId"]}).json()["items"]
        before = started.descendants()
        code = started.stop(number)
        assert started.process.stdout is not None
        return Ended(
            said=line,
            rest=started.process.stdout.read(),
            code=code,
            errors=started.errors,
            left=_left(before, state),
            posts=[post["title"] for post in posts],
        )


def _left(before: set[Process], state: Path) -> list[str]:
    assert before, "nothing ran, so nothing can be said of what is left"
    return [process.command for process in before | in_use(state) if process.alive]


def test_it_prints_one_line_with_what_a_first_request_needs(client: Client, running: Up) -> None:
    answer = client.said
    assert set(answer) == {"apiUrl", "apiKey", "organizationId", "teamId", "sandboxes"}
    assert {"PINTEREST", "DISCORD"} <= set(answer["sandboxes"])
    for sandbox in answer["sandboxes"].values():
        assert set(sandbox) == {"url", "socialAccountId", "boardId"}
        assert all(isinstance(value, str) for value in sandbox.values())
    assert answer["apiKey"].startswith("fp_")
    assert httpx.get(f"{answer['apiUrl']}/health", trust_env=False).json()["status"] == "ok"
    assert running.process.poll() is None


def test_a_pin_posted_with_what_it_printed_goes_out(client: Client) -> None:
    post = client.published(client.post("The first"))
    pin = post["externalData"]["PINTEREST"]
    assert [live["id"] for live in client.live() if live["title"] == "The first"] == [pin["id"]]
    assert pin["permalink"] == f"{client.sandbox['url']}/pin/{pin['id']}/"


def test_its_processes_have_their_logs_open_and_none_of_its_locks(client: Client, running: Up) -> None:
    """Else a lock would outlive whoever took it, and the next one could not start."""
    held = set(open_files(running.process.pid))
    assert {str(running.state / "supervisor.lock"), str(running.state / "servers.lock")} <= held
    for name, words in {"work": "work", "sandboxes": "sandbox", "schedule": "schedule", "serve": "serve"}.items():
        files = [path for path in open_files(running.child(f"server.cli {words}").pid) if str(running.state) in path]
        assert set(files) == {str(running.state / "logs" / f"{name}.log")}


def test_a_second_one_on_the_same_state_is_refused_in_words(client: Client, running: Up) -> None:
    second = run("up", "--json", "--port", "0", "--state", str(running.state))
    assert (second.returncode, second.stdout) == (1, "")
    assert f"{running.state} is in use by the process {running.process.pid}" in second.stderr
    assert "Traceback" not in second.stderr
    assert httpx.get(f"{client.said['apiUrl']}/health", trust_env=False).json()["status"] == "ok"


def test_a_port_that_is_taken_is_refused_in_words_and_leaves_nothing(client: Client, tmp_path: Path) -> None:
    port = client.said["apiUrl"].rpartition(":")[2]
    second = run("up", "--json", "--port", port, "--state", str(tmp_path / "state"))
    assert (second.returncode, second.stdout) == (1, "")
    assert f"Port {port} is taken" in second.stderr
    assert "Traceback" not in second.stderr
    assert in_use(tmp_path / "state") == set()


def test_where_it_has_another_thread_each_process_starts_from_nothing_and_a_post_goes_out(tmp_path: Path) -> None:
    """A lock that the other thread holds at that moment would stay locked in a fork."""
    (tmp_path / "sitecustomize.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    with up(tmp_path / "state", "--json", PYTHONPATH=str(tmp_path)) as started:
        client = Client(said(started.line()))
        client.published(client.post("From nothing"))
        for words in ("work", "sandbox", "schedule", "serve"):
            environ = Path(f"/proc/{started.child(f'server.cli {words}').pid}/environ").read_bytes()
            assert f"FINGERPOST_STATE={started.state}".encode() in environ


def test_a_worker_that_cannot_start_is_told_in_words_and_leaves_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    done = run("up", "--json", "--port", "0", "--state", str(state), FINGERPOST_BROKER_URL="ftp://127.0.0.1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "did not start: Error: FINGERPOST_BROKER_URL has to begin with" in done.stderr
    assert "Traceback" not in done.stderr
    assert in_use(state) == set()


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("work", "server.cli work"),
        ("sandboxes", "server.cli sandbox"),
        ("schedule", "server.cli schedule"),
        ("serve", "server.cli serve"),
        ("valkey", "valkey-server"),
        ("postgres", "bin/postgres -D"),
    ],
)
def test_a_part_that_was_killed_is_started_again_and_the_next_post_goes_out_once(
    client: Client, running: Up, part: str, words: str
) -> None:
    before = running.child(words)
    os.kill(before.pid, signal.SIGKILL)
    until(lambda: not before.alive, f"{part} is dead")
    title = f"After {part}"
    post = client.published(client.post(title))
    assert [pin["id"] for pin in client.live() if pin["title"] == title] == [post["externalData"]["PINTEREST"]["id"]]
    assert running.child(words) != before
    assert f"{part} ended by itself; starting it again" in running.errors


def test_a_key_made_on_the_command_line_opens_the_api(client: Client, running: Up) -> None:
    found = find_running(running.state)
    assert found is not None
    made = run("keys", "create", "--organization", "Another", "--team", "Theirs", DATABASE_URL=found[0])
    assert made.returncode == 0, made.stderr
    printed = dict(line.split() for line in made.stdout.splitlines())
    assert set(printed) == {"key", "organization", "team"}
    with httpx.Client(base_url=client.said["apiUrl"], headers={"x-api-key": printed["key"]}, trust_env=False) as theirs:
        mine = theirs.get("/api/v1/post/", params={"teamId": printed["team"]})
        assert (mine.status_code, mine.json()["items"]) == (200, [])
        assert theirs.get("/api/v1/post/", params={"teamId": client.said["teamId"]}).status_code == 404
    assert "shown again" in made.stderr


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_it_ends_in_order_and_leaves_no_process(runs: dict[str, Ended], number: str) -> None:
    ended = runs[number]
    assert (ended.code, ended.left) == (0, [])
    assert "Traceback" not in ended.errors


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_it_prints_nothing_more_until_its_end(runs: dict[str, Ended], number: str) -> None:
    assert runs[number].rest == ""


def test_it_comes_back_with_the_same_key_team_and_posts(runs: dict[str, Ended]) -> None:
    first, second = runs["SIGTERM"], runs["SIGINT"]
    for name in ("apiKey", "organizationId", "teamId"):
        assert first.said[name] == second.said[name]
    assert (first.posts, second.posts) == (["SIGTERM"], ["SIGINT", "SIGTERM"])


def test_a_kill_that_it_cannot_heed_leaves_no_process_either(tmp_path: Path) -> None:
    with up(tmp_path / "state", "--json") as started:
        said(started.line())
        everything = started.descendants()
        assert len(everything) > 5
        started.process.kill()
        started.process.wait()
        until(lambda: not _left(everything, started.state), "everything has followed it")


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What `up` prints for people, while it runs."""
    with up(tmp_path_factory.mktemp("words") / "state") as started:
        lines: list[str] = []
        while not lines or lines[-1] != "Stop with Ctrl-C.\n":
            lines.append(started.line())
        yield started.errors + "".join(lines)


def test_it_tells_people_what_the_readme_shows(words: str) -> None:
    assert shape(words) == shape(printed("make up"))


def test_the_curl_line_publishes_when_pasted(words: str) -> None:
    command = "curl " + words.partition("\ncurl ")[2].rpartition("\n\nStop with")[0]
    answers = [_sent(command)]
    if shutil.which("curl"):
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=True)
        answers.append(json.loads(done.stdout))
    key = words.partition("  key         ")[2].partition("\n")[0]
    api = words.partition("  API         ")[2].partition(" ")[0]
    with httpx.Client(base_url=api, headers={"x-api-key": key}, trust_env=False) as http:
        for answer in answers:
            until(partial(_is_posted, http, answer["id"]), "it is POSTED")
            post = http.get(f"/api/v1/post/{answer['id']}").json()
            assert _within(json.loads(shape(blocks("json")[0])), json.loads(shape(json.dumps(post))))


def test_a_post_with_faults_is_answered_as_the_readme_shows(client: Client) -> None:
    block = {"boardNam": "Inspiration"}
    request = client.pin("Faulty", postDate="2026-05-14T10:00:00", data={"PINTEREST": block})
    assert json.dumps({"PINTEREST": block}) in README
    answer = client.http.post("/api/v1/post/", json=request)
    assert answer.status_code == 400
    assert _within(json.loads(blocks("json")[1]), answer.json())


def _is_posted(http: httpx.Client, post_id: str) -> bool:
    return bool(http.get(f"/api/v1/post/{post_id}").json()["status"] == "POSTED")


def _within(part: Any, whole: Any) -> bool:
    """Whether everything in a shortened answer stands in the whole one, lists being told to their end."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(k in whole and _within(v, whole[k]) for k, v in part.items())
    if isinstance(part, list):
        return isinstance(whole, list) and len(part) == len(whole) and all(map(_within, part, whole))
    return bool(part == whole)


def _sent(command: str) -> dict[str, Any]:
    """What a curl command does, done by httpx: it works where there is no curl."""
    program, silent, url, *options = shlex.split(command)
    assert (program, silent) == ("curl", "-s")
    pairs = list(zip(options[::2], options[1::2], strict=True))
    headers = dict(value.split(": ", 1) for name, value in pairs if name == "-H")
    (body,) = [value for name, value in pairs if name == "-d"]
    answer = httpx.post(url, headers=headers, content=body, trust_env=False)
    assert answer.status_code < 300, answer.text
    sent: dict[str, Any] = answer.json()
    return sent
