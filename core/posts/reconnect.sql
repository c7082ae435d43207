-- name: candidates
-- Posts of a team that did not go out, or do not, because their account on a platform is gone.
select p.id, p.title, p.post_date, p.status, p.created_at, p.updated_at, count(*) over () as total
from posts p
where p.organization_id = %(organization_id)s and p.team_id = %(team_id)s and p.deleted_at is null
  and p.status in ('PROCESSING', 'RETRYING', 'ERROR')
  and exists (
    select from deliveries d
    where d.post_id = p.id and d.platform = %(platform)s and d.state = any(%(states)s)
      and d.error->>'code' = any(%(codes)s))
order by p.post_date, p.id
limit %(limit)s offset %(offset)s

-- name: orphans
-- The deliveries of a post that have lost their account, held; and what they wait for.
select d.id, d.organization_id, d.team_id, d.post_id, d.social_account_id, d.platform, d.fence, d.state,
       greatest(extract(epoch from p.post_date - now()), 0)::float8 as due_in,
       coalesce((p.content->>'maxDelay')::float8, %(patience)s) as patience
from deliveries d join posts p on p.id = d.post_id
where d.post_id = %(post_id)s and d.organization_id = %(organization_id)s and d.platform = %(platform)s
  and d.state = any(%(states)s) and d.error->>'code' = any(%(codes)s)
order by d.id
for update of d

-- name: lock
select status, title from posts
where id = %(post_id)s and organization_id = %(organization_id)s and team_id = %(team_id)s and deleted_at is null
for update

-- name: adopt
update deliveries
set social_account_id = %(account_id)s, grant_id = %(grant_id)s, updated_at = now(),
    lane_id = (select id from lanes where grant_id = %(grant_id)s and team_id = %(team_id)s)
where id = any(%(ids)s) and organization_id = %(organization_id)s

-- name: status
select status from posts where id = %(post_id)s and organization_id = %(organization_id)s
