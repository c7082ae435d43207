-- name: create_key
-- Nothing is inserted for a team or an account that is not the organization's, or is there no more.
insert into api_keys (id, organization_id, name, prefix, hash, scopes, team_id, social_account_ids, expires_at)
select %(id)s, o.id, %(name)s, %(prefix)s, %(hash)s, %(scopes)s, %(team_id)s::uuid, %(social_account_ids)s::uuid[],
       %(expires_at)s
from organizations o
where o.id = %(organization_id)s
  and (%(team_id)s::uuid is null or exists (
      select from teams t where t.id = %(team_id)s and t.organization_id = o.id and t.deleted_at is null))
  and (%(social_account_ids)s::uuid[] is null or %(social_account_ids)s::uuid[] <@ array(
      select a.id from social_accounts a where a.organization_id = o.id and a.disconnected_at is null))
returning id, organization_id, name, prefix, scopes, team_id, social_account_ids, created_at, expires_at,
          last_used_at, revoked_at

-- name: create_operator
insert into api_keys (id, name, prefix, hash, scopes, expires_at)
values (%(id)s, %(name)s, %(prefix)s, %(hash)s, '{admin}', %(expires_at)s)
returning id, organization_id, name, prefix, scopes, team_id, social_account_ids, created_at, expires_at,
          last_used_at, revoked_at

-- name: lock_organization
select id from organizations where id = %(organization_id)s for update

-- name: has_keys
select exists (select from api_keys where organization_id = %(organization_id)s)

-- name: keys
-- The keys that reach no further than the one that asks, the oldest first.
select id, organization_id, name, prefix, scopes, team_id, social_account_ids, created_at, expires_at, last_used_at,
       revoked_at
from api_keys k
where k.organization_id = %(organization_id)s
  and (%(teams)s::uuid[] is null or k.team_id = any(%(teams)s)
       or k.social_account_ids <@ array(select a.id from social_accounts a where a.team_id = any(%(teams)s)))
  and (%(accounts)s::uuid[] is null or k.social_account_ids <@ %(accounts)s::uuid[])
order by created_at, id

-- name: every_key
-- For the command line, which whoever runs the database may use.
select id, organization_id, name, prefix, scopes, team_id, social_account_ids, created_at, expires_at, last_used_at,
       revoked_at
from api_keys order by organization_id nulls first, created_at, id

-- name: revoke_key
update api_keys set revoked_at = coalesce(revoked_at, now())
where organization_id = %(organization_id)s and id = %(id)s
returning id, organization_id, name, prefix, scopes, team_id, social_account_ids, created_at, expires_at,
          last_used_at, revoked_at

-- name: revoke_any_key
-- For the command line.
update api_keys set revoked_at = coalesce(revoked_at, now()) where id = %(id)s
returning id, organization_id, name, prefix, scopes, team_id, social_account_ids, created_at, expires_at,
          last_used_at, revoked_at

-- name: find_key
-- Whatever has become of the key: that it has ended is told apart in the program, after the same work.
select k.hash, k.id, k.organization_id, k.scopes, k.team_id, k.social_account_ids, k.expires_at,
       k.revoked_at is null and (k.expires_at is null or k.expires_at > now()) as usable,
       extract(epoch from k.expires_at - now())::float8 as seconds_left,
       array(select distinct a.team_id from social_accounts a where a.id = any(k.social_account_ids)) as account_teams
from api_keys k where k.hash = %(hash)s

-- name: note_uses
-- The moment never goes back, whoever writes first.
update api_keys k
set last_used_at = greatest(k.last_used_at, clock_timestamp() - u.ago * interval '1 second')
from unnest(%(ids)s::uuid[], %(agos)s::float8[]) as u(id, ago)
where k.id = u.id
