create table units (
    unit_id uuid primary key,
    country text not null check (country ~ '^[A-Z]{3}$'),
    name text not null check (name <> ''),
    recorded_at timestamptz not null default now(),
    constraint units_name_unique unique (country, name)
);

create table students (
    student_id uuid primary key,
    country text not null check (country ~ '^[A-Z]{3}$'),
    unit_id uuid references units,
    recorded_at timestamptz not null default now()
);

create index students_by_country on students (country, student_id);

-- The only table that tells who a person is. Nothing else refers to its columns.
create table student_personal (
    student_id uuid primary key references students,
    surname text not null check (surname <> ''),
    given_names text not null,
    rank text not null,
    service text not null,
    service_number text not null,
    date_of_birth date,
    place_of_birth text not null
);

create table external_ids (
    kind text not null check (kind in ('UNIT', 'STUDENT', 'LINE')),
    source text not null,
    external_id text not null,
    resource_id uuid not null,
    country text not null check (country ~ '^[A-Z]{3}$'),
    constraint external_ids_unique primary key (kind, source, external_id)
);

create index external_ids_by_resource on external_ids (resource_id);

-- The highest revision of a country's rules that anyone here has learned. No line advances on an answer below it.
create table country_seen (
    country text primary key check (country ~ '^[A-Z]{3}$'),
    epoch text not null check (epoch <> ''),
    revision bigint not null check (revision >= 0),
    seen_at timestamptz not null default now(),
    -- The Washington day on which the country's lines were last examined: rules change by date without a new revision.
    examined_on date
);

-- Copies of the catalogue's offerings, one row for each version met; a version never changes.
create table offering_versions (
    offering_id uuid not null,
    version bigint not null check (version > 0),
    state text not null check (state in ('PLANNED', 'OPEN', 'CANCELLED')),
    report_date date not null,
    start_date date not null,
    end_date date not null check (end_date >= start_date),
    capacity integer not null check (capacity > 0),
    host_country text check (host_country ~ '^[A-Z]{3}$'),
    -- imet.coursecatalog.v1.CourseFacts as the catalogue sent it; the columns beside it are for people and reports.
    course bytea not null,
    masl_number text not null,
    course_title text not null,
    recorded_at timestamptz not null default now(),
    primary key (offering_id, version)
);

-- The hot row of a class: kept narrow, with room on its page, so that taking a seat never touches an index.
create table offerings (
    offering_id uuid primary key,
    version bigint not null,
    state text not null check (state in ('PLANNED', 'OPEN', 'CANCELLED')),
    capacity integer not null check (capacity > 0),
    taken integer not null default 0 check (taken >= 0),
    -- Off when neither a seat nor a change matters any more: the reconciler asks for the rest.
    watched_until date not null,
    foreign key (offering_id, version) references offering_versions
) with (fillfactor = 50);

create index offerings_by_watch on offerings (watched_until, offering_id);

-- The database itself holds that no seat is sold twice: taken may stay above the capacity after a cut, it never grows above it.
create function refuse_overselling() returns trigger language plpgsql as $body$
begin
    raise exception 'offering % has % seats, not %', new.offering_id, new.capacity, new.taken
        using errcode = 'check_violation', constraint = 'seats_never_oversold', table = 'offerings';
end
$body$;

create trigger seats_never_oversold before update on offerings
    for each row when (new.taken > old.taken and new.taken > new.capacity) execute function refuse_overselling();

create trigger seats_never_oversold_at_first before insert on offerings
    for each row when (new.taken > new.capacity) execute function refuse_overselling();

-- Worksheet control numbers: one sequence for all countries, since a counter a country would be a row that all its enrollments wait for. Unique everywhere, so in each country; gaps mean nothing.
create sequence wcn_numbers;

create table tracks (
    track_id uuid primary key,
    country text not null check (country ~ '^[A-Z]{3}$'),
    wcn text not null,
    student_id uuid references students,
    begun_on date,
    constraint tracks_wcn_unique unique (wcn)
);

create table training_lines (
    line_id uuid primary key,
    country text not null check (country ~ '^[A-Z]{3}$'),
    track_id uuid not null references tracks,
    student_id uuid references students,
    headcount integer not null check (headcount between 1 and 10000),
    offering_id uuid not null references offerings,
    offering_version bigint not null,
    funding_program text not null,
    funding_account text not null,
    fiscal_year integer not null check (fiscal_year between 1976 and 2199),
    state text not null check (state in ('SEAT_CONFIRMED', 'ARRIVED', 'IN_TRAINING', 'CANCELLED')),
    cancel_cause text check (cancel_cause in ('WITHDRAWN', 'RESTRICTION', 'OFFERING_CANCELLED')),
    report_date date not null,
    start_date date not null,
    end_date date not null check (end_date >= start_date),
    arrived_on date,
    started_on date,
    tuition_rate text not null,
    price_currency text check (price_currency ~ '^[A-Z]{3}$'),
    price_units bigint check (price_units >= 0),
    price_nanos integer check (price_nanos between 0 and 999999999),
    quoted_on date,
    -- The entry of line_history that holds the eligibility answer on which the line last advanced.
    judged_in bigint not null,
    version bigint not null check (version > 0),
    -- Tip of the line's chain of history.
    digest bytea not null check (length(digest) = 32),
    recorded_at timestamptz not null,
    changed_at timestamptz not null,
    constraint one_person_takes_one_seat check (student_id is null or headcount = 1),
    constraint cancelled_for_a_cause check ((state = 'CANCELLED') = (cancel_cause is not null)),
    constraint begun_after_arrival check (started_on is null or started_on >= arrived_on),
    constraint state_has_its_date check (case state when 'SEAT_CONFIRMED' then arrived_on is null when 'ARRIVED' then arrived_on is not null and started_on is null
        when 'IN_TRAINING' then started_on is not null else true end),
    constraint price_is_whole check (num_nulls(price_currency, price_units, price_nanos, quoted_on) in (0, 4))
);

create index lines_by_start on training_lines (start_date, line_id);
create index lines_by_country on training_lines (country, start_date, line_id);
create index lines_by_offering on training_lines (offering_id, start_date, line_id);
create index lines_by_student on training_lines (student_id, start_date, line_id) where student_id is not null;
create index lines_by_track on training_lines (track_id);
create index lines_to_examine on training_lines (country, line_id) where state <> 'CANCELLED';

-- What keeps a line from moving on. It moves on when the set is empty.
create table line_holds (
    line_id uuid not null references training_lines,
    cause text not null check (cause in ('RESTRICTION_HOLD', 'TRAINING_PAUSED', 'ARRIVAL_UNKNOWN')),
    source_id text not null,
    since timestamptz not null,
    primary key (line_id, cause, source_id)
);

create table line_history (
    line_id uuid not null references training_lines,
    version bigint not null check (version > 0),
    change text not null check (change in ('enrolled', 'cancelled', 'held', 'released', 'arrived', 'started')),
    state text not null check (state in ('SEAT_CONFIRMED', 'ARRIVED', 'IN_TRAINING', 'CANCELLED')),
    actor text not null,
    cause text not null,
    -- imet.enrollment.v1.Judgement byte by byte as it was given, since the digest covers it. Null where the change rests on no answer.
    judgement bytea,
    recorded_at timestamptz not null,
    digest bytea not null check (length(digest) = 32),
    primary key (line_id, version)
);

create function refuse_change() returns trigger language plpgsql as $body$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end
$body$;

create trigger line_history_append_only before update or delete or truncate on line_history for each statement execute function refuse_change();
create trigger offering_versions_append_only before update or delete or truncate on offering_versions for each statement execute function refuse_change();

revoke update, delete, truncate on line_history, offering_versions from imet_enrollment;
