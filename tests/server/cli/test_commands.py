"""The commands: each explains itself, says in one line what is missing, and does what it says."""

import json
import re
from collections.abc import Iterator

import click
import msgspec
import psycopg
import pytest

from core.describe import describe
from core.registry import Registry
from server.cli.main import fingerpost
from tests.server.cli.running import run

NEEDED = ("DATABASE_URL", "REDIS_URL", "FINGERPOST_MASTER_KEYS")


Found = tuple[tuple[str, ...], click.Command]


def commands(group: click.Group = fingerpost, above: tuple[str, ...] = ()) -> Iterator[Found]:
    """Every command there is, with the words by which it is called."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        yield (*above, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*above, name))


def test_the_commands_are_those_that_are_documented() -> None:
    assert {" ".join(words) for words, _ in commands()} == {
        "up", "demo", "serve", "listen", "work", "schedule", "sandbox", "migrate", "keys", "keys create",
        "keys admin", "keys list", "keys revoke", "vault", "vault key", "vault check", "vault rotate", "platforms",
        "adapter", "adapter new", "adapter check",
    }  # fmt: skip


@pytest.mark.parametrize(("words", "command"), [pytest.param(*pair, id=" ".join(pair[0])) for pair in commands()])
def test_every_command_explains_itself_and_its_options(words: tuple[str, ...], command: click.Command) -> None:
    assert command.help
    first = command.help.partition("\n")[0]
    assert first.endswith("."), first
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.hidden or option.help, f"{words} {option.name}"
        else:
            assert (option.metavar or (option.name or "").upper()) in command.help


def test_help_is_a_matter_of_the_real_command_line() -> None:
    shown = run("keys", "create", "--help")
    assert shown.returncode == 0
    assert "Usage: fingerpost keys create" in shown.stdout


@pytest.mark.parametrize("command", ["serve", "work", "schedule", "migrate"])
def test_missing_settings_are_named_in_one_line(command: str) -> None:
    done = run(command)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert all(name in line for name in NEEDED)


def test_a_setting_that_nobody_knows_is_named_with_the_nearest() -> None:
    done = run("serve", FINGERPOST_LEASSE="3")
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert "FINGERPOST_LEASSE" in line
    assert "FINGERPOST_LEASE" in line.replace("FINGERPOST_LEASSE", "")


def test_an_unknown_command_and_an_unknown_sandbox_are_named() -> None:
    assert run("publish").returncode == 2
    done = run("sandbox", "MYSPACE")
    assert done.returncode == 2
    assert "PINTEREST" in done.stderr


def test_migrations_are_told_once_and_harm_nobody_twice(empty_database_url: str) -> None:
    settings = {"DATABASE_URL": empty_database_url, "REDIS_URL": "redis://unused", "FINGERPOST_MASTER_KEYS": "unused"}
    first, second = run("migrate", **settings), run("migrate", **settings)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert re.fullmatch(r"(applied \d{4}_\w+(\.sql)?\n)+", first.stdout), first.stdout
    assert second.stdout == "The schema is up to date.\n"
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("select count(*) from posts").fetchone() == (0,)


def test_platforms_are_listed_with_what_they_allow() -> None:
    done = run("platforms", COLUMNS="160")
    assert done.returncode == 0
    for name, adapter in Registry.installed().items():
        (line,) = [line for line in done.stdout.splitlines() if name in line]
        assert adapter.certainty in line


def test_platforms_as_json_are_the_whole_declaration() -> None:
    done = run("platforms", "--json")
    assert json.loads(done.stdout) == json.loads(
        json.dumps({name: msgspec.to_builtins(describe(adapter)) for name, adapter in Registry.installed().items()})
    )
