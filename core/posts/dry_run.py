"""The dry run: everything that a post would meet on its way, told before it is stored, and nothing written down."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from core.check import Checked, Planned, check
from core.database.pool import single
from core.database.queries import queries
from core.drafting import AnyAdapter
from core.findings import Finding
from core.governor.foresight import Forecast, Foresight, Wait, Wish
from core.ids import parse_id
from core.limits import MediaKind
from core.post import Media
from core.posts.intake import reference_key_taken
from core.posts.preparation import Preparation, refuse_strangers
from core.posts.views import WarningView, timestamp
from core.rehearsal import Recorded, Rehearsal, rehearse
from core.settings import Settings
from core.tenants.callers import WHOLE, Reach
from core.uploads.renditions import Renditions
from core.uploads.upload import Upload
from core.uploads.uploads import Uploads


class MediaPlan(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A file as it would be sent; `changes` says in words what is done to one of ours before, and `bytes` is then open.

    `url` is the public one that was given; of that nothing is known but what its platform will see.
    """

    upload_id: str | None
    url: str | None
    kind: MediaKind | None
    mime: str | None
    bytes: int | None
    width: int | None
    height: int | None
    changes: list[str]


class DeliveryPlan(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One delivery as it would be made: its block with the shared part filled in, its media, and every request.

    `requests` are those of the code that publishes, without what authorises them; where they are not `complete`, `note`
    says why. `expectedAt` is foretold from the quotas as they stand, not booked, and `waitsFor` says what for: `date`,
    `quota`, `platform` (an outage), `account` (a new consent), or `unknown`; with the last three it is null.
    """

    platform: str
    position: int
    social_account_id: str | None
    valid: bool
    block: dict[str, Any] | None
    media: list[MediaPlan]
    calls: Mapping[str, int]
    requests: list[Recorded]
    complete: bool
    note: str | None
    expected_at: str | None
    waits_for: Wait | None


class DryRun(msgspec.Struct, frozen=True, kw_only=True):
    """What would become of a request: `issues` are the faults for which a create would refuse it."""

    valid: bool
    issues: list[WarningView]
    warnings: list[WarningView]
    deliveries: list[DeliveryPlan]


class DryRuns:
    """Runs posts dry, by the check, the drafts and the adapters that publish."""

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        adapters: Mapping[str, AnyAdapter],
        *,
        preparation: Preparation,
        uploads: Uploads,
        renditions: Renditions,
        foresight: Foresight,
        settings: Settings,
    ) -> None:
        self._pool = pool
        self._adapters = adapters
        self._preparation = preparation
        self._uploads = uploads
        self._renditions = renditions
        self._foresight = foresight
        self._settings = settings
        self._sql = queries("core.posts", "dry_run.sql")

    async def of(self, organization_id: UUID, body: object, within: Reach = WHOLE) -> DryRun:
        """The dry run of a request. Its faults are told in the answer; all else that a create raises is raised.

        That is `NotFound` for a team that is not the organization's, and `Conflict` for a reference key that is taken.
        """
        facts = await self._preparation.facts(organization_id, body, within)
        checked = check(body, self._adapters, facts)
        refuse_strangers(checked)
        if not checked.report.errors:
            await self._refuse_taken_key(organization_id, checked)
        uploads = await self._named(organization_id, checked)
        plans = [await self._plan(planned, uploads) for planned in checked.planned]
        return DryRun(
            valid=not checked.report.errors,
            issues=[_told(finding) for finding in checked.report.errors],
            warnings=[_told(finding) for finding in checked.report.warnings],
            deliveries=await self._dated(organization_id, checked, plans),
        )

    async def _refuse_taken_key(self, organization_id: UUID, checked: Checked) -> None:
        request = checked.request
        assert request is not None
        if request.reference_key is None:
            return
        values = {
            "organization_id": organization_id,
            "team_id": request.team_id,
            "reference_key": request.reference_key,
        }
        async with single(self._pool) as connection:
            row = await (await connection.execute(self._sql["key_is_taken"], values)).fetchone()
        if row and row[0]:
            raise reference_key_taken(request.reference_key)

    async def _named(self, organization_id: UUID, checked: Checked) -> dict[str, Upload]:
        """The uploads that are named, by id."""
        team_id = parse_id(checked.request.team_id) if checked.request else None
        media = [media for planned in checked.planned if planned.draft for media in planned.draft.media]
        ids = {id for item in media if item.upload_id and (id := parse_id(item.upload_id))}
        if team_id is None or not ids:
            return {}
        return {str(id): upload for id, upload in (await self._uploads.many(organization_id, team_id, ids)).items()}

    async def _plan(self, planned: Planned, uploads: Mapping[str, Upload]) -> DeliveryPlan:
        adapter, draft = self._adapters[planned.platform], planned.draft
        rehearsal = Rehearsal(requests=(), complete=False)
        if planned.sound and draft is not None:
            # There may be many, and others want to be served as well.
            await asyncio.sleep(0)
            handed_over = self._renditions.handed_over(draft, uploads)
            own = planned.account.hosts if planned.account else {}
            rehearsal = await rehearse(adapter, handed_over, self._settings.hosts_of(adapter, own))
        return DeliveryPlan(
            platform=planned.platform,
            position=planned.position,
            social_account_id=planned.account.id if planned.account else None,
            valid=planned.sound,
            block=msgspec.to_builtins(draft.block) if draft else None,
            media=[_media(item) for item in draft.media] if draft else [],
            calls=adapter.calls(draft) if draft and planned.sound else {},
            requests=list(rehearsal.requests),
            complete=rehearsal.complete,
            note=rehearsal.note,
            expected_at=None,
            waits_for=None,
        )

    async def _dated(
        self, organization_id: UUID, checked: Checked, plans: Sequence[DeliveryPlan]
    ) -> list[DeliveryPlan]:
        """The plans with when each would go out, if the post is one that goes out at all."""
        request, at = checked.request, checked.post_date
        if request is None or at is None or request.status != "SCHEDULED" or checked.report.errors:
            return list(plans)
        wishes = [Wish(account_id=UUID(plan.social_account_id), at=at, calls=plan.calls) for plan in plans]
        forecasts = await self._foresight.of(organization_id, wishes)
        return [_foretold(plan, forecast) for plan, forecast in zip(plans, forecasts, strict=True)]


def _foretold(plan: DeliveryPlan, forecast: Forecast) -> DeliveryPlan:
    at: datetime | None = forecast.at
    return msgspec.structs.replace(
        plan, expected_at=timestamp(at) if at is not None else None, waits_for=forecast.waits
    )


def _media(media: Media) -> MediaPlan:
    return MediaPlan(
        upload_id=media.upload_id,
        url=media.url,
        kind=media.kind,
        mime=media.mime,
        bytes=media.bytes,
        width=media.width,
        height=media.height,
        changes=list(media.changes),
    )


def _told(finding: Finding) -> WarningView:
    return WarningView(code=finding.code, message=finding.message, path=list(finding.path))
