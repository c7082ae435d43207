-- name: own
select id from posts where organization_id = %(organization_id)s and id = any(%(post_ids)s)

-- name: watched
-- What is live of posts, with how many seconds ago its figures were read last.
select d.id, d.post_id, d.organization_id, d.social_account_id, d.platform, d.external_id, d.permalink, d.published_at,
       d.removed_at,
       exists (select from post_uploads pu join uploads u on u.id = pu.upload_id
               where pu.post_id = d.post_id and u.kind = 'video') as is_video,
       (select extract(epoch from now() - max(f.created_at))::float8 from figures f where f.delivery_id = d.id) as age
from deliveries d join posts p on p.id = d.post_id
where d.organization_id = %(organization_id)s and d.post_id = any(%(post_ids)s)
  and d.state = 'published' and d.external_id is not null
  and (%(platform)s::text is null or d.platform = %(platform)s)
order by array_position(p.platforms, d.platform), d.position, d.id

-- name: of_deliveries
select id, social_account_id, delivery_id, told, created_at from figures
where organization_id = %(organization_id)s and delivery_id = any(%(delivery_ids)s)
order by created_at desc, id desc

-- name: account_age
select extract(epoch from now() - max(created_at))::float8 from figures
where organization_id = %(organization_id)s and social_account_id = %(social_account_id)s and delivery_id is null

-- name: of_account
select id, social_account_id, delivery_id, told, created_at from figures
where organization_id = %(organization_id)s and social_account_id = %(social_account_id)s and delivery_id is null
order by created_at desc, id desc

-- name: keep
insert into figures (id, organization_id, social_account_id, delivery_id, told)
select %(id)s, a.organization_id, a.id, %(delivery_id)s, %(told)s from social_accounts a
where a.organization_id = %(organization_id)s and a.id = %(social_account_id)s

-- name: forget
-- All but the newest, of a delivery or of the account as a whole.
delete from figures
where organization_id = %(organization_id)s and id in (
    select id from figures
    where social_account_id = %(social_account_id)s and delivery_id is not distinct from %(delivery_id)s
    order by created_at desc, id desc
    offset %(kept)s)

-- name: today
select (now() at time zone 'utc')::date
