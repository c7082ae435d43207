"""Facets: the active places of a text, at UTF-8 byte offsets, as `app.bsky.richtext.facet` has them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?')\]}]", re.IGNORECASE)
TAG = re.compile(r"(?<![\w/&])[#＃](?=\w*[^\W\d])(\w{1,64})(?!\w)")
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
MENTION = re.compile(rf"(?<![\w@/.])@({_LABEL}(?:\.{_LABEL})+)(?![\w@])")


def mentioned(text: str) -> list[str]:
    """The handles that a text names, each once."""
    return list(dict.fromkeys(found[1].lower() for found in MENTION.finditer(text)))


def facets(text: str, dids: Mapping[str, str]) -> list[dict[str, Any]]:
    """The facets of a text; `dids` are those of the handles that there are, and others stay plain."""
    return [
        {"index": {"byteStart": len(text[:start].encode()), "byteEnd": len(text[:end].encode())}, "features": [what]}
        for start, end, what in sorted(_places(text, dids), key=lambda place: place[0])
    ]


def _places(text: str, dids: Mapping[str, str]) -> Iterator[tuple[int, int, dict[str, str]]]:
    kind = "app.bsky.richtext.facet#"
    links = [found.span() for found in LINK.finditer(text)]
    yield from ((start, end, {"$type": f"{kind}link", "uri": text[start:end]}) for start, end in links)
    for pattern, name in ((TAG, "tag"), (MENTION, "did")):
        for found in pattern.finditer(text):
            value = found[1] if name == "tag" else dids.get(found[1].lower())
            if value and not any(start <= found.start() < end for start, end in links):
                yield *found.span(), {"$type": f"{kind}{'tag' if name == 'tag' else 'mention'}", name: value}
