"""The baseline of publishing: Dramatiq with a message for each delivery and 64 threads that make the call alone."""

import os
import signal
import sys
import threading
from uuid import uuid4

import dramatiq
import httpx
from dramatiq.brokers.redis import RedisBroker

from core.settings import Settings

THREADS = 64
QUEUE = "bench"


def open_messages(redis_url: str, platform_url: str) -> tuple[RedisBroker, "dramatiq.Actor[[str], None]"]:
    """The broker as Dramatiq makes it by default, and the actor that publishes one text."""
    broker = RedisBroker(url=redis_url)  # type: ignore[no-untyped-call]  # dramatiq has no types here
    limits = httpx.Limits(max_connections=THREADS, max_keepalive_connections=THREADS)
    client = httpx.Client(base_url=platform_url, limits=limits, timeout=20.0, trust_env=False)

    def publish(text: str) -> None:
        headers = {"Authorization": "Bearer bench", "Idempotency-Key": str(uuid4())}
        client.post("/messages", json={"text": text}, headers=headers).raise_for_status()

    return broker, dramatiq.actor(broker=broker, queue_name=QUEUE)(publish)


def main() -> None:
    """Work until told to stop; the platform's URL is the first argument, the pipe of `--ready-fd` the last."""
    broker, _ = open_messages(Settings.read().redis_url, sys.argv[1])
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    worker = dramatiq.Worker(broker, worker_threads=THREADS)
    worker.start()
    os.write(int(sys.argv[-1]), b"ready\n")
    stop.wait()
    worker.stop()


if __name__ == "__main__":
    main()
