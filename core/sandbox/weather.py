"""The weather over a sandbox: what makes a platform hard to live with, though no call fails."""

import html
import re
from typing import Annotated, Literal, Self

import msgspec
from msgspec import Meta

from core.sandbox.reading import Mistaken, fields_of

Order = Literal["newest", "oldest", "shuffled"]
"""What comes first in a list."""

YEAR = 31_536_000


class Weather(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How a platform behaves just now; unchanged it is fair.

    `clock_offset` is how many seconds its clock is ahead. Lists show a thing only `list_lag` seconds after it was
    made, in `order`. Texts are stored trimmed, with every run of whitespace made one space, cut to `trim_texts`
    characters and HTML-escaped. A connection on which `idle_seconds` have passed since its last answer is closed.
    """

    clock_offset: Annotated[float, Meta(ge=-YEAR, le=YEAR)] = 0.0
    list_lag: Annotated[float, Meta(ge=0, le=86_400)] = 0.0
    trim_texts: Annotated[int, Meta(ge=1)] | None = None
    order: Order = "newest"
    idle_seconds: Annotated[float, Meta(gt=0, le=86_400)] | None = None

    def changed(self, raw: object) -> Self:
        """This weather with what `raw`, decoded JSON, says: null makes a field fair, one left out stays.

        Raises Mistaken, naming everything that is wrong.
        """
        kind, mistakes = type(self), list[str]()
        said = fields_of(raw, kind, mistakes)
        if mistakes or not isinstance(raw, dict):
            raise Mistaken(mistakes)
        stays = {
            field.name: getattr(self, field.name)
            for field in msgspec.structs.fields(kind)
            if field.encode_name not in raw
        }
        return kind(**stays, **said)

    def kept(self, text: str) -> str:
        """`text` as the platform stores it."""
        if self.trim_texts is None:
            return text
        plain = re.sub(r"\s+", " ", text).strip()
        # Cut first: an entity cut in two could not be read back by anybody.
        return html.escape(plain[: self.trim_texts].rstrip())
