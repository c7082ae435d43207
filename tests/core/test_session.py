"""The session lets an adapter do only what can be accounted for."""

from collections.abc import AsyncIterator
from random import Random
from typing import Any

import httpx
import pytest

from adapters.echo import Echo
from adapters.echo.sandbox import EchoSandbox
from core.clock import Deadline
from core.errors import BrokenAdapter, NotAuthorized, OutcomeUnknown, RateLimited, Rejected, Unavailable
from core.http import open_transport
from core.post import Account, Media
from core.sandbox import RunningSandbox, running
from core.session import Session


class Notebook:
    """A journal in memory that notes the order in which things are written down."""

    def __init__(self, seconds: float = 60.0) -> None:
        self.seconds = seconds
        self.armed: list[str] = []
        self.answers: dict[str, Any] = {}
        self.holds = 0

    async def arm(self, name: str, answers: dict[str, Any]) -> Deadline:
        self.armed.append(name)
        self.answers |= answers
        return Deadline.after(self.seconds)

    async def remember(self, answers: dict[str, Any]) -> None:
        self.answers |= answers

    async def hold(self) -> None:
        self.holds += 1


def no_file(media: Media) -> Any:
    raise AssertionError(media)


@pytest.fixture
async def at() -> AsyncIterator[RunningSandbox[EchoSandbox]]:
    async with running(EchoSandbox(rng=Random(1))) as started:
        yield started


@pytest.fixture
async def transport() -> AsyncIterator[httpx.AsyncBaseTransport]:
    opened = open_transport(guard=None)
    yield opened
    await opened.aclose()


def session(url: str, transport: httpx.AsyncBaseTransport, journal: Notebook, **steps: Any) -> Session:
    return Session(
        Echo(),
        account=Account(id="a", platform="ECHO", username="u", external_user="u"),
        token="s3cret-token",
        hosts={"api": url},
        key="k",
        transport=transport,
        journal=journal,
        steps=steps,
        open_file=no_file,
    )


async def say(using: Session, text: str = "hello") -> Any:
    return (await using.http.post("/messages", json={"text": text})).json()["id"]


async def arm(at: RunningSandbox[EchoSandbox], fault: str, **more: Any) -> None:
    async with httpx.AsyncClient() as client:
        body = {"on": "POST /messages", "fault": fault, **more}
        assert (await client.post(f"{at.url}/_sandbox/faults", json=body)).status_code == 201


def said(at: RunningSandbox[EchoSandbox]) -> int:
    live: Any = at.sandbox.live()
    return len(live["messages"])


async def test_a_write_outside_step_and_once_never_leaves(
    at: RunningSandbox[EchoSandbox], transport: httpx.AsyncBaseTransport
) -> None:
    with pytest.raises(BrokenAdapter, match="outside"):
        await say(session(at.url, transport, Notebook()))
    assert at.sandbox.log.calls() == []


async def test_reads_are_free(at: RunningSandbox[EchoSandbox], transport: httpx.AsyncBaseTransport) -> None:
    assert (await session(at.url, transport, Notebook()).http.get("/me")).json() == {"name": "s3cret-token"}


async def test_once_is_armed_before_it_is_sent_and_not_repeated(
    at: RunningSandbox[EchoSandbox], transport: httpx.AsyncBaseTransport
) -> None:
    journal = Notebook()
    using = session(at.url, transport, journal)
    first = await using.once("say", lambda: say(using))
    assert journal.armed == ["say"]
    assert await using.once("say", lambda: say(using)) == first
    assert said(at) == 1
    later = session(at.url, transport, journal, say=first)
    assert await later.once("say", lambda: say(later)) == first
    assert said(at) == 1


async def test_the_answer_of_one_once_is_on_disk_before_the_next_is_passed(
    at: RunningSandbox[EchoSandbox], transport: httpx.AsyncBaseTransport
) -> None:
    journal = Notebook()
    using = session(at.url, transport, journal)
    first = await using.once("first", lambda: say(using, "1"))
    assert journal.answers == {}
    await using.once("second", lambda: say(using, "2"))
    assert journal.answers == {"first": first}
    await using.save()
    assert set(journal.answers) == {"first", "second"}


async def test_a_step_is_remembered_and_must_be_safe_to_repeat(
    at: RunningSandbox[EchoSandbox], transport: httpx.AsyncBaseTransport
) -> None:
    journal = Notebook()
    using = session(at.url, transport, journal)
    answer = await using.step("prepare", lambda: say(using), safe_to_repeat=True)
    assert journal.answers == {"prepare": answer}
    assert journal.armed == []
    with pytest.raises(BrokenAdapter, match="once"):
        await using.step("other", lambda: say(using), safe_to_repeat=False)
    assert said(at) == 1


async def test_nothing_is_written_after_the_lease(
    at: RunningSandbox[EchoSandbox], transport: httpx.AsyncBaseTransport
) -> None:
    using = session(at.url, transport, Notebook(seconds=-1.0))
    with pytest.raises(Unavailable, match="lease"):
        await using.once("say", lambda: say(using))
    assert said(at) == 0


@pytest.mark.parametrize(
    ("fault", "more", "before", "inside"),
    [
        ("error", {"status": 500}, Unavailable, OutcomeUnknown),
        ("error", {"status": 503}, Unavailable, OutcomeUnknown),
        ("error", {"status": 429}, RateLimited, RateLimited),
        ("error", {"status": 401}, NotAuthorized, NotAuthorized),
        ("error", {"status": 400}, Rejected, Rejected),
        ("reset_before", {}, Unavailable, OutcomeUnknown),
        ("reset_after", {}, Unavailable, OutcomeUnknown),
    ],
)
async def test_what_an_error_means_depends_on_the_point_of_no_return(
    at: RunningSandbox[EchoSandbox],
    transport: httpx.AsyncBaseTransport,
    fault: str,
    more: dict[str, Any],
    before: type[Exception],
    inside: type[Exception],
) -> None:
    await arm(at, fault, **more)
    using = session(at.url, transport, Notebook())
    with pytest.raises(before) as caught:
        await using.step("say", lambda: say(using), safe_to_repeat=True)
    assert type(caught.value) is before
    with pytest.raises(inside) as caught:
        await using.once("say", lambda: say(using))
    assert type(caught.value) is inside


async def test_an_answer_that_cannot_be_read_is_unclear(
    at: RunningSandbox[EchoSandbox], transport: httpx.AsyncBaseTransport
) -> None:
    await arm(at, "garbage")
    using = session(at.url, transport, Notebook())
    with pytest.raises(OutcomeUnknown):
        await using.once("say", lambda: say(using))


async def test_a_platform_that_refuses_the_connection_has_made_nothing(transport: httpx.AsyncBaseTransport) -> None:
    using = session("http://127.0.0.1:9", transport, Notebook())
    with pytest.raises(Unavailable) as caught:
        await using.once("say", lambda: say(using))
    assert not isinstance(caught.value, OutcomeUnknown)


async def test_the_token_goes_to_the_platform_and_nowhere_else(
    at: RunningSandbox[EchoSandbox], transport: httpx.AsyncBaseTransport
) -> None:
    async with running(EchoSandbox(rng=Random(2))) as elsewhere:
        using = session(at.url, transport, Notebook())
        await using.http.get("/me")
        await using.http.get(f"{elsewhere.url}/me")
        assert at.sandbox.log.calls()[0].account == "s3cret-token"
        assert elsewhere.sandbox.log.calls()[0].account is None


async def test_an_answer_is_kept_without_the_token(
    at: RunningSandbox[EchoSandbox], transport: httpx.AsyncBaseTransport
) -> None:
    using = session(at.url, transport, Notebook())
    await using.http.get("/me")
    assert using.answer_status == 200
    assert using.answer_text == '{"name": "[redacted]"}'


class InParts(Echo):
    """Its token is made of two, of which one alone is sent."""

    def authorize(self, request: httpx.Request, token: str) -> None:
        super().authorize(request, token.partition(" ")[2])


@pytest.mark.parametrize("path", ["/me", "/bot{token}/me", "/{token}?in=path"])
async def test_what_was_sent_of_a_token_is_not_shown_either(path: str) -> None:
    echo = httpx.MockTransport(lambda request: httpx.Response(200, text=f"{request.url} {dict(request.headers)}"))
    using = Session(
        InParts(),
        account=Account(id="a", platform="ECHO", username="u", external_user="u"),
        token="who s3cret:token",
        hosts={"api": "http://echo.test"},
        key="k",
        transport=echo,
        journal=Notebook(),
        steps={},
        open_file=no_file,
    )
    await using.http.get(path)
    assert "[redacted]" in (using.answer_text or "")
    assert "s3cret" not in (using.answer_text or "")
    assert using.redacted("s3cret:token of who") == "[redacted] of who"
