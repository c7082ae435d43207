"""The words of a status: as they are sent, and as they are read again from its HTML."""

import html
import re

import regex

from adapters.mastodon.block import MastodonBlock

LEAST_CUT = 20
"""Characters that have to be left of a text for it to be taken for a longer one that was cut."""

_BREAK = re.compile(r"<br ?/?>|</p>", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")
_MARKS = re.compile(r"!\[[^]]*\]\([^)]*\)|\]\([^)]*\)|</?[a-zA-Z][^>:]*>|(?<!\S)\d+[.)](?!\S)|[!-/:-@[-`{-~\s]")
_MENTION = re.compile(r"(?<![\w@/])@(\w+(?:[\w.-]*\w)?)@[\w-]+(?:\.[\w-]+)+")


def status_text(block: MastodonBlock) -> str:
    """The text with its link."""
    text, link = block.text or "", block.link or ""
    return text if link in text else f"{text}\n\n{link}".strip()


def warning_counted(spoiler: str, own: bool) -> str:
    """What a warning counts: its characters as people see them, as Mastodon's `own` servers do, or else all points."""
    return "." * (len(regex.findall(r"\X", spoiler)) if own else len(spoiler))


def plain(text: str) -> str:
    """A text without what servers change of it: white space, entities, and the servers of those it mentions."""
    return " ".join(_MENTION.sub(r"@\1", html.unescape(text)).split())


def read(content: str) -> str:
    """The plain text of a status's HTML."""
    return plain(html.unescape(_TAG.sub("", _BREAK.sub("\n", content))))


def likeness(sent: str, found: str) -> bool | None:
    """Whether a found text is the sent one: True exactly, False as its beginning or without Markdown, None not."""
    cut = len(found) >= LEAST_CUT and sent.startswith(found)
    like = cut or _MARKS.sub("", found) == _MARKS.sub("", sent) != ""
    return found == sent or (False if like else None)
