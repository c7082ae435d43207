-- name: grant
-- A platform's user has one grant for each app, whoever connects it; a newer token takes the place of the older.
insert into grants (id, platform, app, external_user, access_token)
values (%(id)s, %(platform)s, %(app)s, %(external_user)s, '')
on conflict (platform, app, external_user) do update set updated_at = now()
returning id

-- name: seal_token
update grants set access_token = %(access_token)s, token_version = token_version + 1, updated_at = now()
where id = %(id)s

-- name: connect
insert into social_accounts (id, organization_id, team_id, grant_id, platform, username, display_name, avatar_url,
                             channels, facts)
select %(id)s, t.organization_id, t.id, %(grant_id)s, %(platform)s, %(username)s, %(display_name)s, %(avatar_url)s,
       %(channels)s, %(facts)s
from teams t where t.id = %(team_id)s and t.organization_id = %(organization_id)s
on conflict (team_id, grant_id) do update
set username = excluded.username, display_name = excluded.display_name, avatar_url = excluded.avatar_url,
    channels = excluded.channels, facts = excluded.facts, updated_at = now(), disconnected_at = null
returning id

-- name: of_team
select a.id::text, a.platform, a.username, g.external_user, a.channels, a.facts
from social_accounts a join grants g on g.id = a.grant_id
where a.organization_id = %(organization_id)s and a.team_id = %(team_id)s and a.disconnected_at is null
order by a.platform, a.created_at

-- name: credentials
select a.id::text, a.platform, a.username, g.external_user, a.channels, a.facts, g.id as grant_id, g.access_token
from social_accounts a join grants g on g.id = a.grant_id
where a.organization_id = %(organization_id)s and a.id = %(id)s and a.disconnected_at is null

-- name: disconnect
update social_accounts a set disconnected_at = now(), updated_at = now()
from grants g
where g.id = a.grant_id and g.app = %(app)s and a.organization_id = %(organization_id)s and a.team_id = %(team_id)s
    and a.platform = %(platform)s and a.disconnected_at is null
