"""Preparation: from a request to the post that would be stored, with everything that is to be said of it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from core.accounts.accounts import Accounts
from core.check import Checked, Facts, check, named_uploads
from core.drafting import AnyAdapter
from core.errors import InvalidPost, NotFound
from core.findings import Finding
from core.ids import known_id, new_id, parse_id
from core.post import Account, Media, PostRequest
from core.posts.idempotency import Key
from core.posts.new_post import Made, MadeDelivery, NewDelivery, NewPost
from core.posts.terms import folded, terms_of
from core.posts.views import WarningView
from core.tenants.callers import WHOLE, Reach
from core.tenants.tenants import Tenants
from core.uploads.uploads import Uploads


class Preparation:
    """Checks requests against all that is declared and all that an organization has; stores nothing.

    `max_delay` is how many seconds late a post may go out that does not say so itself.
    """

    def __init__(
        self,
        adapters: Mapping[str, AnyAdapter],
        *,
        accounts: Accounts,
        uploads: Uploads,
        tenants: Tenants,
        max_delay: float,
    ) -> None:
        self._adapters = adapters
        self._accounts = accounts
        self._uploads = uploads
        self._tenants = tenants
        self._max_delay = max_delay

    async def facts(self, organization_id: UUID, body: object, within: Reach = WHOLE) -> Facts:
        """What a check of this request needs to know of what the organization has within reach."""
        (facts,) = await self.all_facts(organization_id, [body], within)
        return facts

    async def all_facts(self, organization_id: UUID, bodies: Sequence[object], within: Reach = WHOLE) -> list[Facts]:
        """The same for several requests: of each team that they name everything is asked for once."""
        of_team: dict[UUID, list[object]] = defaultdict(list)
        for body in bodies:
            if (team_id := _team_of(body, within)) is not None:
                of_team[team_id].append(body)
        known = {team_id: await self._of_team(organization_id, team_id, named, within)
                 for team_id, named in of_team.items()}  # fmt: skip
        return [_facts_for(body, known.get(team_id) if (team_id := _team_of(body, within)) else None)
                for body in bodies]  # fmt: skip

    async def _of_team(
        self, organization_id: UUID, team_id: UUID, bodies: Sequence[object], within: Reach
    ) -> Facts | None:
        """What a team has of all that these requests name; None where there is no such team."""
        accounts = await self._accounts.of_team(organization_id, team_id)
        if not accounts and await self._tenants.team(organization_id, team_id) is None:
            return None
        return await self._facts_of(organization_id, team_id, accounts, bodies, within)

    async def _facts_of(
        self,
        organization_id: UUID,
        team_id: UUID,
        accounts: tuple[Account, ...],
        bodies: Sequence[object],
        within: Reach,
    ) -> Facts:
        if within.account_ids is not None:
            accounts = tuple(account for account in accounts if within.has_account(known_id(account.id)))
        named = set[str]().union(*map(named_uploads, bodies))
        return Facts(accounts=accounts, uploads=await self._media(organization_id, team_id, named))

    async def quickly(
        self,
        organization_id: UUID,
        body: object,
        *,
        raw: bytes | None = None,
        within: Reach = WHOLE,
        key: Key | None = None,
    ) -> NewPost:
        """Like `prepared`, but by the team's accounts as they are remembered, which storing it has to compare.

        That suffices to find a post sound; what is at fault is looked at once more with what is so now. `raw` is what
        the body was decoded from, if that is at hand.
        """
        team_id = _team_of(body, within)
        last = self._accounts.standings.last(organization_id, team_id) if team_id else None
        if team_id is not None and last is not None:
            facts = await self._facts_of(organization_id, team_id, last.accounts, [body], within)
            try:
                return self.prepared_with(facts, organization_id, body, raw=raw, key=key, stamp=last.stamp)
            except (InvalidPost, NotFound):
                pass
        return await self.prepared(organization_id, body, within=within, key=key)

    async def prepared(
        self, organization_id: UUID, body: object, *, within: Reach = WHOLE, key: Key | None = None
    ) -> NewPost:
        """The post that this request asks for.

        Raises `InvalidPost` with every finding, and `NotFound` for a team that is not the organization's.
        """
        facts = await self.facts(organization_id, body, within)
        return self.prepared_with(facts, organization_id, body, key=key)

    def prepared_with(
        self,
        facts: Facts,
        organization_id: UUID,
        body: object,
        *,
        raw: bytes | None = None,
        key: Key | None = None,
        stamp: int | None = None,
    ) -> NewPost:
        """The same with the facts at hand; `stamp` is that of the accounts in them, if it has to be compared."""
        checked = check(body, self._adapters, facts, raw=raw)
        request, post_date = _sound(checked)
        team_id, title = known_id(request.team_id), folded(request.title)
        deliveries = self._deliveries(request, checked)
        return NewPost(
            id=new_id(),
            organization_id=organization_id,
            team_id=team_id,
            title=request.title,
            reference_key=request.reference_key,
            post_date=post_date,
            status=request.status,
            platforms=list(dict.fromkeys(request.social_account_types)),
            content=body,  # type: ignore[arg-type]  # a sound request is an object
            max_delay=request.max_delay or self._max_delay,
            deliveries=deliveries,
            folded=title,
            terms=terms_of(team_id, title, request.social_account_types),
            uploads=sorted({UUID(media.upload_id) for media in facts.uploads.values() if media.upload_id}),
            made=_made(deliveries, checked.report.warnings),
            key=key.key if key else None,
            digest=key.digest if key else None,
            stamp=stamp,
        )

    def _deliveries(self, request: PostRequest, checked: Checked) -> list[NewDelivery]:
        if request.status != "SCHEDULED":
            return []
        return [
            NewDelivery(
                id=new_id(),
                social_account_id=known_id(planned.account.id),
                platform=planned.platform,
                position=planned.position,
                block=planned.block,
                calls=self._adapters[planned.platform].calls(planned.draft) if planned.draft else {},
            )
            for planned in checked.planned
            if planned.account is not None
        ]

    async def _media(self, organization_id: UUID, team_id: UUID, texts: Iterable[str]) -> dict[str, Media]:
        named = {text: id for text in texts if (id := parse_id(text)) is not None}
        if not named:
            return {}
        found = await self._uploads.many(organization_id, team_id, set(named.values()))
        return {text: found[id].media for text, id in named.items() if id in found}


def _made(deliveries: Sequence[NewDelivery], warnings: Sequence[Finding]) -> Made:
    made = [
        MadeDelivery(id=each.id, platform=each.platform, social_account_id=each.social_account_id)
        for each in deliveries
    ]
    return Made(
        deliveries=made,
        warnings=[WarningView(code=each.code, message=each.message, path=list(each.path)) for each in warnings],
    )


def _team_of(body: object, within: Reach) -> UUID | None:
    """The team that a request names, if it is within reach."""
    sent = body.get("teamId") if isinstance(body, dict) else None
    team_id = parse_id(sent) if isinstance(sent, str) else None
    return team_id if team_id is not None and within.has_team(team_id) else None


def _facts_for(body: object, known: Facts | None) -> Facts:
    """What is known of a team, as far as one request names it."""
    if known is None:
        return Facts(team_known=False)
    named = named_uploads(body)
    uploads = {text: media for text, media in known.uploads.items() if text in named}
    return msgspec.structs.replace(known, uploads=uploads)


def _sound(checked: Checked) -> tuple[PostRequest, datetime]:
    """The request and its date, if nothing is wrong with them."""
    refuse_strangers(checked)
    if checked.report.errors or checked.request is None or checked.post_date is None:
        raise InvalidPost(checked.report)
    return checked.request, checked.post_date


def refuse_strangers(checked: Checked) -> None:
    """Raise `NotFound` for a request of which nothing is wrong but that its team is not the caller's."""
    codes = {finding.code for finding in checked.report.errors}
    # Uploads belong to a team: where that is unknown, nothing can be said of them.
    if "unknown_team" in codes <= {"unknown_team", "unknown_upload"}:
        raise NotFound("There is no such team; use one of your own.")
