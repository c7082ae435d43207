"""The circumstances of a measurement: the machine, the versions of what took part, and the date."""

import os
import platform
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
import redis

PACKAGES = (
    "fingerpost", "aiohttp", "asyncpg", "celery", "dramatiq", "fastapi", "httptools", "httpx", "httpx-aiohttp",
    "litestar", "msgspec", "psycopg", "pydantic", "redis", "sqlalchemy", "uvicorn", "uvloop",
)  # fmt: skip
"""The packages whose versions tell in the figures."""


def circumstances(folder: Path, *, database_url: str, redis_url: str) -> dict[str, Any]:
    """What has to be known to judge a figure; `folder` is where the database lies."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "system": f"{platform.system()} {platform.release()}",
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            "filesystem": _filesystem(folder),
            "load_before": round(os.getloadavg()[0], 2),
            "additions_ms": _pace(),
        },
        "versions": {"python": platform.python_version()}
        | _servers(database_url, redis_url)
        | {package: version(package) for package in PACKAGES},
    }


def _pace() -> float:
    """How fast Python is here at this moment: milliseconds of processor time for a million additions, best of five.

    What is told in processor time, and not as a ratio, has to be read beside it.
    """
    spent: list[float] = []
    for _ in range(5):
        start, total = time.process_time(), 0
        for number in range(1_000_000):
            total += number
        spent.append(time.process_time() - start)
    return round(1000 * min(spent), 1)


def _servers(database_url: str, redis_url: str) -> dict[str, str]:
    with psycopg.connect(database_url) as connection, redis.Redis.from_url(redis_url) as client:
        told: Any = client.info("server")
        postgresql = connection.info.parameter_status("server_version") or "?"
        return {"postgresql": postgresql, "valkey": str(told.get("valkey_version") or told["redis_version"])}


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "?")


def _filesystem(folder: Path) -> str:
    """The kind of file system that a folder lies on: on one in memory, nothing is durable."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    at = str(folder.resolve())
    over = [(place, kind) for _, place, kind, *_ in mounts if f"{at}/".startswith(f"{place.rstrip('/')}/")]
    return max(over, key=lambda mount: len(mount[0]))[1] if over else "?"
