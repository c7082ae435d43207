-- name: beat
-- A process lives, tells when Redis last answered it, and when it last used whose allowance.
insert into processes (id, worker, apps, redis_at)
select %(id)s, %(worker)s,
       (select coalesce(jsonb_object_agg(a.key, extract(epoch from now()) - a.value::float8), '{}')
        from jsonb_each_text(%(apps)s) a),
       now() - %(redis_ago)s::float8 * interval '1 second'
on conflict (id) do update
set apps = excluded.apps, beat_at = now(), redis_at = coalesce(excluded.redis_at, processes.redis_at)

-- name: spent
insert into window_uses (name, calls, expires_at)
select u.name, u.calls, now() + u.seconds * interval '1 second'
from jsonb_to_recordset(%(uses)s) as u(name text, calls int, seconds float8)

-- name: uses
-- What was spent of a window, with its age in seconds.
select id::text, extract(epoch from now() - used_at)::float8, calls from window_uses
where name = %(name)s and expires_at > now()
order by used_at

-- name: used_ago
-- Seconds since the allowance may have been used last. Whoever had used it just before it wrote may have gone on.
select (extract(epoch from now()) - max(
    case when used.at > extract(epoch from p.beat_at) - %(noted)s and p.left_at is null
         then least(extract(epoch from now()), extract(epoch from p.beat_at) + %(after)s) else used.at end))::float8
from processes p cross join lateral (select (p.apps->>%(app)s)::float8 as at) used
where used.at is not null

-- name: peers
-- Live workers, and whether any other process has heard Redis since the caller did.
select greatest(count(*) filter (where worker), 1)::int,
       coalesce(bool_or(id <> %(id)s and redis_at > now() - %(within)s * interval '1 second'), false)
from processes where beat_at > now() - %(within)s * interval '1 second'

-- name: leave
update processes set worker = false, beat_at = now(), left_at = now() where id = %(id)s

-- name: forget
-- Processes that are long gone and uses that count no more.
with gone as (delete from processes where beat_at < now() - interval '2 hours')
delete from window_uses where expires_at < now()

-- name: account
-- Whose allowance an account uses.
select a.platform, a.grant_id, g.app, g.quotas
from social_accounts a join grants g on g.id = a.grant_id
where a.organization_id = %(organization_id)s and a.id = %(id)s and a.disconnected_at is null

-- name: queue
-- Calls that due deliveries are waiting for, by category: of the grant, and of its whole app.
select c.key, coalesce(sum(c.value::int) filter (where d.grant_id = %(grant_id)s), 0)::int, sum(c.value::int)::int
from grants g join lanes l on l.grant_id = g.id join deliveries d on d.lane_id = l.id
cross join lateral jsonb_each_text(d.calls) as c
where g.platform = %(platform)s and g.app = %(app)s and d.turn_at <= now()
  and d.state in ('scheduled', 'deferred', 'retrying')
group by c.key

-- name: busy
-- Grants that something waits for, which is where a window may be full.
select distinct g.id, g.platform, g.app, g.quotas
from lanes l join grants g on g.id = l.grant_id
where l.blocked_until is not null
   or exists (select from deliveries d where d.lane_id = l.id and d.turn_at <= now()
              and d.state in ('scheduled', 'deferred', 'retrying'))
limit %(limit)s

-- name: standing
-- How an account stands: whose allowance it uses, and what holds it up.
select a.platform, a.grant_id, l.id as lane_id, g.app, g.quotas, g.state, l.blocked_until,
       exists (select from breakers b where b.platform = a.platform and b.server = g.server
               and b.opened_at is not null) as down, now() as now
from social_accounts a join grants g on g.id = a.grant_id
left join lanes l on l.grant_id = a.grant_id and l.team_id = a.team_id
where a.organization_id = %(organization_id)s and a.id = %(id)s and a.disconnected_at is null

-- name: before
-- Calls of what is due before a moment: all that waits already, and what falls due in the seconds of a window before it.
select w.seconds, c.key as category, l.id as lane_id, l.grant_id = %(grant_id)s as own, sum(c.value::int)::int as calls
from jsonb_array_elements_text(%(seconds)s) as s(text) cross join lateral (select s.text::int as seconds) w
join grants g on g.platform = %(platform)s and g.app = %(app)s
join lanes l on l.grant_id = g.id
join deliveries d on d.lane_id = l.id and d.state in ('scheduled', 'deferred', 'retrying')
    and d.turn_at <= %(at)s
    and (d.turn_at <= now() or d.turn_at > %(at)s::timestamptz - w.seconds * interval '1 second')
cross join lateral jsonb_each_text(d.calls) as c
group by w.seconds, c.key, l.id, l.grant_id
