-- name: posts
-- Posts that were made since a moment and are within reach.
select count(*)::int from posts p
where p.organization_id = %(organization_id)s and p.created_at >= %(since)s
  and (%(teams)s::uuid[] is null or p.team_id = any(%(teams)s))
  and (%(accounts)s::uuid[] is null or not exists (
      select from deliveries d where d.post_id = p.id and d.social_account_id <> all(%(accounts)s)))

-- name: uploads
select count(*)::int from uploads u
where u.organization_id = %(organization_id)s and (%(teams)s::uuid[] is null or u.team_id = any(%(teams)s))

-- name: account
select a.platform, g.quotas from social_accounts a join grants g on g.id = a.grant_id
where a.organization_id = %(organization_id)s and a.id = %(id)s
  and (%(teams)s::uuid[] is null or a.team_id = any(%(teams)s))
  and (%(accounts)s::uuid[] is null or a.id = any(%(accounts)s))

-- name: published
-- What went out at an account on one day.
select count(*)::int from deliveries d
where d.organization_id = %(organization_id)s and d.social_account_id = %(id)s and d.state = 'published'
  and d.published_at >= %(since)s and d.published_at < %(since)s + interval '1 day'

-- name: accounts
-- A page of the connected accounts within reach, and how many there are.
select a.id, a.platform as type, a.username, a.display_name, count(*) over ()::int as total from social_accounts a
where a.organization_id = %(organization_id)s and a.disconnected_at is null
  and (%(teams)s::uuid[] is null or a.team_id = any(%(teams)s))
  and (%(accounts)s::uuid[] is null or a.id = any(%(accounts)s))
  and (%(team_id)s::uuid is null or a.team_id = %(team_id)s)
  and (%(type)s::text is null or a.platform = %(type)s)
  and (%(id)s::uuid is null or a.id = %(id)s)
order by a.id
limit %(limit)s offset %(offset)s
