-- What was found out about a person or a unit. Of several for one gate the last recorded counts; none is ever changed.
create table gate_results (
    result_id uuid primary key,
    country text not null check (country ~ '^[A-Z]{3}$'),
    gate text not null check (gate in ('LEAHY_PERSON', 'LEAHY_UNIT', 'SECURITY', 'ENGLISH', 'MEDICAL')),
    student_id uuid references students,
    unit_id uuid references units,
    passed boolean not null,
    decided_on date not null,
    valid_until date check (valid_until >= decided_on),
    ecl_score integer not null check (ecl_score between 0 and 100),
    opi_level text not null,
    document text not null,
    recorded_by text not null,
    recorded_at timestamptz not null default now(),
    constraint about_a_person_or_a_unit check (case gate when 'LEAHY_UNIT' then unit_id is not null and student_id is null else student_id is not null and unit_id is null end)
);

-- Ids are made in the order of time.
create index gate_results_by_student on gate_results (student_id, result_id desc) where student_id is not null;
create index gate_results_by_unit on gate_results (unit_id, result_id desc) where unit_id is not null;

create table english_exemptions (
    country text not null check (country ~ '^[A-Z]{3}$'),
    fiscal_year integer not null check (fiscal_year between 1976 and 2199),
    extent text not null check (extent in ('NONE', 'IN_COUNTRY', 'FULL')),
    document text not null,
    recorded_by text not null,
    recorded_at timestamptz not null default now(),
    primary key (country, fiscal_year, recorded_at)
);

-- One row for each paper: the orders themselves, their amendments, their revocation.
create table travel_orders (
    number text not null,
    amendment integer not null check (amendment >= 0),
    line_id uuid not null references training_lines,
    track_id uuid not null references tracks,
    country text not null check (country ~ '^[A-Z]{3}$'),
    change text not null check (change in ('ISSUED', 'AMENDED', 'REVOKED')),
    reason text not null,
    -- imet.enrollment.v1.GateReport: every gate as it was when the orders went out.
    gates bytea,
    actor text not null,
    recorded_at timestamptz not null default now(),
    primary key (number, amendment),
    constraint issued_first check ((change = 'ISSUED') = (amendment = 0)),
    constraint issued_on_evidence check ((change = 'ISSUED') = (gates is not null))
);

create unique index travel_orders_end_once on travel_orders (number) where change = 'REVOKED';
create index travel_orders_by_track on travel_orders (track_id) where change = 'ISSUED';
create index travel_orders_by_line on travel_orders (line_id);

create index lines_with_orders on training_lines (country, line_id) where orders_number is not null and is_open;

create trigger gate_results_append_only before update or delete or truncate on gate_results for each statement execute function refuse_change();
create trigger english_exemptions_append_only before update or delete or truncate on english_exemptions for each statement execute function refuse_change();
create trigger travel_orders_append_only before update or delete or truncate on travel_orders for each statement execute function refuse_change();
revoke update, delete, truncate on gate_results, english_exemptions, travel_orders from imet_enrollment;
