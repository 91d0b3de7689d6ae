alter table offering_versions drop constraint offering_versions_state_check, add constraint offering_versions_state_check check (state in ('PLANNED', 'OPEN', 'MOVED', 'CANCELLED'));
alter table offerings drop constraint offerings_state_check, add constraint offerings_state_check check (state in ('PLANNED', 'OPEN', 'MOVED', 'CANCELLED')),
    -- Rises with each change of the quotas and each report about the class; who takes or frees a seat leaves it.
    add seats_version bigint not null default 0 check (seats_version >= 0);

-- Seats of a class set aside for a country. Whoever reads or writes a row here holds the lock on the class's row in offerings.
create table quotas (
    offering_id uuid not null references offerings,
    country text not null check (country ~ '^[A-Z]{3}$'),
    -- As the catalogue last allocated.
    nominal integer not null check (nominal >= 0),
    -- The country's now, after returns and swaps.
    held integer not null check (held >= 0),
    -- By the country's lines, within the quota or beyond.
    taken integer not null check (taken >= 0),
    opens_on date,
    -- The deadline has passed: what is not taken is anybody's.
    opened boolean not null default false,
    primary key (offering_id, country)
);

-- Who waits for a seat, or has one offered. A row lives as long as its line is WAITLISTED or OFFERED.
create table waitlist (
    line_id uuid primary key references training_lines,
    offering_id uuid not null references offerings,
    country text not null check (country ~ '^[A-Z]{3}$'),
    headcount integer not null check (headcount > 0),
    priority integer not null check (priority between 1 and 9),
    since timestamptz not null,
    -- Could not be served when seats were last offered: newcomers need not wait behind it. Whatever frees a seat makes it count again.
    passed_over boolean not null default false,
    expires_at timestamptz
);

create index waitlist_by_offering on waitlist (offering_id, priority, since, line_id);

create index line_holds_by_other_line on line_holds (source_id) where cause = 'DATE_CONFLICT';
