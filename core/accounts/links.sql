-- name: create
insert into connect_links (id, organization_id, team_id, hash, platforms, redirect_url, options, direct, expires_at)
select %(id)s, t.organization_id, t.id, %(hash)s, %(platforms)s, %(redirect_url)s, %(options)s, %(direct)s,
       now() + %(seconds)s * interval '1 second'
from teams t
where t.id = %(team_id)s and t.organization_id = %(organization_id)s and t.deleted_at is null
returning id

-- name: open
-- A link by its secret, with the words that its page shows.
select l.id, l.organization_id, l.team_id, t.name as team, l.platforms, l.redirect_url, l.options, l.direct,
       l.expires_at <= now() as expired, l.used_at is not null as used
from connect_links l join teams t on t.id = l.team_id and t.deleted_at is null
where l.hash = %(hash)s

-- name: of_id
select l.id, l.organization_id, l.team_id, t.name as team, l.platforms, l.redirect_url, l.options, l.direct,
       l.expires_at <= now() as expired, l.used_at is not null as used
from connect_links l join teams t on t.id = l.team_id and t.deleted_at is null
where l.id = %(id)s

-- name: spend
update connect_links set used_at = now() where id = %(id)s and direct

-- name: begin
insert into sign_ins (id, organization_id, team_id, link_id, platform, app, state, browser, verifier, expires_at)
select %(id)s, organization_id, team_id, id, %(platform)s, %(app)s, %(state)s, %(browser)s, %(verifier)s,
       now() + %(seconds)s * interval '1 second'
from connect_links where id = %(link_id)s and expires_at > now() and used_at is null
returning id

-- name: consume
-- Good once, in time, for the platform it was begun for, in the browser that began it.
update sign_ins set used_at = now()
where state = %(state)s and platform = %(platform)s and browser = %(browser)s and used_at is null
  and expires_at > now()
returning id, link_id, app, verifier

-- name: explain
-- Why that was not so.
select link_id, used_at is not null as used, expires_at <= now() as expired, browser = %(browser)s as same_browser
from sign_ins where state = %(state)s and platform = %(platform)s

-- name: expire
-- What ended a day ago explains itself to nobody any more.
with gone as (
    delete from sign_ins where expires_at < now() - interval '1 day'
)
delete from connect_links where expires_at < now() - interval '1 day'
