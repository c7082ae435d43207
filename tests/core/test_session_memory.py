"""What earlier attempts did is there to be asked for."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from adapters.echo import Echo
from core.clock import Deadline
from core.http import open_transport
from core.post import Account, Media
from core.session import Session, Unarmed


@pytest.fixture
async def transport() -> AsyncIterator[httpx.AsyncBaseTransport]:
    opened = open_transport(guard=None)
    yield opened
    await opened.aclose()


class Pad(Unarmed):
    async def arm(self, name: str, answers: dict[str, Any]) -> Deadline:
        self.armed = answers
        return Deadline.after(60)

    async def remember(self, answers: dict[str, Any]) -> None:
        self.answers = answers


def no_file(media: Media) -> Any:
    raise AssertionError(media)


def session(transport: httpx.AsyncBaseTransport, pad: Pad, **steps: Any) -> Session:
    return Session(
        Echo(),
        account=Account(id="a", platform="ECHO", username="u", external_user="u"),
        token="t",
        hosts={"api": "http://127.0.0.1:9"},
        key="k",
        transport=transport,
        journal=pad,
        steps=steps,
        open_file=no_file,
    )


async def test_what_a_step_answered_is_remembered_in_this_attempt_and_a_later_one(
    transport: httpx.AsyncBaseTransport,
) -> None:
    async def made() -> dict[str, str]:
        return {"id": "c1"}

    pad = Pad()
    using = session(transport, pad)
    assert using.remembered("container") is None
    await using.step("container", made, safe_to_repeat=True)
    assert using.remembered("container") == {"id": "c1"}
    assert session(transport, pad, **pad.answers).remembered("container") == {"id": "c1"}


async def test_what_is_fixed_stays_so_from_the_first_arming(transport: httpx.AsyncBaseTransport) -> None:
    async def made() -> str:
        return "made"

    pad = Pad()
    using = session(transport, pad)
    assert using.fixed("moment", "first") == using.fixed("moment", "second") == "first"
    await using.once("create", made)
    assert pad.armed == {"moment": "first"}
    assert session(transport, pad, **pad.armed).fixed("moment", "third") == "first"
    assert session(transport, Pad()).fixed("moment", "third") == "third", "nothing was sent, so nothing is fixed"
