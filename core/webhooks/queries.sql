-- name: create_endpoint
-- Nothing is inserted for a team that is not the organization's.
insert into webhook_endpoints (id, organization_id, team_id, url, secret, event_types)
select %(id)s, %(organization_id)s, %(team_id)s::uuid, %(url)s, %(secret)s, %(event_types)s
where %(team_id)s::uuid is null
   or exists (select from teams where id = %(team_id)s::uuid and organization_id = %(organization_id)s)
returning id, organization_id, team_id, url, event_types, created_at, updated_at, disabled_at

-- name: list_endpoints
select id, organization_id, team_id, url, event_types, created_at, updated_at, disabled_at
from webhook_endpoints
where organization_id = %(organization_id)s
order by created_at, id

-- name: get_endpoint
select id, organization_id, team_id, url, event_types, created_at, updated_at, disabled_at
from webhook_endpoints
where organization_id = %(organization_id)s and id = %(id)s

-- name: delete_endpoint
delete from webhook_endpoints
where organization_id = %(organization_id)s and id = %(id)s
returning id, organization_id, team_id, url, event_types, created_at, updated_at, disabled_at

-- name: lanes
-- The endpoints with something to take, those with the least under way first; locked, so that each is taken from by
-- one sender at a time. The walk from endpoint to endpoint touches one index entry each, however many messages wait.
with recursive waiting as (
    (select endpoint_id from webhook_messages where state = 'waiting' order by endpoint_id limit 1)
    union all
    select (select m.endpoint_id from webhook_messages m
            where m.state = 'waiting' and m.endpoint_id > waiting.endpoint_id
            order by m.endpoint_id limit 1)
    from waiting where waiting.endpoint_id is not null
)
select w.id, w.disabled_at is not null as disabled
from waiting join webhook_endpoints w on w.id = waiting.endpoint_id
cross join lateral (
    select count(*) as messages from webhook_messages m
    where m.endpoint_id = w.id and m.state = 'waiting' and m.lease_until > now()
) under_way
cross join lateral (
    select m.due_at from webhook_messages m
    where m.endpoint_id = w.id and m.state = 'waiting'
    order by m.due_at limit 1
) first
where case when w.disabled_at is not null then under_way.messages = 0
           else first.due_at <= now() and under_way.messages < %(each)s end
order by under_way.messages, first.due_at
limit %(limit)s
for no key update of w skip locked

-- name: retire
-- Nobody is left to send these to.
update webhook_messages
set state = 'failed', lease_until = null, error = 'The endpoint is switched off.'
where endpoint_id = any(%(endpoints)s) and state = 'waiting' and (lease_until is null or lease_until <= now())

-- name: take
-- Due messages of the lanes, in turns: the n-th of an endpoint is taken while at least n places are free, its own
-- included. A taken message is due again at its lease's end.
with under_way as (
    select endpoint_id, count(*) as messages from webhook_messages
    where endpoint_id = any(%(lanes)s) and state = 'waiting' and lease_until > now()
    group by endpoint_id
), ready as (
    select m.id, m.due_at, coalesce(u.messages, 0) + m.turn as turn
    from unnest(%(lanes)s::uuid[]) as lane(id)
    left join under_way u on u.endpoint_id = lane.id
    cross join lateral (
        select d.id, d.due_at, row_number() over (order by d.due_at, d.event_id) as turn
        from (
            select id, due_at, event_id from webhook_messages
            where endpoint_id = lane.id and state = 'waiting' and due_at <= now()
            order by due_at
            limit greatest(0, %(each)s - coalesce(u.messages, 0))
            for update skip locked
        ) d
    ) m
), placed as (
    select id, turn, row_number() over (order by turn, due_at, id) as place from ready
), chosen as (
    select id, place from placed where turn + place <= %(limit)s + 1 order by place limit %(limit)s
), taken as (
    update webhook_messages m
    set fence = m.fence + 1, attempts = m.attempts + 1,
        lease_until = now() + %(lease)s * interval '1 second', due_at = now() + %(lease)s * interval '1 second'
    from chosen
    where m.id = chosen.id
    returning m.*, chosen.place
)
select t.id, t.event_id, t.endpoint_id, w.url, w.secret as sealed_secret, t.fence, t.attempts, e.type, e.sequence,
       t.previous_sequence, e.data, e.created_at as happened_at, clock_timestamp() as taken_at
from taken t
join events e on e.id = t.event_id
join webhook_endpoints w on w.id = t.endpoint_id
order by t.place

-- name: settle
-- Only the newest take of a message may say what became of it.
update webhook_messages m
set state = r.state,
    due_at = case when r.due_in is null then m.due_at else now() + r.due_in * interval '1 second' end,
    lease_until = null,
    http_status = r.http_status,
    error = r.error,
    delivered_at = case when r.state = 'delivered' then now() end
from jsonb_to_recordset(%(results)s) as r(
    id uuid, fence bigint, state text, due_in float8, http_status int, error text)
where m.id = r.id and m.fence = r.fence and m.state = 'waiting'
returning m.id

-- name: disable
update webhook_endpoints set disabled_at = coalesce(disabled_at, now()), updated_at = now()
where id = any(%(endpoints)s)

-- name: next_due
-- Seconds until a message can be taken. Where an endpoint has all it may have under way, that is when a lease ends.
with recursive waiting as (
    (select endpoint_id from webhook_messages where state = 'waiting' order by endpoint_id limit 1)
    union all
    select (select m.endpoint_id from webhook_messages m
            where m.state = 'waiting' and m.endpoint_id > waiting.endpoint_id
            order by m.endpoint_id limit 1)
    from waiting where waiting.endpoint_id is not null
)
select extract(epoch from min(
    case when w.disabled_at is not null and under_way.messages = 0 then now()
         when w.disabled_at is null and under_way.messages < %(each)s then first.due_at
         else under_way.ends_at end
) - now())::float8
from waiting join webhook_endpoints w on w.id = waiting.endpoint_id
cross join lateral (
    select count(*) as messages, min(m.lease_until) as ends_at from webhook_messages m
    where m.endpoint_id = w.id and m.state = 'waiting' and m.lease_until > now()
) under_way
cross join lateral (
    select m.due_at from webhook_messages m
    where m.endpoint_id = w.id and m.state = 'waiting'
    order by m.due_at limit 1
) first
