-- Who has a message in hand, so that it is not waited for once that process is gone.
create sequence presences as int cycle;

alter table webhook_messages add column holder int;
