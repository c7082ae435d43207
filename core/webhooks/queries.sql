-- name: lock_team
-- Whoever makes an endpoint of a team waits for its turn here, so that the bound on their number holds.
select id from teams
where id = %(team_id)s and organization_id = %(organization_id)s and deleted_at is null
for no key update

-- name: lock_organization
select id from organizations where id = %(organization_id)s for no key update

-- name: known_teams
select id from teams
where id = any(%(ids)s) and organization_id = %(organization_id)s and deleted_at is null

-- name: count_endpoints
select count(*) from webhook_endpoints
where organization_id = %(organization_id)s and team_id is not distinct from %(team_id)s::uuid

-- name: create_endpoint
insert into webhook_endpoints (id, organization_id, team_id, url, description, secret, event_types, platforms, team_ids,
                               format, ordered)
values (%(id)s, %(organization_id)s, %(team_id)s, %(url)s, %(description)s, %(secret)s, %(event_types)s, %(platforms)s,
        %(team_ids)s, %(format)s, %(ordered)s)
returning *

-- name: list_endpoints
select * from webhook_endpoints
where organization_id = %(organization_id)s and (%(teams)s::uuid[] is null or team_id = any(%(teams)s))
order by created_at, id

-- name: get_endpoint
select * from webhook_endpoints where organization_id = %(organization_id)s and id = %(id)s

-- name: lock_endpoint
select * from webhook_endpoints where organization_id = %(organization_id)s and id = %(id)s for no key update

-- name: change_endpoint
-- One that is switched on begins anew; one that is switched off stays as its owner had it.
update webhook_endpoints
set url = %(url)s, description = %(description)s, event_types = %(event_types)s, platforms = %(platforms)s,
    team_ids = %(team_ids)s, format = %(format)s, ordered = %(ordered)s,
    disabled_at = case when %(enabled)s then null else coalesce(disabled_at, now()) end,
    disabled_reason = case when %(enabled)s then null else coalesce(disabled_reason, 'owner') end,
    failures = case when %(anew)s then 0 else failures end,
    failing_since = case when %(anew)s then null else failing_since end,
    retry_at = case when %(anew)s then null else retry_at end,
    updated_at = now()
where organization_id = %(organization_id)s and id = %(id)s
returning *

-- name: rotate_endpoint
update webhook_endpoints
set secret = %(secret)s, previous_secret = %(previous)s,
    previous_until = now() + %(seconds)s * interval '1 second', updated_at = now()
where organization_id = %(organization_id)s and id = %(id)s
returning *

-- name: forget_secrets
update webhook_endpoints set previous_secret = null, previous_until = null where previous_until <= now()

-- name: delete_endpoint
delete from webhook_endpoints where organization_id = %(organization_id)s and id = %(id)s returning *

-- name: address_test
-- A test goes to its endpoint, whatever that wants to hear.
insert into webhook_messages (id, organization_id, endpoint_id, event_id, subject, sequence, previous_sequence)
select %(id)s, e.organization_id, e.subject, e.id, e.subject, e.sequence,
       (select max(m.sequence) from webhook_messages m where m.endpoint_id = e.subject and m.subject = e.subject)
from events e
where e.organization_id = %(organization_id)s and e.subject = %(endpoint_id)s and e.type = 'webhook_endpoint.test'
order by e.sequence desc
limit 1
returning id

-- name: let_go
-- What a process holds that is there no more may be taken at once; its lease would only be waited for.
update webhook_messages set lease_until = null, due_at = now(), holder = null
where id in (
    select id from webhook_messages m
    where m.state = 'waiting' and m.lease_until > now() and m.holder is not null
      and not exists (select from pg_locks l
                      where l.locktype = 'advisory' and l.classid = %(kind)s and l.objsubid = 2 and l.granted
                        and l.objid::bigint = m.holder
                        and l.database = (select oid from pg_database where datname = current_database()))
    for update skip locked
)

-- name: take
select * from take_webhook_messages(%(each)s, %(patience)s, %(limit)s, %(lease)s, %(holder)s)

-- name: hold_turns
-- Before messages of ordered endpoints end: nobody adds one behind them meanwhile.
select pg_advisory_xact_lock(turn.key)
from (select distinct ordered_turn(t.endpoint_id, t.subject) as key
      from unnest(%(endpoints)s::uuid[], %(subjects)s::uuid[]) as t(endpoint_id, subject)
      order by key) turn

-- name: settle
-- Only the newest take of a message may say what became of it; every try stands in the log. The rows are taken in one
-- order, so that nobody waits in a circle, and by their ids, so that nobody is led to read the whole table for a few.
with results as materialized (
    select * from jsonb_to_recordset(%(results)s) as r(
        id uuid, fence bigint, state text, due_in float8, http_status int, error text, answer text, seconds float8,
        started_at timestamptz)
), held as materialized (
    select m.id from webhook_messages m where m.id = any(%(ids)s) and m.state = 'waiting'
    order by m.id
    for no key update
), settled as (
    update webhook_messages m
    set state = r.state,
        due_at = case when r.due_in is null then m.due_at else now() + r.due_in * interval '1 second' end,
        lease_until = null,
        holder = null,
        http_status = r.http_status,
        error = r.error,
        delivered_at = case when r.state = 'delivered' then now() else m.delivered_at end
    from results r join held on held.id = r.id
    where m.id = r.id and m.fence = r.fence
    returning m.id, m.endpoint_id, m.fence
), logged as (
    insert into webhook_attempts (message_id, fence, started_at, seconds, http_status, error, answer)
    select r.id, r.fence, r.started_at, r.seconds, r.http_status, r.error, r.answer
    from results r join settled s on s.id = r.id and s.fence = r.fence
)
select s.id, w.ordered from settled s join webhook_endpoints w on w.id = s.endpoint_id

-- name: release
-- At an ordered endpoint the next of a subject may go when those before it have ended; of some messages, or of all
-- that nobody has released.
update webhook_messages m set state = 'waiting', due_at = now()
where m.state = 'behind'
  and (%(ended)s::uuid[] is null
       or (m.endpoint_id, m.subject) in (select e.endpoint_id, e.subject from webhook_messages e where e.id = any(%(ended)s)))
  and not exists (select from webhook_messages before
                  where before.endpoint_id = m.endpoint_id and before.subject = m.subject
                    and before.sequence < m.sequence and before.state in ('waiting', 'behind'))

-- name: release_all
-- An endpoint that asks for no order any more.
update webhook_messages set state = 'waiting', due_at = now() where endpoint_id = %(endpoint_id)s and state = 'behind'

-- name: fare
-- How endpoints fare: what one takes makes all well, and what fails counts once for all that was settled together.
-- One that asked for time gets it. Answers those that have failed for too long; a day without a try begins anew.
with fared as materialized (
    select * from jsonb_to_recordset(%(fared)s) as f(id uuid, delivered boolean, pause float8)
), held as materialized (
    select w.id from webhook_endpoints w where w.id in (select id from fared) order by w.id for no key update
)
update webhook_endpoints w
set failures = case when f.delivered then 0 when f.pause > 0 then w.failures else w.failures + 1 end,
    failing_since = case when f.delivered then null
                         when w.failed_at > now() - interval '1 day' then coalesce(w.failing_since, now())
                         else now() end,
    failed_at = case when f.delivered then w.failed_at else now() end,
    retry_at = case when f.pause > 0 then now() + f.pause * interval '1 second'
                    when f.delivered then case when w.failures > 0 then null else w.retry_at end
                    when w.failures + 1 >= %(patience)s
                        then now() + least(%(longest)s, power(2, least(w.failures + 1 - %(patience)s, 30)))
                                     * interval '1 second'
                    else w.retry_at end
from fared f join held on held.id = f.id
where w.id = f.id
returning w.id, not f.delivered and w.failing_since <= now() - %(days)s * interval '1 day' as hopeless

-- name: disable
-- Only those that were not switched off yet are answered.
update webhook_endpoints
set disabled_at = now(), disabled_reason = %(reason)s, updated_at = now()
where id = any(%(endpoints)s) and disabled_at is null
returning id, organization_id, team_id, url, failing_since

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
         when w.disabled_at is null
              and under_way.messages < case when w.failures >= %(patience)s then 1 else %(each)s end
             then greatest(first.due_at, w.retry_at)
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

-- name: messages
-- Messages of an endpoint, the newest first, behind a place in that order.
select m.id, m.endpoint_id, m.event_id, e.type, m.subject, m.sequence, m.state, m.attempts, m.fence, m.http_status,
       m.error, case when m.state = 'waiting' then m.due_at end as due_at, m.created_at, m.delivered_at
from webhook_messages m join events e on e.id = m.event_id
where m.organization_id = %(organization_id)s and m.endpoint_id = %(endpoint_id)s
  and (%(state)s::text is null or m.state = %(state)s)
  and (%(before)s::uuid is null or (m.created_at, m.id) < (select b.created_at, b.id from webhook_messages b
                                                           where b.id = %(before)s and b.endpoint_id = %(endpoint_id)s))
order by m.created_at desc, m.id desc
limit %(limit)s

-- name: message
select m.id, m.endpoint_id, m.event_id, e.type, m.subject, m.sequence, m.state, m.attempts, m.fence, m.http_status,
       m.error, case when m.state = 'waiting' then m.due_at end as due_at, m.created_at, m.delivered_at
from webhook_messages m join events e on e.id = m.event_id
where m.organization_id = %(organization_id)s and m.id = %(id)s

-- name: attempts
select a.fence as number, a.started_at, a.seconds, a.http_status, a.error, a.answer
from webhook_attempts a join webhook_messages m on m.id = a.message_id
where m.organization_id = %(organization_id)s and m.id = %(id)s
order by a.fence

-- name: enabled
select disabled_at is null from webhook_endpoints where organization_id = %(organization_id)s and id = %(id)s for share

-- name: resend
-- As if for the first time, with the same id; one that is under way is left to whoever has it.
update webhook_messages
set state = 'waiting', attempts = 0, due_at = now(), lease_until = null
where organization_id = %(organization_id)s and id = %(id)s and (lease_until is null or lease_until <= now())
returning id

-- name: resend_failed
update webhook_messages
set state = 'waiting', attempts = 0, due_at = now(), lease_until = null
where organization_id = %(organization_id)s and endpoint_id = %(endpoint_id)s and state = 'failed'
  and created_at >= %(since)s

-- name: keep_bodies
-- The first that is made of a message's is kept, and answered to whoever has made another.
update webhook_messages m set body = coalesce(m.body, r.body)
from jsonb_to_recordset(%(rows)s) as r(id uuid, body text)
where m.id = r.id
returning m.id, m.body

-- name: vendor_accounts
select a.id, a.platform, a.team_id, a.username, a.display_name, a.avatar_url, g.external_user, a.channels, a.created_at,
       a.updated_at, a.disconnected_at
from social_accounts a join grants g on g.id = a.grant_id
where a.id = any(%(ids)s) and a.organization_id = any(%(organization_ids)s)
