-- name: troubled
-- Platforms whose breaker is open: several calls in a row had no answer.
select platform from breakers where opened_at is not null
