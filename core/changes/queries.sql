-- name: abandon
-- A change whose process is gone: it was not sent, or nobody knows what became of it.
update changes
set ended_at = clock_timestamp(), outcome = case when armed_at is null then 'refused' else 'unclear' end,
    error = %(error)s
where grant_id = %(grant_id)s and object = %(object)s and ended_at is null and lease_until <= clock_timestamp()

-- name: open
-- The lane of an object, if nobody is in it.
insert into changes (id, organization_id, team_id, social_account_id, grant_id, delivery_id, api_key_id, kind, object,
                     request, lease_until)
select %(id)s, a.organization_id, a.team_id, a.id, a.grant_id, %(delivery_id)s, %(api_key_id)s, %(kind)s, %(object)s,
       %(request)s, clock_timestamp() + %(lease)s * interval '1 second'
from social_accounts a
where a.id = %(account_id)s and a.organization_id = %(organization_id)s and a.disconnected_at is null
on conflict (grant_id, object) where ended_at is null do nothing
returning id

-- name: unclear
-- The same asked before, if nobody knows what became of it: since when, and how many seconds ago.
select c.armed_at, extract(epoch from clock_timestamp() - c.armed_at)::float8 as age
from (select * from changes
      where grant_id = %(grant_id)s and object = %(object)s and kind = %(kind)s and request = %(request)s
        and organization_id = %(organization_id)s and ended_at is not null and armed_at is not null
      order by started_at desc
      limit 1) c
where c.outcome = 'unclear'

-- name: arm
-- The point of no return, where the lease still lives; answers how long it lives on, in seconds.
update changes set armed_at = clock_timestamp()
where id = %(id)s and ended_at is null and lease_until > clock_timestamp()
returning extract(epoch from lease_until - clock_timestamp())::float8

-- name: end
update changes
set ended_at = clock_timestamp(), outcome = %(outcome)s, looked = %(looked)s, result = %(result)s, error = %(error)s
where id = %(id)s and ended_at is null
returning armed_at

-- name: armed_at
select armed_at from changes where id = %(id)s

-- name: of_post
-- Every change that was asked for at the deliveries of a post, in their order.
select c.id, c.delivery_id, c.api_key_id, c.kind, c.request, c.started_at, c.armed_at, c.ended_at, c.looked, c.result,
       c.error, case when c.ended_at is null and c.lease_until <= clock_timestamp()
                     then case when c.armed_at is null then 'refused' else 'unclear' end
                     else c.outcome end as outcome
from deliveries d join changes c on c.delivery_id = d.id
where d.post_id = %(post_id)s and d.organization_id = %(organization_id)s
order by c.started_at, c.id

-- name: last_done
-- The latest of a kind that was carried out for a delivery with that request.
select c.id, c.delivery_id, c.api_key_id, c.kind, c.request, c.started_at, c.armed_at, c.ended_at, c.looked, c.result,
       c.error, c.outcome
from changes c
where c.delivery_id = %(delivery_id)s and c.organization_id = %(organization_id)s and c.kind = %(kind)s
  and (%(request)s::jsonb is null or c.request = %(request)s) and c.outcome = 'done'
order by c.started_at desc
limit 1

-- name: was_armed
-- Whether just that has been sent before, whatever became of it.
select exists (
    select from changes
    where organization_id = %(organization_id)s and grant_id = %(grant_id)s and object = %(object)s
      and kind = %(kind)s and request = %(request)s and armed_at is not null)

-- name: connected
select id from social_accounts
where organization_id = %(organization_id)s and id = %(id)s and disconnected_at is null

-- name: lock_channels
-- Every account of the organization that shares the grant has the same channels.
select id, channels from social_accounts
where organization_id = %(organization_id)s and grant_id = %(grant_id)s
order by id
for update

-- name: set_channels
update social_accounts
set channels = %(channels)s, channels_at = case when %(whole)s then now() else channels_at end, updated_at = now()
where organization_id = %(organization_id)s and id = %(id)s

-- name: published
-- What is live of a delivery, and what made it.
select d.id, d.organization_id, d.team_id, d.post_id, d.social_account_id, d.grant_id, d.platform, d.state, d.block,
       d.external_id, d.permalink, d.removed_at, p.content
from deliveries d join posts p on p.id = d.post_id
where d.id = %(id)s and d.organization_id = %(organization_id)s

-- name: remove
update deliveries set removed_at = coalesce(removed_at, now()), updated_at = now()
where id = %(id)s and organization_id = %(organization_id)s and external_id = %(external_id)s
