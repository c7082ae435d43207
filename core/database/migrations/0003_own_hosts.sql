-- Base URLs of the server that an account is on, where a platform has many: by the names of the adapter's hosts.
alter table grants add column hosts jsonb not null default '{}';
