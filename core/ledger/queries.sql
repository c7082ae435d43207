-- name: claim
-- Due deliveries become queued: lanes in turn, then the rows of each, so that a long lane never hides a short one.
-- A lane's turn is its virtual time; one that was idle begins where its platform has come to.
with waiting as (
    select p.platform, coalesce(t.virtual_time, 0) as virtual_time,
           greatest(0, case when b.opened_at is null then %(queued)s else 1 end
                       - (select count(*) from deliveries q where q.platform = p.platform and q.state = 'queued')) as free
    from (select distinct platform from lanes) p
    left join turns t on t.platform = p.platform
    left join breakers b on b.platform = p.platform
), ready as (
    select l.id, l.platform, greatest(l.virtual_time, w.virtual_time) as virtual_time
    from lanes l join waiting w on w.platform = l.platform and w.free > 0
    where exists (
        select from deliveries d
        where d.lane_id = l.id and d.state in ('scheduled', 'deferred', 'retrying') and d.due_at <= now()
    )
    order by 3
    limit %(lanes)s
), due as (
    select d.id, ready.platform, ready.id as lane_id, ready.virtual_time,
           row_number() over (partition by ready.platform order by ready.virtual_time + d.turn, ready.id) as place
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
    select due.* from due join waiting using (platform) where due.place <= waiting.free
), served as (
    select lane_id, platform, virtual_time + count(*) as virtual_time
    from chosen group by lane_id, platform, chosen.virtual_time
), turned as (
    update lanes l set virtual_time = served.virtual_time from served where l.id = served.lane_id
), advanced as (
    insert into turns (platform, virtual_time)
    select platform, min(virtual_time) from served group by platform
    on conflict (platform) do update set virtual_time = greatest(turns.virtual_time, excluded.virtual_time)
), moved as (
    update deliveries d
    set state = 'queued', due_at = now() + chosen.place * interval '1 microsecond', updated_at = now()
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
-- A worker takes what is ready: a lease, a new fence and an attempt for each. Of a platform in trouble it gets one a
-- minute, to ask whether the platform is back.
with breaker as (
    select platform from breakers where platform = %(platform)s and opened_at is not null
), probe as (
    update breakers b set probe_at = now() + %(probe)s * interval '1 second'
    where b.platform in (select platform from breaker) and b.probe_at <= now()
      and exists (select from deliveries d where d.platform = b.platform and d.due_at <= now()
                  and d.state in ('queued', 'processing', 'unconfirmed'))
    returning b.platform
), due as (
    -- What is under way first; then of each lane in the queue its first, of each its second, and so on.
    select id, due_at, case state when 'queued' then row_number() over (partition by state, lane_id order by due_at)
                       else 0 end as turn
    from (
        select id, due_at, state, lane_id from deliveries
        where platform = %(platform)s and state in ('queued', 'processing', 'unconfirmed') and due_at <= now()
        order by due_at
        limit 2000
    ) w
    order by turn, due_at
    limit %(limit)s + 200
), ready as (
    select d.id, d.state from due join deliveries d on d.id = due.id
    where d.state in ('queued', 'processing', 'unconfirmed') and d.due_at <= now()
    order by due.turn, due.due_at
    limit case when exists (select from breaker) then (select count(*) from probe) else %(limit)s end
    for update of d skip locked
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
       t.fingerprint, t.from_state, t.fence, t.attempts, t.failures, t.looks, t.armed_at, t.steps, t.pending,
       t.expires_at <= now() as expired, exists (select from breaker) as probing, p.content,
       tm.when_not_found, coalesce(extract(epoch from now() - t.armed_at), 0)::float8 as unclear_seconds,
       now() as taken_at, case when t.from_state = 'processing' then (
           select extract(epoch from now() - max(a.started_at))::float8 from attempts a
           where a.delivery_id = t.id and a.kind = 'publish') end as processing_seconds
from taken t join posts p on p.id = t.post_id join teams tm on tm.id = t.team_id
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

-- name: trouble
-- One more failure in a row; the breaker opens with the last that is allowed. Answers whether it opened just now.
insert into breakers as b (platform, failures) values (%(platform)s, 1)
on conflict (platform) do update set
    failures = b.failures + 1,
    opened_at = case when b.failures + 1 >= %(allowed)s then coalesce(b.opened_at, now()) end,
    probe_at = case when b.failures + 1 >= %(allowed)s then coalesce(b.probe_at, now() + %(probe)s * interval '1 second') end
returning opened_at = now()

-- name: recovered
update breakers set failures = 0, opened_at = null, probe_at = null where platform = %(platform)s and failures > 0

-- name: queued
select id, organization_id, team_id, post_id, social_account_id, platform, fence, state
from deliveries where platform = %(platform)s and state = 'queued' limit %(limit)s

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
join deliveries mine on mine.id = m.id
join deliveries d on d.grant_id = mine.grant_id and d.external_id = m.external_id and d.id <> m.id
where m.state = 'published' and m.certain and not d.certain

-- name: lock_posts
-- Posts are locked before their deliveries, and in the order of their ids: nobody waits for anybody in a circle.
select id, status, event_sequence from posts where id = any(%(ids)s) order by id for update

-- name: move
-- The guarded move: nothing happens where another hand was faster, or the fence is an older one.
update deliveries d
set state = m.state,
    due_at = case when m.due_in is null then d.due_at else now() + m.due_in * interval '1 second' end,
    lease_until = null,
    failures = case when m.anew then 0 else d.failures + m.failed end,
    expires_at = case when m.anew and m.due_in is not null
        then now() + greatest(m.due_in, 0) * interval '1 second' + m.patience * interval '1 second'
        else d.expires_at end,
    looks = case when m.state = 'unconfirmed' then d.looks + m.looked else 0 end,
    armed_at = case when m.state in ('unconfirmed', 'processing', 'needs_review', 'published') then d.armed_at end,
    pending = m.pending,
    external_id = m.external_id,
    permalink = m.permalink,
    certain = m.certain,
    published_at = case when m.state = 'published' then now() end,
    error = m.error,
    updated_at = now()
from jsonb_to_recordset(%(moves)s) as m(
    id uuid, fence bigint, before text, state text, due_in float8, failed int, looked int, anew boolean, patience float8,
    pending jsonb, external_id text, permalink text, certain boolean, error jsonb)
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

-- name: lock_deliveries
-- The deliveries of a post, held: neither a claim nor a worker takes them meanwhile.
select id, organization_id, team_id, post_id, social_account_id, platform, fence, state
from deliveries where post_id = %(post_id)s order by id for update

-- name: lock_post
select coalesce((content->>'maxDelay')::float8, %(patience)s) from posts
where id = %(post_id)s and organization_id = %(organization_id)s and deleted_at is null
for update

-- name: seconds_until
select greatest(extract(epoch from %(moment)s::timestamptz - now()), 0)::float8

-- name: post_of_delivery
select post_id from deliveries where id = %(id)s and organization_id = %(organization_id)s

-- name: delete_post
update posts set status = 'DELETED', deleted_at = now(), updated_at = now() where id = %(post_id)s

-- name: redate_post
update posts set post_date = %(post_date)s, updated_at = now(),
    content = jsonb_set(content, '{postDate}', to_jsonb(%(text)s::text))
where id = %(post_id)s

-- name: attempts
-- Every try and every look at the deliveries of a post, the first of each first.
select d.id as delivery_id, a.fence, a.kind, a.started_at, a.armed_at, a.ended_at, a.outcome, a.code, a.message, a.hint,
       a.platform_code, a.http_status, a.answer, a.next_state, a.next_at
from deliveries d join attempts a on a.delivery_id = d.id
where d.post_id = %(post_id)s and d.organization_id = %(organization_id)s
order by d.id, a.fence
