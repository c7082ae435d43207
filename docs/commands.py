"""The page of commands, from what each says of itself."""

from collections.abc import Iterator

import click

from docs.markdown import page
from server.cli.main import fingerpost

COLUMNS = 100


def commands_page() -> str:
    """The page."""
    return page(
        "Commands", *[f"## `{name}`\n\n```text\n{text}\n```\n" for name, text in _helps(fingerpost, "fingerpost")]
    )


def _helps(command: click.Command, name: str, above: click.Context | None = None) -> Iterator[tuple[str, str]]:
    context = click.Context(
        command,
        info_name=name.rpartition(" ")[2],
        parent=above,
        terminal_width=COLUMNS,
        max_content_width=COLUMNS,
        help_option_names=["-h", "--help"],
    )
    yield name, command.get_help(context)
    if isinstance(command, click.Group):
        for word in command.list_commands(context):
            found = command.get_command(context, word)
            assert found is not None
            yield from _helps(found, f"{name} {word}", context)
