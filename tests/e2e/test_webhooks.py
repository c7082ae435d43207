"""The official verifiers in Python and JavaScript, and bundle.social's package, take what is delivered and no more."""

import base64
import json
import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from psycopg_pool import AsyncConnectionPool
from standardwebhooks import Webhook, WebhookVerificationError

from core.events.events import Event
from core.http import open_transport
from core.retry import Policy
from core.webhooks.outbox import Outbox
from core.webhooks.signing import new_secret, sign
from core.webhooks.terms import Terms
from tests.core.webhooks.house import GUARD, VAULT
from tests.e2e.node import answer_of, installed
from tests.workers.webhook_receiver import Call, Receiver, Subscriber, receiving
from workers.webhooks import Sender

pytestmark = pytest.mark.e2e
PROGRAM = Path(__file__).parent / "webhooks"
ODD = "Grüße, 世界 🎉 \u2028 \\u0041 </script> \u0001 \x7f"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it came in, and the secret that its receiver knows."""

    body: bytes
    headers: dict[str, str]
    secret: str


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with its packages installed, in a folder of its own."""
    return installed(PROGRAM, tmp_path_factory.mktemp("webhooks") / "program")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


def verdicts(program: Path, requests: list[Request]) -> list[dict[str, Any]]:
    """What the packages say of each request."""
    found: list[dict[str, Any]] = answer_of(program, os.environ, msgspec.json.encode(requests).decode())
    assert len(found) == len(requests)
    return found


def python_takes(request: Request) -> bool:
    try:
        Webhook(request.secret).verify(request.body, request.headers)
    except WebhookVerificationError:
        return False
    return True


async def delivered(pool: AsyncConnectionPool, receiver: Receiver) -> list[Request]:
    """What arrives over HTTP: first tries and later ones, both formats, odd letters, one secret and two."""
    house = await Subscriber(pool, receiver).settle_in()
    plain, rotated = await house.subscribe("/plain"), await house.subscribe("/rotated")
    terms = Terms(url=f"{receiver.url}/vendor", format="bundle.social")
    vendor = await house.endpoints.create(house.organization, None, terms.url, terms=terms)
    newer = await house.endpoints.rotate_secret(house.organization, rotated.endpoint.id)
    receiver.answers("/plain", 500, 302, 200)
    post = await house.post()
    said = {"status": "ERROR", "words": ODD, "number": 12.5, "nothing": None, "deep": [[{}]]}
    events = [
        Event(organization_id=house.organization, team_id=house.team, type=type, subject=post, data=said)
        for type in ("delivery.retrying", "delivery.failed", "post.failed", "post.published")
    ]
    await house.happened(*events)
    transport = open_transport(guard=GUARD)
    await Sender(Outbox(pool, VAULT), transport, GUARD, random=Random(1), policy=Policy(attempts=9, first=0.0)).drain()
    await transport.aclose()
    found = [_request(call, plain.secret) for call in receiver.at("/plain")]
    found += [_request(call, vendor.secret) for call in receiver.at("/vendor")]
    for secret in (rotated.secret, newer.secret):
        found += [_request(call, secret) for call in receiver.at("/rotated")]
    assert len(receiver.at("/plain")) > 4
    assert len(receiver.at("/vendor")) == 2
    return found


def _request(call: Call, secret: str) -> Request:
    return Request(body=call.body, headers={name.lower(): text for name, text in call.headers.items()}, secret=secret)


def newest(request: Request, of: list[Request]) -> bool:
    """Whether the request's secret is the one under which `x-signature` is made; it has room for one."""
    last = {other.headers["webhook-id"] + other.headers["x-signature"]: other.secret for other in of}
    return last[request.headers["webhook-id"] + request.headers["x-signature"]] == request.secret


async def test_every_delivery_is_taken_by_every_official_verifier(
    pool: AsyncConnectionPool, receiver: Receiver, program: Path
) -> None:
    requests = await delivered(pool, receiver)
    for request, said in zip(requests, verdicts(program, requests), strict=True):
        body = json.loads(request.body)
        assert python_takes(request)
        assert said["standard"] == {"taken": True, "event": body}
        assert said["bundlesocial"]["taken"] == newest(request, requests)
        assert said["parsed"] == said["bundlesocial"]
        if said["bundlesocial"]["taken"]:
            assert said["bundlesocial"]["event"] == body


def _changed_byte(request: Request) -> Request:
    body = bytearray(request.body)
    body[body.index(b'"data"') + 2] ^= 1
    return msgspec.structs.replace(request, body=bytes(body))


def _old(request: Request) -> Request:
    """The same, rightly signed ten minutes ago."""
    at = datetime.now(UTC) - timedelta(minutes=10)
    signed = sign(request.body, secrets=[request.secret], message_id=request.headers["webhook-id"], at=at)
    return msgspec.structs.replace(request, headers=signed.headers)


def _another_id(request: Request) -> Request:
    return msgspec.structs.replace(request, headers=request.headers | {"webhook-id": "another"})


def _another_secret(request: Request) -> Request:
    return msgspec.structs.replace(request, secret=new_secret())


@pytest.mark.parametrize(
    ("change", "bundlesocial"), [(_changed_byte, False), (_old, True), (_another_id, True), (_another_secret, False)]
)
async def test_what_was_tampered_with_is_refused(
    pool: AsyncConnectionPool,
    receiver: Receiver,
    program: Path,
    change: Callable[[Request], Request],
    bundlesocial: bool,
) -> None:
    """bundle.social's signature covers the body alone: it knows nothing of times and ids."""
    requests = await delivered(pool, receiver)
    newest_ones = [request for request in requests if newest(request, requests)]
    changed = [change(request) for request in newest_ones]
    for request, said in zip(changed, verdicts(program, changed), strict=True):
        assert not python_takes(request)
        assert not said["standard"]["taken"]
        assert said["bundlesocial"]["taken"] == bundlesocial


def test_bodies_are_handed_over_as_they_came() -> None:
    request = Request(body=ODD.encode(), headers={}, secret="s")
    assert base64.b64decode(json.loads(msgspec.json.encode(request))["body"]) == ODD.encode()
