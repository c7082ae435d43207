-- name: refused
-- A grant whose tokens of some version the platform did not take, held.
select token_version as version, state, reason, refresh_due_at is not null as refreshable, refresh_failures as failures,
       refused_version = token_version - 1 and issued_at > now() - %(window)s * interval '1 second' as fresh
from grants where id = %(id)s
for update

-- name: prompt
-- A refresh is due at once, unless it failed before and waits for its next try.
update grants
set refresh_due_at = case when refresh_failures = 0 then least(refresh_due_at, now()) else refresh_due_at end,
    refused_version = case when %(refused)s then token_version else refused_version end,
    updated_at = now()
where id = %(id)s and token_version = %(version)s and refresh_due_at is not null

-- name: take
-- What is due is taken under a lease; from here on the refresh token may have been used, until it is known better.
with due as (
    select id, refresh_unclear from grants
    where refresh_due_at <= now() and (refresh_lease_until is null or refresh_lease_until <= now())
      and refresh_token is not null and state in ('live', 'at_risk')
    order by refresh_due_at
    limit %(limit)s
    for update skip locked
)
update grants g
set refresh_lease_until = now() + %(lease)s * interval '1 second', refresh_fence = g.refresh_fence + 1,
    refresh_unclear = true
from due where g.id = due.id
returning g.id, g.platform, g.app, g.quotas, g.hosts, g.external_user, g.refresh_token, g.token_version as version,
          g.refresh_fence as fence, g.refresh_failures as failures, due.refresh_unclear as unclear,
          g.refused_version = g.token_version as refused,
          extract(epoch from g.expires_at - now())::float8 as expires_in

-- name: next_due
-- Seconds until a refresh can be taken; null when none will.
select extract(epoch from min(greatest(refresh_due_at, refresh_lease_until)) - now())::float8 from grants
where refresh_due_at < 'infinity' and refresh_token is not null and state in ('live', 'at_risk')

-- name: renew
-- Newer tokens, where nobody was faster: decided by the version alone. What the platform left out stays.
with before as (
    select id, state from grants
    where id = %(id)s and token_version = %(version)s and state <> 'released'
    for update
)
update grants g
set access_token = %(access_token)s, refresh_token = coalesce(%(refresh_token)s::bytea, g.refresh_token),
    token_version = g.token_version + 1, issued_at = now(),
    expires_at = now() + %(expires_in)s::float8 * interval '1 second',
    refresh_expires_at = coalesce(now() + %(refresh_expires_in)s::float8 * interval '1 second',
                                  case when %(refresh_token)s::bytea is null then g.refresh_expires_at end),
    scopes = coalesce(%(scopes)s::text[], g.scopes), state = 'live', reason = null,
    refresh_due_at = coalesce(now() + %(refresh_in)s::float8 * interval '1 second', 'infinity'),
    refresh_lease_until = null, refresh_unclear = false, refresh_failures = 0, updated_at = now()
from before where g.id = before.id
returning before.state

-- name: postpone
-- A refresh that brought nothing is tried again, by whoever has its fence.
update grants
set refresh_due_at = now() + %(wait)s * interval '1 second', refresh_lease_until = null,
    refresh_unclear = %(unclear)s, refresh_failures = refresh_failures + 1, updated_at = now()
where id = %(id)s and token_version = %(version)s and refresh_fence = %(fence)s

-- name: mark
-- The grant's word changes; answers nothing where it was that already, or others have newer tokens.
update grants
set state = %(state)s, reason = %(reason)s, refresh_lease_until = null,
    refresh_due_at = case when %(give_up)s then null else refresh_due_at end, updated_at = now()
where id = %(id)s and token_version = %(version)s and (%(fence)s::bigint is null or refresh_fence = %(fence)s)
  and state <> 'released' and (state <> %(state)s or %(give_up)s)
returning id

-- name: endangered
-- Tokens that will end before they are renewed: none can be, or trying has failed for long. Told while there is time:
-- before a post would fail, and at the latest in the last quarter of their life.
select id, token_version as version, 'at_risk' as becomes from grants g
where state = 'live' and expires_at > now() and (
    (refresh_due_at is null and (
        expires_at < now() + least(interval '7 days', (expires_at - issued_at) / 4)
        or exists (select from lanes l join deliveries d on d.lane_id = l.id
                   where l.grant_id = g.id and d.state in ('scheduled', 'deferred', 'retrying')
                     and d.due_at > g.expires_at)))
    or (refresh_failures > 0 and expires_at < now() + (expires_at - issued_at) / 4))
union all
select id, token_version, 'needs_reauth' from grants
where state in ('live', 'at_risk') and expires_at <= now() and refresh_due_at is null
limit %(limit)s

-- name: wake_waiting
-- Deliveries that wait for the tokens of a grant go on.
update deliveries d set due_at = now(), updated_at = now()
where d.id in (
    select w.id from lanes l join deliveries w on w.lane_id = l.id
    where l.grant_id = %(grant_id)s and w.state = 'deferred' and w.error->>'code' = any(%(codes)s)
    for update of w skip locked)

-- name: wake_looking
-- So do those that were sent before, and are looked up or asked for.
update deliveries d set due_at = now(), updated_at = now()
where d.id in (
    select w.id from deliveries w
    where w.platform = %(platform)s and w.grant_id = %(grant_id)s and w.state in ('processing', 'unconfirmed')
      and w.lease_until is null and w.error->>'code' = any(%(codes)s)
    for update of w skip locked)

-- name: stir
-- A delivery that was put by while the tokens were renewed has missed the call, and goes on as well.
update deliveries d set due_at = now(), updated_at = now()
from grants g
where d.id = %(id)s and d.organization_id = %(organization_id)s and g.id = d.grant_id
  and d.state in ('deferred', 'unconfirmed', 'processing') and d.lease_until is null
  and d.error->>'code' = any(%(codes)s)
  and g.state in ('live', 'at_risk') and g.refused_version <> g.token_version
returning d.id
