"""Introduction: what a platform tells of an account when it is connected."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from core.adapter import Adapter, Profile
from core.errors import BrokenAdapter
from core.post import Account, Channel
from core.session import Session, Unarmed


async def introduce(
    adapter: Adapter[Any], token: str, *, hosts: Mapping[str, str], transport: httpx.AsyncBaseTransport
) -> tuple[Profile, Sequence[Channel]]:
    """Who the token belongs to, and the channels of the account. Raises a `PublishError` where the platform says no."""
    unknown = Account(id="", platform=adapter.platform, username="", external_user="")
    session = Session(
        adapter,
        account=unknown,
        token=token,
        hosts=hosts,
        key="",
        transport=transport,
        journal=Unarmed(),
        steps={},
        read_upload=_nothing,
    )
    return await adapter.profile(session), await adapter.channels(session)


async def _nothing(upload_id: str) -> bytes:
    raise BrokenAdapter("Connecting an account reads no uploads.")
