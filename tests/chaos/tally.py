"""The tally of a run: what is live on the sandbox, held against what the ledger says of it."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from tests.world import World

TABLE = "FINGERPOST_TEST_TABLE"
"""A file to which each tally is added as a row, if the environment names one."""

ENDED = frozenset({"published", "failed", "cancelled", "needs_review"})


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How many deliveries there are, and what became of them.

    `duplicates` are live things beyond the first of a text, `lost` texts of deliveries that are said to be out and
    are not, `untrue` ids that are live and not the ledger's or the other way round.
    """

    deliveries: int
    live: int
    duplicates: int = 0
    lost: int = 0
    untrue: int = 0
    stuck: int = 0
    failed: int = 0
    in_review: int = 0


def things(here: World) -> list[dict[str, Any]]:
    """What is live on the sandbox."""
    live: Any = here.sandbox.live()
    return list(live[here.sandbox.shelf])


def text_of(thing: dict[str, Any]) -> str:
    """By what a live thing is told."""
    return str(thing.get("title") or thing.get("text") or "")


async def tally(here: World, *, mark: str = "", twins: int = 1) -> Tally:
    """Count what begins with `mark`. Every text is sent `twins` times; the published are told by their ids."""
    live = [thing for thing in things(here) if text_of(thing).startswith(mark)]
    rows = await here.rows(
        "select d.state, d.external_id from deliveries d join posts p on p.id = d.post_id"
        " where starts_with(p.title, %s)",
        mark,
    )
    states = Counter(row["state"] for row in rows)
    said = Counter(map(text_of, live))
    known = {row["external_id"] for row in rows if row["state"] == "published"}
    unclaimed = {thing["id"] for thing in live} - known
    return Tally(
        deliveries=len(rows),
        live=len(live),
        duplicates=sum(max(count - twins, 0) for count in said.values()),
        lost=len(known - {thing["id"] for thing in live}),
        untrue=max(len(unclaimed) - states["needs_review"], 0),
        stuck=sum(count for state, count in states.items() if state not in ENDED),
        failed=states["failed"],
        in_review=states["needs_review"],
    )


def all_out(deliveries: int) -> Tally:
    """What has to be found where everything goes out: each once, and nothing else."""
    return Tally(deliveries=deliveries, live=deliveries)


def record(fault: str, *, runs: int, found: Tally) -> None:
    """Print the tally, and add it to the table if one is kept."""
    counts = " | ".join(str(count) for count in msgspec.structs.astuple(found))
    row = f"| {fault} | {runs} | {counts} |"
    print(row)
    if TABLE in os.environ:
        with Path(os.environ[TABLE]).open("a", encoding="utf-8") as table:
            table.write(f"{row}\n")
