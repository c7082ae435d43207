-- name: insert_upload
-- No row comes back where the team already holds this content, or is not the organization's.
insert into uploads
    (id, organization_id, team_id, kind, mime, extension, bytes, sha256, width, height, seconds, file_name, storage_key)
select
    %(id)s::uuid, teams.organization_id, teams.id, %(kind)s, %(mime)s, %(extension)s, %(bytes)s::bigint,
    %(sha256)s::bytea, %(width)s::int, %(height)s::int, %(seconds)s::double precision, %(file_name)s, %(storage_key)s
from teams
where teams.organization_id = %(organization_id)s and teams.id = %(team_id)s
on conflict (team_id, sha256) do nothing
returning id, organization_id, team_id, kind, mime, extension, sha256, bytes, width, height, seconds, file_name,
          storage_key, created_at, updated_at;

-- name: upload_by_content
select id, organization_id, team_id, kind, mime, extension, sha256, bytes, width, height, seconds, file_name,
       storage_key, created_at, updated_at
from uploads
where organization_id = %(organization_id)s and team_id = %(team_id)s and sha256 = %(sha256)s;

-- name: upload_by_id
select id, organization_id, team_id, kind, mime, extension, sha256, bytes, width, height, seconds, file_name,
       storage_key, created_at, updated_at
from uploads
where organization_id = %(organization_id)s and id = %(id)s;

-- name: uploads_by_ids
select id, organization_id, team_id, kind, mime, extension, sha256, bytes, width, height, seconds, file_name,
       storage_key, created_at, updated_at
from uploads
where organization_id = %(organization_id)s and team_id = %(team_id)s and id = any(%(ids)s::uuid[]);
