"""Which of the calls to a route a fault means."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from core.sandbox.arrival import Arrival


class Match(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a call must be like; what is not said is not asked.

    `account` is the platform's id of the user behind the call, `body` a part of the body's text as it was sent,
    `json` what a JSON body must hold: objects are compared in the fields that are named here, anything else has
    to be equal. `nth` means only the n-th call of those that fit otherwise, counted from when the fault was
    switched on, whichever fault hit them.
    """

    account: str | None = None
    body: str | None = None
    json: dict[str, Any] | None = None
    nth: Annotated[int, Meta(ge=1)] | None = None

    def fits(self, call: Arrival) -> bool:
        """Whether the call is like this, its place in the row aside."""
        return (
            self.account in (None, call.account)
            and (self.body is None or self.body in call.text)
            and (self.json is None or _holds(call.json, self.json))
        )


def _holds(sent: Any, wanted: Any) -> bool:
    if not isinstance(wanted, dict):
        return bool(sent == wanted)
    return isinstance(sent, dict) and all(name in sent and _holds(sent[name], wanted[name]) for name in wanted)
