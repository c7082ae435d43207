"""The suite finds what a worker would stumble over, and minds no rule that an adapter declares."""

from typing import Any

import pytest

from adapters.echo import Echo, EchoBlock
from adapters.echo.sandbox import EchoSandbox
from core.conformance import examine
from core.limits import category_of
from fingerpost import Draft, FileLimits, Limits, MediaLimits, Published, Quota, Rejected, Session, rule

CAPTION = 10


class Uncounted(Echo):
    """It declares what reads count as, and forgets its writes."""

    quotas = (Quota(calls=9, seconds=1, scope="account", category="read"),)
    operations = {"GET /*": "read"}


class Captioned(Echo):
    """What it says beside a picture is short."""

    limits = Limits(media=MediaLimits(count=(0, 1), by="url", image=FileLimits()))

    @rule("echo.caption", "Say less.", at="text", breaks={"text": "x" * 11, "mediaUrls": ["https://example.com/a.png"]})
    def is_short(self, draft: Draft[EchoBlock]) -> bool:
        return not draft.media or len(draft.block.text or "") <= CAPTION

    def example(self, channel_id: str, picture_url: str) -> dict[str, Any]:
        return {"text": "Hello", "mediaUrls": [picture_url]}

    async def publish(self, draft: Draft[EchoBlock], session: Session) -> Published:
        if not self.is_short(draft):
            raise Rejected("The caption is too long.")
        return await super().publish(draft, session)


class InPath(Echo):
    """Its token stands in the path."""

    rehearsal = {"POST /bot{token}/messages": {"id": "1"}}

    async def publish(self, draft: Draft[EchoBlock], session: Session) -> Published:
        async def say() -> str:
            return str((await session.http.post("/bot{token}/messages", json={})).json()["id"])

        return Published(external_id=await session.once("say", say))


async def test_a_call_that_counts_as_nothing_is_found() -> None:
    verdict = await examine("publishing", Uncounted(), EchoSandbox)
    assert "POST /messages has no category; name it in the adapter's operations." in verdict.faults[0]


async def test_a_text_is_as_long_as_it_may_be_where_no_rule_wants_less() -> None:
    assert (await examine("platform's bounds", Captioned(), EchoSandbox)).faults == ()


async def test_a_token_in_a_path_stands_in_the_keys_of_a_rehearsal() -> None:
    assert (await examine("dry run", InPath(), EchoSandbox)).faults == ()


async def test_a_dry_run_that_stops_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(InPath, "rehearsal", {})
    (fault,) = (await examine("dry run", InPath(), EchoSandbox)).faults
    assert "POST /bot{token}/messages" in fault
    assert fault.endswith("Give the platform's answers in `rehearsal`.")


@pytest.mark.parametrize(("method", "category"), [("POST", "message"), ("GET", None)])
def test_a_token_in_a_path_stands_in_the_keys_of_operations(method: str, category: str | None) -> None:
    operations = (("POST /bot{token}/send*", "message"),)
    assert category_of(operations, method, "/bot12:secret/sendPhoto") == category
