"""What earlier attempts did is there to be asked for."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from adapters.echo import Echo
from core.http import open_transport
from core.post import Account
from core.session import Session, Unarmed


@pytest.fixture
async def transport() -> AsyncIterator[httpx.AsyncBaseTransport]:
    opened = open_transport(guard=None)
    yield opened
    await opened.aclose()


class Pad(Unarmed):
    async def remember(self, answers: dict[str, Any]) -> None:
        self.answers = answers


async def test_what_a_step_answered_is_remembered_in_this_attempt_and_a_later_one(
    transport: httpx.AsyncBaseTransport,
) -> None:
    async def nothing(upload_id: str) -> bytes:
        raise AssertionError(upload_id)

    def session(pad: Pad, **steps: Any) -> Session:
        return Session(
            Echo(),
            account=Account(id="a", platform="ECHO", username="u", external_user="u"),
            token="t",
            hosts={"api": "http://127.0.0.1:9"},
            key="k",
            transport=transport,
            journal=pad,
            steps=steps,
            read_upload=nothing,
        )

    async def made() -> dict[str, str]:
        return {"id": "c1"}

    pad = Pad()
    using = session(pad)
    assert using.remembered("container") is None
    await using.step("container", made, safe_to_repeat=True)
    assert using.remembered("container") == {"id": "c1"}
    assert session(pad, **pad.answers).remembered("container") == {"id": "c1"}
