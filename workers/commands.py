"""The commands of the workers: `fingerpost work` and `fingerpost schedule`."""

import asyncio
import os
import signal

import click

from core.logs import configure
from core.registry import Registry
from core.settings import Settings
from core.startup import open_files, settled
from workers.guardian import Guardian
from workers.scheduler import run_scheduler
from workers.worker import NotOpened, open_worker, wait_running

READY_FD = click.option(
    "--ready-fd", type=int, hidden=True, help="A pipe that is written to when the process is ready."
)
STOPPING = (signal.SIGINT, signal.SIGTERM)


@click.command()
@READY_FD
def work(ready_fd: int | None) -> None:
    """Publish deliveries and send webhooks, until told to stop.

    Runs one event loop with FINGERPOST_IN_FLIGHT publishes at a time. Start as many as you have cores, on as
    many hosts as you like. SIGINT or SIGTERM: takes nothing more, finishes what is in hand, and ends. A small process
    beside it kills a worker that has stood still for longer than FINGERPOST_LEASE: start it again then.
    """
    settings = Settings.read()
    configure(settings.log_level)
    # Blocked before any thread starts, so that a signal waits for us, however early it comes.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    open_files()
    registry = _registry(settings)
    worker = open_worker(settings, registry, Guardian.fork(settings.lease))
    try:
        worker.start()
    except NotOpened as error:
        raise error.__cause__ or error from None
    wait_running(worker)
    _ready(ready_fd)
    signal.sigwait(STOPPING)
    worker.stop(timeout=int(settings.lease * 1000))


@click.command()
@READY_FD
def schedule(ready_fd: int | None) -> None:
    """Queue deliveries as they fall due and wake the workers, until told to stop.

    One is enough; more do no harm, and go on when one fails.
    """
    settings = Settings.read()
    configure(settings.log_level)

    async def until_stopped() -> None:
        stop = asyncio.Event()
        for number in STOPPING:
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await run_scheduler(settings, _registry(settings), stop, lambda: _ready(ready_fd))

    asyncio.run(until_stopped())


def _registry(settings: Settings) -> Registry:
    registry = Registry.installed()
    registry.tell_broken()
    settings.refuse_unknown_hosts(registry.values())
    return registry


def _ready(fd: int | None) -> None:
    settled()
    if fd is not None:
        os.write(fd, b"ready\n")
        os.close(fd)
