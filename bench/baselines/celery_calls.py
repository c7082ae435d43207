"""The baseline of publishing with Celery: a message for each delivery and 64 threads that make the call alone."""

import os
import sys
from uuid import uuid4

import httpx
from celery import Celery, Task, signals

from core.settings import Settings

THREADS = 64
QUEUE = "bench-celery"


def open_celery(redis_url: str, platform_url: str) -> tuple[Celery, "Task"]:
    """The application, and the task that publishes one text."""
    app = Celery("bench", broker=redis_url.replace("unix://", "redis+socket://"))
    app.conf.update(task_default_queue=QUEUE, task_ignore_result=True, worker_prefetch_multiplier=4)
    limits = httpx.Limits(max_connections=THREADS, max_keepalive_connections=THREADS)
    client = httpx.Client(base_url=platform_url, limits=limits, timeout=20.0, trust_env=False)

    def publish(text: str) -> None:
        headers = {"Authorization": "Bearer bench", "Idempotency-Key": str(uuid4())}
        client.post("/messages", json={"text": text}, headers=headers).raise_for_status()

    return app, app.task(name="bench.publish")(publish)


def main() -> None:
    """Work until told to stop; the platform's URL is the first argument, the pipe of `--ready-fd` the last."""
    app, _ = open_celery(Settings.read().redis_url, sys.argv[1])
    ready = int(sys.argv[-1])
    signals.worker_ready.connect(lambda **_: os.write(ready, b"ready\n"), weak=False)
    worker = app.Worker(
        pool="threads", concurrency=THREADS, loglevel="warning",
        without_gossip=True, without_mingle=True, without_heartbeat=True,
    )  # fmt: skip
    worker.start()


if __name__ == "__main__":
    main()
