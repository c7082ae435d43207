-- name: claim
-- Due deliveries become queued: lanes in turn, then the rows of each, so that a long lane never hides a short one.
with room as (
    select l.platform, greatest(0, %(queued)s - count(d.id)) as free
    from (select distinct platform from lanes) l
    left join deliveries d on d.platform = l.platform and d.state = 'queued'
    group by l.platform
), ready as (
    select l.id, l.platform, l.virtual_time
    from lanes l
    where exists (
        select from deliveries d
        where d.lane_id = l.id and d.state in ('scheduled', 'deferred', 'retrying') and d.due_at <= now()
    )
    order by l.virtual_time
    limit %(lanes)s
), due as (
    select d.id, ready.platform, ready.id as lane_id,
           row_number() over (partition by ready.platform order by d.turn, ready.virtual_time) as place
    from ready cross join lateral (
        select w.id, row_number() over (order by w.due_at) as turn
        from (
            select id, due_at from deliveries
            where lane_id = ready.id and state in ('scheduled', 'deferred', 'retrying') and due_at <= now()
            order by due_at
            limit %(each)s
            for update skip locked
        ) w
    ) d
), chosen as (
    select due.* from due join room using (platform) where due.place <= room.free
), turned as (
    update lanes l
    set virtual_time = greatest(l.virtual_time, (select min(virtual_time) from ready)) + c.taken
    from (select lane_id, count(*) as taken from chosen group by lane_id) c
    where l.id = c.lane_id
), moved as (
    update deliveries d
    set state = 'queued', due_at = clock_timestamp() + chosen.place * interval '1 microsecond', updated_at = now()
    from chosen
    where d.id = chosen.id
    returning d.platform, d.post_id
), shown as (
    update posts set status = 'PROCESSING', updated_at = now()
    where id in (
        select id from posts
        where id in (select post_id from moved) and status in ('SCHEDULED', 'RETRYING')
        for update skip locked
    )
)
select platform, count(*) from moved group by platform

-- name: next_due
-- Seconds until something falls due; negative when something already is.
select extract(epoch from min(due_at) - now())::float8 from deliveries
where state in ('scheduled', 'deferred', 'retrying', 'processing', 'unconfirmed')

-- name: ready
-- Platforms on which workers have something to take.
select distinct platform from deliveries
where state in ('queued', 'processing', 'unconfirmed') and due_at <= now()

-- name: take
-- A worker takes what is ready: a lease, a new fence and an attempt for each.
with ready as (
    select id, state from deliveries
    where platform = %(platform)s and state in ('queued', 'processing', 'unconfirmed') and due_at <= now()
    order by due_at
    limit %(limit)s
    for update skip locked
), taken as (
    update deliveries d
    set state = case when ready.state = 'unconfirmed' then d.state else 'publishing' end,
        fence = d.fence + 1,
        attempts = d.attempts + (ready.state = 'queued')::int,
        lease_until = now() + %(lease)s * interval '1 second',
        due_at = case when ready.state = 'unconfirmed' then now() + %(lease)s * interval '1 second' else d.due_at end,
        updated_at = now()
    from ready
    where d.id = ready.id
    returning d.*, ready.state as from_state
), noted as (
    insert into attempts (delivery_id, fence, kind)
    select id, fence, case from_state when 'queued' then 'publish' when 'processing' then 'resume' else 'look' end
    from taken
)
select t.id, t.organization_id, t.team_id, t.post_id, t.social_account_id, t.grant_id, t.platform, t.block,
       t.from_state, t.fence, t.attempts, t.failures, t.looks, t.armed_at, t.steps, t.pending,
       t.expires_at <= now() as expired, p.title, p.content, now() - t.armed_at as since_armed
from taken t join posts p on p.id = t.post_id
order by t.due_at

-- name: arm
-- The point of no return is written down, if the lease still lives; answers how long it lives on, in seconds.
with armed as (
    update deliveries
    set armed_at = clock_timestamp(), steps = steps || %(answers)s, updated_at = now()
    where id = %(id)s and fence = %(fence)s and state = 'publishing' and lease_until > clock_timestamp()
    returning id, fence, armed_at, lease_until
), noted as (
    update attempts a set armed_at = armed.armed_at
    from armed where a.delivery_id = armed.id and a.fence = armed.fence
)
select extract(epoch from lease_until - clock_timestamp())::float8 from armed

-- name: remember
update deliveries set steps = steps || %(answers)s, updated_at = now()
where id = %(id)s and fence = %(fence)s and lease_until > clock_timestamp()
returning id

-- name: lock_posts
-- Posts are locked before their deliveries, and in the order of their ids: nobody waits for anybody in a circle.
select id, status, event_sequence from posts where id = any(%(ids)s) order by id for update

-- name: move
-- The guarded move: nothing happens where another hand was faster, or the fence is an older one.
update deliveries d
set state = m.state,
    due_at = case when m.due_in is null then d.due_at else now() + m.due_in * interval '1 second' end,
    lease_until = null,
    failures = d.failures + m.failed,
    looks = case when m.state = 'unconfirmed' then d.looks + m.looked else 0 end,
    armed_at = case when m.state in ('unconfirmed', 'processing', 'needs_review') then d.armed_at end,
    pending = m.pending,
    external_id = coalesce(m.external_id, d.external_id),
    permalink = coalesce(m.permalink, d.permalink),
    published_at = case when m.state = 'published' then now() else d.published_at end,
    error = m.error,
    updated_at = now()
from jsonb_to_recordset(%(moves)s) as m(
    id uuid, fence bigint, before text, state text, due_in float8, failed int, looked int,
    pending jsonb, external_id text, permalink text, error jsonb)
where d.id = m.id and d.fence = m.fence and d.state = m.before
returning d.id, d.due_at, d.published_at

-- name: end_attempts
update attempts a
set ended_at = clock_timestamp(), outcome = m.state, code = m.error->>'code', message = m.error->>'message',
    hint = m.error->>'hint', platform_code = m.error->>'platformCode',
    http_status = coalesce((m.error->>'httpStatus')::int, m.http_status), answer = m.answer, next_state = m.state,
    next_at = case when m.due_in is not null then now() + m.due_in * interval '1 second' end
from jsonb_to_recordset(%(moves)s) as m(
    id uuid, fence bigint, state text, due_in float8, error jsonb, http_status int, answer text)
where a.delivery_id = m.id and a.fence = m.fence and a.ended_at is null and m.id = any(%(moved)s)

-- name: refresh_posts
-- The word of each post follows the states of its deliveries.
update posts p
set status = s.status, updated_at = now(),
    posted_at = case when s.status = 'POSTED' then coalesce(p.posted_at, now()) else p.posted_at end
from (select post_id, post_status(array_agg(state)) as status from deliveries
      where post_id = any(%(ids)s) group by post_id) s
where p.id = s.post_id and p.deleted_at is null
returning p.id, p.status

-- name: expired
-- Deliveries whose worker is gone: the lease ended and nobody wrote an outcome.
select id, organization_id, team_id, post_id, social_account_id, platform, fence, state, failures, armed_at is not null
from deliveries
where lease_until < now() and state = 'publishing'
order by lease_until
limit %(limit)s

-- name: known
select external_id from deliveries where grant_id = %(grant_id)s and external_id = any(%(external_ids)s)
