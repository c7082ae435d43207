-- name: known_keys
select version, check_value from vault_keys order by version

-- name: add_keys
insert into vault_keys (version, check_value)
select * from unnest(%(versions)s::bigint[], %(check_values)s::bytea[])
on conflict (version) do nothing

-- name: count
-- How many secrets of a place stand under each version; four bytes behind the mark of the format tell it.
select ('x' || encode(substring({column} from 4 for 4), 'hex'))::bit(32)::bigint as version, count(*)
from {table} where length({column}) > 0 group by 1 order by 1

-- name: under
-- Whether any secret of a place stands under a version.
select exists (select from {table} where substring({column} from 4 for 4) = %(version)s)

-- name: batch
-- Some secrets of a place that are not under the newest version yet, behind a row.
select id, {column} from {table}
where length({column}) > 0 and substring({column} from 4 for 4) <> %(version)s
  and (%(after)s::uuid is null or id > %(after)s)
order by id
limit %(limit)s

-- name: all
-- Some secrets of a place, whatever their version, behind a row.
select id, {column} from {table}
where length({column}) > 0 and (%(after)s::uuid is null or id > %(after)s)
order by id
limit %(limit)s

-- name: replace
-- Compare and set: a secret that was written anew meanwhile stays as it was written.
update {table} t set {column} = n.after
from unnest(%(ids)s::uuid[], %(befores)s::bytea[], %(afters)s::bytea[]) as n(id, before, after)
where t.id = n.id and t.{column} = n.before
