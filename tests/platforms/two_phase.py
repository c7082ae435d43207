"""A platform of two phases: a container is made, then published, and tells for ever whether it was."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Annotated, Any

import httpx
import msgspec
from aiohttp import web
from msgspec import Meta

from fingerpost import (
    Adapter,
    Block,
    Draft,
    Field,
    Fill,
    Form,
    OutcomeUnknown,
    Pending,
    Profile,
    Published,
    PublishError,
    Sandbox,
    Seed,
    Session,
    hookimpl,
    json_answer,
)

LONGEST = 500
"""Characters of one post."""

IN_PROGRESS, FINISHED, PUBLISHED = "IN_PROGRESS", "FINISHED", "PUBLISHED"


class TwoPhaseBlock(Block, frozen=True, kw_only=True):
    text: Annotated[str, Meta(min_length=1, max_length=LONGEST, description="The first post.")]
    replies: Annotated[list[str], Meta(description="The posts below it.")] = []


class TwoPhase(Adapter[TwoPhaseBlock]):
    """A post and its replies, each with a container of its own, of which the session remembers the id."""

    platform, label, certainty = "TWOPHASE", "Two-Phase", "two-phase"
    hosts = {"api": "http://127.0.0.1:4020"}
    fills = (Fill(field="text", source="text"),)
    connect = Form(fields=(Field(name="name", label="Name"),))
    rehearsal = {
        "POST /containers": {"id": "<container>"},
        "GET /containers/*": {"status": "FINISHED", "post_id": None},
        "POST /containers/*/publish": {"id": "<post>"},
    }
    sandbox = "tests.platforms.two_phase:TwoPhaseSandbox"

    async def publish(self, draft: Draft[TwoPhaseBlock], session: Session) -> Published | Pending:
        first: str | None = None
        for number, text in enumerate(_texts(draft)):
            make = partial(_make_container, session, text, first)
            container = await session.step(f"container-{number}", make, safe_to_repeat=True)
            seen = await _look(session, container)
            if seen["status"] == IN_PROGRESS:
                return Pending(state={"container": container}, after=timedelta(seconds=30))
            if seen["status"] == PUBLISHED:
                post = seen["post_id"]
            else:
                post = await session.once(f"publish-{number}", partial(_publish_container, session, container))
            first = first or post
        return _published(first)

    async def resume(self, draft: Draft[TwoPhaseBlock], session: Session, state: dict[str, Any]) -> Published | Pending:
        return await self.publish(draft, session)

    async def find(self, draft: Draft[TwoPhaseBlock], session: Session, since: datetime) -> Sequence[Published]:
        posts: list[str | None] = []
        for number, _ in enumerate(_texts(draft)):
            container = session.remembered(f"container-{number}")
            posts.append((await _look(session, container))["post_id"] if container else None)
        return [_published(posts[0])] if all(posts) else []

    async def profile(self, session: Session) -> Profile:
        name = (await session.http.get("/me")).json()["name"]
        return Profile(external_user=name, username=name, display_name=name)

    def classify(self, response: httpx.Response) -> PublishError | None:
        # A container is only refused because it went out already: the look finds out under which id.
        return OutcomeUnknown("The container was published before.") if response.status_code == 409 else None


def _texts(draft: Draft[TwoPhaseBlock]) -> list[str]:
    return [draft.block.text, *draft.block.replies]


async def _make_container(session: Session, text: str, reply_to: str | None) -> str:
    return str((await session.http.post("/containers", json={"text": text, "reply_to": reply_to})).json()["id"])


async def _publish_container(session: Session, container: str) -> str:
    return str((await session.http.post(f"/containers/{container}/publish")).json()["id"])


async def _look(session: Session, container: str) -> dict[str, Any]:
    seen: dict[str, Any] = (await session.http.get(f"/containers/{container}")).json()
    return seen


def _published(post: str | None) -> Published:
    assert post is not None
    return Published(external_id=post)


class Container(msgspec.Struct, kw_only=True):
    """A post in the making; `reads` is how many looks it takes until it is ready."""

    id: str
    user: str
    text: str
    reply_to: str | None
    created: float
    reads: int
    post_id: str | None = None

    @property
    def status(self) -> str:
        if self.post_id is not None:
            return PUBLISHED
        return IN_PROGRESS if self.reads > 0 else FINISHED


class TwoPhaseSandbox(Sandbox):
    """`POST /containers`, `POST /containers/{id}/publish` (once, then 409), `GET /containers/{id}`, `GET /me`.

    With `reads` a container is ready only at the look after so many. A token is a user's name.
    """

    platform = "TWOPHASE"

    def __init__(self, *, reads: int = 0, **options: Any) -> None:
        super().__init__(**options)
        self._reads = reads
        self._containers: dict[str, Container] = {}
        self._posts: list[dict[str, Any]] = []
        self._users = count(1)

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.post("/containers", self._make),
            web.post("/containers/{id}/publish", self._publish),
            web.route("GET", "/containers/{id}", self._show),
            web.route("GET", "/me", self._me),
        ]

    def live(self) -> dict[str, Any]:
        return {"containers": [_shown(each) for each in self._containers.values()], "posts": self._posts}

    def seed(self) -> Seed:
        name = f"two-phase-{next(self._users)}"
        return Seed(access_token=name, refresh_token=None, external_user=name, channel_id="", facts={})

    def account_of(self, request: web.Request) -> str | None:
        return request.headers.get("Authorization", "").removeprefix("Bearer ") or None

    async def _make(self, request: web.Request) -> web.Response:
        body = await request.json()
        if not 0 < len(body["text"]) <= LONGEST:
            return json_answer(400, {"message": "A post has 1 to 500 characters."})
        made = Container(
            id=f"c{len(self._containers) + 1}",
            user=self.account_of(request) or "",
            text=self.kept(body["text"]) or "",
            reply_to=body.get("reply_to"),
            created=self.clock(),
            reads=self._reads,
        )
        self._containers[made.id] = made
        return json_answer(201, _shown(made))

    async def _publish(self, request: web.Request) -> web.Response:
        container = self._container(request)
        if container.status == PUBLISHED:
            return json_answer(409, {"message": "The container was published already."})
        if container.status == IN_PROGRESS:
            return json_answer(400, {"message": "The container is not ready."})
        container.post_id = f"p{len(self._posts) + 1}"
        facts = {"user": container.user, "text": container.text, "reply_to": container.reply_to}
        self._posts.append({"id": container.post_id, **facts, "created": self.clock()})
        return json_answer(200, {"id": container.post_id})

    async def _show(self, request: web.Request) -> web.Response:
        container = self._container(request)
        answer = json_answer(200, _shown(container))
        container.reads -= 1
        return answer

    async def _me(self, request: web.Request) -> web.Response:
        return json_answer(200, {"name": self.account_of(request)})

    def _container(self, request: web.Request) -> Container:
        container = self._containers.get(request.match_info["id"])
        if container is None or container.user != self.account_of(request):
            raise web.HTTPNotFound
        return container


def _shown(container: Container) -> dict[str, Any]:
    facts = msgspec.structs.asdict(container)
    return {"status": container.status, **facts}


@hookimpl
def fingerpost_adapters() -> Iterable[TwoPhase]:
    return [TwoPhase()]
