-- name: own
select id, client_id, client_secret from apps
where organization_id = %(organization_id)s and platform = %(platform)s and retired_at is null

-- name: named
select id, client_id, client_secret from apps where id = %(id)s and platform = %(platform)s

-- name: list
select id, platform, client_id, created_at, updated_at from apps
where organization_id = %(organization_id)s and retired_at is null
order by platform

-- name: retire
-- The app in use goes out of use, unless it is the one named.
update apps set retired_at = now(), updated_at = now()
where organization_id = %(organization_id)s and platform = %(platform)s and retired_at is null
  and client_id is distinct from %(client_id)s::text
returning id

-- name: hold
insert into apps (id, organization_id, platform, client_id, client_secret)
values (%(id)s, %(organization_id)s, %(platform)s, %(client_id)s, '')
on conflict (organization_id, platform, client_id) do update set retired_at = null, updated_at = now()
returning id

-- name: fill
update apps set client_secret = %(client_secret)s where id = %(id)s
returning id, platform, client_id, created_at, updated_at
