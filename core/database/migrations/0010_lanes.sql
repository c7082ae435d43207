-- A lane is made with its account, whoever makes that: what stores a post finds it there.
create function make_lane() returns trigger language plpgsql as $$
begin
    insert into lanes (grant_id, team_id, platform) values (new.grant_id, new.team_id, new.platform)
    on conflict (grant_id, team_id) do nothing;
    return null;
end
$$;

create trigger lane_of_account after insert on social_accounts
for each row execute function make_lane();

insert into lanes (grant_id, team_id, platform)
select grant_id, team_id, platform from social_accounts
on conflict (grant_id, team_id) do nothing;
