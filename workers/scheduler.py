"""The scheduler: queues what is due and rings for workers. Any number of them may run."""

import asyncio
from collections.abc import Iterable
from random import Random
from typing import Any

import psycopg
import structlog

from core.clock import elapsed
from core.database.group import CommitUnknown, ConnectionLost
from core.database.notices import heard, listen
from core.database.pool import open_pool
from core.ledger.ledger import Ledger
from core.posts.idempotency import Keys
from core.registry import Registry
from core.retry import PUBLISHING
from core.settings import Settings
from core.vault import Vault
from core.webhooks.outbox import Outbox
from workers.broker import WEBHOOKS, Bell, open_broker, publishing

SWEEP_SECONDS = 5.0
"""How often is looked for what a crash or a lost message left lying."""

PAUSE_SECONDS = 0.02
"""The least time between two rounds that found something to do."""

IDLE_SECONDS = 0.25
"""The same after a round in which something was due and could not go: a full queue, or a platform in trouble."""


class Scheduler:
    """Wakes when something falls due or is told, and otherwise every few seconds to repair."""

    def __init__(
        self, *, database_url: str, ledger: Ledger, outbox: Outbox, keys: Keys, bell: Bell, random: Random
    ) -> None:
        self._url = database_url
        self._ledger = ledger
        self._outbox = outbox
        self._keys = keys
        self._bell = bell
        self._random = random
        self._swept_at = -SWEEP_SECONDS
        self._was_due = False
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
            claimed = await self._ledger.claim()
            await self._ring(publishing(platform) for platform in claimed)
            if elapsed() - self._swept_at >= SWEEP_SECONDS:
                await self._sweep()
            seconds = await self._seconds_to_wait(PAUSE_SECONDS if claimed else IDLE_SECONDS)
            listening = asyncio.create_task(heard(connection, seconds))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({listening, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if not listening.done():
                listening.cancel()
                return
            if "webhooks" in listening.result() or await self._outbox.due():
                await self._ring([WEBHOOKS])

    async def _seconds_to_wait(self, if_due: float) -> float:
        """Until the next delivery falls due or the next sweep; `if_due` where one is due and could not go yet."""
        sweep = max(self._swept_at + SWEEP_SECONDS - elapsed(), 0.0)
        deliveries = await self._ledger.next_due()
        await self._ring_when_due(deliveries is not None and deliveries <= 0)
        if deliveries is not None and deliveries <= 0:
            deliveries = if_due
        webhooks = await self._outbox.next_due()
        if webhooks is not None and webhooks <= 0:
            # Rung for already; a wake-up that was lost is made good by the sweep.
            webhooks = None
        return min([sweep, *(due for due in (deliveries, webhooks) if due is not None)])

    async def _ring_when_due(self, due: bool) -> None:
        """Looks and resumptions are never claimed: workers are told when one falls due, and again by the sweep."""
        if due and not self._was_due:
            await self._ring(publishing(platform) for platform in await self._ledger.ready())
        self._was_due = due

    async def _sweep(self) -> None:
        self._swept_at = elapsed()
        swept = await self._ledger.sweep(PUBLISHING, self._random)
        if swept:
            self._log.warning("leases_swept", deliveries=swept)
        await self._ring(publishing(platform) for platform in await self._ledger.ready())
        if await self._outbox.due():
            await self._ring([WEBHOOKS])
        await self._keys.expire()

    async def _ring(self, queues: Iterable[str]) -> None:
        for queue in queues:
            try:
                await asyncio.to_thread(self._bell.ring, queue)
            except Exception as error:  # noqa: BLE001 - whatever the broker's client raises; the sweep rings again
                self._log.warning("broker_away", queue=queue, error=str(error))


async def run_scheduler(settings: Settings, registry: Registry, stop: asyncio.Event) -> None:
    """A scheduler with everything it needs, until `stop` is set."""
    async with open_pool(settings.database_url, size=4, name="scheduler") as pool:
        ledger = Ledger(pool, lease_seconds=settings.lease)
        broker = open_broker(settings.broker_url or settings.redis_url)
        bell = Bell(broker, [*(publishing(platform) for platform in registry), WEBHOOKS])
        outbox = Outbox(pool, Vault.parse(settings.master_keys))
        random = Random()  # noqa: S311 - jitter, not secrets
        scheduler = Scheduler(
            database_url=settings.database_url, ledger=ledger, outbox=outbox, keys=Keys(pool), bell=bell, random=random
        )
        try:
            await scheduler.run(stop)
        finally:
            await ledger.aclose()
            broker.close()


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
