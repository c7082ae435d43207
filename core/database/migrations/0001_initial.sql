-- The first schema. Runs on PostgreSQL 15 and later; identifiers are UUIDv7 made by the program.

create table organizations (
    id          uuid primary key,
    name        text not null,
    avatar_url  text,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now()
);

create table teams (
    id               uuid primary key,
    organization_id  uuid not null references organizations,
    name             text not null,
    avatar_url       text,
    -- What happens when an unclear post is not on the platform after the last look: tried again, or left to a person.
    when_not_found   text not null default 'retry' check (when_not_found in ('retry', 'review')),
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now(),
    deleted_at       timestamptz
);
create index on teams (organization_id);

-- Keys are shown once and kept as a SHA-256 of their 256 random bits: enough where there is nothing to guess.
-- One without an organization is a platform admin's. One is for the whole organization, for a team, or for accounts.
create table api_keys (
    id                  uuid primary key,
    organization_id     uuid references organizations,
    name                text not null,
    prefix              text not null,
    hash                bytea not null unique,
    scopes              text[] not null check (cardinality(scopes) > 0),
    team_id             uuid references teams,
    social_account_ids  uuid[] check (cardinality(social_account_ids) > 0),
    created_at          timestamptz not null default now(),
    expires_at          timestamptz,
    last_used_at        timestamptz,
    revoked_at          timestamptz,
    check (team_id is null or social_account_ids is null),
    check (case when organization_id is null then scopes = '{admin}' and team_id is null and social_account_ids is null
                else scopes <@ array['read', 'write', 'destructive'] end)
);
create index on api_keys (organization_id);

-- The master keys that were ever used, each with a value by which a wrong one is told; the keys stand elsewhere.
create table vault_keys (
    version      bigint primary key,
    check_value  bytea not null,
    created_at   timestamptz not null default now()
);

-- What an operator registered with a platform, where an organization brings its own; grants name it by its id. One that
-- was replaced is kept for the grants that were given to it.
create table apps (
    id               uuid primary key,
    organization_id  uuid not null references organizations,
    platform         text not null,
    client_id        text not null,
    client_secret    bytea not null,
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now(),
    retired_at       timestamptz,
    unique (organization_id, platform, client_id)
);
create unique index on apps (organization_id, platform) where retired_at is null;

-- What an end user once allowed one app on one platform. Tokens, quota windows and the uniqueness of what was
-- published hang here, so that two teams which share an account share these too.
create table grants (
    id                  uuid primary key,
    platform            text not null,
    app                 text not null,
    external_user       text not null,
    -- Null when no account uses the grant any more.
    access_token        bytea,
    refresh_token       bytea,
    token_version       bigint not null default 1,
    issued_at           timestamptz not null default now(),
    expires_at          timestamptz,
    refresh_expires_at  timestamptz,
    scopes              text[] not null default '{}',
    state               text not null default 'live' check (state in ('live', 'at_risk', 'needs_reauth', 'released')),
    -- Why it is not live, as a failure.
    reason              jsonb,
    -- The refresh as an armed row: whoever takes it gets a lease and a fence; the tokens are set by version alone, so
    -- that whoever has a newer answer of the platform is heard. `refresh_unclear` is set with the take and taken back
    -- when it is known what became of it: while it stands, the refresh token may have been used up.
    refresh_due_at      timestamptz,
    refresh_lease_until timestamptz,
    refresh_fence       bigint not null default 0,
    refresh_unclear     boolean not null default false,
    refresh_failures    int not null default 0,
    -- The version of tokens that the platform refused last: a refresh answers that, and is not repeated at once.
    refused_version     bigint not null default 0,
    -- Quotas that the platform told of this very account.
    quotas              jsonb not null default '[]',
    created_at          timestamptz not null default now(),
    updated_at          timestamptz not null default now(),
    unique (platform, app, external_user)
);
create index grants_refresh on grants (refresh_due_at) where refresh_due_at is not null;
create index grants_ending on grants (expires_at) where state in ('live', 'at_risk');

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
    -- The channel that was chosen, on platforms where an account publishes to one.
    channel_id       text,
    facts            jsonb not null default '{}',
    -- Calls to the platform that a client asked for, since when, so that they can be bounded.
    asked            int not null default 0,
    asked_since      timestamptz,
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now(),
    disconnected_at  timestamptz,
    unique (team_id, grant_id)
);
create index on social_accounts (team_id, platform) where disconnected_at is null;
create index on social_accounts (grant_id) where disconnected_at is null;

-- A link that lets whoever has it connect accounts to a team; kept as a SHA-256 of its 256 random bits. One made for
-- a single platform leads there at once.
create table connect_links (
    id               uuid primary key,
    organization_id  uuid not null references organizations,
    team_id          uuid not null references teams,
    hash             bytea not null unique,
    platforms        text[] not null,
    redirect_url     text,
    options          jsonb not null default '{}',
    -- A direct link connects one account and is spent then; a portal's is good until it expires.
    direct           boolean not null,
    created_at       timestamptz not null default now(),
    expires_at       timestamptz not null,
    used_at          timestamptz
);
create index on connect_links (expires_at);

-- One way to a platform and back: good once, for a while, and in the browser that began it. `state` and `browser` are
-- kept as hashes, the proof key sealed.
create table sign_ins (
    id               uuid primary key,
    organization_id  uuid not null references organizations,
    team_id          uuid not null references teams,
    link_id          uuid not null references connect_links on delete cascade,
    platform         text not null,
    app              text not null,
    state            bytea not null unique,
    browser          bytea not null,
    verifier         bytea not null,
    created_at       timestamptz not null default now(),
    expires_at       timestamptz not null,
    used_at          timestamptz
);
create index on sign_ins (expires_at);
create index on sign_ins (link_id);

-- One queue for each team at each grant; virtual_time orders them so that turns are fair.
create table lanes (
    id            bigint generated always as identity primary key,
    grant_id      uuid not null references grants,
    team_id       uuid not null references teams,
    platform      text not null,
    virtual_time  double precision not null default 0,
    -- When it is worthwhile to ask again for the platform's allowance, and the window that is used up.
    blocked_until timestamptz,
    blocked_by    text,
    unique (grant_id, team_id)
);
create index on lanes (blocked_until) where blocked_until is not null;

-- How far the turns of a platform have come: a lane that was idle begins here, and has saved nothing up.
create table turns (
    platform      text primary key,
    virtual_time  double precision not null default 0
);

-- Processes that live or lived a short while ago, and when they last used the allowance of an app (unix seconds).
create table processes (
    id        uuid primary key,
    worker    boolean not null,
    apps      jsonb not null default '{}',
    redis_at  timestamptz,
    beat_at   timestamptz not null default now(),
    left_at   timestamptz
);

-- What was spent of rate windows that are too long to be shut for their length when Redis has lost them.
create table window_uses (
    id          bigint generated always as identity primary key,
    name        text not null,
    calls       int not null,
    used_at     timestamptz not null default now(),
    expires_at  timestamptz not null
);
create index on window_uses (name, used_at);
create index on window_uses (expires_at);

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
    -- What else the probe found, such as codecs and colours.
    details          jsonb not null default '{}',
    alt_text         text,
    file_name        text,
    storage_key      text not null,
    created_at       timestamptz not null default now(),
    -- Also when the same content came in once more: an upload that nobody uses expires by it.
    updated_at       timestamptz not null default now(),
    unique (team_id, sha256)
);
create index on uploads (updated_at);

-- A picture made to fit a platform, by its recipe; made once for each content of a team.
create table renditions (
    upload_id    uuid not null references uploads on delete cascade,
    recipe       text not null,
    mime         text not null,
    extension    text not null,
    bytes        bigint not null,
    width        int not null,
    height       int not null,
    storage_key  text not null,
    primary key (upload_id, recipe)
);

-- A file that is to come by itself, straight to where files lie; once it is taken in, the upload that it became.
create table upload_slots (
    id               uuid primary key,
    organization_id  uuid not null references organizations,
    team_id          uuid not null references teams,
    file_name        text,
    bytes            bigint,
    alt_text         text,
    upload_id        uuid references uploads on delete set null,
    -- What lies there and is not taken in yet; it counts against the team's quota.
    staged           bigint not null default 0,
    expires_at       timestamptz not null
);
create index on upload_slots (expires_at);
create index on upload_slots (team_id);

-- Stored files that no row stands for: written down before a file is stored or its row goes, so that a crash
-- between the two leaves nothing for ever.
create table leavings (
    storage_key  text primary key,
    created_at   timestamptz not null default now()
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
    -- How many calls of which category publishing takes.
    calls              jsonb not null default '{}',
    state              text not null check (state in
        ('scheduled', 'queued', 'publishing', 'published', 'deferred', 'retrying', 'processing', 'unconfirmed',
         'needs_review', 'failed', 'cancelled')),
    due_at             timestamptz not null,
    -- Its place in the lane: when it was due at first, however often it was put off since.
    turn_at            timestamptz not null,
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
create index deliveries_waiting on deliveries (lane_id, turn_at)
    where state in ('scheduled', 'deferred', 'retrying');
create index deliveries_stale on deliveries (expires_at)
    where state in ('scheduled', 'deferred', 'retrying');
create index deliveries_queued on deliveries (due_at) where state = 'queued';
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

-- How far the events of a subject have come, where that is no post: those count for themselves.
create table event_subjects (
    id               uuid primary key,
    organization_id  uuid not null references organizations,
    sequence         bigint not null
);

-- What happened. `id` is identity, `sequence` the order within a subject; `transaction_id` makes a feed commit-safe, and
-- `number` is the order within a transaction. One of the organization as a whole has no team.
create table events (
    id               uuid primary key,
    organization_id  uuid not null references organizations,
    team_id          uuid references teams,
    type             text not null,
    -- What bundle.social calls it, if it knows such a thing.
    vendor_type      text,
    version          int not null default 1,
    platforms        text[] not null default '{}',
    subject          uuid not null,
    sequence         bigint not null,
    data             jsonb not null,
    created_at       timestamptz not null default now(),
    transaction_id   xid8 not null default pg_current_xact_id(),
    number           bigint generated always as identity,
    unique (subject, sequence)
);
create index on events (organization_id, transaction_id, number);
create index on events (created_at);

-- Empty lists stand for everything. `failures` are those in a row, settled together counting once; while there are
-- some, `retry_at` is when the endpoint is tried again.
create table webhook_endpoints (
    id                 uuid primary key,
    organization_id    uuid not null references organizations,
    team_id            uuid references teams,
    url                text not null,
    description        text not null default '',
    secret             bytea not null,
    -- The secret before this one, valid beside it for a while.
    previous_secret    bytea,
    previous_until     timestamptz,
    event_types        text[] not null default '{}',
    platforms          text[] not null default '{}',
    team_ids           uuid[] not null default '{}',
    format             text not null default 'fingerpost' check (format in ('fingerpost', 'bundle.social')),
    ordered            boolean not null default false,
    failures           int not null default 0,
    failing_since      timestamptz,
    failed_at          timestamptz,
    retry_at           timestamptz,
    created_at         timestamptz not null default now(),
    updated_at         timestamptz not null default now(),
    disabled_at        timestamptz,
    disabled_reason    text check (disabled_reason in ('gone', 'failing', 'owner', 'team_deleted')),
    check ((previous_secret is null) = (previous_until is null))
);
create index on webhook_endpoints (organization_id);

-- Whether an endpoint of the event's organization wants to hear of it.
create function endpoint_wants(w webhook_endpoints, e events) returns boolean immutable language sql as $$
    select e.type <> 'webhook_endpoint.test'
       and coalesce(w.team_id is null or w.team_id = e.team_id, false)
       and coalesce(w.team_ids = '{}' or e.team_id = any(w.team_ids), false)
       and (w.platforms = '{}' or e.platforms = '{}' or w.platforms && e.platforms)
       and case when w.format = 'fingerpost' then w.event_types = '{}' or e.type = any(w.event_types)
                else e.vendor_type is not null and (w.event_types = '{}' or e.vendor_type = any(w.event_types)) end
$$;

-- What is locked by whoever adds to, or takes from, the events of one subject that wait in order.
create function ordered_turn(endpoint_id uuid, subject uuid) returns bigint immutable language sql as $$
    select hashtextextended(endpoint_id::text || subject::text, 0)
$$;

-- The outbox: one row for each event and endpoint that wants it, written with the event itself. One that is `behind`
-- waits until what came before it at an ordered endpoint has ended. `attempts` are the tries that count against the
-- policy; `fence` counts all of them, and is the number of each in the log.
create table webhook_messages (
    id                 uuid primary key,
    organization_id    uuid not null references organizations,
    endpoint_id        uuid not null references webhook_endpoints on delete cascade,
    event_id           uuid not null references events,
    subject            uuid not null,
    sequence           bigint not null,
    previous_sequence  bigint,
    -- What is sent, where that is more than the event itself says.
    body               text,
    state              text not null default 'waiting' check (state in ('waiting', 'behind', 'delivered', 'failed')),
    due_at             timestamptz not null default now(),
    fence              bigint not null default 0,
    lease_until        timestamptz,
    attempts           int not null default 0,
    http_status        int,
    error              text,
    created_at         timestamptz not null default now(),
    delivered_at       timestamptz,
    unique (endpoint_id, subject, sequence)
);
create index on webhook_messages (event_id);
create index on webhook_messages (endpoint_id, created_at, id);
create index webhook_messages_lanes on webhook_messages (endpoint_id, due_at) where state = 'waiting';
create index webhook_messages_leased on webhook_messages (endpoint_id) where lease_until is not null;
create index webhook_messages_behind on webhook_messages (endpoint_id, subject, sequence) where state = 'behind';

-- One try to send a message, written when it has ended; `answer` is the first of what the endpoint said.
create table webhook_attempts (
    message_id   uuid not null references webhook_messages on delete cascade,
    fence        bigint not null,
    started_at   timestamptz not null,
    seconds      double precision not null,
    http_status  int,
    error        text,
    answer       text,
    primary key (message_id, fence)
);

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
