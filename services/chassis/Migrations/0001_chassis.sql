-- Tables that every service has, in its own schema. The runtime role gets rows of every table made here or later, and no more;
-- a house takes rights away again where a table may only grow.
do $$
begin
    execute format('alter default privileges in schema %I grant select, insert, update, delete on tables to %I', current_schema(), 'imet_' || current_schema());
    execute format('alter default privileges in schema %I grant usage, select on sequences to %I', current_schema(), 'imet_' || current_schema());
    execute format('alter default privileges in schema %I grant execute on functions to %I', current_schema(), 'imet_' || current_schema());
    alter default privileges revoke execute on functions from public;
end $$;

create table settings (
    name text primary key,
    value bytea not null,
    recorded_at timestamptz not null default now()
);

-- What was answered to a request, kept so that the same request gets the same answer.
create table request_log (
    caller text not null,
    method text not null,
    request_id uuid not null,
    request_hash bytea not null check (octet_length(request_hash) = 32),
    -- Set where the request held personal data: without it the hash of a name could be found by trying names.
    salt bytea check (octet_length(salt) = 16),
    response bytea not null,
    recorded_at timestamptz not null default now(),
    primary key (caller, method, request_id)
) partition by hash (request_id);

do $$
begin
    for i in 0..15 loop
        execute format('create table request_log_%s partition of request_log for values with (modulus 16, remainder %s)', to_char(i, 'FM00'), i);
    end loop;
end $$;

create index request_log_recorded_at on request_log using brin (recorded_at);

-- Waits for a twin of this request that is still running, then looks with a new snapshot for its answer. A function because the planner,
-- left alone, plans this look-up over 16 partitions anew at each call, which made it 1.7 times as dear.
create function request_claim(of_caller text, of_method text, of_request_id uuid, lock bigint)
    returns table (request_hash bytea, salt bytea, response bytea)
    language plpgsql set plan_cache_mode = force_generic_plan
as $$
begin
    perform pg_advisory_xact_lock(lock);
    return query
        select l.request_hash, l.salt, l.response from request_log l
        where l.caller = of_caller and l.method = of_method and l.request_id = of_request_id;
end $$;

-- Events: written with the change they tell of, numbered and sent by the one active relay, kept as the log.
create table outbox (
    id uuid not null,
    -- Drawn under the lock on the aggregate's row, so within an aggregate it follows the order of commits; across aggregates it says nothing.
    seq bigint generated always as identity,
    aggregate text not null,
    aggregate_id text not null,
    aggregate_version bigint not null check (aggregate_version > 0),
    country text not null,
    type text not null,
    routing_key text not null check (octet_length(routing_key) <= 255),
    body text not null check (octet_length(body) <= 1048576),
    recorded_at timestamptz not null default now(),
    position bigint,
    published_at timestamptz,
    unrouted boolean not null default false,
    attempts integer not null default 0,
    last_error text,
    primary key (id),
    check (published_at is null or position is not null),
    check (not unrouted or published_at is not null)
) partition by range (id);

-- The relay reads by this alone: what has no position in the order of seq, what has one in the order of position.
create index outbox_pending on outbox (position, seq) where published_at is null;
create index outbox_position on outbox (position) where position is not null;

-- Takes what no month's partition takes: the service goes on when nobody made one in time, or a clock is far off.
create table outbox_default partition of outbox default;
create unique index outbox_default_version on outbox_default (aggregate, aggregate_id, aggregate_version, country);

-- The smallest UUIDv7 of an instant.
create function outbox_bound(at timestamptz) returns uuid language sql immutable as $$
    select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- Makes the partitions of this month and the next two. It runs with the owner's rights, because the relay, which calls it, may not create tables.
-- A version occurs once for each country within a month's partition (and the default one): a unique index over all would have to hold the id.
create function outbox_extend() returns void language plpgsql security definer set search_path from current set lock_timeout = '2s' as $$
declare
    first timestamp;
    name text;
    low uuid;
    high uuid;
begin
    for ahead in 0..2 loop
        first := date_trunc('month', now() at time zone 'utc') + make_interval(months => ahead);
        name := 'outbox_' || to_char(first, 'YYYY_MM');
        low := outbox_bound(first at time zone 'utc');
        high := outbox_bound((first + interval '1 month') at time zone 'utc');
        continue when to_regclass(name) is not null or exists (select from outbox_default where id >= low and id < high);
        execute format('create table %I partition of outbox for values from (%L) to (%L)', name, low, high);
        execute format('create unique index %I on %I (aggregate, aggregate_id, aggregate_version, country)', name || '_version', name);
    end loop;
end $$;

select outbox_extend();

create table outbox_state (
    only_row boolean primary key default true check (only_row),
    position bigint not null default 0,
    -- Changed by a restore: positions given before it may be given again to other events.
    epoch uuid not null default gen_random_uuid(),
    beat bigint not null default 0
);

insert into outbox_state default values;

-- Events received, so that a second delivery changes nothing.
create table inbox (
    consumer text not null,
    event_id uuid not null,
    received_at timestamptz not null default now(),
    primary key (consumer, event_id)
);

create index inbox_received_at on inbox using brin (received_at);

-- Work that must be done until it is: one row for each kind and key, however often it was asked for.
create table due_work (
    kind text not null,
    key text not null,
    due_at timestamptz not null,
    -- While a worker has it, and while it waits after a failure. What is asked for meanwhile goes to next_due_at and makes it run again.
    leased_until timestamptz,
    lease bigint not null default 0,
    next_due_at timestamptz,
    attempts integer not null default 0,
    last_error text,
    added_at timestamptz not null default now(),
    primary key (kind, key),
    check (next_due_at is null or leased_until is not null)
);

create index due_work_due_at on due_work (due_at);
