-- name: troubled
-- Platforms with an open breaker, where several calls in a row had no answer, and whether it is that of their usual
-- server. What nobody has asked about for an hour is not known any more.
select platform, bool_or(server = '') as usual from breakers
where opened_at is not null and coalesce(probe_at, opened_at) > now() - interval '1 hour'
group by platform
