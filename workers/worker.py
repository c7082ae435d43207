"""A worker process: Dramatiq's threads wait for wake-ups, and one event loop does all the work."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from random import Random

import dramatiq
import httpx
import uvloop
from dramatiq.asyncio import EventLoopThread, set_event_loop_thread
from dramatiq.broker import Broker
from dramatiq.middleware import AsyncIO, MiddlewareError

from core.accounts.accounts import Accounts
from core.accounts.apps import Apps
from core.database.notices import Notices
from core.database.pool import open_pool
from core.database.presence import Presence
from core.governor.governor import Governor
from core.governor.journal import Journal
from core.governor.passages import Passages
from core.guard import Guard
from core.http import open_client, open_transport
from core.ledger.breaker import Breaker
from core.ledger.ledger import Ledger, Taken
from core.outbound import open_platforms
from core.registry import Registry
from core.settings import Settings
from core.uploads.opening import open_media
from core.uploads.readying import Readying
from core.uploads.storage import open_storage
from core.vault import Vault
from core.vault.register import check_keys
from core.webhooks.outbox import Outbox
from workers.broker import MEDIA, TOKENS, WEBHOOKS, open_broker, publishing
from workers.drain import Drain
from workers.guardian import Guardian
from workers.media import MediaWork
from workers.publish import Publisher
from workers.tokens import Refresher
from workers.webhooks import Sender

POOL_SIZE = 8
"""Connections to PostgreSQL a worker process has; writes share transactions."""

OUTBOX_POOL_SIZE = 2
"""Those that webhooks have for themselves, one to take and one to settle: a pool hands its own out in turn, and they
would all be cold."""


class NotOpened(MiddlewareError):
    """The workshop could not be opened; the cause says why."""


class Loop(AsyncIO):
    """Dramatiq's event loop, made by uvloop, with the workshop opened in it and closed with it."""

    def __init__(self, workshop: "Workshop") -> None:
        super().__init__()
        self._workshop = workshop

    def before_worker_boot(self, broker: Broker, worker: dramatiq.Worker) -> None:
        """Start the loop and open the workshop in it."""
        thread = EventLoopThread(self.logger)
        thread.loop.close()  # it made one of asyncio's
        thread.loop = uvloop.new_event_loop()
        thread.daemon = True
        thread.start(timeout=5.0)
        set_event_loop_thread(thread)
        self._thread = thread
        try:
            thread.run_coroutine(self._workshop.open())
        except Exception as error:
            thread.run_coroutine(self._workshop.close())
            # Dramatiq passes over any other error here, and would go on with nothing to work with.
            raise NotOpened(str(error)) from error

    def before_worker_shutdown(self, broker: Broker, worker: dramatiq.Worker) -> None:
        """Take nothing more; what is in hand is finished."""
        self._thread.loop.call_soon_threadsafe(self._workshop.stop)

    def after_worker_shutdown(self, broker: Broker, worker: dramatiq.Worker) -> None:
        """Close what was opened, then the loop."""
        self._thread.run_coroutine(self._workshop.close())
        super().after_worker_shutdown(broker, worker)  # type: ignore[no-untyped-call]  # dramatiq has no types here


class Workshop:
    """Everything a worker works with, opened in its event loop."""

    def __init__(self, settings: Settings, registry: Registry, guardian: Guardian | None = None) -> None:
        self._settings = settings
        self._registry = registry
        self._guardian = guardian
        self._stack = AsyncExitStack()
        self._closing = asyncio.Event()
        self._publishing: dict[str, Drain[Taken]] = {}

    async def open(self) -> None:
        """Connect, and set up one drain for each queue."""
        settings, stack = self._settings, self._stack
        pool = await stack.enter_async_context(open_pool(settings.database_url, size=POOL_SIZE, name="worker"))
        vault = Vault.parse(settings.master_keys, file=settings.keys_file)
        await check_keys(pool, vault)
        guard = Guard(settings.allowed_urls)
        platforms = open_platforms(guard, settings.urls_of(self._registry.values()))
        guarded = open_transport(guard=guard)
        stack.push_async_callback(platforms.aclose)
        stack.push_async_callback(guarded.aclose)
        ledger = Ledger(pool, lease_seconds=settings.lease)
        stack.push_async_callback(ledger.aclose)
        governor = Governor(settings.redis_url, Journal(pool, worker=True), call_seconds=settings.lease, worker=True)
        stack.push_async_callback(governor.aclose)
        presence = Presence(settings.database_url, name="worker")
        self._keep(governor, presence)
        passages = Passages(governor, settings)
        client = open_client(guarded)
        media = await stack.enter_async_context(open_media(settings, pool, open_storage(settings), client, vault))
        random = Random()  # noqa: S311 - jitter, not secrets
        accounts = Accounts(pool, vault, random)
        publisher = Publisher(
            ledger=ledger,
            breaker=Breaker(pool, ledger),
            accounts=accounts,
            uploads=media.uploads,
            renditions=media.renditions,
            registry=self._registry,
            settings=settings,
            transport=platforms,
            random=random,
            passages=passages,
        )
        self._publishing = {name: _drain(ledger, name, publisher, settings.in_flight) for name in self._registry}
        opening = open_pool(settings.database_url, size=OUTBOX_POOL_SIZE, name="webhooks", autocommit=True)
        outbox = Outbox(await stack.enter_async_context(opening), vault, presence=presence)
        self._webhooks = Sender(outbox, guarded, guard, random=random)
        self._media = MediaWork(media.expiry, Readying(pool, self._registry, media.renditions))
        self._tokens = self._refresher(accounts, Apps(pool, vault, settings), platforms, ledger.notices, passages)

    def _keep(self, *keepers: Governor | Presence) -> None:
        """Let them do in the background what has to be done all the time, until the workshop closes."""
        guardians = [self._guardian] if self._guardian else []
        tasks = [asyncio.create_task(each.keep(self._closing)) for each in (*keepers, *guardians)]
        self._stack.push_async_callback(asyncio.wait, tasks)

    def _refresher(
        self,
        accounts: Accounts,
        apps: Apps,
        platforms: httpx.AsyncBaseTransport,
        notices: Notices,
        passages: Passages,
    ) -> Refresher:
        return Refresher(
            grants=accounts.grants,
            apps=apps,
            registry=self._registry,
            settings=self._settings,
            transport=platforms,
            notices=notices,
            passages=passages,
        )

    async def publish(self, platform: str) -> None:
        """Publish what is ready on a platform, until nothing is."""
        await self._publishing[platform].run()

    async def webhooks(self) -> None:
        """Send the webhooks that are due, until none is."""
        await self._webhooks.drain()

    async def media(self) -> None:
        """Make media ready that are needed soon, and sweep."""
        await self._media.run()

    async def tokens(self) -> None:
        """Renew the tokens that are due, until none is."""
        await self._tokens.drain()

    def stop(self) -> None:
        """Take nothing more."""
        for drain in self._publishing.values():
            drain.stop()
        self._webhooks.stop()
        self._tokens.stop()

    async def close(self) -> None:
        """Finish writing and close every connection."""
        self._closing.set()
        await self._stack.aclose()


def _drain(ledger: Ledger, platform: str, publisher: Publisher, in_flight: int) -> Drain[Taken]:
    async def take(limit: int) -> list[Taken]:
        return await ledger.take(platform, limit)

    return Drain(take, publisher.carry_out, in_flight=in_flight)


def open_worker(settings: Settings, registry: Registry, guardian: Guardian | None = None) -> dramatiq.Worker:
    """A worker on every queue, not yet started. `start()` and `stop()` it from the main thread."""
    workshop = Workshop(settings, registry, guardian)
    broker = open_broker(settings.broker_url or settings.redis_url, [Loop(workshop)])
    for platform in registry:
        _actor(broker, publishing(platform), partial(workshop.publish, platform))
    _actor(broker, WEBHOOKS, workshop.webhooks)
    _actor(broker, MEDIA, workshop.media)
    _actor(broker, TOKENS, workshop.tokens)
    # A drain keeps its thread until its queue is empty; one more each lets the next wake-up in.
    return dramatiq.Worker(broker, worker_threads=2 * (len(registry) + 2), worker_timeout=1000)


def wait_running(worker: dramatiq.Worker) -> None:
    """Wait until every thread of a started worker runs; one that has not begun would not hear `stop()`."""
    threads = [*worker.workers, *worker.consumers.values()]
    while not all(getattr(thread, "running", False) for thread in threads):
        time.sleep(0.005)


def _actor(broker: Broker, name: str, work: Callable[[], Awaitable[None]]) -> None:
    async def drain() -> None:
        await work()

    dramatiq.Actor[[], None](drain, broker=broker, actor_name=name, queue_name=name, priority=0, options={})
