-- A post is taken in with few look-ups: where a row names several that belong together, one foreign key holds them all.
alter table teams add constraint teams_of_organization unique (id, organization_id);
alter table social_accounts add constraint social_accounts_of_team unique (id, team_id, organization_id);
alter table lanes add constraint lanes_of_grant unique (id, grant_id, team_id);

alter table posts
    drop constraint posts_organization_id_fkey,
    drop constraint posts_team_id_fkey,
    add constraint posts_team foreign key (team_id, organization_id) references teams (id, organization_id);
alter table deliveries
    drop constraint deliveries_organization_id_fkey,
    drop constraint deliveries_team_id_fkey,
    drop constraint deliveries_social_account_id_fkey,
    drop constraint deliveries_grant_id_fkey,
    drop constraint deliveries_lane_id_fkey,
    add constraint deliveries_account foreign key (social_account_id, team_id, organization_id)
        references social_accounts (id, team_id, organization_id),
    add constraint deliveries_lane foreign key (lane_id, grant_id, team_id) references lanes (id, grant_id, team_id);
-- A key is written with its post, of the post's own organization.
alter table idempotency_keys drop constraint idempotency_keys_organization_id_fkey;

-- What a check was told of an account, as a number that changes with every change of it. Those of a team together tell
-- whether its accounts are still what they were when a post was checked.
create function account_stamp(id uuid, account_version xid, grant_version xid) returns bigint immutable language sql as $$
    select hashtextextended(id::text || account_version::text || grant_version::text, 0)
$$;
