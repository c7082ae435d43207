"""Publishing: one delivery, from a worker's hands to its outcome in the ledger."""

import asyncio
import traceback
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

import httpx
import msgspec
import structlog
from psycopg.errors import UniqueViolation

from core import logs
from core.accounts.accounts import Accounts, Credentials
from core.adapter import Certainty, Published
from core.clock import elapsed
from core.drafting import AnyAdapter, drafted
from core.errors import (
    FingerpostError,
    InvalidPost,
    NotAuthorized,
    NotFound,
    OutcomeUnknown,
    Rejected,
    Unavailable,
)
from core.findings import Report
from core.governor.allowance import Passage
from core.governor.passages import Passages
from core.ids import parse_id
from core.ledger.breaker import Breaker
from core.ledger.ledger import LeaseLost, Ledger, Taken
from core.ledger.moves import Failure, Outcome
from core.ledger.states import State
from core.ledger.verdicts import (
    SETTLE,
    Readback,
    after_error,
    after_failed_look,
    after_failed_resume,
    after_look,
    after_publish,
    after_repeat,
    failed,
    for_review,
)
from core.post import Draft, Shared
from core.registry import Registry
from core.retry import PUBLISHING, Policy
from core.session import OpenFile, Session, Unarmed
from core.settings import Settings
from core.uploads.files import Files
from core.uploads.renditions import Renditions
from core.uploads.uploads import Uploads
from workers.authority import Authority
from workers.endings import claimed_twice, given_up, looks, too_late, waiting
from workers.fetching import Fetching
from workers.journal import Journal
from workers.meaning import meaning_of

TWIN_SECONDS = 1.0
"""How soon a look is repeated that met an identical delivery under way."""

LOOK_BACK = timedelta(minutes=2)
"""How long before the arming a post may bear the platform's date: clocks differ."""


class _Settled(logs.Line, kw_only=True, tag="delivery_settled"):
    delivery: UUID
    platform: str
    state: State
    code: str | None


class _Late(_Settled, kw_only=True, tag="outcome_came_late"):
    """The same, where another hand was faster."""


class Publisher:
    """Carries deliveries out, each by the adapter of its platform."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        breaker: Breaker,
        accounts: Accounts,
        uploads: Uploads,
        renditions: Renditions,
        registry: Registry,
        settings: Settings,
        transport: httpx.AsyncBaseTransport,
        random: Random,
        policy: Policy = PUBLISHING,
        passages: Passages | None = None,
    ) -> None:
        self._ledger = ledger
        self._breaker = breaker
        self._accounts = accounts
        self._authority = Authority(accounts, ledger.notices)
        self._uploads = uploads
        self._fetching = Fetching(ledger, uploads)
        self._renditions = renditions
        self._registry = registry
        self._settings = settings
        self._files = Files(uploads.storage, renditions)
        self._transport = transport
        self._random = random
        self._policy = policy
        self._passages = passages
        self._readback = Readback(seconds=settings.readback_seconds, settled=settings.request_seconds * SETTLE)
        self._log = structlog.get_logger(__name__)

    async def carry_out(self, taken: Taken) -> None:
        """Publish, resume or look up a delivery, and write down what became of it."""
        try:
            outcome = await self._outcome(taken)
        except LeaseLost:
            self._log.warning("lease_lost", delivery=str(taken.id), fence=taken.fence)
            return
        try:
            settled = await self._ledger.settle(taken.subject, outcome)
        except UniqueViolation:
            settled = await self._ledger.settle(taken.subject, claimed_twice(outcome))
        await self._authority.settled(taken, outcome)
        line = _Settled if settled else _Late
        code = outcome.error.code if outcome.error else None
        logs.write(line(delivery=taken.id, platform=taken.platform, state=outcome.state, code=code))

    async def _outcome(self, taken: Taken) -> Outcome:
        adapter = self._registry.get(taken.platform)
        if adapter is None:
            words = f"No adapter for {taken.platform} is installed any more."
            return given_up(taken, Failure(code="platform_missing", message=words))
        passage = self._passage(taken, adapter)
        try:
            return await self._carried(taken, adapter, passage)
        finally:
            if passage is not None:
                passage.leave()

    async def _carried(self, taken: Taken, adapter: AnyAdapter, passage: Passage | None) -> Outcome:
        try:
            credentials = await self._accounts.credentials(taken.organization_id, taken.social_account_id)
        except NotFound as error:
            return given_up(taken, failed(error))
        certainty = adapter.certainty_of(credentials.account)
        look = looks(taken, adapter, certainty, self._settings.request_seconds)
        if (late := too_late(taken, look=look)) is not None:
            return given_up(taken, late)
        try:
            journal = Journal(self._ledger, taken, self._settings.lease)
            draft, session = await self._prepared(taken, adapter, credentials, passage, Unarmed() if look else journal)
        except (NotFound, InvalidPost) as error:
            return given_up(taken, failed(error))
        except (Rejected, Unavailable) as error:
            return self._after(error, taken, certainty)
        if (put_by := await self._authority.missing(taken, credentials)) is not None:
            return put_by
        if taken.probing and not await self._is_back(taken, adapter, session):
            return waiting(taken)
        if look:
            outcome = await self._look(taken, adapter, draft, session, credentials)
        else:
            outcome = await self._publish(taken, adapter, draft, session, credentials, journal.bound())
        return _redacted(outcome, session)

    def _passage(self, taken: Taken, adapter: AnyAdapter) -> Passage | None:
        """The attempt's way through the platform's quotas, if it declares any."""
        if self._passages is None:
            return None
        return self._passages.attempt(
            adapter,
            app=taken.app,
            grant_id=taken.grant_id,
            own=taken.quotas,
            delivery_id=taken.id,
            fence=taken.fence,
            reserved=taken.calls,
            # What was queued comes through the claim again, where it is booked in its turn.
            books=taken.from_state != State.QUEUED,
        )

    async def _prepared(
        self,
        taken: Taken,
        adapter: AnyAdapter,
        credentials: Credentials,
        passage: Passage | None,
        journal: Journal | Unarmed,
    ) -> tuple[Draft[Any], Session]:
        fetched = await self._fetching.fetched(taken, adapter, credentials.account, journal.hold)
        shared = Shared.of(taken.content)
        named = [*(taken.block.get("uploadIds") or ()), *(shared.upload_ids or ())]
        ids = [id for text in named if (id := parse_id(text))]
        held = await self._uploads.many(taken.organization_id, taken.team_id, ids)
        uploads = {str(upload.id): upload for upload in (*held.values(), *fetched.values())}
        made = drafted(
            adapter,
            shared,
            taken.block,
            path=("data", taken.platform),
            account=credentials.account,
            uploads={name: upload.media for name, upload in (uploads | fetched).items()},
        )
        report = Report(made.findings)
        if made.draft is None or report.errors:
            raise InvalidPost(report)

        draft = self._renditions.handed_over(made.draft, uploads)
        fetch = partial(self._fetching.fetch, taken, hold=journal.hold)
        files = self._files.of(uploads, adapter.limits_of(credentials.account).media, fetch)
        return draft, self._session(taken, adapter, credentials, passage, journal, files)

    def _session(
        self,
        taken: Taken,
        adapter: AnyAdapter,
        credentials: Credentials,
        passage: Passage | None,
        journal: Journal | Unarmed,
        files: OpenFile,
    ) -> Session:
        return Session(
            adapter,
            account=credentials.account,
            token=credentials.token,
            hosts=self._settings.hosts_of(adapter, credentials.account.hosts),
            key=str(taken.id),
            transport=self._transport,
            journal=journal,
            steps=taken.steps,
            open_file=files,
            request_seconds=self._settings.request_seconds,
            now=_database_clock(taken),
            passage=passage,
        )

    async def _is_back(self, taken: Taken, adapter: AnyAdapter, session: Session) -> bool:
        """Whether a server that was in trouble answers again; asked by a read."""
        try:
            await adapter.profile(session)
        except (Unavailable, OutcomeUnknown):
            return False
        except Exception as error:  # noqa: BLE001 - any other answer is an answer
            self._log.info("probe_answered", platform=adapter.platform, error=session.redacted(str(error)))
        await self._breaker.close(taken.platform, taken.server)
        return True

    async def _publish(
        self,
        taken: Taken,
        adapter: AnyAdapter,
        draft: Draft[Any],
        session: Session,
        credentials: Credentials,
        bound: asyncio.Timeout,
    ) -> Outcome:
        start = elapsed()
        try:
            async with bound:
                if taken.from_state == State.PROCESSING and taken.pending is not None:
                    outcome = after_publish(await adapter.resume(draft, session, taken.pending))
                else:
                    outcome = after_publish(await adapter.publish(draft, session))
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001 - every error is classified and stored
            await session.save()
            if not isinstance(error, FingerpostError):
                self._log_failure("adapter_failed", taken, error, session)
            classified = meaning_of(error, session, taken)
            await self._tell_breaker(taken, classified, start)
            if isinstance(classified, NotAuthorized):
                outcome = await self._authority.refused(taken, credentials, classified)
            else:
                outcome = self._after(classified, taken, adapter.certainty_of(credentials.account))
        else:
            outcome = msgspec.structs.replace(outcome, steps=session.unsaved())
            await self._breaker.saw(taken.platform, taken.server, None)
        return msgspec.structs.replace(outcome, http_status=session.answer_status, answer=session.answer_text)

    def _after(self, error: Exception, taken: Taken, certainty: Certainty) -> Outcome:
        """What an error means for a delivery that was queued, under way or unclear."""
        readback = self._readback
        if taken.from_state == State.UNCONFIRMED:
            return after_repeat(error, looks=taken.looks, readback=readback)
        if taken.from_state == State.PROCESSING:
            armed = taken.armed_at is not None
            return after_failed_resume(
                error, pending=taken.pending, armed=armed, certainty=certainty, readback=readback
            )
        return after_error(
            error,
            failures=taken.failures,
            certainty=certainty,
            readback=readback,
            policy=self._policy,
            random=self._random,
        )

    async def _look(
        self, taken: Taken, adapter: AnyAdapter, draft: Draft[Any], session: Session, credentials: Credentials
    ) -> Outcome:
        if not adapter.finds:
            return for_review(Failure(code=OutcomeUnknown.code, message="Nobody knows whether the platform made it."))
        start = elapsed()
        try:
            async with asyncio.timeout(self._settings.lease):
                found = await _found(taken, adapter, draft, session)
        except Exception as error:  # noqa: BLE001 - every error is classified and stored
            if not isinstance(error, FingerpostError):
                self._log_failure("look_failed", taken, error, session)
            classified = meaning_of(error, session, taken)
            await self._tell_breaker(taken, classified, start)
            if isinstance(classified, NotAuthorized):
                return await self._authority.refused(taken, credentials, classified)
            return after_failed_look(classified, unclear_seconds=taken.unclear_seconds, readback=self._readback)
        await self._breaker.saw(taken.platform, taken.server, None)
        return await self._after_look(taken, found)

    async def _after_look(self, taken: Taken, found: Sequence[Published]) -> Outcome:
        if await self._ledger.twin_publishing(taken):
            # What was found may be what the twin is making: it has to speak first.
            return Outcome(state=State.UNCONFIRMED, due_in=TWIN_SECONDS)
        known = await self._ledger.known(taken.grant_id, [published.external_id for published in found])
        unclaimed = [published for published in found if published.external_id not in known]
        looks, last = taken.looks, self._readback.is_last(taken.looks, taken.unclear_seconds)
        if last and unclaimed and not any(published.exact for published in unclaimed):
            every = len(self._readback.seconds)
            if await self._ledger.others_unclear(taken, every):
                # What is only like this one may be exactly another's, which has to be seen by that one first.
                return Outcome(state=State.UNCONFIRMED, due_in=TWIN_SECONDS, looked=looks < every)
        return after_look(
            unclaimed,
            looks=looks,
            unclear_seconds=taken.unclear_seconds,
            when_not_found=taken.when_not_found,
            failures=taken.failures,
            readback=self._readback,
            policy=self._policy,
            random=self._random,
        )

    def _log_failure(self, event: str, taken: Taken, error: Exception, session: Session) -> None:
        """With its traceback, in which an answer of the platform may be quoted."""
        trace = session.redacted("".join(traceback.format_exception(error)))
        self._log.error(event, platform=taken.platform, delivery=str(taken.id), exception=trace)

    async def _tell_breaker(self, taken: Taken, error: Exception, start: float) -> None:
        """Let the breaker know of an error, unless it was us who took too long, such as a host that was suspended."""
        if elapsed() - start < self._settings.lease:
            await self._breaker.saw(taken.platform, taken.server, error)


def _database_clock(taken: Taken) -> Callable[[], datetime]:
    """The database's time, which dates our attempts, carried on by this host's measure of durations."""
    start = elapsed()
    return lambda: taken.taken_at + timedelta(seconds=elapsed() - start)


async def _found(taken: Taken, adapter: AnyAdapter, draft: Draft[Any], session: Session) -> Sequence[Published]:
    """What is to be found of a delivery; read once more where the platform's dates turn out to be far from ours."""
    assert taken.armed_at is not None
    since = taken.armed_at - LOOK_BACK
    found = await adapter.find(draft, session, since)
    if not found and abs(session.clock_ahead) > LOOK_BACK / 2:
        return await adapter.find(draft, session, since + session.clock_ahead)
    return found


def _redacted(outcome: Outcome, session: Session) -> Outcome:
    """The outcome with words that may be stored: an adapter quotes the platform's, which may repeat the token."""
    if (error := outcome.error) is None:
        return outcome
    words = {name: session.redacted(getattr(error, name) or "") for name in ("message", "hint", "platform_code")}
    platform_code = words["platform_code"] or None
    clean = msgspec.structs.replace(error, message=words["message"], hint=words["hint"], platform_code=platform_code)
    return msgspec.structs.replace(outcome, error=clean)
