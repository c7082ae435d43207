"""A sender in a process of its own, to be killed: `python -m tests.workers.webhook_sender DATABASE MASTER_KEYS`."""

import asyncio
import sys
from random import Random

import structlog

from core.database.pool import open_pool
from core.database.presence import Presence
from core.http import open_transport
from core.vault import Vault
from core.webhooks.outbox import Outbox
from tests.core.webhooks.house import GUARD
from workers.webhooks import Sender

LEASE_SECONDS = 20.0
"""Longer than any try, and shorter than a test has patience."""


async def send(database_url: str, master_keys: str) -> None:
    """Send what is due, again and again, as often as a scheduler would ring."""
    async with open_pool(database_url, size=4, name="sender") as pool:
        presence = Presence(database_url, name="sender")
        present = asyncio.create_task(presence.keep(asyncio.Event()))
        outbox = Outbox(pool, Vault.parse(master_keys), presence=presence)
        sender = Sender(outbox, open_transport(guard=GUARD), GUARD, random=Random(), lease_seconds=LEASE_SECONDS)
        draining: set[asyncio.Task[None]] = set()
        while not present.done():
            task = asyncio.create_task(sender.drain())
            draining.add(task)
            task.add_done_callback(draining.discard)
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    asyncio.run(send(*sys.argv[1:]))
