-- Called stable, they become part of the statement that calls them: what they call is no more than that itself, so that
-- PostgreSQL ran each as a statement of its own, for every delivery that is written.
alter function delivery_fingerprint(jsonb, text, jsonb) stable;
alter function account_stamp(uuid, xid, xid) stable;
