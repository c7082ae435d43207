"""What the adapter does beside publishing; the judge of all tests holds its requests against the description."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, date, datetime
from random import Random
from typing import Any

import httpx
import pytest

from adapters.pinterest.adapter import Pinterest
from adapters.pinterest.block import PinBlock
from adapters.pinterest.sandbox import PinterestSandbox
from core.clock import Deadline
from core.post import Account, Channel, Draft, Media
from core.sandbox import running
from core.session import OpenFile, Session
from fingerpost import ChannelFields, MediaFile, Pending, Rejected, Watched

TODAY = date.fromtimestamp(datetime.now(UTC).timestamp())


class Armed:
    """A journal that lets everything be sent."""

    async def arm(self, name: str, answers: dict[str, Any]) -> Deadline:
        return Deadline.after(60)

    async def remember(self, answers: dict[str, Any]) -> None:
        """Nothing is kept."""

    async def hold(self) -> None:
        """Nothing is held."""


def no_file(_: Media) -> AbstractAsyncContextManager[MediaFile]:
    raise AssertionError("no file is asked for")


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

    def session(self, open_file: OpenFile = no_file) -> Session:
        return Session(
            self.adapter,
            account=self.account,
            token=self.seed.access_token,
            hosts={"api": self._url, "web": self._url},
            key="",
            transport=self._transport,
            journal=Armed(),
            steps={},
            open_file=open_file,
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
    async with (
        running(PinterestSandbox(rng=Random(1), media_seconds=0.0)) as at,
        httpx.AsyncHTTPTransport() as transport,
    ):
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


def live(stand: Stand) -> list[Any]:
    told: Any = stand.sandbox.live()
    return list(told["pins"])


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
    assert (account.post_count, account.lacks) == (len(live(stand)), ())
    assert (await stand.adapter.profile(stand.session())).external_user == stand.seed.external_user


@asynccontextmanager
async def clip(_: Media) -> AsyncIterator[MediaFile]:
    content = b"\0\0\0\x18ftypmp42"

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield content

    yield MediaFile(pieces, mime="video/mp4", bytes=len(content), name="film.mp4")


async def film(stand: Stand) -> None:
    block = PinBlock(board_id=stand.seed.channel_id, thumbnail_offset=0)
    draft = Draft(title="", block=block, account=stand.account, media=(Media(kind="video", upload_id="f"),))
    session = stand.session(clip)
    found = await stand.adapter.publish(draft, session)
    while isinstance(found, Pending):
        found = await stand.adapter.resume(draft, session, found.state)
    assert (await stand.adapter.aftercare.read(found.external_id, stand.session())).external_id == found.external_id


async def test_what_is_done_works_and_calls_what_the_handbook_says(stand: Stand) -> None:
    for part in (boards, pins, figures, film):
        await part(stand)
    paths = {(call.method, call.path.partition("?")[0]) for call in stand.sandbox.log.calls()}
    called = {f"{method} {re.sub('/[0-9]+', '/{}', path)}" for method, path in paths if path.startswith("/v5/")}
    oauth = f"POST {Pinterest.connect.token_url.removeprefix('{api}')}"
    assert called | {oauth} == {re.sub(r"\{\w+\}", "{}", name) for name in Pinterest.uses}
