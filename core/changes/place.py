"""A place on a platform: what is asked of channels and their sections, and within which bounds."""

from collections.abc import Iterable, Mapping
from uuid import UUID

import msgspec

from core.abilities import Places
from core.accounts.upkeep import Listed
from core.changes.change import Asked
from core.changes.changes import Result
from core.drafting import AnyAdapter
from core.errors import InvalidPost, NotSupported
from core.findings import Finding, Report


def places_of(adapters: Mapping[str, AnyAdapter], account: Listed, ability: str) -> Places:
    """What the account's platform can do with channels. Raises `NotSupported` where it cannot do this."""
    adapter = adapters.get(account.platform)
    places = adapter.places if adapter is not None else None
    if places is None or ability not in places.offers:
        label = adapter.label if adapter is not None else account.platform
        raise NotSupported(f"{label} does not offer this for channels: {ability.replace('_', ' ')}.")
    return places


def asked_at(
    account: Listed, kind: str, object: str, request: Result, key_id: UUID, *, repeatable: bool = True
) -> Asked:
    """A change that is asked for at an account."""
    return Asked(
        organization_id=account.organization_id,
        account_id=account.id,
        grant_id=account.grant_id,
        kind=kind,
        object=object,
        request=request,
        repeatable=repeatable,
        api_key_id=key_id,
    )


def built(value: msgspec.Struct) -> Result:
    """What is said of a place (JSON), without what is not."""
    said: Result = {name: each for name, each in msgspec.to_builtins(value).items() if each is not None}
    return said


def too_long(name: str, longest: int | None) -> Iterable[Finding]:
    """Whether a name is longer than the platform takes."""
    if longest is not None and len(name) > longest:
        words = f"The name has {len(name)} characters, {len(name) - longest} too many; at most {longest} are taken."
        yield Finding(code="too_long", path=("name",), message=words)


def refuse(findings: Iterable[Finding]) -> None:
    """Raise `InvalidPost` where there are any."""
    report = Report(tuple(findings))
    if report.findings:
        raise InvalidPost(report)
