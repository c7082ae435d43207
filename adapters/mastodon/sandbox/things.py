"""The things of the stand-in: its people, their files and their statuses, and how a status is written as HTML."""

import html
import re
from datetime import UTC, datetime
from typing import Any

import msgspec
import regex

URL = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?')\]}]")
MENTION = re.compile(r"(?<![\w@/])@(\w+(?:[\w.-]*\w)?)@([\w-]+(?:\.[\w-]+)+)")


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody with an account."""

    id: str
    username: str
    token: str


class File(msgspec.Struct, kw_only=True):
    """An uploaded file; `looks` is how often it is asked for until it is ready."""

    id: str
    owner: str
    mime: str
    description: str | None
    looks: int
    status: str | None = None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A status; `serial` and `created` are for lists, `dated` is what it bears."""

    id: str
    owner: Person
    text: str
    spoiler: str
    visibility: str
    sensitive: bool
    language: str | None
    files: tuple[File, ...]
    serial: int
    created: float
    dated: float


def counted(spoiler: str, text: str, *, as_it_is: bool) -> int:
    """How long a status is: as Mastodon counts, which shortens URLs and mentions of the text alone, or in points."""
    if as_it_is:
        return len(spoiler + text)
    rest = MENTION.sub(r"@\1", URL.sub("x" * 23, text))
    return len(regex.findall(r"\X", spoiler + rest))


def written(text: str) -> str:
    """A text as HTML, its URLs shortened for the eye and its mentions without their servers."""
    paragraphs = re.split(r"\n{2,}", text.strip())
    return "".join(f"<p>{_line(part)}</p>" for part in paragraphs if part)


def _line(text: str) -> str:
    safe = html.escape(text, quote=False)
    safe = URL.sub(lambda found: _shown(found[0]), safe)
    named = r'<span class="h-card"><a href="https://\2/@\1" class="u-url mention">@<span>\1</span></a></span>'
    return MENTION.sub(named, safe).replace("\n", "<br />")


def _shown(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return (
        f'<a href="{url}" rel="nofollow noopener" target="_blank"><span class="invisible">{scheme}://</span>'
        f'<span class="ellipsis">{rest[:30]}</span><span class="invisible">{rest[30:]}</span></a>'
    )


def iso(moment: float) -> str:
    """A moment as the API writes it."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def file_shape(file: File, *, ready: bool) -> dict[str, Any]:
    """A `MediaAttachment`."""
    address = f"https://files.example/{file.id}" if ready else None
    kind = file.mime.partition("/")[0]
    return {"id": file.id, "type": kind, "url": address, "preview_url": address, "description": file.description}
