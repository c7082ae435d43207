-- name: record
-- The events of some posts, numbered on from where each post stands; the posts are locked by the caller.
with said as (
    select * from jsonb_to_recordset(%(events)s) as e(
        id uuid, organization_id uuid, team_id uuid, type text, subject uuid, place bigint, data jsonb)
), numbered as (
    update posts p set event_sequence = p.event_sequence + s.count
    from (select subject, count(*) as count from said group by subject) s
    where p.id = s.subject
    returning p.id, p.event_sequence - s.count as before
)
insert into events (id, organization_id, team_id, type, subject, sequence, data)
select said.id, organization_id, team_id, type, subject,
       numbered.before + row_number() over (partition by subject order by place), data
from said join numbered on numbered.id = said.subject

-- name: address
-- One outbox row for each event and each endpoint that wants it; the endpoints are held, so that none is deleted meanwhile.
with happened as (
    select * from events where id = any(%(ids)s)
), wanting as (
    select w.id, w.organization_id, w.team_id, w.event_types
    from webhook_endpoints w
    where w.disabled_at is null
      and exists (select from happened e
                  where e.organization_id = w.organization_id
                    and (w.team_id is null or w.team_id = e.team_id)
                    and (w.event_types = '{}' or e.type = any(w.event_types)))
    for key share
)
insert into webhook_messages (id, organization_id, endpoint_id, event_id, previous_sequence)
select gen_random_uuid(), e.organization_id, w.id, e.id,
       coalesce(
           lag(e.sequence) over (partition by w.id, e.subject order by e.sequence),
           (select max(before.sequence) from events before
            join webhook_messages m on m.event_id = before.id and m.endpoint_id = w.id
            where before.subject = e.subject and before.sequence < e.sequence))
from happened e
join wanting w on w.organization_id = e.organization_id
    and (w.team_id is null or w.team_id = e.team_id)
    and (w.event_types = '{}' or e.type = any(w.event_types))
on conflict (endpoint_id, event_id) do nothing
returning id
