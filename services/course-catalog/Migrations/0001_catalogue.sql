-- Text that lists are ordered by is compared byte by byte (collate "C"), so that a page token means the same on every server and after every upgrade of its locales.

create table schools (
    id uuid primary key,
    code text collate "C" constraint schools_code_taken unique check (code <> ''),
    name text collate "C" not null check (char_length(name) between 1 and 200),
    location text not null check (char_length(location) <= 200),
    implementing_agency text not null check (implementing_agency in ('UNSPECIFIED', 'ARMY', 'AIR_FORCE', 'NAVY')),
    version bigint not null check (version > 0),
    created_at timestamptz not null default now()
);

create index schools_by_name on schools (name, id);

create table courses (
    id uuid primary key,
    masl_number text collate "C" not null constraint courses_masl_number_taken unique check (masl_number <> ''),
    implementing_agency text not null check (implementing_agency in ('UNSPECIFIED', 'ARMY', 'AIR_FORCE', 'NAVY')),
    version bigint not null check (version > 0),
    created_at timestamptz not null default now()
);

create index courses_by_agency on courses (implementing_agency, masl_number);

create table course_versions (
    id uuid primary key,
    course_id uuid not null references courses (id),
    fiscal_year int not null check (fiscal_year between 1976 and 2199),
    title text collate "C" not null check (char_length(title) between 1 and 300),
    school_id uuid references schools (id),
    training_kind text not null check (training_kind in
        ('UNSPECIFIED', 'CLASSROOM', 'OPERATIONAL', 'OBSERVER', 'ORIENTATION_TOUR', 'MOBILE_TEAM', 'ON_THE_JOB', 'LANGUAGE')),
    duration_days int not null check (duration_days between 0 and 3650),
    ecl_minimum int not null check (ecl_minimum between 0 and 100),
    prices jsonb not null check (jsonb_typeof(prices) = 'array'),
    dedicated boolean not null,
    created_at timestamptz not null default now(),
    constraint course_versions_year_taken unique (course_id, fiscal_year)
);

create index course_versions_by_title on course_versions (fiscal_year, title, id);
create index course_versions_by_school on course_versions (school_id, fiscal_year, title, id) where school_id is not null;

-- What rules need to know about the course is copied here as it was when this version of the offering was made: a training line
-- cites the version it was judged by, so a later change of the course may not change what that version says.
create table offerings (
    id uuid primary key,
    course_version_id uuid not null references course_versions (id),
    course_id uuid not null references courses (id),
    masl_number text not null,
    title text not null,
    school_id uuid references schools (id),
    school_name text,
    school_code text,
    training_kind text not null check (training_kind in
        ('UNSPECIFIED', 'CLASSROOM', 'OPERATIONAL', 'OBSERVER', 'ORIENTATION_TOUR', 'MOBILE_TEAM', 'ON_THE_JOB', 'LANGUAGE')),
    implementing_agency text not null check (implementing_agency in ('UNSPECIFIED', 'ARMY', 'AIR_FORCE', 'NAVY')),
    fiscal_year int not null check (fiscal_year between 1976 and 2199),
    dedicated boolean not null,
    prices jsonb not null check (jsonb_typeof(prices) = 'array'),
    report_date date not null,
    start_date date not null,
    end_date date not null,
    capacity int not null check (capacity between 1 and 100000),
    location text not null check (char_length(location) <= 200),
    host_country text check (host_country ~ '^[A-Z]{3}$'),
    state text not null check (state in ('PLANNED', 'OPEN', 'CANCELLED')),
    all_international boolean not null,
    cancelled_on date,
    cancelled_because text check (char_length(cancelled_because) between 1 and 500),
    version bigint not null check (version > 0),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint offerings_report_before_start check (report_date <= start_date),
    constraint offerings_start_before_end check (start_date <= end_date),
    constraint offerings_school_whole check ((school_id is null) = (school_name is null)),
    constraint offerings_cancelled_whole check ((state = 'CANCELLED') = (cancelled_on is not null) and (cancelled_on is null) = (cancelled_because is null))
);

create index offerings_by_start on offerings (start_date, id);
create index offerings_by_course on offerings (course_id, start_date, id);
create index offerings_by_school on offerings (school_id, start_date, id) where school_id is not null;

-- Names of our resources in other systems: one name means one resource of its kind.
create table external_ids (
    kind text not null check (kind in ('SCHOOL', 'COURSE', 'OFFERING')),
    source text collate "C" not null check (char_length(source) between 1 and 40),
    external_id text collate "C" not null check (char_length(external_id) between 1 and 200),
    resource_id uuid not null,
    constraint external_ids_taken primary key (kind, source, external_id)
);

create index external_ids_by_resource on external_ids (resource_id, kind, source, external_id);
