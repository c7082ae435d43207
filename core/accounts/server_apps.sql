-- name: known
-- The newest app of an organization at a server, as it was registered from our address of today.
select id, hosts, client_id, client_secret from server_apps
where organization_id = %(organization_id)s and platform = %(platform)s and server = %(server)s and home = %(home)s
order by created_at desc limit 1

-- name: named
select id, hosts, client_id, client_secret from server_apps where id = %(id)s and platform = %(platform)s

-- name: keep
insert into server_apps (id, organization_id, platform, hosts, home, client_id, client_secret)
values (%(id)s, %(organization_id)s, %(platform)s, %(hosts)s, %(home)s, %(client_id)s, %(client_secret)s)

-- name: forget
delete from server_apps where id = %(id)s
