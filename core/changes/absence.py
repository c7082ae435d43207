"""Absence: what a platform says of what is gone, and the taking away that twice does no harm."""

from collections.abc import Awaitable, Callable
from typing import Any

from core.changes.changes import Result
from core.drafting import AnyAdapter
from core.errors import Rejected
from core.session import Session

GONE = (404, 410)
"""The statuses by which a platform says that something is not there."""


def is_gone(error: Rejected) -> bool:
    """Whether the platform says that it is not there."""
    return error.http_status in GONE


def deleting(delete: Callable[[Session], Awaitable[None]], *, known: bool) -> Any:
    """The write that takes something away; what is gone already is fine where we knew it."""

    async def act(adapter: AnyAdapter, session: Session) -> Result:
        try:
            await delete(session)
        except Rejected as error:
            if not known or not is_gone(error):
                raise
            return {"already": True}
        return {"already": False}

    return act


async def gone(reading: Awaitable[object]) -> Result | None:
    """What a look after a deletion says: that it is gone, or nothing."""
    try:
        await reading
    except Rejected as error:
        if not is_gone(error):
            raise
        return {"already": False}
    return None
