alter table offerings drop constraint offerings_state_check, add constraint offerings_state_check check (state in ('PLANNED', 'OPEN', 'MOVED', 'CANCELLED'));

-- Seats of a class set aside for a country. What is nominal is decided here, under the lock on the offering's row; what is held after returns, swaps and openings is decided in enrollment and told by event.
create table quotas (
    offering_id uuid not null references offerings (id),
    country text not null check (country ~ '^[A-Z]{3}$'),
    nominal int not null check (nominal >= 0),
    opens_on date,
    held int not null check (held >= 0),
    opened boolean not null default false,
    -- The version of enrollment's record of the class's seats that told it; 0 = none has.
    told_version bigint not null default 0,
    primary key (offering_id, country)
);

create index quotas_by_country on quotas (country, offering_id);

create table quota_entries (
    seq bigint generated always as identity primary key,
    offering_id uuid not null references offerings (id),
    country text not null check (country ~ '^[A-Z]{3}$'),
    cause text not null check (cause in ('ALLOCATED', 'RETURNED', 'SWAPPED', 'OPENED')),
    change int not null,
    held int not null check (held >= 0),
    reason text not null check (char_length(reason) <= 500),
    recorded_at timestamptz not null default now()
);

create index quota_entries_by_offering on quota_entries (offering_id, seq);

create function refuse_change() returns trigger language plpgsql as $body$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end
$body$;

create trigger quota_entries_append_only before update or delete or truncate on quota_entries for each statement execute function refuse_change();
revoke update, delete, truncate on quota_entries from imet_catalog;

-- Seats taken, for display, as enrollment's events tell: one row for each line that was ever told of, so that a late or repeated event changes nothing, and their sums.
-- No reference to offerings: what is told may be of a class that a restored database does not have.
create table line_seats (
    line_id uuid primary key,
    offering_id uuid not null,
    country text not null,
    seats int not null check (seats >= 0),
    version bigint not null
);

create table country_seats (
    offering_id uuid not null,
    country text not null,
    taken int not null check (taken >= 0),
    primary key (offering_id, country)
);

-- Also the row under whose lock the events of a class are counted one after the other.
create table offering_seats (
    offering_id uuid primary key,
    taken int not null default 0 check (taken >= 0),
    -- Set aside for countries and not yet taken by them.
    reserved int not null default 0 check (reserved >= 0),
    as_of timestamptz
);
