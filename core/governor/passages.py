"""Passages: a way through the quotas for everybody who calls a platform, be it to publish, to look, or for tokens."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from core.adapter import Adapter
from core.governor.allowance import Allowance, Passage, quotas_in
from core.governor.governor import Governor
from core.ids import new_id
from core.limits import Quota
from core.settings import Settings


class Passages:
    """Opens passages over the quotas that this server is set up for."""

    def __init__(self, governor: Governor, settings: Settings) -> None:
        self._governor = governor
        self._settings = settings
        self._quotas: dict[str, tuple[Quota, ...]] = {}

    def attempt(
        self,
        adapter: Adapter[Any],
        *,
        app: str,
        grant_id: UUID,
        own: Sequence[object],
        delivery_id: UUID,
        fence: int,
        reserved: Mapping[str, int],
        books: bool,
    ) -> Passage | None:
        """The way of one attempt at a delivery; None where the platform declares no quotas."""
        quotas, told = self._quotas_of(adapter), quotas_in(own)
        if not quotas and not told:
            return None
        return Passage(
            self._governor,
            Allowance.of(adapter.platform, app, grant_id, quotas, told),
            adapter.operations,
            delivery_id=delivery_id,
            fence=fence,
            reserved=reserved,
            books=books,
        )

    def visit(
        self, adapter: Adapter[Any], *, app: str, grant_id: UUID | None = None, own: Sequence[object] = ()
    ) -> Passage | None:
        """The way of calls that belong to no delivery; without a grant, of an account that is not known yet."""
        id = new_id()
        return self.attempt(
            adapter, app=app, grant_id=grant_id or id, own=own, delivery_id=id, fence=0, reserved={}, books=False
        )

    def _quotas_of(self, adapter: Adapter[Any]) -> tuple[Quota, ...]:
        """What the settings leave of a platform's quotas, which they say once."""
        quotas = self._quotas.get(adapter.platform)
        if quotas is None:
            quotas = self._quotas[adapter.platform] = self._settings.quotas_of(adapter)
        return quotas


@asynccontextmanager
async def counted(passage: Passage | None, method: str, path: str) -> AsyncIterator[None]:
    """Let one call go that is made outside a session. Raises `RateLimited` where it has to wait."""
    passed = await passage.enter(method, path) if passage is not None else None
    try:
        yield
    finally:
        if passed is not None:
            passed.ended()
