-- name: key_is_taken
select exists (select from posts p
               where p.organization_id = %(organization_id)s and p.team_id = %(team_id)s
                 and p.reference_key = %(reference_key)s and p.deleted_at is null)
