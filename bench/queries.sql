-- name: make_bodies
create table if not exists bench_bodies (id uuid primary key, body jsonb not null)

-- name: insert_body
insert into bench_bodies (id, body) values (%(id)s, %(body)s)

-- name: hasten
-- So many of the deliveries that wait on a platform are due now.
update deliveries set due_at = now()
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
