-- What people have done on platforms beside publishing, and the figures that platforms tell.

-- One thing that a client asked for on a platform: a board renamed, a published post taken away. The row is the lane as
-- well: of an `object` (a channel, a live post) there is one open row at a time, so writes to it never interleave. Like
-- an attempt it is armed before the point of no return, and what becomes of it is never guessed.
create table changes (
    id                 uuid primary key,
    organization_id    uuid not null references organizations,
    team_id            uuid not null references teams,
    social_account_id  uuid not null references social_accounts,
    grant_id           uuid not null references grants,
    delivery_id        uuid references deliveries on delete cascade,
    api_key_id         uuid references api_keys,
    kind               text not null,
    object             text not null,
    request            jsonb not null default '{}',
    started_at         timestamptz not null default clock_timestamp(),
    lease_until        timestamptz not null,
    armed_at           timestamptz,
    ended_at           timestamptz,
    outcome            text check (outcome in ('done', 'refused', 'unclear')),
    -- Whether it was the platform's answer, or seen by looking.
    looked             boolean not null default false,
    result             jsonb,
    error              jsonb,
    check ((ended_at is null) = (outcome is null))
);
create unique index changes_open on changes (grant_id, object) where ended_at is null;
create index on changes (grant_id, object, started_at desc);
create index on changes (delivery_id) where delivery_id is not null;

-- When a published post was taken off its platform, as far as we know.
alter table deliveries add column removed_at timestamptz;

-- When the channels were read last.
alter table social_accounts add column channels_at timestamptz;

-- What a platform told of a delivery, or of the account as a whole, at one moment.
create table figures (
    id                 uuid primary key,
    organization_id    uuid not null references organizations,
    social_account_id  uuid not null references social_accounts,
    delivery_id        uuid references deliveries on delete cascade,
    told               jsonb not null,
    created_at         timestamptz not null default now()
);
create index on figures (delivery_id, created_at desc) where delivery_id is not null;
create index on figures (social_account_id, created_at desc) where delivery_id is null;
