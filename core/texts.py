"""Texts of a draft held against what its platform allows, and made shorter where that is wanted."""

from collections.abc import Callable, Iterator

from core.counting import UNITS, graphemes
from core.findings import Finding, Path
from core.limits import TextLimit

ELLIPSIS = "…"


def text_findings(limits: tuple[TextLimit, ...], text: str, path: Path) -> Iterator[Finding]:
    """What stands against a text; of several limits each that it breaks."""
    for limit in limits:
        found = limit.count(text)
        if found > limit.most:
            words = (
                f"{found:,} {UNITS[limit.counter]} are too many; at most {limit.most:,} fit: "
                f"shorten it by {found - limit.most:,}."
            )
            yield Finding(code="too_long", path=path, message=words)


def shorten(text: str, fits: Callable[[str], bool]) -> str:
    """The longest beginning of a text that fits with an ellipsis behind it, cut between words where that is near.

    A text that fits stays as it is. The answer is empty where not even the ellipsis fits.
    """
    if fits(text):
        return text
    pieces = graphemes(text)
    least, most = 0, len(pieces)
    while least < most:
        middle = (least + most + 1) // 2
        if fits(_cut(pieces[:middle])):
            least = middle
        else:
            most = middle - 1
    shorter = _cut(_whole_words(pieces, least))
    return shorter if fits(shorter) else ""


def _cut(pieces: list[str]) -> str:
    return "".join(pieces).rstrip() + ELLIPSIS


def _whole_words(pieces: list[str], length: int) -> list[str]:
    """Up to the end of the last word within `length`; a word of more than a third of it, such as a URL, is cut out."""
    if length == len(pieces) or pieces[length].isspace():
        return pieces[:length]
    end = next((at for at in range(length - 1, 0, -1) if pieces[at].isspace()), 0)
    is_url = "".join(pieces[end:length]).strip().lower().startswith(("http://", "https://"))
    return pieces[:end] if end and (is_url or end > length * 2 // 3) else pieces[:length]
