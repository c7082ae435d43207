"""Introduction: what a platform tells of an account when it is connected."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import msgspec

from core.adapter import Adapter, Profile
from core.errors import BrokenAdapter
from core.post import Account, Channel, Media
from core.session import Journal, Passage, Session, Unarmed
from core.streams import MediaFile


async def introduce(
    adapter: Adapter[Any],
    token: str,
    *,
    hosts: Mapping[str, str],
    transport: httpx.AsyncBaseTransport,
    passage: Passage | None = None,
    way: str = "",
) -> tuple[Profile, Sequence[Channel]]:
    """Who the token belongs to, and the channels of the account; `way` is how it was connected (`Tokens.way`).

    Raises a `PublishError` where the platform says no.
    """
    session = stranger_session(adapter, token, hosts=hosts, transport=transport, passage=passage, way=way)
    return await profile_of(adapter, session), await adapter.channels(session)


async def profile_of(adapter: Adapter[Any], session: Session) -> Profile:
    """What the platform tells of the account, by the way in which it was connected."""
    profile, account = await adapter.profile(session), session.account
    return msgspec.structs.replace(profile, facts={**profile.facts, **account.way_facts})


def stranger_session(
    adapter: Adapter[Any],
    token: str,
    *,
    hosts: Mapping[str, str],
    transport: httpx.AsyncBaseTransport,
    passage: Passage | None = None,
    way: str = "",
) -> Session:
    """A session of somebody who is not known yet; the token may be empty, where it is only being got."""
    unknown = Account(
        id="", platform=adapter.platform, username="", external_user="", facts={"way": way} if way else {}
    )
    return reading_session(adapter, unknown, token, hosts=hosts, transport=transport, passage=passage)


def reading_session(
    adapter: Adapter[Any],
    account: Account,
    token: str,
    *,
    hosts: Mapping[str, str],
    transport: httpx.AsyncBaseTransport,
    passage: Passage | None = None,
) -> Session:
    """A session that can only read: nothing is published in it."""
    return visiting_session(
        adapter, account, token, hosts=hosts, transport=transport, passage=passage, journal=Unarmed()
    )


def visiting_session(
    adapter: Adapter[Any],
    account: Account,
    token: str,
    *,
    hosts: Mapping[str, str],
    transport: httpx.AsyncBaseTransport,
    passage: Passage | None,
    journal: Journal,
) -> Session:
    """A session that belongs to no delivery: it writes as far as `journal` lets it."""
    return Session(
        adapter,
        account=account,
        token=token,
        hosts=hosts,
        key="",
        transport=transport,
        journal=journal,
        steps={},
        open_file=_nothing,
        passage=passage,
    )


def _nothing(media: Media) -> AbstractAsyncContextManager[MediaFile]:
    raise BrokenAdapter("What belongs to no delivery has no files.")
