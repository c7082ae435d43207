"""Which faults are switched on, and which of them a call meets."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from core.sandbox.arrival import Arrival
from core.sandbox.faults import Fault
from core.sandbox.reading import Mistaken, fields_of
from core.sandbox.target import Target


class Switch:
    """A fault that is switched on, and how many calls it has hit."""

    def __init__(self, number: int, fault: Fault, target: Target) -> None:
        self.id = number
        self.fault = fault
        self.applied = 0
        self._fitting = 0
        self._target = target

    def meets(self, call: Arrival) -> bool:
        """Whether the fault means this call and is not used up; to be asked once about every call, as it counts."""
        match = self.fault.match
        if not (self._target.meets(call.request) and match.fits(call)):
            return False
        self._fitting += 1
        left = self.fault.times is None or self.applied < self.fault.times
        return left and match.nth in (None, self._fitting)

    def shown(self) -> dict[str, Any]:
        """The fault as the control endpoint shows it."""
        facts = msgspec.structs.asdict(self.fault)
        return {"id": self.id, "fault": self.fault.name, **facts, "applied": self.applied}


class Switchboard:
    """The faults that are on, in the order in which they were switched on."""

    def __init__(
        self,
        kinds: Mapping[str, type[Fault]],
        routes: Callable[[], Sequence[tuple[str, str]]],
        rng: random.Random,
    ) -> None:
        self._kinds = kinds
        self._routes = routes
        self._rng = rng
        self._switches: list[Switch] = []
        self._next = 1

    def add(self, raw: object) -> Switch:
        """Switches on the fault that `raw`, decoded JSON, describes. Raises Mistaken."""
        fault, target = self._read(raw)
        switch = Switch(self._next, fault, target)
        self._next += 1
        self._switches.append(switch)
        return switch

    def pick(self, call: Arrival) -> Fault | None:
        """The first fault that hits this call, which is counted, or None."""
        for switch in [switch for switch in self._switches if switch.meets(call)]:
            if self._falls(switch.fault.probability):
                switch.applied += 1
                return switch.fault
        return None

    def shown(self) -> list[dict[str, Any]]:
        """Every fault that is on, used up ones among them."""
        return [switch.shown() for switch in self._switches]

    def clear(self) -> None:
        """Switches everything off."""
        self._switches.clear()

    def _falls(self, probability: float) -> bool:
        return probability >= 1 or self._rng.random() < probability

    def _read(self, raw: object) -> tuple[Fault, Target]:
        if not isinstance(raw, dict):
            raise Mistaken(["the body must be a JSON object"])
        name = raw.get("fault")
        kind = self._kinds.get(name) if isinstance(name, str) else None
        mistakes = [] if kind else [f"fault: must be one of {', '.join(self._kinds)}, not {name!r}"]
        values = fields_of(raw, kind or Fault, mistakes, beside=["fault"])
        target = self._target(values.get("on"), mistakes)
        if mistakes or kind is None or target is None:
            raise Mistaken(mistakes)
        return kind(**values), target

    def _target(self, on: str | None, mistakes: list[str]) -> Target | None:
        if on is None:
            return None
        try:
            return Target.read(on, self._routes())
        except ValueError as wrong:
            mistakes.append(f"on: {wrong}")
            return None
