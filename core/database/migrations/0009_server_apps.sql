-- Apps that we registered by ourselves, on platforms of many servers: one for each server and organization.
create table server_apps (
    id               uuid primary key,
    organization_id  uuid not null references organizations,
    platform         text not null,
    hosts            jsonb not null,
    server           text not null generated always as (coalesce(hosts->>'api', '')) stored,
    -- Our own address when it was registered: the redirect URI begins with it, and ends with the id.
    home             text not null,
    client_id        text not null,
    client_secret    bytea not null,
    created_at       timestamptz not null default now()
);
create index on server_apps (organization_id, platform, server, created_at);
