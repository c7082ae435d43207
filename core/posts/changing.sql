-- name: seen
select content, status from posts
where id = %(post_id)s and organization_id = %(organization_id)s and deleted_at is null

-- name: hold
select content, status from posts
where id = %(post_id)s and organization_id = %(organization_id)s and deleted_at is null
for update

-- name: hold_deliveries
-- The deliveries of a post, held: neither a claim nor a worker takes them meanwhile.
select id, organization_id, team_id, post_id, social_account_id, platform, fence, state, position
from deliveries where post_id = %(post_id)s and organization_id = %(organization_id)s order by id for update

-- name: states
select platform, state from deliveries
where post_id = %(post_id)s and organization_id = %(organization_id)s order by id

-- name: rewrite
with sent as (
    select * from jsonb_to_record(%(post)s) as s(
        title text, folded text, terms text[], reference_key text, post_date timestamptz, status text, platforms text[],
        content jsonb, uploads uuid[])
), found_by as (
    insert into post_terms (post_id, terms) select %(post_id)s, terms from sent
    on conflict (post_id) do update set terms = excluded.terms where post_terms.terms <> excluded.terms
), detached as (
    delete from post_uploads where post_id = %(post_id)s and upload_id not in (select unnest(uploads) from sent)
), attached as (
    insert into post_uploads (post_id, upload_id) select %(post_id)s, unnest(uploads) from sent
    on conflict (post_id, upload_id) do nothing
)
update posts p
set title = sent.title, folded = sent.folded, reference_key = sent.reference_key, post_date = sent.post_date,
    status = sent.status, platforms = sent.platforms, content = sent.content, updated_at = now()
from sent
where p.id = %(post_id)s and p.organization_id = %(organization_id)s

-- name: withdraw
delete from deliveries where id = any(%(ids)s) and organization_id = %(organization_id)s

-- name: place
-- Further deliveries of a post; one whose account has gone has no grant, and is refused.
insert into deliveries (id, organization_id, team_id, post_id, social_account_id, grant_id, lane_id, platform,
                        position, block, calls, fingerprint, state, due_at, turn_at, expires_at)
select d.id, p.organization_id, p.team_id, p.id, d.social_account_id, a.grant_id, l.id, d.platform,
       d.position, d.block, d.calls, delivery_fingerprint(d.block, p.title, p.content),
       'scheduled', greatest(p.post_date, now()), greatest(p.post_date, now()),
       greatest(p.post_date, now()) + %(max_delay)s * interval '1 second'
from posts p
cross join lateral jsonb_to_recordset(%(deliveries)s) as d(
    id uuid, social_account_id uuid, platform text, position int, block jsonb, calls jsonb)
left join social_accounts a on a.id = d.social_account_id and a.team_id = p.team_id and a.disconnected_at is null
left join lanes l on l.grant_id = a.grant_id and l.team_id = a.team_id
where p.id = %(post_id)s and p.organization_id = %(organization_id)s

-- name: refill
-- Deliveries that stay, with what they are to send now.
update deliveries d
set block = n.block, calls = n.calls, fingerprint = delivery_fingerprint(n.block, p.title, p.content), updated_at = now()
from jsonb_to_recordset(%(deliveries)s) as n(id uuid, block jsonb, calls jsonb), posts p
where d.id = n.id and p.id = d.post_id and d.organization_id = %(organization_id)s

-- name: seconds_until
select greatest(extract(epoch from %(moment)s::timestamptz - now()), 0)::float8

-- name: judge
update posts
set reviews = reviews || jsonb_build_object(
        'verdict', %(verdict)s::text, 'note', %(note)s::text, 'api_key_id', %(key_id)s::uuid, 'at', now()),
    updated_at = now()
where id = %(post_id)s and organization_id = %(organization_id)s

-- name: send_back
update posts set status = 'DRAFT', content = content || '{"status": "DRAFT"}', updated_at = now()
where id = %(post_id)s and organization_id = %(organization_id)s
