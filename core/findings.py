"""What is wrong with a request, told all at once: findings, and the report that gathers them."""

import difflib
from collections.abc import Iterable
from typing import Literal

import msgspec

Path = tuple[str | int, ...]
Severity = Literal["error", "warning"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One fault: a stable code, where it stands in the request, and words that say what to do."""

    code: str
    path: Path
    message: str
    severity: Severity = "error"


class Report(msgspec.Struct, frozen=True):
    """All findings on one request, in the order in which a reader meets them."""

    findings: tuple[Finding, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that stop the request."""
        return tuple([finding for finding in self.findings if finding.severity == "error"])

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that let the request through."""
        return tuple([finding for finding in self.findings if finding.severity == "warning"])


def nearest(name: str, known: Iterable[str]) -> str:
    """The words `; did you mean 'x'?` for the known name most like `name`, or nothing where none is like it."""
    names = list(known)
    lowered = {known_name.lower(): known_name for known_name in names}
    close = difflib.get_close_matches(name.lower()[:100], lowered, n=1)
    return f"; did you mean '{lowered[close[0]]}'?" if close else ""
