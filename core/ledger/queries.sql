-- name: wake
-- A window opens for all lanes that wait for it: or who asks first would have it all.
with opened as (
    select distinct blocked_by from lanes where blocked_until <= now()
), woken as (
    update lanes set blocked_until = null, blocked_by = null
    where id in (select l.id from lanes l join opened using (blocked_by) for update of l skip locked)
    returning id
)
update deliveries d set due_at = now() from woken
where d.lane_id = woken.id and d.state = 'deferred' and d.due_at > now() and d.error->>'code' = 'quota_exhausted'

-- name: due
-- What is due and may be queued, in the order in which it is to be: lanes in turn, then the rows of each, so that a
-- long lane never hides a short one. A lane's turn is its virtual time; one that was idle begins where its platform has
-- come to. A lane whose allowance is used up is left alone until that opens, and so is one whose server is in trouble:
-- only one row is queued for such a server, to ask whether it is back. The rows are held until they are queued.
with shut as materialized (
    select platform, server from breakers where opened_at is not null
), probers as materialized (
    select (
        select l.id from lanes l join grants g on g.id = l.grant_id
        where l.platform = s.platform and g.server = s.server
          and (l.blocked_until is null or l.blocked_until <= now()) and exists (
              select from deliveries d
              where d.lane_id = l.id and d.state in ('scheduled', 'deferred', 'retrying') and d.turn_at <= now()
                and d.due_at <= now()
          )
        limit 1
    ) as lane_id
    from shut s
    where not exists (
        select from deliveries q join grants g on g.id = q.grant_id
        where q.platform = s.platform and q.state = 'queued' and g.server = s.server)
), waiting as materialized (
    select p.platform, coalesce(t.virtual_time, 0) as virtual_time,
           greatest(0, %(queued)s - (select count(*) from deliveries q
                                     where q.platform = p.platform and q.state = 'queued')) as free
    from (select distinct platform from lanes) p
    left join turns t on t.platform = p.platform
), ready as (
    select l.id, l.platform, w.free, greatest(l.virtual_time, w.virtual_time) as virtual_time, r.rows
    from lanes l join waiting w on w.platform = l.platform
    cross join lateral (
        select case
            when (select count(*) from shut) = 0 then %(each)s
            when exists (select from shut s join grants g on g.server = s.server
                         where g.id = l.grant_id and s.platform = l.platform)
            then (select count(*) from probers where lane_id = l.id)
            else %(each)s end as rows
    ) r
    where r.rows > 0 and (l.blocked_until is null or l.blocked_until <= now()) and exists (
        select from deliveries d
        where d.lane_id = l.id and d.state in ('scheduled', 'deferred', 'retrying') and d.turn_at <= now()
          and d.due_at <= now()
    )
    order by 4
    limit %(lanes)s
), chosen as (
    select d.id, ready.platform, ready.id as lane_id, ready.virtual_time, ready.free,
           row_number() over (partition by ready.platform order by ready.virtual_time + d.turn, ready.id) as place
    from ready cross join lateral (
        select w.id, row_number() over (order by w.turn_at) as turn
        from (
            select id, turn_at from deliveries
            where ready.free > 0 and lane_id = ready.id and state in ('scheduled', 'deferred', 'retrying')
              and turn_at <= now() and due_at <= now()
            order by turn_at
            limit %(each)s
            for update skip locked
        ) w
    ) d
    where d.turn <= ready.rows
)
select c.place, c.lane_id, c.virtual_time, d.id, d.organization_id, d.team_id, d.post_id, d.social_account_id,
       d.platform, d.fence, d.state, d.calls, d.grant_id, g.app, g.quotas, d.expires_at <= now() as expired
from chosen c join deliveries d on d.id = c.id join grants g on g.id = d.grant_id
where c.place <= c.free
order by c.platform, c.place

-- name: crowded
-- Whether something is due that no queue has room for, and the database's time.
select exists (
    select from lanes l
    join grants g on g.id = l.grant_id
    join breakers b on b.platform = l.platform and b.server = g.server and b.opened_at is not null
    where exists (select from deliveries d where d.lane_id = l.id and d.state in ('scheduled', 'deferred', 'retrying')
                  and d.turn_at <= now() and d.due_at <= now())
    union all
    select from deliveries q where q.state = 'queued' group by q.platform having count(*) >= %(queued)s
), now()

-- name: queue
-- Due deliveries become queued, each in so many seconds; their lanes have had their turns.
with chosen as (
    select * from jsonb_to_recordset(%(chosen)s) as c(
        id uuid, platform text, lane_id bigint, virtual_time float8, place int, due_in float8)
), served as (
    select lane_id, platform, virtual_time + count(*) as virtual_time
    from chosen group by lane_id, platform, chosen.virtual_time
), turned as (
    update lanes l set virtual_time = served.virtual_time, blocked_until = null, blocked_by = null
    from served where l.id = served.lane_id
), advanced as (
    insert into turns (platform, virtual_time)
    select platform, min(virtual_time) from served group by platform
    on conflict (platform) do update set virtual_time = greatest(turns.virtual_time, excluded.virtual_time)
), moved as (
    update deliveries d
    set state = 'queued', updated_at = now(),
        due_at = now() + chosen.due_in * interval '1 second' + (chosen.place - 2000) * interval '1 microsecond'
    from chosen
    where d.id = chosen.id
    returning d.post_id
)
update posts set status = 'PROCESSING', updated_at = now()
where id in (
    select id from posts
    where id in (select post_id from moved) and status in ('SCHEDULED', 'RETRYING')
    for update skip locked
)

-- name: block
-- Lanes whose allowance is used up wait until it is worthwhile to ask again.
update lanes l set blocked_until = clock_timestamp() + b.seconds * interval '1 second', blocked_by = b."window"
from jsonb_to_recordset(%(lanes)s) as b(id bigint, seconds float8, "window" text)
where l.id = b.id

-- name: put_off
-- Who is deferred already stays so, until the moment that is foretold now.
update deliveries d set due_at = now() + o.due_in * interval '1 second', updated_at = now()
from jsonb_to_recordset(%(rows)s) as o(id uuid, due_in float8)
where d.id = o.id and d.state = 'deferred'

-- name: next_due
-- Seconds until something falls due after a moment, or a lane opens again.
select extract(epoch from least(
    (select min(due_at) from deliveries
     where state in ('scheduled', 'deferred', 'retrying', 'processing', 'unconfirmed') and due_at > %(after)s),
    (select min(due_at) from deliveries
     where state = 'queued' and due_at > %(after)s),
    (select min(blocked_until) from lanes where blocked_until > %(after)s)
) - now())::float8

-- name: ready
-- Platforms on which workers have something to take that fell due after a moment.
select distinct platform from deliveries
where state in ('queued', 'processing', 'unconfirmed') and due_at <= now() and due_at > %(after)s

-- name: take
-- A worker takes what is ready: a lease, a new fence and an attempt for each. Of a server in trouble it gets one a
-- minute, to ask whether it is back. Where none is, nothing is looked at for that.
with recursive shut as materialized (
    select server from breakers where platform = %(platform)s and opened_at is not null
), probe as (
    update breakers b set probe_at = now() + %(probe)s * interval '1 second'
    where b.platform = %(platform)s and b.opened_at is not null and b.probe_at <= now()
      and case when (select count(*) from shut) > 0 then exists (
          select from deliveries d join grants g on g.id = d.grant_id
          where d.platform = b.platform and g.server = b.server and d.due_at <= now()
            and d.state in ('queued', 'processing', 'unconfirmed')) end
    returning b.server
), probing as materialized (
    select one.id, one.state from probe p cross join lateral (
        select d.id, d.state from deliveries d join grants g on g.id = d.grant_id
        where d.platform = %(platform)s and g.server = p.server and d.due_at <= now()
          and d.state in ('queued', 'processing', 'unconfirmed')
        order by d.state = 'queued', d.due_at
        limit 1
        for update of d skip locked
    ) one
), room as (
    select greatest(0, %(limit)s - (select count(*) from probing)) as places
), queued_lanes as (
    -- From lane to lane by one index entry each, however many stand in them.
    (select lane_id from deliveries where platform = %(platform)s and state = 'queued' order by lane_id limit 1)
    union all
    select (select d.lane_id from deliveries d
            where d.platform = %(platform)s and d.state = 'queued' and d.lane_id > l.lane_id
            order by d.lane_id limit 1)
    from queued_lanes l where l.lane_id is not null
), share as (
    -- Where there are many lanes, no more than a few rows of each are looked at.
    select least(places, greatest(1, ceil(4.0 * places / greatest(1, (select count(lane_id) from queued_lanes)))::int)) as rows
    from room
), under_way as (
    select id, due_at, 0 as turn from deliveries
    where platform = %(platform)s and state in ('processing', 'unconfirmed') and due_at <= now()
      and case when (select count(*) from shut) > 0 then not exists (
          select from grants g join shut on shut.server = g.server where g.id = grant_id) else true end
    order by due_at
    limit (select places from room)
    for update skip locked
), first as (
    -- What is under way goes first; then of each lane in the queue its first, of each its second, and so on.
    select d.id, d.due_at, row_number() over (partition by l.lane_id order by d.due_at) as turn
    from queued_lanes l cross join lateral (
        select id, due_at from deliveries
        where platform = %(platform)s and state = 'queued' and lane_id = l.lane_id and due_at <= now()
          and case when (select count(*) from shut) > 0 then not exists (
              select from grants g join shut on shut.server = g.server where g.id = grant_id) else true end
        order by due_at
        limit (select rows from share)
        for update skip locked
    ) d
), chosen as (
    select id from (select * from under_way union all select * from first) each
    order by turn, due_at
    limit (select places from room)
), ready as (
    select d.id, d.state from chosen join deliveries d on d.id = chosen.id
    union all
    select id, state from probing
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
), lost as (
    -- A look changes no state while it lasts, so no sweep sees that its worker died: the next one does.
    update attempts a
    set ended_at = now(), outcome = taken.state, code = 'worker_lost', next_state = taken.state, next_at = now(),
        message = 'The worker ended before it could write down what it saw.'
    from taken
    where taken.from_state = 'unconfirmed' and a.delivery_id = taken.id and a.ended_at is null
)
select t.id, t.organization_id, t.team_id, t.post_id, t.social_account_id, t.grant_id, t.platform, g.server, t.block,
       t.calls, g.app, g.quotas, t.fingerprint, t.from_state, t.fence, t.attempts, t.failures, t.looks, t.armed_at, t.steps, t.pending,
       t.expires_at <= now() as expired, extract(epoch from t.expires_at - now())::float8 as patience_seconds,
       t.id in (select id from probing) as probing, p.content,
       tm.when_not_found, coalesce(extract(epoch from now() - t.armed_at), 0)::float8 as unclear_seconds,
       coalesce((select extract(epoch from now() - min(a.armed_at))::float8 from attempts a
                 where a.delivery_id = t.id and t.from_state = 'unconfirmed'), 0)::float8 as keyed_seconds,
       now() as taken_at, case when t.from_state = 'processing' then (
           select extract(epoch from now() - max(a.started_at))::float8 from attempts a
           where a.delivery_id = t.id and a.kind = 'publish') end as processing_seconds
from taken t join posts p on p.id = t.post_id join teams tm on tm.id = t.team_id join grants g on g.id = t.grant_id
order by t.due_at

-- name: arm
-- Points of no return are written down, where the lease still lives; answers how long it lives on, in seconds.
with wanted as (
    select * from jsonb_to_recordset(%(arms)s) as w(id uuid, fence bigint, answers jsonb)
), armed as (
    update deliveries d
    set armed_at = clock_timestamp(), steps = d.steps || wanted.answers, updated_at = now()
    from wanted
    where d.id = wanted.id and d.fence = wanted.fence and d.lease_until > clock_timestamp()
      and d.state in ('publishing', 'unconfirmed')
    returning d.id, d.fence, d.armed_at, d.lease_until
), noted as (
    -- A look that sends is none: under a key a create may be sent again to learn what became of it.
    update attempts a set armed_at = armed.armed_at, kind = case a.kind when 'look' then 'publish' else a.kind end
    from armed where a.delivery_id = armed.id and a.fence = armed.fence
)
select id, extract(epoch from lease_until - clock_timestamp())::float8 from armed

-- name: remember
update deliveries set steps = steps || %(answers)s, updated_at = now()
where id = %(id)s and fence = %(fence)s and lease_until > clock_timestamp()
returning id

-- name: prolong
-- A worker that has not come to its end keeps what it holds.
update deliveries set lease_until = now() + %(lease)s * interval '1 second'
where id = %(id)s and fence = %(fence)s and lease_until > clock_timestamp() and state = 'publishing'
returning id

-- name: trouble
-- One more failure in a row; the breaker opens with the last that is allowed. Answers whether it opened just now.
insert into breakers as b (platform, server, failures) values (%(platform)s, %(server)s, 1)
on conflict (platform, server) do update set
    failures = b.failures + 1,
    opened_at = case when b.failures + 1 >= %(allowed)s then coalesce(b.opened_at, now()) end,
    probe_at = case when b.failures + 1 >= %(allowed)s then coalesce(b.probe_at, now() + %(probe)s * interval '1 second') end
returning opened_at = now()

-- name: recovered
delete from breakers where platform = %(platform)s and server = %(server)s

-- name: queued
select d.id, d.organization_id, d.team_id, d.post_id, d.social_account_id, d.platform, d.fence, d.state
from deliveries d join grants g on g.id = d.grant_id
where d.platform = %(platform)s and d.state = 'queued' and g.server = %(server)s limit %(limit)s

-- name: twin_publishing
select exists (
    select from deliveries
    where grant_id = %(grant_id)s and fingerprint = %(fingerprint)s and state = 'publishing' and id <> %(id)s)

-- name: others_unclear
-- Whether something else that went out to the account has neither an answer nor had its last look.
select exists (
    select from deliveries
    where grant_id = %(grant_id)s and id <> %(id)s and platform = %(platform)s and armed_at is not null
      and (state = 'publishing' or (state = 'unconfirmed' and looks < %(looks)s)))

-- name: rivals
-- Deliveries that were found by looking under an id which the platform itself has now given to another.
select d.id, d.organization_id, d.team_id, d.post_id, d.social_account_id, d.platform, d.fence, d.state
from jsonb_to_recordset(%(moves)s) as m(id uuid, external_id text, state text, certain boolean)
-- One by one: a grant has each id once, and the planner does not know how much else it has.
cross join lateral (select grant_id from deliveries where id = m.id limit 1) as mine
cross join lateral (
    select * from deliveries o where o.grant_id = mine.grant_id and o.external_id = m.external_id limit 1
) as d
where m.state = 'published' and m.certain and d.id <> m.id and not d.certain

-- name: lock_posts
-- Posts are locked before their deliveries, and in the order of their ids: nobody waits for anybody in a circle.
select id, status, event_sequence from posts where id = any(%(ids)s) order by id for update

-- name: move
-- The guarded move, and the end of its attempt: nothing happens where another hand was faster, or the fence is an older
-- one.
with moves as materialized (
    select * from jsonb_to_recordset(%(moves)s) as m(
        id uuid, fence bigint, before text, state text, due_in float8, failed int, looked int, anew boolean,
        patience float8, pending jsonb, steps jsonb, external_id text, permalink text, certain boolean, error jsonb,
        http_status int, answer text)
), moved as (
    update deliveries d
    set state = m.state,
        due_at = case when m.due_in is null then d.due_at else now() + m.due_in * interval '1 second' end,
        turn_at = case when m.anew and m.due_in is not null
            then now() + m.due_in * interval '1 second' else d.turn_at end,
        lease_until = null,
        failures = case when m.anew then 0 else d.failures + m.failed end,
        expires_at = case when m.anew and m.due_in is not null
            then now() + greatest(m.due_in, 0) * interval '1 second' + m.patience * interval '1 second'
            else d.expires_at end,
        looks = case when m.state = 'unconfirmed' then d.looks + m.looked else 0 end,
        armed_at = case when m.state in ('unconfirmed', 'processing', 'needs_review', 'published') then d.armed_at end,
        pending = m.pending,
        steps = d.steps || m.steps,
        external_id = m.external_id,
        permalink = m.permalink,
        certain = m.certain,
        published_at = case when m.state = 'published' then now() end,
        error = m.error,
        updated_at = now()
    from moves m
    where d.id = m.id and d.fence = m.fence and d.state = m.before
    returning d.id, d.due_at, d.published_at
), ended as (
    update attempts a
    set ended_at = clock_timestamp(), outcome = m.state, code = m.error->>'code', message = m.error->>'message',
        hint = m.error->>'hint', platform_code = m.error->>'platformCode',
        http_status = coalesce((m.error->>'httpStatus')::int, m.http_status), answer = m.answer, next_state = m.state,
        next_at = case when m.due_in is not null then now() + m.due_in * interval '1 second' end
    from moves m join moved on moved.id = m.id
    where a.delivery_id = m.id and a.fence = m.fence and a.ended_at is null
)
select id, due_at, published_at from moved

-- name: refresh_posts
-- The word of each post follows the states of its deliveries; where all are called off, that of who did it stands.
update posts p
set status = s.status, updated_at = now(),
    posted_at = case when s.status = 'POSTED' then coalesce(p.posted_at, now()) else p.posted_at end
from (select post_id, post_status(array_agg(state)) as status from deliveries
      where post_id = any(%(ids)s) group by post_id) s
where p.id = s.post_id and p.deleted_at is null and s.status <> 'DELETED'
returning p.id, p.status

-- name: expired
-- Deliveries whose worker is gone: the lease ended and nobody wrote an outcome.
select id, organization_id, team_id, post_id, social_account_id, platform, fence, state, failures, armed_at is not null
from deliveries
where lease_until < now() and state = 'publishing'
order by lease_until
limit %(limit)s

-- name: too_late
-- Deliveries that wait for an allowance or a platform and could only go out stale.
select id, organization_id, team_id, post_id, social_account_id, platform, fence, state from deliveries
where state in ('scheduled', 'deferred', 'retrying') and expires_at <= now()
order by expires_at
limit %(limit)s

-- name: known
select external_id from deliveries where grant_id = %(grant_id)s and external_id = any(%(external_ids)s)

-- name: lock_deliveries
-- The deliveries of a post, held: neither a claim nor a worker takes them meanwhile.
select id, organization_id, team_id, post_id, social_account_id, platform, fence, state
from deliveries where post_id = %(post_id)s order by id for update

-- name: lock_post
select coalesce((content->>'maxDelay')::float8, %(patience)s) from posts
where id = %(post_id)s and organization_id = %(organization_id)s and deleted_at is null
for update

-- name: post_of_delivery
select post_id from deliveries where id = %(id)s and organization_id = %(organization_id)s

-- name: delete_post
update posts set status = 'DELETED', deleted_at = now(), updated_at = now() where id = %(post_id)s

-- name: attempts
-- Every try and every look at the deliveries of a post, the first of each first.
select d.id as delivery_id, a.fence, a.kind, a.started_at, a.armed_at, a.ended_at, a.outcome, a.code, a.message, a.hint,
       a.platform_code, a.http_status, a.answer, a.next_state, a.next_at
from deliveries d join attempts a on a.delivery_id = d.id
where d.post_id = %(post_id)s and d.organization_id = %(organization_id)s
order by d.id, a.fence
