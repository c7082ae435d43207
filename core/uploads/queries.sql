-- name: lock_team
-- One upload of a team is counted against its quota at a time.
select id from teams where organization_id = %(organization_id)s and id = %(team_id)s for no key update;

-- name: insert_upload
-- No row comes back where the team already holds this content, or has no room for it. Its file is no leaving then.
with inserted as (
    insert into uploads
        (id, organization_id, team_id, kind, mime, extension, bytes, sha256, width, height, seconds, details,
         alt_text, file_name, storage_key)
    select
        %(id)s::uuid, teams.organization_id, teams.id, %(kind)s, %(mime)s, %(extension)s, %(bytes)s::bigint,
        %(sha256)s::bytea, %(width)s::int, %(height)s::int, %(seconds)s::double precision, %(details)s::jsonb,
        %(alt_text)s::text, %(file_name)s, %(storage_key)s
    from teams
    where teams.organization_id = %(organization_id)s and teams.id = %(team_id)s
      and %(bytes)s::bigint + (select coalesce(sum(bytes), 0) from uploads where team_id = %(team_id)s)
          <= %(quota)s::bigint
    on conflict (team_id, sha256) do nothing
    returning *
), stays as (
    delete from leavings where storage_key in (select storage_key from inserted)
)
select * from inserted;

-- name: held_bytes
-- How many bytes the uploads of a team hold, and what it put into slots; no row for a team of another organization.
select (select coalesce(sum(u.bytes), 0) from uploads u where u.team_id = t.id)::bigint
     + (select coalesce(sum(s.staged), 0) from upload_slots s where s.team_id = t.id)::bigint
from teams t where t.organization_id = %(organization_id)s and t.id = %(team_id)s;

-- name: touch_upload
-- The same content came once more: the upload lives on, and takes an alternative text that came with it.
update uploads set updated_at = now(), alt_text = coalesce(%(alt_text)s::text, alt_text)
where organization_id = %(organization_id)s and team_id = %(team_id)s and sha256 = %(sha256)s
returning *;

-- name: upload_by_id
select * from uploads where organization_id = %(organization_id)s and id = %(id)s;

-- name: uploads_by_ids
select * from uploads
where organization_id = %(organization_id)s and team_id = %(team_id)s and id = any(%(ids)s::uuid[]);

-- name: list_uploads
-- Those of an organization or some of its teams, the newest first; one is used while a post that is there names it.
select u.* from uploads u
where u.organization_id = %(organization_id)s
  and (%(team_ids)s::uuid[] is null or u.team_id = any(%(team_ids)s))
  and (%(kinds)s::text[] is null or u.kind = any(%(kinds)s))
  and (%(ids)s::uuid[] is null or u.id = any(%(ids)s))
  and (%(used)s::boolean is null or %(used)s = exists (
      select from post_uploads pu join posts p on p.id = pu.post_id
      where pu.upload_id = u.id and p.deleted_at is null))
order by u.created_at desc, u.id desc
limit %(limit)s offset %(offset)s;

-- name: lock_uploads
-- Held so that no post comes to name one while it goes.
select id from uploads where organization_id = %(organization_id)s and id = any(%(ids)s::uuid[])
order by id for update;

-- name: uploads_waited_for
-- Posts that may still go out, and name one of these.
select pu.upload_id, p.id as post_id, p.title
from post_uploads pu join posts p on p.id = pu.post_id
where p.organization_id = %(organization_id)s and pu.upload_id = any(%(ids)s::uuid[]) and p.deleted_at is null
  and p.status in ('DRAFT', 'SCHEDULED', 'PROCESSING', 'RETRYING', 'REVIEW')
order by p.id
limit 10;

-- name: delete_uploads
-- Rows go, and their files become leavings.
with files as (
    select storage_key from uploads where organization_id = %(organization_id)s and id = any(%(ids)s::uuid[])
    union all
    select r.storage_key from renditions r join uploads u on u.id = r.upload_id
    where u.organization_id = %(organization_id)s and u.id = any(%(ids)s::uuid[])
), left_behind as (
    insert into leavings (storage_key, created_at) select storage_key, 'epoch' from files
    on conflict (storage_key) do update set created_at = excluded.created_at
), unnamed as (
    delete from post_uploads where upload_id in (
        select id from uploads where organization_id = %(organization_id)s and id = any(%(ids)s::uuid[]))
)
delete from uploads where organization_id = %(organization_id)s and id = any(%(ids)s::uuid[])
returning *;

-- name: expired_uploads
-- Uploads of anybody that no post ever named, and that did not come in again.
select u.organization_id, u.id from uploads u
where u.updated_at < now() - %(days)s * interval '1 day'
  and not exists (select from post_uploads pu where pu.upload_id = u.id)
order by u.updated_at
limit %(limit)s;

-- name: leave
insert into leavings (storage_key) values (%(storage_key)s) on conflict do nothing;

-- name: left_behind
-- Leavings, whoever they were; young ones may be on their way to become files of a row.
select l.storage_key from leavings l
where l.created_at < now() - %(seconds)s * interval '1 second'
  and not exists (select from uploads u where u.storage_key = l.storage_key)
  and not exists (select from renditions r where r.storage_key = l.storage_key)
order by l.created_at
limit %(limit)s;

-- name: gone
delete from leavings where storage_key = any(%(storage_keys)s::text[]);

-- name: insert_slot
insert into upload_slots (id, organization_id, team_id, file_name, bytes, alt_text, expires_at)
select %(id)s, t.organization_id, t.id, %(file_name)s, %(bytes)s::bigint, %(alt_text)s::text,
       now() + %(seconds)s * interval '1 second'
from teams t where t.organization_id = %(organization_id)s and t.id = %(team_id)s
returning id;

-- name: slot
select id, organization_id, team_id, file_name, bytes, alt_text, upload_id from upload_slots
where organization_id = %(organization_id)s and id = %(id)s and expires_at > now();

-- name: stage
update upload_slots set staged = %(bytes)s where organization_id = %(organization_id)s and id = %(id)s;

-- name: fill_slot
update upload_slots set staged = 0, upload_id = %(upload_id)s where organization_id = %(organization_id)s and id = %(id)s;

-- name: expire_slots
-- Slots of anybody whose time is over; what was put there becomes a leaving.
with gone as (
    delete from upload_slots where id in (
        select id from upload_slots where expires_at < now() - interval '1 hour' limit %(limit)s)
    returning id, team_id
)
insert into leavings (storage_key, created_at)
select 'incoming/' || team_id || '/' || id, 'epoch' from gone on conflict do nothing;

-- name: rendition
select r.mime, r.extension, r.bytes, r.width, r.height, r.storage_key
from renditions r join uploads u on u.id = r.upload_id
where u.organization_id = %(organization_id)s and u.id = %(upload_id)s and r.recipe = %(recipe)s;

-- name: insert_rendition
-- No row comes back where the upload went meanwhile.
with inserted as (
    insert into renditions (upload_id, recipe, mime, extension, bytes, width, height, storage_key)
    select u.id, %(recipe)s, %(mime)s, %(extension)s, %(bytes)s::bigint, %(width)s::int, %(height)s::int, %(storage_key)s
    from uploads u where u.organization_id = %(organization_id)s and u.id = %(upload_id)s
    on conflict (upload_id, recipe) do update set bytes = excluded.bytes
    returning storage_key
), stays as (
    delete from leavings where storage_key in (select storage_key from inserted)
)
select storage_key from inserted;

-- name: due_soon
-- Deliveries of anybody that go out soon, with the pictures of their posts.
select d.platform, d.block, p.content, coalesce(u.uploads, '[]') as uploads
from deliveries d join posts p on p.id = d.post_id
join lateral (
    select jsonb_agg(to_jsonb(u) || jsonb_build_object('sha256', encode(u.sha256, 'base64'))) as uploads
    from post_uploads pu join uploads u on u.id = pu.upload_id
    where pu.post_id = p.id and u.kind = 'image'
) u on u.uploads is not null
where d.state in ('scheduled', 'queued') and d.due_at < now() + %(seconds)s * interval '1 second'
order by d.due_at
limit %(limit)s;
