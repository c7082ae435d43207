-- Takes messages that are due, for `lease` seconds, where the sender `holder` has `places` free; a function, so that
-- what needs three statements costs a sender one round trip. What was taken is due again at its lease's end.
create function take_webhook_messages(each int, patience int, places int, lease float8, holder int)
returns table (
    id uuid, event_id uuid, organization_id uuid, team_id uuid, endpoint_id uuid, url text, format text,
    ordered boolean, body text, unwell boolean, sealed_secret bytea, sealed_previous bytea, fence bigint, attempts int,
    type text, version int, subject uuid, sequence bigint, previous_sequence bigint, data jsonb,
    happened_at timestamptz, taken_at timestamptz
) language plpgsql as $$
#variable_conflict use_column
declare
    lanes uuid[];
    disabled uuid[];
begin
    -- The endpoints with something to take, those with the least under way first; locked, so that each is taken from
    -- by one sender at a time. The walk from endpoint to endpoint touches one index entry each, however many messages
    -- wait. One that fails again and again is asked with one message at a time, ever more seldom, until it takes one.
    with recursive waiting as (
        (select endpoint_id from webhook_messages where state = 'waiting' order by endpoint_id limit 1)
        union all
        select (select m.endpoint_id from webhook_messages m
                where m.state = 'waiting' and m.endpoint_id > waiting.endpoint_id
                order by m.endpoint_id limit 1)
        from waiting where waiting.endpoint_id is not null
    ), held as materialized (
        select w.id, w.disabled_at is not null as disabled
        from waiting join webhook_endpoints w on w.id = waiting.endpoint_id
        cross join lateral (
            select count(*) as messages from webhook_messages m
            where m.endpoint_id = w.id and m.state = 'waiting' and m.lease_until > now()
        ) under_way
        cross join lateral (
            select m.due_at from webhook_messages m
            where m.endpoint_id = w.id and m.state = 'waiting'
            order by m.due_at limit 1
        ) first
        where case when w.disabled_at is not null then under_way.messages = 0
                   else greatest(first.due_at, w.retry_at) <= now()
                        and under_way.messages < case when w.failures >= patience then 1 else each end end
        order by under_way.messages, first.due_at
        limit places
        for no key update of w skip locked
    )
    select array_agg(h.id) filter (where not h.disabled), array_agg(h.id) filter (where h.disabled)
    into lanes, disabled
    from held h;

    -- Nobody is left to send these to.
    if disabled is not null then
        update webhook_messages m
        set state = 'failed', lease_until = null, error = 'The endpoint is switched off.'
        where m.endpoint_id = any(disabled) and m.state in ('waiting', 'behind')
          and (m.lease_until is null or m.lease_until <= now());
    end if;
    if lanes is null then
        return;
    end if;

    -- A statement of its own: only now, with the lanes locked, it sees what the last holder took. Endpoints take turns:
    -- the n-th message of one is taken while at least n places are free, its own included.
    return query
    with under_way as (
        select m.endpoint_id, count(*) as messages from webhook_messages m
        where m.endpoint_id = any(lanes) and m.state = 'waiting' and m.lease_until > now()
        group by m.endpoint_id
    ), ready as (
        select m.id, m.due_at, coalesce(u.messages, 0) + m.turn as turn
        from unnest(lanes) as lane(id)
        join webhook_endpoints w on w.id = lane.id
        left join under_way u on u.endpoint_id = lane.id
        cross join lateral (
            select d.id, d.due_at, row_number() over (order by d.due_at, d.event_id) as turn
            from (
                select id, due_at, event_id from webhook_messages
                where endpoint_id = lane.id and state = 'waiting' and due_at <= now()
                order by due_at
                limit greatest(0, case when w.failures >= patience then 1 else each end - coalesce(u.messages, 0))
                for update skip locked
            ) d
        ) m
    ), placed as (
        select id, turn, row_number() over (order by turn, due_at, id) as place from ready
    ), chosen as (
        select id, place from placed where turn + place <= places + 1 order by place limit places
    ), taken as (
        update webhook_messages m
        set fence = m.fence + 1, attempts = m.attempts + 1,
            lease_until = now() + lease * interval '1 second', due_at = now() + lease * interval '1 second',
            holder = take_webhook_messages.holder
        from chosen
        where m.id = chosen.id
        returning m.*, chosen.place
    )
    select t.id, t.event_id, t.organization_id, e.team_id, t.endpoint_id, w.url, w.format, w.ordered, t.body,
           w.failures > 0 or w.failing_since is not null, w.secret,
           case when w.previous_until > now() then w.previous_secret end, t.fence, t.attempts, e.type, e.version,
           e.subject, e.sequence, t.previous_sequence, e.data, e.created_at, clock_timestamp()
    from taken t
    join events e on e.id = t.event_id
    join webhook_endpoints w on w.id = t.endpoint_id
    order by t.place;
end
$$;
