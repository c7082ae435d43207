"""Checks of what comes of a publish: it goes out once, whatever fails, and every failure is called by its name."""

import itertools
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote

import httpx

from core.answers import UNREADABLE
from core.conformance.declaration import Tried
from core.conformance.subject import NotExamined, Subject
from core.conformance.trial import Counted, Delivery, Ending, Trial, raised, trial
from core.credentials import authorized
from core.errors import (
    FingerpostError,
    NotAuthorized,
    OutcomeUnknown,
    PublishError,
    RateLimited,
    Rejected,
    Unavailable,
)
from core.rehearsal import rehearse
from core.sandbox import Call

RETRY_AFTER = 17

UNCLEAR: tuple[type[Exception], ...] = (Unavailable, OutcomeUnknown)

FAILURES: tuple[tuple[str, dict[str, Any], tuple[type[Exception], ...]], ...] = (
    ("error", {"status": 429, "headers": {"Retry-After": str(RETRY_AFTER)}}, (RateLimited,)),
    ("error", {"status": 401}, (NotAuthorized,)),
    ("error", {"status": 400}, (Rejected,)),
    ("error", {"status": 500}, UNCLEAR),
    ("error", {"status": 503, "body": "<html>Come back later.</html>"}, UNCLEAR),
    ("reset_before", {}, UNCLEAR),
    ("reset_after", {}, UNCLEAR),
    ("garbage", {}, (*UNCLEAR, *UNREADABLE)),
)
"""What may happen to a call, and the classes that it may be called by."""

LOST: tuple[tuple[str, dict[str, Any]], ...] = (("reset_after", {}), ("error_after", {"status": 500}), ("garbage", {}))
"""How the answer to a call that was carried out gets lost."""

BODIES = (b"", b"<html>", b"null", b"[]", b"1", b'"text"', b"{}", b'{"error": 1}', b'{"code": "x"}', b'{"message": {}}')


async def publishes(subject: Subject) -> AsyncIterator[Tried]:
    """Its own examples go out, under an id that the platform knows; the account has a name and its channels."""
    for number in range(len(list(subject.blocks()))):
        async with trial(subject) as here:
            here.passage = Counted(here.adapter) if here.adapter.quotas else None
            ending = await Delivery(here, here.draft(here.blocks()[number]), "key").to_the_end()
            if ending.published is None:
                yield f"its example does not go out: {_words(ending)}"
                continue
            ids = {thing["id"] for thing in here.shelf()}
            yield _unless(ending.published.external_id in ids, f"{ending.published.external_id} is not on the platform")
            link = ending.published.permalink
            yield _unless(link is None or httpx.URL(link).is_absolute_url, f"the permalink {link} is no URL")
            yield _unless(here.account.username and here.account.external_user, "profile() tells no name or no id")
            channels = [channel.id for channel in here.account.channels]
            yield _unless(len(channels) == len(set(channels)), "channels() tells a channel twice")
            chosen = here.seed.channel_id
            words = f"channels() does not tell '{chosen}', the channel of the sandbox's seed(): tell it, or seed ''"
            yield _unless(chosen in (*channels, ""), words)


async def rehearses(subject: Subject) -> AsyncIterator[Tried]:
    """A dry run of its examples comes to its end, with every request that a publish makes."""
    for number in range(len(list(subject.blocks()))):
        async with trial(subject) as here:
            rehearsal = await rehearse(here.adapter, here.draft(here.blocks()[number]), here.hosts)
            words = f"a dry run of its example stops: {rehearsal.note} Give the platform's answers in `rehearsal`."
            yield _unless(rehearsal.complete, words)
            yield _unless(rehearsal.requests, "a dry run of its example sends nothing")


async def names_failures(subject: Subject) -> AsyncIterator[Tried]:
    """Whatever happens to a call of a publish is classified, at every call; 429 keeps to Retry-After."""
    for nth in range(1, await _count_calls(subject) + 1):
        for kind, more, wanted in FAILURES:
            async with trial(subject) as here:
                here.fault(kind, match={"nth": nth}, **more)
                error = await raised(Delivery(here, here.draft(here.blocks()[-1]), "key").attempt)
                yield _wrong(error, wanted, f"{_called(here, nth)}, {kind} {more.get('status', '')}".rstrip())


async def reads_any_refusal(subject: Subject) -> AsyncIterator[Tried]:
    """A refusal with a body that nobody expects is left to its status, and breaks nothing."""
    for status, body in itertools.product((400, 401, 403, 404, 409, 413, 422, 429, 500, 503), BODIES):
        response = httpx.Response(status, content=body, request=httpx.Request("POST", subject.adapter.hosts["api"]))
        for classify in (subject.adapter.classify, subject.adapter.classify_token):
            try:
                told = classify(response)
            except Exception as error:  # noqa: BLE001 - it is what is looked for
                yield f"{classify.__name__}() fails on {status} {body!r}: {type(error).__name__}: {error}"
            else:
                yield _unless(told is None or isinstance(told, PublishError), f"{classify.__name__}() answers {told!r}")


async def knows_its_refusals(subject: Subject) -> AsyncIterator[Tried]:
    """Each declared refusal, sent by the sandbox, comes out as its class with its code and hint."""
    for row in subject.adapter.refusals:
        async with trial(subject) as here:
            body = here.sandbox.refusal_body(row.codes[0] if row.codes else None, row.example)
            here.fault("error", status=row.status, body=body)
            error = await raised(Delivery(here, here.draft(here.blocks()[-1]), "key").attempt)
            told = (type(error), getattr(error, "code", ""), getattr(error, "hint", ""))
            same = told == (row.kind, row.code, row.hint)
            yield _unless(same, f"{row.status} {row.code} ({row.example!r}) comes out as {told[0].__name__} {told[1]}")


async def survives_lost_answers(subject: Subject) -> AsyncIterator[Tried]:
    """An answer is lost, at every call in turn: it is resumed or read back, and is live once and no more."""
    once, calls = await _count_things(subject), await _count_calls(subject)
    for nth, (kind, more) in itertools.product(range(1, calls + 1), LOST):
        async with trial(subject) as here:
            here.fault(kind, match={"nth": nth}, times=1, **more)
            ending = await Delivery(here, here.draft(here.blocks()[-1]), "key").to_the_end()
            yield _once(here, ending, once, f"{_called(here, nth)}, {kind}")


async def survives_crashes(subject: Subject) -> AsyncIterator[Tried]:
    """Our process ends before or behind each of its commits: it is resumed or read back, and is live once."""
    once = await _count_things(subject)
    async with trial(subject) as here:
        whole = Delivery(here, here.draft(here.blocks()[-1]), "key")
        await whole.to_the_end()
    for number, written in itertools.product(range(1, whole.notebook.commits + 1), (False, True)):
        async with trial(subject) as here:
            delivery = Delivery(here, here.draft(here.blocks()[-1]), "key")
            delivery.notebook.crash_at, delivery.notebook.written = number, written
            ending = await delivery.to_the_end()
            yield _once(here, ending, once, f"crash {'behind' if written else 'before'} commit {number}")


def _once(here: Trial, ending: Ending, once: int, where: str) -> Tried:
    live, ids = len(here.shelf()), {thing["id"] for thing in here.shelf()}
    if ending.review and here.certainty == "none":
        return _unless(live <= once, f"{where}: {live} are live where {once} should be")
    if ending.published is None:
        return f"{where}: it does not go out: {_words(ending)}"
    if ending.published.external_id not in ids:
        return f"{where}: {ending.published.external_id} is not on the platform"
    return _unless(live == once, f"{where}: {live} are live where {once} should be")


def _wrong(error: Exception | None, wanted: tuple[type[Exception], ...], where: str) -> Tried:
    names = " or ".join(kind.__name__ for kind in wanted[:2])
    if error is None:
        return f"{where}: nothing was raised, where {names} should be"
    if isinstance(error, RateLimited) and RateLimited in wanted:
        seconds = error.after.total_seconds()
        words = f"{where}: waits {seconds:g} seconds, where Retry-After says {RETRY_AFTER}; retry_after() reads it"
        return _unless(seconds == RETRY_AFTER, words)
    if isinstance(error, wanted):
        return None
    known = "" if isinstance(error, FingerpostError) else ", which nobody classified"
    return f"{where}: {type(error).__name__}{known}, where {names} should be ({error})"


def _called(here: Trial, nth: int) -> str:
    calls = _publishing(here)
    call = calls[nth - 1] if nth <= len(calls) else None
    if call is None:
        return f"call {nth}"
    secrets = authorized(here.adapter.authorize, httpx.Request("GET", f"{here.url}/{{token}}"), here.seed.access_token)
    path = unquote(call.path.partition("?")[0])
    for secret in secrets:
        path = path.replace(secret, "{token}")
    return f"call {nth} ({call.method} {path})"


def _publishing(here: Trial) -> list[Call]:
    """The calls since the account was connected."""
    return [call for call in here.sandbox.log.calls() if call.id > here.connected]


async def _count_calls(subject: Subject) -> int:
    async with trial(subject) as here:
        await Delivery(here, here.draft(here.blocks()[-1]), "key").to_the_end()
        return len(_publishing(here))


async def _count_things(subject: Subject) -> int:
    """How many things one publish makes. Raises `NotExamined` where it does not go out at all."""
    async with trial(subject) as here:
        ending = await Delivery(here, here.draft(here.blocks()[-1]), "key").to_the_end()
        if ending.published is None:
            raise NotExamined(f"its example does not go out: {_words(ending)}")
        return len(here.shelf())


def _words(ending: Ending) -> str:
    return "a person has to look" if ending.review else f"{type(ending.error).__name__}: {ending.error}"


def _unless(holds: object, words: str) -> Tried:
    return None if holds else words
