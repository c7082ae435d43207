"""Dates as clients write them: ISO 8601 with an offset, any distance ahead or back."""

import re
from datetime import UTC, datetime

from core.findings import Finding, Path

_ZONE_NAME = re.compile(r"^[0-9].*(\[[^\]]*\]|[A-Za-z][A-Za-z_/]+)$")

_LONGEST = 100

_SPELLED = re.compile(r"[0-9W-]+([T ][0-9:.,]+(Z|[+-][0-9:.]+)?)?")
"""What may stand in a date; the standard library would also take any character between day and time."""


def parse_date(text: str, path: Path) -> datetime | Finding:
    """The moment in UTC that `text` names (ISO 8601, or RFC 3339), or what is wrong with it."""
    written = text.strip() if len(text) <= _LONGEST else ""
    spelled = written.upper()
    try:
        moment = datetime.fromisoformat(spelled if _SPELLED.fullmatch(spelled) else "")
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        if _ZONE_NAME.search(written) and not re.search(r"[zZ]$", written):
            return Finding(
                code="date_unknown_zone",
                path=path,
                message="Names of time zones are not understood; give an offset, such as 2026-05-14T10:00:00+02:00.",
            )
        return Finding(
            code="date_invalid",
            path=path,
            message="This is no date; write it as ISO 8601 with an offset, such as 2026-05-14T10:00:00Z.",
        )
    return Finding(
        code="date_without_offset",
        path=path,
        message=f"The offset is missing, so the moment is not certain; write {moment.isoformat()}Z for UTC, "
        "or add one such as +02:00.",
    )
