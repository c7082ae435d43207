"""What the README shows is what there is: code, commands, requests and answers."""

import json
import re
import subprocess
from typing import Any

import msgspec

from core.settings import Settings
from tests.docs.readme import README, ROOT, blocks
from tests.server.cli.test_commands import commands


def test_the_adapter_that_it_shows_is_the_one_that_there_is() -> None:
    (shown,) = blocks("python")
    assert shown == (ROOT / "adapters/echo/__init__.py").read_text(encoding="utf-8")
    assert len(shown.splitlines()) <= 40


def test_what_it_shows_of_the_package_stands_in_the_program_that_is_tested() -> None:
    program = (ROOT / "tests/e2e/bundlesocial/program.mjs").read_text(encoding="utf-8").splitlines()
    (shown,) = blocks("js")
    lines = [line for line in shown.splitlines() if line]
    assert lines
    for line in lines:
        assert line in program


OURS = re.compile(
    "health|metrics|postValidate|postCreateBulk|platformGet|reference.*|code.*|webhook.*|event.*|postGetDeliveries"
    "|postApprove|postReject|delivery.*"
    "|apiKey.*|organizationCreate.*|socialAccountGetRateMeter|socialAccountGetList|app(GetList|Put|Delete)|uploadPut"
    "|mediaRead|platforms"
    "|channel(GetList|Get|Create|Update|Delete)|section(GetList|Create|Update|Delete)"
)
"""Operations that the vendor does not have."""


def test_the_calls_that_it_names_are_those_that_the_api_has() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "server").glob("*.py"))
    has = set(re.findall(r'operation_id="(\w+)"', source))
    named = set(
        re.findall(r"`(?:analytics|app|organization|post|socialAccount|team|upload)\.([a-z]+[A-Z]\w+)`", README)
    )
    assert named == {name for name in has if not OURS.fullmatch(name)}


def test_every_target_and_command_that_it_names_exists() -> None:
    texts = [README, (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {name for text in texts for name in re.findall(r"(?:`|^|\$ )make (\w+)", text, re.MULTILINE)}
    assert {"demo", "up", "test", "check", "docs"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    known = {" ".join(words) for words, _ in commands()}
    for name in re.findall(r"(?:`|^)fingerpost ([a-z]+(?: create)?)", README, re.MULTILINE):
        assert name in known


def test_the_test_command_stands_where_ci_looks_for_it() -> None:
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    (function,) = re.findall(r"^test_command\(\) \{\n.*?^\}$", script, re.MULTILINE | re.DOTALL)
    told = subprocess.run(
        ["bash", "-c", f"{function}\ntest_command"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout == "make test\n"
    assert told.stdout in blocks("sh")


def test_the_moments_of_looking_that_it_names_are_those_of_the_setting() -> None:
    (field,) = (field for field in msgspec.structs.fields(Settings) if field.name == "readback")
    *first, last = field.default.split(",")
    assert f"{', '.join(first)} and {last} s" in README


def test_its_answers_are_json() -> None:
    for block in blocks("json"):
        answer: dict[str, Any] = json.loads(block)
        assert answer
