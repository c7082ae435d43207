"""What the adapter does beside publishing; the judge of all tests holds its requests against the description."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime
from random import Random
from typing import Any

import httpx
import pytest

from adapters.pinterest.adapter import Pinterest
from adapters.pinterest.block import PinBlock
from adapters.pinterest.sandbox import PinterestSandbox
from core.accounts.introduction import visiting_session
from core.clock import Deadline
from core.post import Account, Channel, Draft
from core.sandbox import running
from core.session import Session
from fingerpost import ChannelFields, Rejected, Watched

TODAY = date.fromtimestamp(datetime.now(UTC).timestamp())


class Armed:
    """A journal that lets everything be sent."""

    async def arm(self, name: str, answers: dict[str, Any]) -> Deadline:
        return Deadline.after(60)

    async def remember(self, answers: dict[str, Any]) -> None:
        """Nothing is kept."""

    async def hold(self) -> None:
        """Nothing is held."""


class Stand:
    """An adapter and a sandbox, with a user and a session for each call."""

    def __init__(self, sandbox: PinterestSandbox, url: str, transport: httpx.AsyncBaseTransport) -> None:
        self.sandbox = sandbox
        self.seed = sandbox.seed()
        self.adapter = Pinterest()
        self.account = Account(
            id="a",
            platform="PINTEREST",
            username=self.seed.facts["username"],
            external_user=self.seed.external_user,
            channels=(Channel(id=self.seed.channel_id, name="Inspiration"),),
        )
        self._url = url
        self._transport = transport

    def session(self) -> Session:
        return visiting_session(
            self.adapter,
            self.account,
            self.seed.access_token,
            hosts={"api": self._url, "web": self._url},
            transport=self._transport,
            passage=None,
            journal=Armed(),
        )

    async def write(self, call: Callable[[Session], Awaitable[Any]]) -> Any:
        session = self.session()
        return await session.once("write", lambda: call(session))

    async def pin(self) -> str:
        source = {"source_type": "image_url", "url": f"{self._url}/_sandbox/picture.png"}
        body = {"board_id": self.seed.channel_id, "media_source": source}

        async def create(session: Session) -> str:
            return str((await session.http.post("/v5/pins", json=body)).json()["id"])

        return str(await self.write(create))


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    async with running(PinterestSandbox(rng=Random(1))) as at, httpx.AsyncHTTPTransport() as transport:
        yield Stand(at.sandbox, at.url, transport)


async def boards(stand: Stand) -> None:
    places = stand.adapter.places
    fields = ChannelFields(name="New", description="About", privacy="protected")
    channel = await stand.write(lambda session: places.create(fields, session))
    assert (channel.privacy, channel.writable) == ("protected", True)
    await stand.write(lambda session: places.change(channel.id, ChannelFields(privacy="public"), session))
    section = await stand.write(lambda session: places.create_section(channel.id, "S", session))
    await stand.write(lambda session: places.rename_section(channel.id, section.id, "T", session))
    assert [each.name for each in await places.sections(channel.id, stand.session())] == ["T"]
    assert (await places.read(channel.id, stand.session())).description == "About"
    assert len(await stand.adapter.channels(stand.session())) == 4
    await stand.write(lambda session: places.delete_section(channel.id, section.id, session))
    await stand.write(lambda session: places.delete(channel.id, session))


async def pins(stand: Stand) -> None:
    care, pin = stand.adapter.aftercare, await stand.pin()
    block = PinBlock(text="T", description=None, link="https://example.com", alt_text="A", board_name="inspiration")
    draft = Draft(title="", block=block, account=stand.account)
    names = ("text", "description", "link", "altText", "boardName")
    changed = await stand.write(lambda session: care.change(pin, draft, names, session))
    assert care.shows(changed, draft, names, stand.session())
    copy = await stand.write(lambda session: care.save(pin, stand.seed.channel_id, None, session))
    since = datetime(2020, 1, 1, tzinfo=UTC)
    assert await care.saved(pin, stand.seed.channel_id, since, stand.session()) == copy
    assert await care.saved(copy.external_id, stand.seed.channel_id, since, stand.session()) is None
    await stand.write(lambda session: care.delete(pin, session))
    with pytest.raises(Rejected) as gone:
        await care.read(pin, stand.session())
    assert (gone.value.http_status, gone.value.code) == (404, "pin_not_found")


async def figures(stand: Stand) -> None:
    insights = stand.adapter.insights
    ids = [await stand.pin() for _ in range(2)]
    watched = [Watched(external_id=id, published_at=datetime.now(UTC)) for id in ids]
    told = await insights.posts(watched, TODAY, stand.session())
    assert set(told) == set(ids)
    assert await insights.post(watched[0], TODAY, stand.session()) == told[ids[0]]
    film = Watched(external_id=ids[0], published_at=datetime.now(UTC), is_video=True)
    assert await insights.post(film, TODAY, stand.session()) == told[ids[0]], "it turns out to be a picture"
    account = await insights.account(TODAY, stand.session())
    assert (account.post_count, account.lacks) == (2, ())
    assert (await stand.adapter.profile(stand.session())).external_user == stand.seed.external_user


@pytest.mark.parametrize("part", [boards, pins, figures])
async def test_what_is_done_works(stand: Stand, part: Callable[[Stand], Awaitable[None]]) -> None:
    await part(stand)
    calls = [call for call in stand.sandbox.log.calls() if call.path.startswith("/v5/")]
    assert len(calls) >= 7
