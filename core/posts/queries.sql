-- name: take_in
-- Posts with their deliveries and uploads. The verdict on each is `sound`, and then it is stored, with all its own; else
-- it says what stands against it: its idempotency key is under way in another transaction, or was used before (then what
-- stands under it is answered as well); its reference key is taken; the team's accounts are no longer those with which
-- it was checked. A key that comes in by another transaction at this very moment is a unique violation.
with sent as materialized (
    select * from jsonb_to_recordset(%(posts)s::jsonb) as s(
        id uuid, organization_id uuid, team_id uuid, title text, reference_key text, post_date timestamptz,
        folded text, terms text[], status text, platforms text[], content jsonb, max_delay float8, deliveries jsonb,
        uploads uuid[], key text, digest text, made jsonb, stamp bigint)
), stamps as materialized (
    select a.organization_id, a.team_id, bit_xor(account_stamp(a.id, a.xmin, g.xmin)) as stamp
    from (select distinct organization_id, team_id from sent where stamp is not null) as named
    join social_accounts a on a.team_id = named.team_id and a.organization_id = named.organization_id
    join grants g on g.id = a.grant_id
    where a.disconnected_at is null
    group by a.organization_id, a.team_id
), judged as materialized (
    select sent.*, used.digest as used_digest, used.post_id as used_post_id, used.answer as used_answer,
           used.created_at as used_at,
           case when sent.key is not null and not pg_try_advisory_xact_lock(
                    hashtextextended(concat_ws(' ', sent.organization_id, %(route)s::text, sent.key), 0)) then 'key_under_way'
                when used.post_id is not null then 'key_used'
                when taken.id is not null then 'reference_key_taken'
                when sent.stamp <> coalesce(stamps.stamp, 0) then 'accounts_changed'
                else 'sound' end as verdict
    from sent
    left join stamps on stamps.team_id = sent.team_id and stamps.organization_id = sent.organization_id
    -- One by one, whatever the planner believes of the size of a table: never by reading all of it.
    left join lateral (
        select digest, post_id, answer, created_at from idempotency_keys u
        where u.organization_id = sent.organization_id and u.route = %(route)s and u.key = sent.key limit 1
    ) as used on true
    left join lateral (
        select id from posts p
        where p.team_id = sent.team_id and p.reference_key = sent.reference_key and p.deleted_at is null limit 1
    ) as taken on true
), stored as (
    insert into posts (id, organization_id, team_id, title, folded, reference_key, post_date, status, platforms, content)
    select id, organization_id, team_id, title, folded, reference_key, post_date, status, platforms, content
    from judged where verdict = 'sound'
), claimed as (
    insert into idempotency_keys (organization_id, route, key, digest, post_id, answer)
    select organization_id, %(route)s, key, decode(digest, 'base64'), id, made
    from judged where verdict = 'sound' and key is not null
    -- In one order everywhere, so that two transactions do not wait for each other.
    order by organization_id, key
), placed as (
    insert into deliveries (id, organization_id, team_id, post_id, social_account_id, grant_id, lane_id, platform,
                            position, block, calls, fingerprint, state, due_at, turn_at, expires_at)
    select d.id, j.organization_id, j.team_id, j.id, d.social_account_id, a.grant_id, l.id, d.platform,
           d.position, d.block, d.calls,
           delivery_fingerprint(d.block, j.title, j.content),
           'scheduled', greatest(j.post_date, now()), greatest(j.post_date, now()),
           greatest(j.post_date, now()) + j.max_delay * interval '1 second'
    from judged j
    cross join lateral jsonb_to_recordset(j.deliveries) as d(
        id uuid, social_account_id uuid, platform text, position int, block jsonb, calls jsonb)
    left join social_accounts a
        on a.id = d.social_account_id and a.team_id = j.team_id and a.disconnected_at is null
    left join lanes l on l.grant_id = a.grant_id and l.team_id = a.team_id
    where j.verdict = 'sound'
), found_by as (
    insert into post_terms (post_id, terms) select id, terms from judged where verdict = 'sound'
), attached as (
    insert into post_uploads (post_id, upload_id)
    select id, u from judged cross join lateral unnest(uploads) as u where verdict = 'sound'
)
-- A stored post was created `now()`, which is the same moment for all of a transaction.
select id::text, verdict, (case when verdict = 'sound' then now() end)::text, encode(used_digest, 'hex'),
       used_post_id::text, used_answer::text, used_at::text
from judged

-- name: stored_at
select created_at from posts where organization_id = %(organization_id)s and id = %(id)s

-- name: has_ended
-- Whether the server process behind a connection has ended, as far as it is seen from here: through a pooler it is not.
select not exists (select from pg_stat_activity where pid = %(lost)s), pg_backend_pid()

-- name: shown
-- Posts as they are shown, each with its deliveries, uploads and accounts, in the order in which they are asked for.
select p.id, p.organization_id, p.team_id, p.title, p.reference_key, p.post_date, p.posted_at, p.status, p.platforms,
       p.content, p.reviews, p.created_at, p.updated_at, p.deleted_at,
       coalesce(d.deliveries, '[]') as deliveries, coalesce(u.uploads, '[]') as uploads,
       coalesce(s.accounts, '[]') as accounts
from unnest(%(ids)s::uuid[]) with ordinality as wanted(id, place)
join posts p on p.id = wanted.id and p.organization_id = %(organization_id)s
left join lateral (
    select jsonb_agg(jsonb_build_object(
        'id', d.id, 'platform', d.platform, 'position', d.position, 'social_account_id', d.social_account_id,
        'state', d.state, 'due_at', d.due_at, 'attempts', d.attempts, 'external_id', d.external_id,
        'permalink', d.permalink, 'published_at', d.published_at, 'removed_at', d.removed_at,
        'error', d.error
    ) order by array_position(p.platforms, d.platform), d.position, d.id) as deliveries
    from deliveries d where d.post_id = p.id
) d on true
left join lateral (
    select jsonb_agg(jsonb_build_object(
        'id', u.id, 'organization_id', u.organization_id, 'team_id', u.team_id, 'kind', u.kind, 'mime', u.mime,
        'extension', u.extension, 'sha256', encode(u.sha256, 'base64'), 'bytes', u.bytes, 'width', u.width,
        'height', u.height, 'seconds', u.seconds, 'details', u.details, 'alt_text', u.alt_text,
        'file_name', u.file_name, 'storage_key', u.storage_key,
        'created_at', u.created_at, 'updated_at', u.updated_at
    ) order by u.id) as uploads
    from post_uploads pu join uploads u on u.id = pu.upload_id where pu.post_id = p.id
) u on true
left join lateral (
    select jsonb_agg(jsonb_build_object(
        'id', a.id, 'platform', a.platform, 'team_id', a.team_id, 'username', a.username,
        'display_name', a.display_name, 'avatar_url', a.avatar_url, 'external_user', g.external_user,
        'channels', a.channels, 'created_at', a.created_at, 'updated_at', a.updated_at,
        'disconnected_at', a.disconnected_at
    ) order by a.id) as accounts
    from social_accounts a join grants g on g.id = a.grant_id
    -- An account that the post no longer goes to is not its own, unless all of it is called off.
    where a.id in (select d.social_account_id from deliveries d
                   where d.post_id = p.id and (d.state <> 'cancelled' or p.deleted_at is not null))
) s on true
order by wanted.place

-- name: by_reference_key
-- A key is unique in a team, so an organization may have several; the newest is meant.
select p.id from posts p
where p.organization_id = %(organization_id)s and p.reference_key = any(%(keys)s) and p.deleted_at is null
  and (%(teams)s::uuid[] is null or p.team_id = any(%(teams)s))
  and (%(accounts)s::uuid[] is null or not exists (
      select from deliveries d where d.post_id = p.id and d.social_account_id <> all(%(accounts)s)))
order by array_position(%(keys)s, p.reference_key), p.created_at desc, p.id desc
limit 1

-- name: expire_keys
delete from idempotency_keys where (organization_id, route, key) in (
    select organization_id, route, key from idempotency_keys
    where created_at < now() - %(hours)s * interval '1 hour'
    limit %(limit)s
)
