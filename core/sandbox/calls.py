"""The log of every call that a sandbox received, in the order of arrival."""

from collections import OrderedDict
from typing import Any

import msgspec

LONG = 2048
"""Characters from which on a string in a logged body is cut."""

KEPT = 256
"""Characters that are kept of a string that is cut."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call as the platform saw it.

    `arrival` is in unix seconds, whatever the platform's own clock says, `path` has its query, `account` is the
    platform's id of the user whose token came along. `status` is null while the call is under way and stays so
    where no answer was given.
    """

    id: int
    arrival: float
    method: str
    path: str
    account: str | None
    body: Any = None
    status: int | None = None
    fault: str | None = None


class CallLog:
    """The last `limit` calls."""

    def __init__(self, limit: int) -> None:
        self._calls: OrderedDict[int, Call] = OrderedDict()
        self._limit = limit
        self._next = 1

    def open(self, *, arrival: float, method: str, path: str, account: str | None) -> int:
        """Writes down that a call has arrived and returns the number under which more can be told."""
        number, self._next = self._next, self._next + 1
        self._calls[number] = Call(id=number, arrival=arrival, method=method, path=path, account=account)
        if len(self._calls) > self._limit:
            self._calls.popitem(last=False)
        return number

    def note(self, number: int, **facts: Any) -> None:
        """Adds what became known about a call; one that the log has forgotten stays forgotten."""
        call = self._calls.get(number)
        if call is not None:
            self._calls[number] = msgspec.structs.replace(call, **facts)

    def calls(self) -> list[Call]:
        """The calls, oldest first."""
        return list(self._calls.values())

    def clear(self) -> None:
        """Forgets all calls; numbers go on."""
        self._calls.clear()


def readable(body: bytes) -> Any:
    """A body as the log shows it: JSON parsed, else text, else its length; long strings are cut."""
    if not body:
        return None
    try:
        return shortened(msgspec.json.decode(body))
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return shortened(body.decode())
    except UnicodeDecodeError:
        return f"({len(body)} bytes)"


def shortened(value: Any) -> Any:
    """`value` with every string longer than `LONG` cut, its length told behind the cut."""
    if isinstance(value, str) and len(value) > LONG:
        return f"{value[:KEPT]}… ({len(value)} characters)"
    if isinstance(value, list):
        return [shortened(item) for item in value]
    if isinstance(value, dict):
        return {name: shortened(item) for name, item in value.items()}
    return value
