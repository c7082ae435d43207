-- name: create_organization
insert into organizations (id, name, avatar_url) values (%(id)s, %(name)s, %(avatar_url)s)

-- name: organizations_named
-- The oldest of that name; names are not unique, only those made by the command line are.
select id from organizations where name = %(name)s order by created_at, id limit 1

-- name: organization
select id, name, avatar_url, created_at, updated_at from organizations where id = %(id)s

-- name: lock_name
-- Two that look for the same name and would both make it go one after the other; the lock ends with the transaction.
select pg_advisory_xact_lock(hashtextextended('fingerpost ' || %(kind)s || ' ' || %(name)s, 0))

-- name: create_team
insert into teams (id, organization_id, name, avatar_url, when_not_found)
select %(id)s, o.id, %(name)s, %(avatar_url)s, %(when_not_found)s from organizations o where o.id = %(organization_id)s
returning id, organization_id, name, avatar_url, when_not_found, created_at, updated_at, deleted_at

-- name: teams
select id, organization_id, name, avatar_url, when_not_found, created_at, updated_at, deleted_at from teams
where organization_id = %(organization_id)s and deleted_at is null
  and (%(teams)s::uuid[] is null or id = any(%(teams)s))
order by created_at, id

-- name: team
select id, organization_id, name, avatar_url, when_not_found, created_at, updated_at, deleted_at from teams
where organization_id = %(organization_id)s and id = %(id)s and deleted_at is null

-- name: change_team
update teams
set name = coalesce(%(name)s::text, name),
    avatar_url = case when %(keep_avatar)s then avatar_url else %(avatar_url)s::text end,
    when_not_found = coalesce(%(when_not_found)s::text, when_not_found),
    updated_at = now()
where organization_id = %(organization_id)s and id = %(id)s and deleted_at is null
returning id, organization_id, name, avatar_url, when_not_found, created_at, updated_at, deleted_at

-- name: lock_team
-- Held against new posts, too: writing one needs the team's row (a foreign key's lock) until it is committed.
select id, organization_id, name, avatar_url, when_not_found, created_at, updated_at, deleted_at from teams
where organization_id = %(organization_id)s and id = %(id)s and deleted_at is null
for update

-- name: unfinished
select count(distinct post_id) from deliveries
where organization_id = %(organization_id)s and team_id = %(id)s
  and state not in ('published', 'failed', 'cancelled')

-- name: revoke_keys_of_team
update api_keys set revoked_at = coalesce(revoked_at, now())
where organization_id = %(organization_id)s and team_id = %(id)s

-- name: disable_endpoints
update webhook_endpoints
set disabled_at = coalesce(disabled_at, now()), disabled_reason = coalesce(disabled_reason, 'team_deleted'),
    updated_at = now()
where organization_id = %(organization_id)s and team_id = %(id)s

-- name: delete_team
update teams set deleted_at = now(), updated_at = now()
where organization_id = %(organization_id)s and id = %(id)s
returning id, organization_id, name, avatar_url, when_not_found, created_at, updated_at, deleted_at

-- name: reaches_post
-- Whoever is for some accounts only sees the posts that go to no other; drafts go nowhere yet.
select exists (
    select from posts p
    where p.organization_id = %(organization_id)s and p.id = %(id)s
      and (%(teams)s::uuid[] is null or p.team_id = any(%(teams)s))
      and (%(accounts)s::uuid[] is null or not exists (
          select from deliveries d where d.post_id = p.id and d.social_account_id <> all(%(accounts)s))))

-- name: reaches_delivery
-- What is said of one delivery is answered with its whole post, so that has to be within reach.
select exists (
    select from deliveries mine join posts p on p.id = mine.post_id
    where mine.organization_id = %(organization_id)s and mine.id = %(id)s
      and (%(teams)s::uuid[] is null or p.team_id = any(%(teams)s))
      and (%(accounts)s::uuid[] is null or not exists (
          select from deliveries d where d.post_id = p.id and d.social_account_id <> all(%(accounts)s))))

-- name: reaches_upload
select exists (
    select from uploads u
    where u.organization_id = %(organization_id)s and u.id = %(id)s
      and (%(teams)s::uuid[] is null or u.team_id = any(%(teams)s)))

-- name: reaches_social_account
select exists (
    select from social_accounts a
    where a.organization_id = %(organization_id)s and a.id = %(id)s
      and (%(teams)s::uuid[] is null or a.team_id = any(%(teams)s))
      and (%(accounts)s::uuid[] is null or a.id = any(%(accounts)s)))

-- name: reaches_webhook_endpoint
select exists (
    select from webhook_endpoints w
    where w.organization_id = %(organization_id)s and w.id = %(id)s
      and (%(teams)s::uuid[] is null or w.team_id = any(%(teams)s)))

-- name: reaches_webhook_message
select exists (
    select from webhook_messages m join webhook_endpoints w on w.id = m.endpoint_id
    where m.organization_id = %(organization_id)s and m.id = %(id)s
      and (%(teams)s::uuid[] is null or w.team_id = any(%(teams)s)))

-- name: reaches_team
select exists (
    select from teams t
    where t.organization_id = %(organization_id)s and t.id = %(id)s and t.deleted_at is null
      and (%(teams)s::uuid[] is null or t.id = any(%(teams)s)))

-- name: reaches_api_key
select exists (
    select from api_keys k
    where k.organization_id = %(organization_id)s and k.id = %(id)s
      and (%(teams)s::uuid[] is null or k.team_id = any(%(teams)s)
           or k.social_account_ids <@ array(select a.id from social_accounts a where a.team_id = any(%(teams)s)))
      and (%(accounts)s::uuid[] is null or k.social_account_ids <@ %(accounts)s::uuid[]))
