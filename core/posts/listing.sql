-- name: steady
-- The statistics are of all teams together, and wrong for almost every one: a plan that suits most would read and sort
-- all posts of a large team. An index of terms can be read by bitmaps alone.
select set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true),
       set_config('enable_bitmapscan', %(bitmaps)s, true)

-- name: branch
-- The posts of one status in the order of a key, and whether each fits what else is asked. The program puts the names of
-- columns, the direction and the further conditions in.
(select p.id, p.{key} as key, {fits} as fits
 from posts p
 where p.team_id = %(team_id)s and p.status = {status} and {within}
   and (%(after)s::timestamptz is null or (p.{key}, p.id) {beyond} (%(after)s::timestamptz, %(after_id)s::uuid))
 order by p.{key} {way}, p.id {way})

-- name: dated
-- Within the dates that are asked for.
(%(date_from)s::timestamptz is null or p.post_date >= %(date_from)s)
and (%(date_to)s::timestamptz is null or p.post_date <= %(date_to)s)

-- name: fitting
-- What no order of a list can narrow down.
(%(q)s::text is null or strpos(p.folded, %(q)s) > 0)
and (%(platforms)s::text[] is null or p.platforms && %(platforms)s)
and (%(accounts)s::uuid[] is null or coalesce((
    select bool_and(d.social_account_id = any(%(accounts)s)) from deliveries d where d.post_id = p.id), true))

-- name: own
-- Whether the team is the organization's.
exists (select from teams t where t.id = %(team_id)s and t.organization_id = %(organization_id)s)

-- name: walk
-- The first of a list in its order, as many as the window holds: how many there are, how many of them fit, and a page
-- of those.
with seen as materialized (
    select id, key, fits from ({branches}) b where {own} order by key {way}, id {way} limit %(window)s
)
select (select count(*) from seen), (select count(*) from seen where fits),
       array(select id from seen where fits order by key {way}, id {way} limit %(limit)s offset %(offset)s),
       array(select key from seen where fits order by key {way}, id {way} limit %(limit)s offset %(offset)s)

-- name: sift
-- A page of those that fit, however far one has to walk for them.
select id, key from ({branches}) b where {own} and fits order by key {way}, id {way} limit %(limit)s offset %(offset)s

-- name: count
-- How many there are and fit, as far as it is counted: along the order, because what is near in it lies together.
select count(*), count(*) filter (where fits)
from (select fits from ({branches}) b where {own} order by key {way}, id {way} limit %(window)s) c

-- name: of_terms
select post_id as id from post_terms
where (%(all_terms)s::text[] is null or terms @> %(all_terms)s)
  and (%(any_terms)s::text[] is null or terms && %(any_terms)s)

-- name: of_dates
select p.id from posts p
where p.team_id = %(team_id)s and p.status = any(%(statuses)s) and {dated}

-- name: few
-- Candidates, if they are no more than the window holds: how many there are, how many of them fit, how many of those are
-- still ahead, and a page of these.
with raw as materialized (
    select id from ({source}) c where {own} limit %(window)s
), fitting as materialized (
    select p.id, p.{key} as key, p.status = any(%(statuses)s) and {within}
           and (%(after)s::timestamptz is null
                or (p.{key}, p.id) {beyond} (%(after)s::timestamptz, %(after_id)s::uuid)) as ahead
    from raw join posts p using (id)
    where p.team_id = %(team_id)s and p.status = any(%(all_statuses)s) and {fits}
)
select (select count(*) from raw), (select count(*) from fitting), (select count(*) from fitting where ahead),
       array(select id from fitting where ahead order by key {way}, id {way} limit %(limit)s offset %(offset)s),
       array(select key from fitting where ahead order by key {way}, id {way} limit %(limit)s offset %(offset)s)
