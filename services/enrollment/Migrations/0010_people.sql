-- Students and units that change, and what is recorded against them. Their audit entries are chained for each of them, as a line's history is.
alter table units
    add version bigint not null default 0,
    add digest bytea;

alter table students
    add version bigint not null default 0,
    add digest bytea,
    add purged_at timestamptz;

alter table student_personal
    add sex text not null default '' check (sex in ('', 'F', 'M', 'X')),
    add us_equivalent_rank text not null default '',
    add us_grade text not null default '',
    add passport_number text not null default '',
    add citizenship text not null default '',
    add visa_number text not null default '',
    add visa_type text not null default '';

create table person_bars (
    bar_id uuid primary key,
    country text not null check (country ~ '^[A-Z]{3}$'),
    cause text not null,
    barred_from date not null,
    barred_until date,
    document text not null,
    recorded_by text not null,
    recorded_at timestamptz not null default now(),
    -- The student whose removal it follows from.
    removed_student_id uuid references students,
    version bigint not null,
    digest bytea not null check (length(digest) = 32)
);

create index person_bars_by_country on person_bars (country, bar_id desc);

-- Personal data, like student_personal: who is barred.
create table person_bar_identities (
    bar_id uuid primary key references person_bars,
    surname text not null,
    given_names text not null,
    date_of_birth date,
    service_number text not null,
    passport_number text not null
);

-- Personal data: what persons are matched by, written as PersonKeys.cs writes it. A student and a bar with one key in common are taken for one person.
create table person_keys (
    key text not null,
    owner text not null check (owner in ('STUDENT', 'BAR')),
    owner_id uuid not null,
    primary key (key, owner, owner_id)
);

create index person_keys_by_owner on person_keys (owner, owner_id);

-- Which students a bar matches: found when either is recorded or changed, looked up at every gate.
create table bar_matches (
    student_id uuid not null references students,
    bar_id uuid not null references person_bars,
    matched_at timestamptz not null default now(),
    primary key (student_id, bar_id)
);

create index bar_matches_by_bar on bar_matches (bar_id);

-- The bars that match each student, with their days: for whoever asks whether one is in force.
create view barred_students as
    select m.student_id, array_agg(b.bar_id order by b.bar_id) as bar_ids, array_agg(b.barred_from order by b.bar_id) as froms,
           array_agg(coalesce(b.barred_until, 'infinity') order by b.bar_id) as untils, array_agg(b.cause order by b.bar_id) as causes
    from bar_matches m join person_bars b on b.bar_id = m.bar_id group by m.student_id;

create table unit_flags (
    flag_id uuid primary key,
    country text not null check (country ~ '^[A-Z]{3}$'),
    unit_id uuid not null references units,
    cause text not null,
    flagged_from date not null,
    flagged_until date,
    document text not null,
    recorded_by text not null,
    recorded_at timestamptz not null default now(),
    version bigint not null,
    digest bytea not null check (length(digest) = 32)
);

create index unit_flags_by_country on unit_flags (country, flag_id desc);
create index unit_flags_by_unit on unit_flags (unit_id);

create view flagged_units as
    select unit_id, array_agg(flag_id order by flag_id) as flag_ids, array_agg(flagged_from order by flag_id) as froms,
           array_agg(coalesce(flagged_until, 'infinity') order by flag_id) as untils, array_agg(cause order by flag_id) as causes
    from unit_flags group by unit_id;

-- One entry for each change of a student, unit, bar, flag or allocation. Of personal data names and salted digests only.
create table audit_entries (
    resource text not null check (resource ~ '^[a-z]+(-[a-z]+)*$'),
    resource_id uuid not null,
    version bigint not null check (version > 0),
    country text not null check (country ~ '^[A-Z]{3}$'),
    change text not null check (change ~ '^[a-z]+(-[a-z]+)*$'),
    actor text not null,
    cause text not null,
    field_names text[] not null,
    field_digests text[] not null,
    recorded_at timestamptz not null,
    digest bytea not null check (length(digest) = 32),
    primary key (resource, resource_id, version)
);

-- Apart from the entries, so that they can be deleted: without its salt a digest tells nothing any more.
create table audit_salts (
    resource text not null,
    resource_id uuid not null,
    version bigint not null,
    salt bytea not null check (length(salt) = 16),
    primary key (resource, resource_id, version)
);

-- The one chain over all entries, in the order of their events' positions, which is the order in which they were committed.
create table audit_seals (
    position bigint primary key,
    resource text not null,
    resource_id uuid not null,
    version bigint not null,
    entry_digest bytea not null check (length(entry_digest) = 32),
    digest bytea not null check (length(digest) = 32),
    sealed_at timestamptz not null default now(),
    constraint sealed_once unique (resource, resource_id, version)
);

create table audit_sealed_up_to (
    only_row boolean primary key default true check (only_row),
    position bigint not null
);

insert into audit_sealed_up_to values (true, 0);

-- The line as it was after the entry: imet.enrollment.v1.TrainingLine without the course's facts and the judgement. The digest covers it.
alter table line_history
    add line bytea,
    add start_date date;

create index line_history_by_time on line_history (recorded_at);

create trigger audit_entries_append_only before update or delete or truncate on audit_entries for each statement execute function refuse_change();
create trigger audit_seals_append_only before update or delete or truncate on audit_seals for each statement execute function refuse_change();
revoke update, delete, truncate on audit_entries, audit_seals from imet_enrollment;
