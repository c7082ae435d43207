"""The codes that answers bear, with their words: the handbook's, and those that the installed adapters declare."""

from functools import cache
from importlib.resources import files

import msgspec

from core.registry import Registry


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """One code: what it means, what to do, and its HTTP status where it is that of a whole answer."""

    code: str
    means: str
    do: str
    status: int | None = None


class CodeGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Codes that are met in the same place."""

    title: str
    where: str
    codes: list[Code]


def code_groups(registry: Registry) -> list[CodeGroup]:
    """All there are."""
    rules = [
        Code(code=rule.id, means=rule.says, do="Mend it, and send it again." if rule.severity == "error" else "")
        for _, adapter in sorted(registry.items())
        for rule in adapter.rules
    ]
    return [*_handbook(), CodeGroup(title="Rules of platforms", where="Findings like those above.", codes=rules)]


@cache
def _handbook() -> list[CodeGroup]:
    text = files("server.reference").joinpath("codes.json").read_text("utf-8")
    return msgspec.json.decode(text, type=list[CodeGroup])
