-- name: record
-- Events, numbered on from where each subject stands. Posts count for themselves and are locked by the caller; every
-- other subject has a row of its own, made at its first event. Where an endpoint wants a subject's events in order, its
-- turn is held from here on, so that nothing that waits there ends while it is decided what has to wait behind it.
with said as (
    select * from jsonb_to_recordset(%(events)s) as e(
        id uuid, organization_id uuid, team_id uuid, type text, vendor_type text, version int, platforms text[],
        subject uuid, place bigint, data jsonb)
), counted as (
    select subject, min(organization_id::text)::uuid as organization_id, count(*) as count from said group by subject
), of_posts as (
    update posts p set event_sequence = p.event_sequence + c.count
    from counted c
    where p.id = c.subject
    returning p.id, p.event_sequence as reached
), of_others as (
    insert into event_subjects as s (id, organization_id, sequence)
    select c.subject, c.organization_id, c.count from counted c
    where not exists (select from posts p where p.id = c.subject)
    order by c.subject
    on conflict (id) do update set sequence = s.sequence + excluded.sequence
    returning s.id, s.sequence as reached
), numbered as (
    select c.subject, r.reached - c.count as before
    from counted c join (select * from of_posts union all select * from of_others) r on r.id = c.subject
), held as materialized (
    select pg_advisory_xact_lock(turn.key)
    from (select ordered_turn(w.id, c.subject) as key
          from counted c join webhook_endpoints w on w.organization_id = c.organization_id
          where w.ordered and w.disabled_at is null
          order by key) turn
)
insert into events (id, organization_id, team_id, type, vendor_type, version, platforms, subject, sequence, data)
select said.id, said.organization_id, team_id, type, vendor_type, version, platforms, said.subject,
       numbered.before + row_number() over (partition by said.subject order by place), data
from said join numbered on numbered.subject = said.subject
where (select count(*) from held) >= 0
order by place

-- name: address
-- One outbox row for each event and each endpoint that wants it; the endpoints are held, so that none is deleted
-- meanwhile. A statement of its own: only now it sees what ended before the turns were held.
with wanting as materialized (
    select w.id from webhook_endpoints w
    where w.disabled_at is null
      and exists (select from events e
                  where e.id = any(%(ids)s) and e.organization_id = w.organization_id and endpoint_wants(w, e))
    for key share
), wanted as materialized (
    select w.id as endpoint_id, w.ordered, e.id as event_id, e.organization_id, e.subject, e.sequence,
           lag(e.sequence) over (partition by w.id, e.subject order by e.sequence) as just_before
    from wanting join webhook_endpoints w on w.id = wanting.id
    join events e on e.id = any(%(ids)s) and e.organization_id = w.organization_id and endpoint_wants(w, e)
)
insert into webhook_messages (id, organization_id, endpoint_id, event_id, subject, sequence, previous_sequence, state)
select gen_random_uuid(), w.organization_id, w.endpoint_id, w.event_id, w.subject, w.sequence,
       coalesce(
           w.just_before,
           (select before.sequence from webhook_messages before
            where before.endpoint_id = w.endpoint_id and before.subject = w.subject and before.sequence < w.sequence
            order by before.sequence desc limit 1)),
       case when w.ordered
                 and (w.just_before is not null
                      or exists (select from webhook_messages m
                                 where m.endpoint_id = w.endpoint_id and m.subject = w.subject
                                   and m.state in ('waiting', 'behind')))
            then 'behind' else 'waiting' end
from wanted w
on conflict (endpoint_id, subject, sequence) do nothing
returning id

-- name: posts
-- Posts with their deliveries, as an event tells of them.
select p.id, p.organization_id, p.team_id, p.title, p.reference_key, p.status, p.platforms, p.posted_at,
       coalesce(jsonb_agg(jsonb_build_object(
           'deliveryId', d.id, 'platform', d.platform, 'socialAccountId', d.social_account_id, 'state', d.state,
           'externalId', d.external_id, 'permalink', d.permalink, 'error', d.error
       ) order by d.position, d.id) filter (where d.id is not null), '[]') as deliveries
from posts p left join deliveries d on d.post_id = p.id
where p.id = any(%(ids)s) and (%(statuses)s::text[] is null or p.status = any(%(statuses)s))
group by p.id

-- name: feed
-- Events behind a cursor, in the order of their transactions. None of a transaction that is still open, or that could
-- still have one before it: what is passed by here never comes up later.
select e.id, e.organization_id, e.team_id, e.type, e.version, e.subject, e.sequence, e.data, e.created_at,
       e.transaction_id::text as transaction_id, e.number,
       (select before.sequence from events before
        where before.subject = e.subject and before.sequence < e.sequence
          and (%(types)s::text[] is null or before.type = any(%(types)s))
          and (%(platforms)s::text[] is null or before.platforms && %(platforms)s)
        order by before.sequence desc limit 1) as previous_sequence
from events e
where e.organization_id = %(organization_id)s
  and (e.transaction_id, e.number) > (%(transaction_id)s::text::xid8, %(number)s)
  and e.transaction_id < pg_snapshot_xmin(pg_current_snapshot())
  and (%(teams)s::uuid[] is null or e.team_id = any(%(teams)s))
  and (%(types)s::text[] is null or e.type = any(%(types)s))
  and (%(platforms)s::text[] is null or e.platforms && %(platforms)s)
order by e.transaction_id, e.number
limit %(limit)s

-- name: now
-- Where the feed stands: everything before has ended.
select pg_snapshot_xmin(pg_current_snapshot())::text

-- name: forget
-- Events that are older than they are kept, oldest first. What still waits to be sent keeps its event; the messages of
-- the others go with them.
with old as (
    select e.id from events e
    where e.created_at < now() - %(days)s * interval '1 day'
      and not exists (select from webhook_messages m where m.event_id = e.id and m.state in ('waiting', 'behind'))
    order by e.created_at
    limit %(limit)s
    for update skip locked
), messages as (
    delete from webhook_messages m using old where m.event_id = old.id
)
select id from old

-- name: delete
delete from events where id = any(%(ids)s)
