-- A breaker hangs on where calls go: on a platform of many servers each has its own; '' is the platform's usual one.
alter table grants add column server text not null generated always as (coalesce(hosts->>'api', '')) stored;
alter table breakers add column server text not null default '';
alter table breakers drop constraint breakers_pkey;
alter table breakers add primary key (platform, server);
