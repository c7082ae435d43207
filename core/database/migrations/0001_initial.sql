-- The first schema. Runs on PostgreSQL 15 and later; identifiers are UUIDv7 made by the program.

create table organizations (
    id          uuid primary key,
    name        text not null,
    created_at  timestamptz not null default now()
);

create table teams (
    id               uuid primary key,
    organization_id  uuid not null references organizations,
    name             text not null,
    -- What happens when an unclear post is not on the platform after the last look: tried again, or left to a person.
    when_not_found   text not null default 'retry' check (when_not_found in ('retry', 'review')),
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now()
);
create index on teams (organization_id);

-- Keys are shown once and kept as a SHA-256 of their 256 random bits: enough where there is nothing to guess.
create table api_keys (
    id               uuid primary key,
    organization_id  uuid not null references organizations,
    name             text not null,
    prefix           text not null,
    hash             bytea not null unique,
    created_at       timestamptz not null default now(),
    expires_at       timestamptz,
    revoked_at       timestamptz
);

-- What an end user once allowed one app on one platform. Tokens, quota windows and the uniqueness of what was
-- published hang here, so that two teams which share an account share these too.
create table grants (
    id               uuid primary key,
    platform         text not null,
    app              text not null,
    external_user    text not null,
    access_token     bytea not null,
    refresh_token    bytea,
    token_version    bigint not null default 1,
    expires_at       timestamptz,
    scopes           text[] not null default '{}',
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now(),
    unique (platform, app, external_user)
);

create table social_accounts (
    id               uuid primary key,
    organization_id  uuid not null references organizations,
    team_id          uuid not null references teams,
    grant_id         uuid not null references grants,
    platform         text not null,
    username         text not null,
    display_name     text not null,
    avatar_url       text,
    channels         jsonb not null default '[]',
    facts            jsonb not null default '{}',
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now(),
    disconnected_at  timestamptz,
    unique (team_id, grant_id)
);
create index on social_accounts (team_id, platform) where disconnected_at is null;

-- One queue for each team at each grant; virtual_time orders them so that turns are fair.
create table lanes (
    id            bigint generated always as identity primary key,
    grant_id      uuid not null references grants,
    team_id       uuid not null references teams,
    platform      text not null,
    virtual_time  double precision not null default 0,
    unique (grant_id, team_id)
);

-- How far the turns of a platform have come: a lane that was idle begins here, and has saved nothing up.
create table turns (
    platform      text primary key,
    virtual_time  double precision not null default 0
);

-- A platform in trouble: while it is open, one delivery a minute asks whether it is back.
create table breakers (
    platform    text primary key,
    failures    int not null default 0,
    opened_at   timestamptz,
    probe_at    timestamptz
);

create table uploads (
    id               uuid primary key,
    organization_id  uuid not null references organizations,
    team_id          uuid not null references teams,
    kind             text not null check (kind in ('image', 'video', 'document')),
    mime             text not null,
    extension        text not null,
    bytes            bigint not null,
    sha256           bytea not null,
    width            int,
    height           int,
    seconds          double precision,
    file_name        text,
    storage_key      text not null,
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now(),
    unique (team_id, sha256)
);

create table posts (
    id               uuid primary key,
    organization_id  uuid not null references organizations,
    team_id          uuid not null references teams,
    title            text not null,
    reference_key    text,
    post_date        timestamptz not null,
    status           text not null check (status in
        ('DRAFT', 'SCHEDULED', 'POSTED', 'ERROR', 'DELETED', 'PROCESSING', 'REVIEW', 'RETRYING')),
    platforms        text[] not null,
    content          jsonb not null,
    event_sequence   bigint not null default 0,
    posted_at        timestamptz,
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now(),
    deleted_at       timestamptz
);
create index on posts (team_id, created_at desc, id desc);
create index on posts (team_id, post_date, id);
create unique index on posts (team_id, reference_key) where reference_key is not null and deleted_at is null;

create table post_uploads (
    post_id    uuid not null references posts on delete cascade,
    upload_id  uuid not null references uploads,
    primary key (post_id, upload_id)
);
create index on post_uploads (upload_id);

-- One post at one social account. `fence` counts the takes: an outcome is only written by the newest.
create table deliveries (
    id                 uuid primary key,
    organization_id    uuid not null references organizations,
    team_id            uuid not null references teams,
    post_id            uuid not null references posts,
    social_account_id  uuid not null references social_accounts,
    grant_id           uuid not null references grants,
    lane_id            bigint not null references lanes,
    platform           text not null,
    position           int not null,
    block              jsonb not null,
    fingerprint        bytea not null,
    state              text not null check (state in
        ('scheduled', 'queued', 'publishing', 'published', 'deferred', 'retrying', 'processing', 'unconfirmed',
         'needs_review', 'failed', 'cancelled')),
    due_at             timestamptz not null,
    expires_at         timestamptz not null,
    fence              bigint not null default 0,
    lease_until        timestamptz,
    attempts           int not null default 0,
    failures           int not null default 0,
    looks              int not null default 0,
    armed_at           timestamptz,
    steps              jsonb not null default '{}',
    pending            jsonb,
    external_id        text,
    permalink          text,
    published_at       timestamptz,
    -- Whether the platform itself answered with the id, or it was found by looking.
    certain            boolean not null default true,
    error              jsonb,
    created_at         timestamptz not null default now(),
    updated_at         timestamptz not null default now(),
    check ((state = 'publishing') <= (lease_until is not null)),
    check ((state = 'published' and certain) <= (external_id is not null))
);
create index on deliveries (post_id);
create index on deliveries (grant_id, fingerprint) where state = 'publishing';
create unique index on deliveries (grant_id, external_id) where external_id is not null;
-- Only what waits is in these two: they stay small whatever the history.
create index deliveries_waiting on deliveries (lane_id, due_at)
    where state in ('scheduled', 'deferred', 'retrying');
create index deliveries_ready on deliveries (platform, due_at)
    where state in ('queued', 'publishing', 'processing', 'unconfirmed');
create index deliveries_due on deliveries (due_at)
    where state in ('scheduled', 'deferred', 'retrying', 'processing', 'unconfirmed');
create index deliveries_leased on deliveries (lease_until) where lease_until is not null;

-- The moves between states, as the program has them; every other is refused, whoever asks.
create table delivery_moves (
    before  text not null,
    after   text not null,
    primary key (before, after)
);
insert into delivery_moves (before, after)
select before, unnest(string_to_array(afters, ' ')) from (values
    ('scheduled', 'queued deferred cancelled failed'),
    ('queued', 'publishing scheduled deferred cancelled failed'),
    ('publishing', 'published deferred retrying processing unconfirmed needs_review failed queued'),
    ('deferred', 'queued scheduled cancelled failed'),
    ('retrying', 'queued scheduled cancelled failed'),
    ('processing', 'publishing'),
    ('unconfirmed', 'published processing retrying needs_review failed'),
    ('needs_review', 'published retrying failed'),
    ('published', 'unconfirmed'),
    ('failed', 'retrying')
) as m(before, afters);

create function refuse_illegal_move() returns trigger language plpgsql as $$
begin
    if not exists (select from delivery_moves where before = old.state and after = new.state) then
        raise exception 'a delivery cannot go from % to %', old.state, new.state using errcode = 'check_violation';
    end if;
    return new;
end
$$;

create trigger legal_moves_only before update of state on deliveries
for each row when (old.state is distinct from new.state) execute function refuse_illegal_move();

-- One try to publish, or one look at the platform; written before the point of no return (`armed_at`).
create table attempts (
    delivery_id    uuid not null references deliveries on delete cascade,
    fence          bigint not null,
    kind           text not null check (kind in ('publish', 'resume', 'look')),
    started_at     timestamptz not null default clock_timestamp(),
    armed_at       timestamptz,
    ended_at       timestamptz,
    outcome        text,
    code           text,
    message        text,
    hint           text,
    platform_code  text,
    http_status    int,
    answer         text,
    next_state     text,
    next_at        timestamptz,
    primary key (delivery_id, fence)
);

-- What was answered under a client's idempotency key: written with the post itself.
create table idempotency_keys (
    organization_id  uuid not null references organizations,
    route            text not null,
    key              text not null,
    digest           bytea not null,
    post_id          uuid not null,
    answer           jsonb,
    created_at       timestamptz not null default now(),
    primary key (organization_id, route, key)
);
create index on idempotency_keys (created_at);

-- What happened. `id` is identity, `sequence` the order within a subject, `transaction_id` makes a feed commit-safe.
create table events (
    id               uuid primary key,
    organization_id  uuid not null references organizations,
    team_id          uuid not null references teams,
    type             text not null,
    subject          uuid not null,
    sequence         bigint not null,
    data             jsonb not null,
    created_at       timestamptz not null default now(),
    transaction_id   xid8 not null default pg_current_xact_id(),
    unique (subject, sequence)
);
create index on events (organization_id, transaction_id, id);

create table webhook_endpoints (
    id               uuid primary key,
    organization_id  uuid not null references organizations,
    team_id          uuid references teams,
    url              text not null,
    secret           bytea not null,
    event_types      text[] not null default '{}',
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now(),
    disabled_at      timestamptz
);
create index on webhook_endpoints (organization_id);

-- The outbox: one row for each event and endpoint that wants it, written with the event itself.
create table webhook_messages (
    id                 uuid primary key,
    organization_id    uuid not null references organizations,
    endpoint_id        uuid not null references webhook_endpoints on delete cascade,
    event_id           uuid not null references events,
    previous_sequence  bigint,
    state              text not null default 'waiting' check (state in ('waiting', 'delivered', 'failed')),
    due_at             timestamptz not null default now(),
    fence              bigint not null default 0,
    lease_until        timestamptz,
    attempts           int not null default 0,
    http_status        int,
    error              text,
    created_at         timestamptz not null default now(),
    delivered_at       timestamptz,
    unique (endpoint_id, event_id)
);
create index webhook_messages_lanes on webhook_messages (endpoint_id, due_at) where state = 'waiting';
create index webhook_messages_leased on webhook_messages (endpoint_id) where lease_until is not null;

-- The word a client reads for a post, from the states of its deliveries.
create function post_status(states text[]) returns text immutable language sql as $$
    select case
        when states && array['queued', 'publishing', 'processing'] then 'PROCESSING'
        when states && array['retrying', 'deferred', 'unconfirmed'] then 'RETRYING'
        when states && array['needs_review'] then 'PROCESSING'
        when states && array['scheduled'] then
            case when states <@ array['scheduled', 'cancelled'] then 'SCHEDULED' else 'PROCESSING' end
        when states && array['failed'] then 'ERROR'
        when states && array['published'] then 'POSTED'
        else 'DELETED'
    end
$$;
