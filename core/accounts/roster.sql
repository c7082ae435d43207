-- name: of_teams
select a.id, a.platform, a.team_id, a.username, a.display_name, a.avatar_url, g.external_user, a.channels,
       a.created_at, a.updated_at, a.disconnected_at
from social_accounts a join grants g on g.id = a.grant_id
where a.organization_id = %(organization_id)s and a.team_id = any(%(ids)s) and a.disconnected_at is null
  and (%(accounts)s::uuid[] is null or a.id = any(%(accounts)s))
order by a.platform, a.created_at, a.id
