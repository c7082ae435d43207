"""Which faults are switched on, and which of them a call meets."""

import random
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import msgspec
from aiohttp import web

from core.sandbox.faults import Fault
from core.sandbox.target import Target


class BadFault(ValueError):
    """A fault that cannot be switched on; `mistakes` names everything that is wrong with it."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = mistakes


class Switch:
    """A fault that is switched on, and how many calls it has hit."""

    def __init__(self, number: int, fault: Fault, target: Target) -> None:
        self.id = number
        self.fault = fault
        self.applied = 0
        self._target = target

    def meets(self, request: web.Request) -> bool:
        """Whether the fault means this request and is not used up."""
        left = self.fault.times is None or self.applied < self.fault.times
        return left and self._target.meets(request)

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
        """Switches on the fault that `raw`, decoded JSON, describes. Raises BadFault."""
        fault, target = self._read(raw)
        switch = Switch(self._next, fault, target)
        self._next += 1
        self._switches.append(switch)
        return switch

    def pick(self, request: web.Request) -> Fault | None:
        """The first fault that hits this request, which is counted, or None."""
        for switch in self._switches:
            if switch.meets(request) and self._falls(switch.fault.probability):
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
            raise BadFault(["the body must be a JSON object"])
        name = raw.get("fault")
        kind = self._kinds.get(name) if isinstance(name, str) else None
        mistakes = [] if kind else [f"fault: must be one of {', '.join(self._kinds)}, not {name!r}"]
        values = _values(raw, kind or Fault, mistakes)
        target = self._target(values.get("on"), mistakes)
        if mistakes or kind is None or target is None:
            raise BadFault(mistakes)
        return kind(**values), target

    def _target(self, on: str | None, mistakes: list[str]) -> Target | None:
        if on is None:
            return None
        try:
            return Target.read(on, self._routes())
        except ValueError as wrong:
            mistakes.append(f"on: {wrong}")
            return None


def _values(raw: dict[str, Any], kind: type[Fault], mistakes: list[str]) -> dict[str, Any]:
    """The fields of `kind` as sent, each converted by itself so that every mistake is found."""
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    for name, value in raw.items():
        if name == "fault":
            continue
        if name not in fields:
            nearest = get_close_matches(name, ["fault", *fields], n=1, cutoff=0.0)
            mistakes.append(f"{name}: no such field; the nearest is {nearest[0]}")
        elif value is not None or fields[name].required:
            try:
                values[name] = msgspec.convert(value, fields[name].type)
            except msgspec.ValidationError as wrong:
                mistakes.append(f"{name}: {wrong}")
    mistakes.extend(f"{name}: is missing" for name, field in fields.items() if field.required and name not in raw)
    return values
