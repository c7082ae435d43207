"""A worker that dies at a chosen point, in the middle of everything, as one does that is killed."""

from collections.abc import Sequence
from typing import Any, Literal

import httpx

from core.clock import Deadline
from core.ledger.breaker import Breaker
from core.ledger.ledger import Ledger, Taken
from core.ledger.moves import Outcome, Subject
from tests.world import World
from workers.publish import Publisher

Point = Literal[
    "before arming",
    "armed",
    "answered",
    "before remembering",
    "remembered",
    "before settling",
    "settled",
]
POINTS: Sequence[Point] = (
    "before arming",
    "armed",
    "answered",
    "before remembering",
    "remembered",
    "before settling",
    "settled",
)


class Killed(BaseException):
    """The end of a worker: nothing catches it, as nothing catches a SIGKILL."""


class Fuse:
    """Burns at one point, once."""

    def __init__(self) -> None:
        self.point: Point | None = None

    def at(self, point: Point) -> None:
        """Die here, if it is here that the worker is to die."""
        if self.point == point:
            self.point = None
            raise Killed(point)


class BrittleLedger(Ledger):
    """The ledger in the hands of a worker that may die before and after each of its writes."""

    fuse: Fuse

    async def arm(self, taken: Taken, answers: dict[str, Any]) -> Deadline:
        """Write down what is about to be done."""
        self.fuse.at("before arming")
        deadline = await super().arm(taken, answers)
        self.fuse.at("armed")
        return deadline

    async def remember(self, taken: Taken, answers: dict[str, Any]) -> None:
        """Write down what steps have answered."""
        self.fuse.at("before remembering")
        await super().remember(taken, answers)
        self.fuse.at("remembered")

    async def settle(self, subject: Subject, outcome: Outcome) -> bool:
        """Write down what became of it."""
        self.fuse.at("before settling")
        made = await super().settle(subject, outcome)
        self.fuse.at("settled")
        return made


class BrittleTransport(httpx.AsyncBaseTransport):
    """The way to the platform; the worker may die when an answer has come, before anybody has read it."""

    def __init__(self, transport: httpx.AsyncBaseTransport, fuse: Fuse) -> None:
        self._transport = transport
        self._fuse = fuse

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, and perhaps die."""
        response = await self._transport.handle_async_request(request)
        if request.method == "POST":
            self._fuse.at("answered")
        return response


class Worker:
    """A worker of a world, whose `fuse` says where it dies."""

    def __init__(self, here: World) -> None:
        self.fuse = Fuse()
        self._here = here
        self._ledger = BrittleLedger(here.pool, lease_seconds=here.settings.lease)
        self._ledger.fuse = self.fuse
        self._publisher = Publisher(
            ledger=self._ledger,
            breaker=Breaker(here.pool, self._ledger),
            accounts=here.accounts,
            uploads=here.uploads,
            renditions=here.renditions,
            registry=here.registry,
            settings=here.settings,
            transport=BrittleTransport(here.transport, self.fuse),
            random=here.random,
            policy=here.policy,
        )

    async def take(self, count: int = 1) -> list[Taken]:
        """Take what is ready."""
        return await self._ledger.take(self._here.sandbox.platform, count)

    async def carry_out(self, taken: Taken, *, dying: Point | None = None) -> None:
        """Carry a delivery out, and die where it is said if that point is passed at all."""
        self.fuse.point = dying
        try:
            await self._publisher.carry_out(taken)
        except Killed:
            return
        finally:
            self.fuse.point = None

    async def aclose(self) -> None:
        """Finish what is being written."""
        await self._ledger.aclose()
