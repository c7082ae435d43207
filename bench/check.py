"""Checking a post: everything that is declared, from the bytes of the request, beside pydantic with the same rules."""

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import Any

import msgspec

from bench.baselines import checking
from bench.baselines.models import BLOCKS
from bench.baselines.models import Account as AccountModel
from bench.baselines.models import Block as BlockModel
from bench.place import BOARD, Place
from bench.results import Goal, Result, compared
from bench.rounds import Plan, Say, interleaved
from core.check import Facts, check
from core.post import Account
from core.registry import AnyAdapter, Registry

FEW, MANY = 2, 16
POSTS = 2000
"""How many posts take turns: each has its own texts and addresses, so that no cache of what was seen helps anyone."""

TWICE = Goal(of="ratio", sense="≥", bound=2.0)


def run(place: Place, plan: Plan, say: Say) -> list[Result]:
    """Measure posts to two platforms and to sixteen."""
    contestants: dict[str, Callable[[], float]] = {}
    for number in (FEW, MANY):
        say(f"check: posts to {number} platforms")
        adapters = platforms(number)
        bodies, accounts = [body_of(adapters, post) for post in range(POSTS)], accounts_of(adapters)
        contestants[f"fingerpost, {number}"] = _ours(bodies, adapters, accounts, plan.seconds)
        contestants[f"pydantic, {number}"] = _theirs(bodies, adapters, accounts, plan.seconds)
    found = interleaved(
        plan.rounds, contestants, say=say, words=lambda rate: f"{rate:,.0f}/s, {1e6 / rate:.1f} µs each"
    )
    return [
        compared(
            f"posts checked, {number} platforms",
            "/s",
            found[f"fingerpost, {number}"],
            found[f"pydantic, {number}"],
            against="pydantic",
            goal=TWICE,
        )
        for number in (FEW, MANY)
    ]


def platforms(number: int) -> dict[str, AnyAdapter]:
    """So many platforms, Echo and Pinterest in turn, under names of their own beyond the first of each."""
    registry = Registry.installed()
    kinds = [type(registry[name]) for name in BLOCKS]
    made: dict[str, AnyAdapter] = {}
    for place in range(number):
        kind = kinds[place % len(kinds)]
        name = kind.platform if place < len(kinds) else f"{kind.platform}_{place}"
        made[name] = type(name, (kind,), {"platform": name})()
    return made


def body_of(adapters: Mapping[str, AnyAdapter], number: int = 0) -> bytes:
    """A sound post to all of them, as it comes in; each `number` makes another one."""
    picture = f"https://example.com/pictures/{number}.png"
    blocks = {name: _numbered(adapter.example(BOARD.id, picture), number) for name, adapter in adapters.items()}
    return msgspec.json.encode(
        {
            "teamId": "0190b5a0-0000-7000-8000-000000000000",
            "title": f"Post {number} to many places",
            "text": f"What there is to say for the {number}th time.",
            "postDate": "2030-01-01T12:00:00+00:00",
            "status": "SCHEDULED",
            "socialAccountTypes": list(adapters),
            "data": blocks,
        }
    )


def _numbered(block: Mapping[str, Any], number: int) -> dict[str, Any]:
    """An example with texts and a link of its own."""
    own = {name: f"{value} {number}" for name, value in block.items() if name in ("text", "description", "altText")}
    link = {"link": f"{block['link']}-{number}"} if "link" in block else {}
    return {**block, **own, **link}


def accounts_of(adapters: Mapping[str, AnyAdapter]) -> tuple[Account, ...]:
    """An account on each."""
    return tuple(
        Account(id=f"account-{name}", platform=name, username="us", external_user="us", channels=(BOARD,))
        for name in adapters
    )


def _ours(
    bodies: Sequence[bytes], adapters: Mapping[str, AnyAdapter], accounts: Sequence[Account], seconds: float
) -> Callable[[], float]:
    facts = Facts(accounts=tuple(accounts))

    def one(body: bytes) -> int:
        checked = check(msgspec.json.decode(body), adapters, facts, raw=body)
        return 0 if checked.report.errors else len(checked.planned)

    return _timed(one, bodies, len(adapters), seconds)


def _theirs(
    bodies: Sequence[bytes], adapters: Mapping[str, AnyAdapter], accounts: Sequence[Account], seconds: float
) -> Callable[[], float]:
    blocks, models = models_of(adapters, accounts)

    def one(body: bytes) -> int:
        checked = checking.check(body, models, blocks)
        return 0 if checked.errors else len(checked.planned)

    return _timed(one, bodies, len(adapters), seconds)


def models_of(
    adapters: Mapping[str, AnyAdapter], accounts: Sequence[Account]
) -> tuple[dict[str, type[BlockModel]], list[AccountModel]]:
    """The blocks of these platforms and the accounts, for pydantic."""
    models = [
        AccountModel(
            id=each.id,
            platform=each.platform,
            username=each.username,
            channels={channel.id: channel.name for channel in each.channels},
        )
        for each in accounts
    ]
    return {name: BLOCKS[name.partition("_")[0]] for name in adapters}, models


def _timed(
    one: Callable[[bytes], int], bodies: Sequence[bytes], deliveries: int, seconds: float
) -> Callable[[], float]:
    """Checks a second; each has to plan so many deliveries. Raises RuntimeError where one does not."""
    if wrong := {found for body in bodies if (found := one(body)) != deliveries}:
        raise RuntimeError(f"{deliveries} deliveries were to be planned, not {wrong}.")
    turns = cycle(bodies)

    def measure() -> float:
        done, start = 0, time.perf_counter()
        while (took := time.perf_counter() - start) < seconds:
            for _ in range(20):
                one(next(turns))
            done += 20
        return done / took

    return measure
