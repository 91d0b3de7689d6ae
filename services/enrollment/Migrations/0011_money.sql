-- What a line costs now, in the currency of its price: the price while it holds or used a seat, the charge less what was reversed where it did not run to its end, else nothing. Spending.cs says so; sums are made of it.
alter table training_lines
    add cost numeric(28,9) not null default 0 check (cost >= 0),
    -- imet.enrollment.v1.CancellationCharge, with all that it was worked out from.
    add charge bytea;

create index lines_by_money on training_lines (country, fiscal_year, line_id);

create table allocations (
    allocation_id uuid primary key,
    country text not null check (country ~ '^[A-Z]{3}$'),
    program text not null,
    fiscal_year integer not null check (fiscal_year between 1976 and 2199),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    ceiling numeric(28,9) not null check (ceiling >= 0),
    committed numeric(28,9) not null check (committed >= 0),
    document text not null,
    version bigint not null,
    digest bytea not null check (length(digest) = 32),
    changed_at timestamptz not null,
    constraint allocations_unique unique (country, program, fiscal_year)
);

-- The database itself holds that no ceiling is overspent, whichever way a line came to cost more.
create function refuse_overspending() returns trigger language plpgsql as $body$
begin
    raise exception 'ceiling=% committed=% asked=%', trim_scale(new.ceiling), trim_scale(old.committed), trim_scale(new.committed - old.committed)
        using errcode = 'check_violation', constraint = 'ceilings_never_overspent', table = 'allocations';
end
$body$;

create trigger ceilings_never_overspent before update on allocations
    for each row when (new.committed > new.ceiling and (new.committed > old.committed or new.ceiling < old.ceiling)) execute function refuse_overspending();

-- Seats that forfeited lines gave up, one row a seat, with its part of the charge: refilled the oldest first.
create table freed_seats (
    line_id uuid not null references training_lines,
    seat integer not null check (seat > 0),
    offering_id uuid not null references offerings,
    amount numeric(28,9) not null check (amount >= 0),
    freed_at timestamptz not null,
    refilled_at timestamptz,
    primary key (line_id, seat)
);

create index freed_seats_open on freed_seats (offering_id, freed_at, line_id, seat) where refilled_at is null;
