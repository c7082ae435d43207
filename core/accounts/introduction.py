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
    session = reading_session(adapter, unknown, token, hosts=hosts, transport=transport)
    return await adapter.profile(session), await adapter.channels(session)


def reading_session(
    adapter: Adapter[Any],
    account: Account,
    token: str,
    *,
    hosts: Mapping[str, str],
    transport: httpx.AsyncBaseTransport,
) -> Session:
    """A session that can only read: nothing is published in it."""
    return Session(
        adapter,
        account=account,
        token=token,
        hosts=hosts,
        key="",
        transport=transport,
        journal=Unarmed(),
        steps={},
        read_upload=_nothing,
    )


async def _nothing(upload_id: str) -> bytes:
    raise BrokenAdapter("Connecting an account reads no uploads.")
