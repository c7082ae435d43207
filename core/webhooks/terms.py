"""Terms: what an endpoint wants to hear, in which form, and whether that is something that can be had."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal
from uuid import UUID

import msgspec

from core.events.kinds import VENDOR_TYPES
from core.findings import Finding, nearest
from core.webhooks.event_types import EVENT_TYPES

Format = Literal["fingerpost", "bundle.social"]
"""Whose names and shapes of events an endpoint is sent."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint wants. Empty lists stand for everything; what concerns no platform passes every platform list.

    `ordered` has the events of one subject sent one after the other: the next goes when the one before was taken,
    or was given up.
    """

    url: str
    description: str = ""
    event_types: Sequence[str] = ()
    platforms: Sequence[str] = ()
    team_ids: Sequence[UUID] = ()
    format: Format = "fingerpost"
    ordered: bool = False


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be different of an endpoint; UNSET stays as it is. `enabled` switches it on or off."""

    url: str | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType = msgspec.UNSET
    event_types: Sequence[str] | msgspec.UnsetType = msgspec.UNSET
    platforms: Sequence[str] | msgspec.UnsetType = msgspec.UNSET
    team_ids: Sequence[UUID] | msgspec.UnsetType = msgspec.UNSET
    format: Format | msgspec.UnsetType = msgspec.UNSET
    ordered: bool | msgspec.UnsetType = msgspec.UNSET
    enabled: bool | msgspec.UnsetType = msgspec.UNSET

    def of(self, terms: Terms) -> Terms:
        """The terms as they are after it."""
        given = {name: getattr(self, name) for name in terms.__struct_fields__}
        return msgspec.structs.replace(
            terms, **{name: value for name, value in given.items() if value is not msgspec.UNSET}
        )


def faults(terms: Terms, *, bound: bool, platforms: Iterable[str] | None) -> Iterator[Finding]:
    """What is wrong with terms, but for their URL and the teams' ids. `bound`: the endpoint is one team's anyway.

    `platforms` are those that are served here; None where that is not known.
    """
    known = EVENT_TYPES if terms.format == "fingerpost" else VENDOR_TYPES
    for place, name in enumerate(terms.event_types):
        if name not in known:
            words = nearest(name, known) or f"; there are {', '.join(known)}."
            message = f"There is no event type '{name[:60]}'{words}"
            yield Finding(code="unknown_event_type", path=("eventTypes", place), message=message)
    served = None if platforms is None else sorted(platforms)
    for place, name in enumerate(terms.platforms if served is not None else ()):
        if name not in (served or ()):
            message = f"The platform '{name[:60]}' is not served here{nearest(name, served or ())}"
            yield Finding(code="unknown_platform", path=("platforms", place), message=message)
    if bound and terms.team_ids:
        words = "An endpoint of one team hears of that team alone; leave `teamIds` out, or `teamId`."
        yield Finding(code="field_unused", path=("teamIds",), message=words)
