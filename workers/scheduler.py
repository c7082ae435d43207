"""The scheduler: queues what is due and rings for workers. Any number of them may run."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from random import Random
from typing import Any

import psycopg
import structlog

from core.accounts.grants import Grants
from core.accounts.links import Links
from core.clock import elapsed
from core.database.group import CommitUnknown, ConnectionLost
from core.database.notices import heard, listen
from core.database.pool import open_pool
from core.events.retention import Retention
from core.governor.governor import Governor
from core.governor.journal import Journal
from core.ledger.claim import Claimed
from core.ledger.ledger import EVER, Ledger
from core.posts.idempotency import Keys
from core.registry import Registry
from core.retry import PUBLISHING
from core.settings import Settings
from core.vault import Vault
from core.vault.register import check_keys
from core.webhooks.outbox import Outbox
from workers.booking import Booking
from workers.broker import MEDIA, TOKENS, WEBHOOKS, Bell, open_broker, publishing

SWEEP_SECONDS = 5.0
"""How often is looked for what a crash or a lost message left lying."""

MEDIA_SECONDS = 60.0
"""How often media are made ready and swept."""

PAUSE_SECONDS = 0.02
"""The least time between two rounds that found something to do."""

IDLE_SECONDS = 0.25
"""The same after a round in which something was due and could not go: a full queue, or a platform in trouble."""


class Scheduler:
    """Wakes when something falls due or is told, and otherwise every few seconds to repair."""

    def __init__(
        self,
        *,
        database_url: str,
        ledger: Ledger,
        booking: Booking,
        outbox: Outbox,
        keys: Keys,
        journal: Journal,
        grants: Grants,
        links: Links,
        retention: Retention,
        bell: Bell,
        random: Random,
    ) -> None:
        self._url = database_url
        self._ledger = ledger
        self._booking = booking
        self._outbox = outbox
        self._keys = keys
        self._journal = journal
        self._grants = grants
        self._links = links
        self._retention = retention
        self._bell = bell
        self._random = random
        self._swept_at = -SWEEP_SECONDS
        self._media_at = -MEDIA_SECONDS
        self._rung_at = EVER
        self._log = structlog.get_logger(__name__)

    async def run(self, stop: asyncio.Event) -> None:
        """Go round until `stop` is set. A database or broker that is away is waited for."""
        while not stop.is_set():
            try:
                async with await listen(self._url) as connection:
                    await self._rounds(connection, stop)
            except (psycopg.OperationalError, ConnectionLost, CommitUnknown) as error:
                self._log.warning("database_away", error=str(error).strip())
                await _wait(stop, 1.0)

    async def _rounds(self, connection: psycopg.AsyncConnection[Any], stop: asyncio.Event) -> None:
        while not stop.is_set():
            claimed = await self._ledger.claim(self._booking.reserve)
            # Looks, resumptions and what was booked are never claimed: workers are told when one falls due.
            ready = {*claimed.platforms, *await self._ledger.ready(self._rung_at)}
            self._rung_at = claimed.at
            await self._ring(publishing(platform) for platform in ready)
            if elapsed() - self._swept_at >= SWEEP_SECONDS:
                await self._sweep()
            seconds = await self._seconds_to_wait(claimed)
            listening = asyncio.create_task(heard(connection, seconds))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({listening, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if not listening.done():
                listening.cancel()
                return
            if "webhooks" in listening.result() or await self._outbox.due():
                await self._ring([WEBHOOKS])
            if "tokens" in listening.result():
                await self._ring([TOKENS])

    async def _seconds_to_wait(self, claimed: Claimed) -> float:
        """Until the next delivery falls due or the next sweep; sooner where more may go at once, or has no room yet."""
        sweep = max(self._swept_at + SWEEP_SECONDS - elapsed(), 0.0)
        deliveries = await self._ledger.next_due(claimed.at)
        webhooks = await self._outbox.next_due()
        if webhooks is not None and webhooks <= 0:
            # Rung for already; a wake-up that was lost is made good by the sweep.
            webhooks = None
        soon = PAUSE_SECONDS if claimed.platforms else IDLE_SECONDS if claimed.crowded else None
        due = [seconds for seconds in (soon, deliveries, webhooks) if seconds is not None]
        return max(min([sweep, *due]), 0.0)

    async def _sweep(self) -> None:
        self._swept_at = elapsed()
        swept = await self._ledger.sweep(PUBLISHING, self._random)
        if swept:
            self._log.warning("leases_swept", deliveries=swept)
        await self._ring(publishing(platform) for platform in await self._ledger.ready())
        await self._grants.sweep()
        # Tokens are renewed long before they end: those that nobody waits for are in no hurry.
        if (seconds := await self._grants.next_due()) is not None and seconds <= 0:
            await self._ring([TOKENS])
        if await self._outbox.due():
            await self._ring([WEBHOOKS])
        await self._keys.expire()
        await self._journal.forget()
        await self._links.expire()
        if elapsed() - self._media_at >= MEDIA_SECONDS:
            self._media_at = elapsed()
            await self._ring([MEDIA])
        await self._outbox.sweep()
        await self._retention.sweep()

    async def _ring(self, queues: Iterable[str]) -> None:
        for queue in queues:
            try:
                await asyncio.to_thread(self._bell.ring, queue)
            except Exception as error:  # noqa: BLE001 - whatever the broker's client raises; the sweep rings again
                self._log.warning("broker_away", queue=queue, error=str(error))


async def run_scheduler(
    settings: Settings, registry: Registry, stop: asyncio.Event, ready: Callable[[], None] = lambda: None
) -> None:
    """A scheduler with everything it needs, until `stop` is set; `ready` is called when it has all of it."""
    vault = Vault.parse(settings.master_keys, file=settings.keys_file)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(settings.database_url, size=4, name="scheduler"))
        await check_keys(pool, vault)
        ledger = Ledger(pool, lease_seconds=settings.lease)
        stack.push_async_callback(ledger.aclose)
        journal = Journal(pool, worker=False)
        governor = Governor(settings.redis_url, journal, call_seconds=settings.lease)
        stack.push_async_callback(governor.aclose)
        broker = open_broker(settings.broker_url or settings.redis_url)
        stack.callback(broker.close)
        vault = Vault.parse(settings.master_keys, file=settings.keys_file)
        random = Random()  # noqa: S311 - jitter, not secrets
        scheduler = Scheduler(
            database_url=settings.database_url,
            ledger=ledger,
            booking=Booking(governor, registry, settings),
            outbox=Outbox(pool, vault),
            keys=Keys(pool),
            journal=journal,
            grants=Grants(pool, vault, random),
            links=Links(pool, vault),
            bell=Bell(broker, [*(publishing(platform) for platform in registry), WEBHOOKS, TOKENS, MEDIA]),
            random=random,
            retention=Retention(pool, days=settings.event_days),
        )
        ready()
        async with asyncio.TaskGroup() as group:
            group.create_task(governor.keep(stop))
            group.create_task(scheduler.run(stop))


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
