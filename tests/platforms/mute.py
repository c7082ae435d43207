"""A platform that takes messages and never tells of them again, as a bare webhook URL does."""

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import count
from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta

from fingerpost import (
    Adapter,
    Block,
    Draft,
    Field,
    Fill,
    Form,
    Profile,
    Published,
    Sandbox,
    Seed,
    Session,
    hookimpl,
    json_answer,
)

LONGEST = 200
"""Characters of one message; a longer text goes out in several."""


class MuteBlock(Block, frozen=True, kw_only=True):
    text: Annotated[str, Meta(min_length=1, description="What is said.")]


class Mute(Adapter[MuteBlock]):
    """Nothing that was sent can be read again."""

    platform, label, certainty = "MUTE", "Mute", "none"
    hosts = {"api": "http://127.0.0.1:4021"}
    fills = (Fill(field="text", source="text"),)
    connect = Form(fields=(Field(name="hook", label="Name of the hook"),))
    rehearsal = {"POST /hook": {"id": "<the message's id>"}}
    sandbox = "tests.platforms.mute:MuteSandbox"

    async def publish(self, draft: Draft[MuteBlock], session: Session) -> Published:
        text = draft.block.text
        pieces = [text[at : at + LONGEST] for at in range(0, len(text), LONGEST)]
        said = [
            await session.once(f"say-{number}", partial(_say, session, piece)) for number, piece in enumerate(pieces)
        ]
        return Published(external_id=said[0])

    async def profile(self, session: Session) -> Profile:
        name = (await session.http.get("/hook")).json()["name"]
        return Profile(external_user=name, username=name, display_name=name)


async def _say(session: Session, text: str) -> str:
    return str((await session.http.post("/hook", json={"text": text})).json()["id"])


class MuteSandbox(Sandbox):
    """`POST /hook` makes a message, `GET /hook` tells the hook's name; a token is that name."""

    platform = "MUTE"
    shelf = "messages"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._messages: list[dict[str, Any]] = []
        self._hooks = count(1)

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.post("/hook", self._hear), web.route("GET", "/hook", self._name)]

    def live(self) -> dict[str, Any]:
        return {"messages": self._messages}

    def seed(self) -> Seed:
        name = f"hook-{next(self._hooks)}"
        return Seed(access_token=name, refresh_token=None, external_user=name, channel_id="", facts={})

    def account_of(self, request: web.Request) -> str | None:
        return request.headers.get("Authorization", "").removeprefix("Bearer ") or None

    async def _hear(self, request: web.Request) -> web.Response:
        text, hook = self.kept((await request.json())["text"]), self.account_of(request)
        if not 0 < len(text or "") <= LONGEST:
            return json_answer(400, {"message": "A message has 1 to 200 characters."})
        message = {"id": str(len(self._messages) + 1), "hook": hook, "text": text, "created": self.clock()}
        self._messages.append(message)
        return json_answer(200, {"id": message["id"]})

    async def _name(self, request: web.Request) -> web.Response:
        return json_answer(200, {"name": self.account_of(request)})


@hookimpl
def fingerpost_adapters() -> Iterable[Mute]:
    return [Mute()]
