-- What tells whether two deliveries would send the same: the block, and what the shared part may have put in.
create function delivery_fingerprint(block jsonb, title text, content jsonb) returns bytea immutable language sql as $$
    select sha256(convert_to(jsonb_build_array(
        block, title, content->'text', content->'link', content->'uploadIds', content->'mediaUrls', content->'altText'
    )::text, 'UTF8'))
$$;
