"""Places in lists of posts: where a reader stands, whatever is put in before that meanwhile."""

import base64
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

OrderBy = Literal["createdAt", "updatedAt", "postDate", "postedDate", "deletedAt"]
Order = Literal["ASC", "DESC"]


class Place(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Behind a post of a list in this order: in which stretch of the list it is, its key there, and its id."""

    order_by: OrderBy
    order: Order
    stretch: int
    key: datetime
    id: UUID

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


def parse_place(text: str) -> Place | None:
    """The place that a text spells, or None."""
    try:
        place = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Place)
    except (ValueError, msgspec.DecodeError):
        return None
    # PostgreSQL takes no date that has no offset for the one that was meant.
    return place if place.key.tzinfo is not None else None
