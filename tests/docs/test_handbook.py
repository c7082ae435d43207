"""The handbook says what the code says: generated pages are fresh, and nothing is left out."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from psycopg_pool import AsyncConnectionPool

from core import hook
from core.events.kinds import KINDS
from core.ledger.states import State
from core.registry import Registry
from core.settings import API_KEY, Settings, variable
from docs.bundle_social import statuses
from docs.errors import classes, refusals
from docs.generate import served
from docs.words import GROUPS, STATES
from tests.docs.codes import codes_in_source
from tests.docs.readme import ROOT
from tests.server.cli.test_commands import commands

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
MARK = "Written by `make docs`"
DOCUMENTED = {code for group in GROUPS for code in group.codes}


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the generator writes now."""
    folder = tmp_path_factory.mktemp("docs")
    subprocess.run([sys.executable, "-m", "docs.generate", str(folder)], cwd=ROOT, check=True)
    return folder


def test_the_generated_pages_are_fresh(written: Path) -> None:
    for path in sorted(written.rglob("*.md")):
        name = path.relative_to(written)
        assert path.read_text(encoding="utf-8") == page(str(name)), f"docs/{name} is stale; run `make docs`"


def test_what_the_server_shows_of_the_handbook_is_fresh(written: Path) -> None:
    for name in served():
        assert (written / name).read_text(encoding="utf-8") == (ROOT / name).read_text(encoding="utf-8"), name


def test_every_call_of_the_vendor_is_served_or_refused_with_a_reason() -> None:
    told = statuses(Registry.installed())
    assert len(told) == 58
    assert all(word == "served" or len(word) > 20 for word in told.values())


def test_no_generated_page_is_left_over(written: Path) -> None:
    marked = {path.relative_to(DOCS) for path in DOCS.rglob("*.md") if MARK in path.read_text(encoding="utf-8")}
    assert marked == {path.relative_to(written) for path in written.rglob("*.md")}


def test_every_setting_stands_in_the_handbook() -> None:
    text = page("settings.md")
    for field in msgspec.structs.fields(Settings):
        assert field.name in ("hosts", "allowances", "apps") or f"`{variable(field.name)}`" in text
    for name, adapter in Registry.installed().items():
        for host in adapter.hosts:
            assert f"`FINGERPOST_{name}_{host.upper()}_URL`" in text
        assert (f"`FINGERPOST_{name}_TIER`" in text) == bool(adapter.tiers)
        assert (f"`FINGERPOST_{name}_SHARE`" in text) == bool(adapter.quotas)


def test_every_variable_that_the_prose_names_is_a_setting() -> None:
    hosts = {f"FINGERPOST_{n}_{h.upper()}_URL" for n, a in Registry.installed().items() for h in a.hosts}
    allowances = {f"FINGERPOST_{name}_{of}" for name in Registry.installed() for of in ("TIER", "SHARE")}
    apps = {f"FINGERPOST_{n}_CLIENT_{w}" for n in Registry.installed() for w in ("ID", "SECRET")}
    apps |= {f"FINGERPOST_{name}_SCOPES" for name in Registry.installed()}
    known = {variable(field.name) for field in msgspec.structs.fields(Settings)} | hosts | allowances | apps | {API_KEY}
    for path in PAGES:
        for name in re.findall(r"\bFINGERPOST_[A-Z_]+[A-Z]\b", path.read_text(encoding="utf-8")):
            assert name in known or name.startswith("FINGERPOST_TEST_"), f"{path.name} names {name}"


def test_every_code_in_the_source_is_documented() -> None:
    told = DOCUMENTED | {code for adapter in Registry.installed().values() for code, _ in refusals(adapter)}
    for pattern, files in codes_in_source().items():
        assert any(re.fullmatch(pattern, code) for code in told), f"{pattern} of {files} is not in docs/words.py"


def test_every_documented_code_exists() -> None:
    patterns = codes_in_source()
    for code in DOCUMENTED:
        assert any(re.fullmatch(pattern, code) for pattern in patterns), f"{code} exists no more; see docs/words.py"


def test_every_class_of_error_and_every_rule_stands_on_the_page_of_errors() -> None:
    text = page("errors.md")
    for kind in classes():
        assert f"`{kind.code}`" in text, kind
    for adapter in Registry.installed().values():
        for rule in adapter.rules:
            assert f"`{rule.id}`" in text


def test_every_platform_has_a_page_with_its_fields_and_rules() -> None:
    for name, adapter in Registry.installed().items():
        text = page(f"platforms/{name.lower()}.md")
        for field in msgspec.structs.fields(adapter.block):
            assert f"`{field.encode_name}`" in text
        for rule in adapter.rules:
            assert rule.says in text


def test_every_command_stands_in_the_handbook() -> None:
    text = page("commands.md")
    for words, _ in commands():
        assert f"## `fingerpost {' '.join(words)}`" in text


def test_every_hook_stands_in_the_handbook() -> None:
    hooks = [name for name in vars(hook) if name.startswith("fingerpost_")]
    assert hooks
    for name in hooks:
        assert f"`{name}`" in page("adapters.md")


def test_every_event_stands_in_the_handbook() -> None:
    text = page("events.md")
    for kind in KINDS:
        assert f"| `{kind.type}` |" in text
        for name in kind.data.__struct_encode_fields__:
            assert f"| `{name}` |" in text


async def test_the_words_of_a_post_are_those_of_the_database(pool: AsyncConnectionPool[Any]) -> None:
    async with pool.connection() as connection:
        for state in State:
            cursor = await connection.execute("select post_status(array[%s]::text[])", (state.value,))
            assert await cursor.fetchone() == (STATES[state]["client"],), state


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        assert there.exists(), f"{path.name} links to {target}"
        assert not anchor or anchor in _anchors(there), f"{path.name} links to {target}"


def _anchors(path: Path) -> set[str]:
    """The headings of a page as GitHub turns them into anchors."""
    heads = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
