-- name: hold_grant
-- A platform's user has one grant for each app, whoever connects it. It is held until the tokens are in it.
insert into grants (id, platform, app, external_user, quotas, hosts)
values (%(id)s, %(platform)s, %(app)s, %(external_user)s, %(quotas)s, %(hosts)s)
on conflict (platform, app, external_user) do update
set quotas = excluded.quotas, hosts = excluded.hosts, updated_at = now()
returning id, state, token_version, (xmax = 0) as is_new

-- name: fill_grant
-- Fresh tokens by a person's consent take the place of any older.
update grants
set access_token = %(access_token)s, refresh_token = %(refresh_token)s::bytea, token_version = token_version + 1,
    issued_at = now(), expires_at = now() + %(expires_in)s::float8 * interval '1 second',
    refresh_expires_at = now() + %(refresh_expires_in)s::float8 * interval '1 second', scopes = coalesce(%(scopes)s::text[], '{}'),
    state = 'live', reason = null, refused_version = 0,
    refresh_due_at = case when %(refresh_token)s::bytea is not null
        then coalesce(now() + %(refresh_in)s::float8 * interval '1 second', 'infinity') end,
    refresh_lease_until = null, refresh_unclear = false, refresh_failures = 0, updated_at = now()
where id = %(id)s

-- name: connect
with before as (
    select id, disconnected_at from social_accounts where team_id = %(team_id)s and grant_id = %(grant_id)s
)
insert into social_accounts (id, organization_id, team_id, grant_id, platform, username, display_name, avatar_url,
                             channels, channels_at, facts)
select %(id)s, t.organization_id, t.id, %(grant_id)s, %(platform)s, %(username)s, %(display_name)s, %(avatar_url)s,
       %(channels)s, now(), %(facts)s
from teams t
where t.id = %(team_id)s and t.organization_id = %(organization_id)s and t.deleted_at is null
on conflict (team_id, grant_id) do update
set username = excluded.username, display_name = excluded.display_name, avatar_url = excluded.avatar_url,
    channels = excluded.channels, channels_at = now(), facts = excluded.facts, updated_at = now(),
    disconnected_at = null
returning id, exists (select from before where disconnected_at is null) as was_connected

-- name: of_teams
-- The stamps of a team's accounts, combined by exclusive or, are the team's; see `take_in` of posts.
select a.organization_id, a.team_id, a.id::text, a.platform, a.username, g.external_user, a.channels, a.channel_id, a.facts,
       g.hosts, account_stamp(a.id, a.xmin, g.xmin) as stamp
from unnest(%(organizations)s::uuid[], %(teams)s::uuid[]) as wanted(organization_id, team_id)
join social_accounts a on a.organization_id = wanted.organization_id and a.team_id = wanted.team_id
join grants g on g.id = a.grant_id
where a.disconnected_at is null
order by a.platform, a.created_at

-- name: credentials
select a.organization_id, a.id::text, a.platform, a.username, g.external_user, a.channels, a.channel_id, a.facts, g.id as grant_id,
       g.app, g.quotas, g.hosts, g.access_token, g.token_version as version, g.state, g.refused_version = g.token_version as refused,
       g.refresh_due_at is not null as refreshable,
       extract(epoch from g.expires_at - now())::float8 as expires_in
from unnest(%(organizations)s::uuid[], %(ids)s::uuid[]) as wanted(organization_id, id)
join social_accounts a on a.id = wanted.id and a.organization_id = wanted.organization_id
join grants g on g.id = a.grant_id
where a.disconnected_at is null and g.access_token is not null

-- name: listed
-- The accounts of a team, one of them, or those on a platform; connected ones alone.
select a.id, a.organization_id, a.team_id, a.grant_id, a.platform, a.username, a.display_name, a.avatar_url,
       g.external_user, a.channels, a.channel_id, a.channels_at, a.created_at, a.updated_at, g.state, g.reason, g.expires_at, g.scopes
from social_accounts a join grants g on g.id = a.grant_id
where a.organization_id = %(organization_id)s and a.disconnected_at is null
  and (%(team_id)s::uuid is null or a.team_id = %(team_id)s)
  and (%(platform)s::text is null or a.platform = %(platform)s)
  and (%(id)s::uuid is null or a.id = %(id)s)
order by a.platform, a.created_at, a.id

-- name: disconnect
update social_accounts set disconnected_at = now(), updated_at = now()
where organization_id = %(organization_id)s and id = %(id)s and disconnected_at is null
returning grant_id

-- name: of_app
select a.id from social_accounts a join grants g on g.id = a.grant_id
where a.organization_id = %(organization_id)s and a.team_id = %(team_id)s and a.platform = %(platform)s
  and g.app = %(app)s and a.disconnected_at is null

-- name: release
-- Tokens that no account uses any more are forgotten.
update grants g
set access_token = null, refresh_token = null, token_version = token_version + 1, state = 'released', reason = null,
    expires_at = null, refresh_expires_at = null, refresh_due_at = null, refresh_lease_until = null,
    refresh_unclear = false, updated_at = now()
where g.id = %(id)s
  and not exists (select from social_accounts a where a.grant_id = g.id and a.disconnected_at is null)

-- name: waiting
-- Deliveries to an account that nobody has in hand.
select d.id, d.organization_id, d.team_id, d.post_id, d.social_account_id, d.platform, d.fence, d.state
from social_accounts a
join lanes l on l.grant_id = a.grant_id and l.team_id = a.team_id
join deliveries d on d.lane_id = l.id
where a.id = %(id)s and a.organization_id = %(organization_id)s and d.social_account_id = a.id
  and d.state in ('scheduled', 'queued', 'deferred', 'retrying')
order by d.id
limit %(limit)s

-- name: describe
-- What the platform tells anew of an account.
update social_accounts
set username = %(username)s, display_name = %(display_name)s, avatar_url = %(avatar_url)s, facts = %(facts)s,
    updated_at = now()
where organization_id = %(organization_id)s and id = %(id)s and disconnected_at is null

-- name: set_channels
update social_accounts set channels = %(channels)s, channels_at = now(), updated_at = now()
where organization_id = %(organization_id)s and id = %(id)s and disconnected_at is null

-- name: set_channel
update social_accounts set channel_id = %(channel_id)s, updated_at = now()
where organization_id = %(organization_id)s and id = %(id)s and disconnected_at is null

-- name: ask
-- One more call that a client asked for; answers how many there were within the window.
update social_accounts
set asked = case when asked_since > now() - %(window)s * interval '1 second' then asked + 1 else 1 end,
    asked_since = case when asked_since > now() - %(window)s * interval '1 second' then asked_since else now() end
where organization_id = %(organization_id)s and id = %(id)s and disconnected_at is null
returning asked

-- name: copy
-- The grant is shared: no token is copied.
insert into social_accounts (id, organization_id, team_id, grant_id, platform, username, display_name, avatar_url,
                             channels, channels_at, channel_id, facts)
select gen_random_uuid(), a.organization_id, t.id, a.grant_id, a.platform, a.username, a.display_name, a.avatar_url,
       a.channels, a.channels_at, case when %(reset_channel)s then null else a.channel_id end, a.facts
from social_accounts a join teams t on t.id = %(to_team)s and t.organization_id = %(organization_id)s
    and t.deleted_at is null
where a.organization_id = %(organization_id)s and a.team_id = %(from_team)s and a.platform = any(%(platforms)s)
  and a.disconnected_at is null
on conflict (team_id, grant_id) do update
set username = excluded.username, display_name = excluded.display_name, avatar_url = excluded.avatar_url,
    channels = excluded.channels, channels_at = excluded.channels_at, facts = excluded.facts, updated_at = now(),
    disconnected_at = null
returning id

-- name: told
-- The accounts of a grant, or one of them, as events tell of them; held, so that their sequence has no gap.
select a.id, a.organization_id, a.team_id, a.platform, a.username, a.display_name, g.external_user, g.state, g.reason,
       g.expires_at
from social_accounts a join grants g on g.id = a.grant_id
where a.disconnected_at is null
  and (%(grant_id)s::uuid is null or a.grant_id = %(grant_id)s) and (%(ids)s::uuid[] is null or a.id = any(%(ids)s))
order by a.id
for update of a

-- name: told_gone
-- The same of one that has just been disconnected.
select a.id, a.organization_id, a.team_id, a.platform, a.username, a.display_name, g.external_user,
       'disconnected' as state, null as reason, null as expires_at
from social_accounts a join grants g on g.id = a.grant_id
where a.id = %(id)s and a.organization_id = %(organization_id)s
for update of a

-- name: of_whole_team
select id from social_accounts
where organization_id = %(organization_id)s and team_id = %(team_id)s and disconnected_at is null
order by id
