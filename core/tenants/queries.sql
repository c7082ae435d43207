-- name: create_organization
insert into organizations (id, name) values (%(id)s, %(name)s)

-- name: organizations_named
-- The oldest of that name; names are not unique, only those made by the command line are.
select id from organizations where name = %(name)s order by created_at, id limit 1

-- name: lock_name
-- Two that look for the same name and would both make it go one after the other; the lock ends with the transaction.
select pg_advisory_xact_lock(hashtextextended('fingerpost ' || %(kind)s || ' ' || %(name)s, 0))

-- name: create_team
insert into teams (id, organization_id, name)
select %(id)s, o.id, %(name)s from organizations o where o.id = %(organization_id)s
returning id, organization_id, name, created_at, updated_at

-- name: teams
select id, organization_id, name, created_at, updated_at from teams
where organization_id = %(organization_id)s
order by created_at, id

-- name: team
select id, organization_id, name, created_at, updated_at from teams
where organization_id = %(organization_id)s and id = %(id)s

-- name: create_key
insert into api_keys (id, organization_id, name, prefix, hash, expires_at)
select %(id)s, o.id, %(name)s, %(prefix)s, %(hash)s, %(expires_at)s from organizations o where o.id = %(organization_id)s
returning id

-- name: authenticate
select organization_id, id as key_id from api_keys
where hash = %(hash)s and revoked_at is null and (expires_at is null or expires_at > now())

-- name: revoke_key
update api_keys set revoked_at = coalesce(revoked_at, now())
where organization_id = %(organization_id)s and id = %(id)s
returning id
