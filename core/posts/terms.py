"""Terms: the pieces by which posts are found that are rare among those of their team."""

from collections.abc import Iterable
from uuid import UUID

_PIECE = 3
_TAG = 8


def folded(text: str) -> str:
    """A text as it is searched: upper and lower case are the same."""
    return text.casefold()


def terms_of(team_id: UUID, title: str, platforms: Iterable[str]) -> list[str]:
    """The terms of a post with this title, folded; each once."""
    tag = _tag(team_id)
    return [*_pieces(tag, title), *_letters(tag, title), *dict.fromkeys(f"{tag}={platform}" for platform in platforms)]


def wanted_terms(team_id: UUID, words: str) -> list[str]:
    """Terms that every title has in which these words stand, folded; of one or two plain letters there are none."""
    tag = _tag(team_id)
    return list(_pieces(tag, words) or _letters(tag, words))


def platform_terms(team_id: UUID, platforms: Iterable[str]) -> list[str]:
    """A term for each platform; a post has those of its own."""
    tag = _tag(team_id)
    return [f"{tag}={platform}" for platform in platforms]


def _pieces(tag: str, words: str) -> set[str]:
    return {f"{tag}~{words[at : at + _PIECE]}" for at in range(len(words) - _PIECE + 1)}


def _letters(tag: str, words: str) -> set[str]:
    """The single letters beyond ASCII: where a word is written with two of them, a piece would be too long."""
    return set() if words.isascii() else {f"{tag}~{letter}" for letter in words if not letter.isascii()}


def _tag(team_id: UUID) -> str:
    """What keeps teams apart; should two have the same, the posts themselves still tell."""
    return team_id.hex[-_TAG:]
