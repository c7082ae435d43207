"""A rehearsal runs an adapter's own publish to its end, and nothing leaves the house."""

import json
from datetime import timedelta
from typing import Any

import pytest

from core.adapter import Adapter, Pending, Profile, Published
from core.errors import Rejected
from core.post import Account, Block, Draft, Media
from core.registry import Registry
from core.rehearsal import rehearse
from core.session import Session

ACCOUNT = Account(id="a", platform="STEPS", username="u", external_user="1")
HOSTS = {"api": "https://api.example"}
FILE = Media(upload_id="0190", kind="image", mime="image/png")


class Steps(Adapter[Block]):
    """Registers a file, sends it elsewhere, waits, and creates."""

    platform, label, certainty, hosts = "STEPS", "Steps", "key", HOSTS
    rehearsal = {
        "POST /media": {"id": "<media id>", "upload": "https://files.example/put"},
        "POST https://files.example/*": None,
        "GET /media/*": {"ready": True},
        "POST /posts": {"id": "<post id>"},
    }

    async def publish(self, draft: Draft[Block], session: Session) -> Published | Pending:
        async def register() -> Any:
            made = (await session.http.post("/media", data={"kind": "image"})).json()
            content = await session.read(draft.media[0])
            await session.http.post(made["upload"], files={"file": ("p.png", content, "image/png")})
            return made["id"]

        media = await session.step("register", register, safe_to_repeat=True)
        return Pending(state={"media": media}, after=timedelta(seconds=9))

    async def resume(self, draft: Draft[Block], session: Session, state: dict[str, Any]) -> Published | Pending:
        await session.http.get(f"/media/{state['media']}", params={"wait": "0"})

        async def create() -> Any:
            headers = {"Idempotency-Key": session.key}
            body = {"media": [state["media"]]}
            return (await session.http.post("/posts", json=body, headers=headers)).json()["id"]

        return Published(external_id=await session.once("create", create))

    async def profile(self, session: Session) -> Profile:
        raise NotImplementedError


def draft(**more: Any) -> Draft[Block]:
    return Draft(title="A post", block=Block(), account=ACCOUNT, media=(FILE,), **more)


async def test_every_request_of_a_publish_of_several_steps_is_recorded() -> None:
    told = await rehearse(Steps(), draft(), HOSTS)
    assert (told.complete, told.note) == (True, None)
    assert [(request.method, request.url) for request in told.requests] == [
        ("POST", "https://api.example/media"),
        ("POST", "https://files.example/put"),
        ("GET", "https://api.example/media/%3Cmedia%20id%3E?wait=0"),
        ("POST", "https://api.example/posts"),
    ]
    register, send, look, create = told.requests
    assert register.body == {"kind": "image"}
    assert send.body == [{"name": "file", "fileName": "p.png", "contentType": "image/png", "value": "<the file 0190>"}]
    assert look.body is None
    assert create.body == {"media": ["<media id>"]}
    assert create.headers["idempotency-key"] == "<the delivery's id>"


async def test_it_stops_where_the_platforms_answer_is_not_foreseen_and_says_so() -> None:
    class Silent(Steps):
        rehearsal = {"POST /media": Steps.rehearsal["POST /media"]}

    told = await rehearse(Silent(), draft(), HOSTS)
    assert not told.complete
    assert len(told.requests) == 2
    assert "POST https://files.example/put" in (told.note or "")


@pytest.mark.parametrize("error", [Rejected("The board is full."), ZeroDivisionError("words that may hold anything")])
async def test_an_adapter_that_gives_up_breaks_nothing(error: Exception) -> None:
    class Fussy(Steps):
        async def publish(self, draft: Draft[Block], session: Session) -> Published:
            raise error

    told = await rehearse(Fussy(), draft(), HOSTS)
    assert (told.complete, told.requests) == (False, ())
    assert told.note == (error.message if isinstance(error, Rejected) else
                         "The adapter went no further without the platform (ZeroDivisionError).")  # fmt: skip


async def test_one_that_never_ends_does_not_keep_anybody_waiting() -> None:
    class Endless(Steps):
        async def resume(self, draft: Draft[Block], session: Session, state: dict[str, Any]) -> Pending:
            return Pending(state=state, after=timedelta(seconds=1))

    told = await rehearse(Endless(), draft(), HOSTS)
    assert not told.complete


@pytest.mark.parametrize("platform", Registry.installed())
def test_every_adapter_foresees_the_answers_that_its_rehearsal_needs(platform: str) -> None:
    """What a dry run of its own example needs stands in `rehearsal`, or the example is not one that it could run."""
    adapter = Registry.installed()[platform]
    json.dumps(dict(adapter.rehearsal))
    assert adapter.rehearsal, f"{platform} declares no `rehearsal`: its dry runs would end with the first call"
