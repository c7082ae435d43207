-- name: make_bodies
create table if not exists bench_bodies (id uuid primary key, body jsonb not null)

-- name: insert_body
insert into bench_bodies (id, body) values (%(id)s, %(body)s)

-- name: hasten
-- So many of the deliveries that wait on a platform are due now.
update deliveries set due_at = now(), turn_at = now()
where id in (
    select id from deliveries where state = 'scheduled' and platform = %(platform)s order by id limit %(number)s)

-- name: notify
select pg_notify('fingerpost', 'deliveries')

-- name: clock
select extract(epoch from clock_timestamp())::float8

-- name: states
-- How many deliveries are in each state, but for those that still wait for their date.
select state, count(*) from deliveries where state <> 'scheduled' group by state

-- name: last_published
select extract(epoch from max(published_at))::float8 from deliveries

-- name: tries
-- How many attempts were made, and how many deliveries are published.
select (select count(*) from attempts), (select count(*) from deliveries where state = 'published')

-- name: put_off_webhooks
update webhook_messages set due_at = 'infinity' where state = 'waiting' and due_at <= now()

-- name: hasten_webhooks
-- So many of the messages that were put off are due now; answers when that was.
with chosen as (
    select id from webhook_messages where state = 'waiting' and due_at = 'infinity' order by id limit %(number)s
), moved as (
    update webhook_messages m set due_at = clock_timestamp() from chosen where m.id = chosen.id returning m.due_at
)
select extract(epoch from max(due_at))::float8 from moved

-- name: notify_webhooks
select pg_notify('fingerpost', 'webhooks')

-- name: open_webhooks
-- How many that are due have not been taken by their endpoint.
select count(*) from webhook_messages where state <> 'delivered' and due_at < 'infinity'

-- name: last_webhook
select extract(epoch from max(delivered_at))::float8 from webhook_messages

-- name: make_accounts
-- A team with so many accounts; nothing can be published to them, for they have no token.
with organization as (
    insert into organizations (id, name) values (gen_random_uuid(), 'Bench') returning id
), team as (
    insert into teams (id, organization_id, name) select gen_random_uuid(), id, 'Bench' from organization
    returning id, organization_id
), given as (
    insert into grants (id, platform, app, external_user)
    select gen_random_uuid(), %(platform)s, 'bench', gen_random_uuid() from generate_series(1, %(number)s::int) returning id
)
insert into social_accounts (id, organization_id, team_id, grant_id, platform, username, display_name)
select gen_random_uuid(), team.organization_id, team.id, given.id, %(platform)s, 'bench', 'Bench' from team, given
returning team_id

-- name: lanes
-- The lanes of these teams.
select id from lanes where team_id = any(%(teams)s) order by id

-- name: indexes
-- What speeds up reading posts and deliveries, and can be made again when they are filled.
select c.relname, pg_get_indexdef(i.indexrelid)
from pg_index i join pg_class c on c.oid = i.indexrelid
where i.indrelid in ('posts'::regclass, 'deliveries'::regclass)
  and not exists (select from pg_constraint where conindid = i.indexrelid)

-- name: unchecked
-- Rows that are made to fit need not be looked at one by one.
set session_replication_role = replica

-- name: plant
-- So many deliveries to the lanes in turn, the n-th due n times a gap (seconds) after a start; the first of them have
-- posts of their own, and of the others a hundred share one. `series` sets their ids apart. Answers when the start is.
with opening as (
    select clock_timestamp() + %(start)s::float8 * interval '1 second' as at
), lane as (
    select l.id, l.grant_id, l.team_id, l.platform, a.id as social_account_id, a.organization_id,
           row_number() over (order by l.id) - 1 as place
    from lanes l join social_accounts a on a.grant_id = l.grant_id and a.team_id = l.team_id
    where l.id = any(%(lanes)s)
), planted as (
    select n, case when n < %(own)s::int then n else %(own)s::int + (n - %(own)s::int) / 100 end as post
    from generate_series(0, %(number)s::int - 1) as n
), post as (
    insert into posts (id, organization_id, team_id, title, post_date, status, platforms, content)
    select (lpad(to_hex(%(series)s::int), 8, '0') || lpad(to_hex(p.post), 24, '0'))::uuid, lane.organization_id, lane.team_id,
           'Planted', opening.at, 'SCHEDULED', array[lane.platform], '{}'
    from (select distinct on (post) post, n from planted order by post, n) p
    join lane on lane.place = p.n %% (select count(*) from lane) cross join opening
), delivery as (
    insert into deliveries (id, organization_id, team_id, post_id, social_account_id, grant_id, lane_id, platform,
                            position, block, fingerprint, state, due_at, turn_at, expires_at)
    select (lpad(to_hex(%(series)s::int), 8, '0') || lpad(to_hex(n), 24, '0'))::uuid, lane.organization_id, lane.team_id,
           (lpad(to_hex(%(series)s::int), 8, '0') || lpad(to_hex(p.post), 24, '0'))::uuid,
           lane.social_account_id, lane.grant_id, lane.id, lane.platform, 0,
           jsonb_build_object('text', %(series)s::int || '/' || n), '\x00', 'scheduled',
           opening.at + n * %(gap)s::float8 * interval '1 second', opening.at + n * %(gap)s::float8 * interval '1 second',
           opening.at + interval '10 days'
    from planted p join lane on lane.place = p.n %% (select count(*) from lane) cross join opening
)
select extract(epoch from at)::float8 from opening

-- name: close_lanes
update lanes set blocked_until = case when id = any(%(open)s) then null else 'infinity'::timestamptz end

-- name: empty_queue
update deliveries set state = 'cancelled' where state = 'queued'

-- name: states_of
select state, count(*) from deliveries where lane_id = any(%(lanes)s) group by state

-- name: account_rows
select s.platform, s.id, s.grant_id, l.id from social_accounts s
join lanes l on l.grant_id = s.grant_id and l.team_id = s.team_id where s.team_id = %(team_id)s

-- name: copy_posts
copy posts (id, organization_id, team_id, title, folded, post_date, status, platforms, content) from stdin

-- name: copy_terms
copy post_terms (post_id, terms) from stdin

-- name: copy_deliveries
copy deliveries (id, organization_id, team_id, post_id, social_account_id, grant_id, lane_id, platform, position, block,
                 fingerprint, state, due_at, turn_at, expires_at) from stdin
