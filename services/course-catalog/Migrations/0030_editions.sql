-- Rates at which training is priced are data: a new law adds one.
create table tuition_rates (
    code text collate "C" primary key check (code <> ''),
    name text not null check (char_length(name) between 1 and 100),
    citation text not null check (char_length(citation) <= 200)
);

insert into tuition_rates (code, name, citation) values
    ('FULL', 'Full cost: foreign military sales', 'AECA 21(a)(1), 22 USC 2761'),
    ('INCREMENTAL', 'Additional cost only: sales to a country that receives IMET at the time, or is named in FAA 546', 'AECA 21(a)(1)(C), 22 USC 2761'),
    ('GRANT', 'Additional cost only: training given under IMET', 'FAA 644(m)(5), 22 USC 2403'),
    ('EXCHANGE', 'No charge: one for one by agreement', 'FAA 544, 22 USC 2347c');

create table editions (
    fiscal_year int primary key check (fiscal_year between 1976 and 2199),
    state text not null check (state in ('OPEN', 'PUBLISHED')),
    copied_from int check (copied_from < fiscal_year),
    copied_count int not null check (copied_count >= 0),
    opened_by text not null,
    opened_at timestamptz not null default now(),
    published_by text,
    published_at timestamptz,
    version bigint not null check (version > 0),
    check ((state = 'PUBLISHED') = (published_at is not null) and (published_at is null) = (published_by is null))
);

-- What a year's catalogue says of a course, from one day until before another. A row is written once; what is said later is a row of its own, and closes the one before it.
create table course_version_revisions (
    course_version_id uuid not null references course_versions (id),
    revision bigint not null check (revision > 0),
    fiscal_year int not null,
    title text collate "C" not null check (char_length(title) between 1 and 300),
    school_id uuid references schools (id),
    location text not null default '' check (char_length(location) <= 200),
    training_kind text not null check (training_kind in
        ('UNSPECIFIED', 'CLASSROOM', 'OPERATIONAL', 'OBSERVER', 'ORIENTATION_TOUR', 'MOBILE_TEAM', 'ON_THE_JOB', 'LANGUAGE')),
    platform text not null default '',
    purpose text not null default '',
    analysis_code text not null default '' check (char_length(analysis_code) <= 2),
    duration_days int not null check (duration_days between 0 and 3650),
    ecl_minimum int not null check (ecl_minimum between 0 and 100),
    opi_minimum text not null default '' check (opi_minimum ~ '^([0-5]\+?/[0-5]\+?)?$'),
    prerequisites jsonb not null default '[]' check (jsonb_typeof(prerequisites) = 'array'),
    prices jsonb not null check (jsonb_typeof(prices) = 'array'),
    dedicated boolean not null,
    charge boolean not null default false,
    retired boolean not null default false,
    -- Equal where it was replaced on its first day: it never stood at a day's end.
    effective_from date not null,
    effective_to date check (effective_to >= effective_from),
    reason text not null default '' check (char_length(reason) <= 500),
    actor text not null,
    recorded_at timestamptz not null default now(),
    primary key (course_version_id, revision),
    constraint course_says_one_thing_a_day exclude using gist (course_version_id with =, daterange(effective_from, effective_to) with &&)
);

create index revisions_by_title on course_version_revisions (fiscal_year, title, course_version_id);

create function only_close_once() returns trigger language plpgsql as $body$
begin
    if old.effective_to is not null or new.effective_to is null or to_jsonb(new) - 'effective_to' <> to_jsonb(old) - 'effective_to' then
        raise exception 'what the catalogue said is never edited: it is closed, once' using errcode = 'restrict_violation';
    end if;
    return new;
end
$body$;

create trigger revisions_close_once before update on course_version_revisions for each row execute function only_close_once();
create trigger revisions_stay before delete or truncate on course_version_revisions for each statement execute function refuse_change();

-- The columns of course_versions beside its keys hold what it said at first; the release before this one reads them, and a later one drops them.
insert into course_version_revisions (course_version_id, revision, fiscal_year, title, school_id, training_kind, duration_days, ecl_minimum, prices, dedicated, effective_from, actor, recorded_at)
select id, 1, fiscal_year, title, school_id, training_kind, duration_days, ecl_minimum, prices, dedicated, (created_at at time zone 'America/New_York')::date, 'migration', created_at
from course_versions;

-- How long a certificate holds: the rule of the day on which it is given (DSCA 25-91 changed it).
create table e_imet_validity (
    certified_from date primary key,
    years_whole int not null check (years_whole > 0),
    years_partly int not null check (years_partly > 0),
    citation text not null
);

insert into e_imet_validity (certified_from, years_whole, years_partly, citation) values
    ('1990-11-05', 5, 3, 'SAMM C10, before DSCA 25-91: 5 years for courses of which all is E-IMET content, 3 for others'),
    ('2026-01-29', 5, 5, 'DSCA 25-91: 5 years for all');

create table e_imet_certificates (
    id uuid primary key,
    course_id uuid not null references courses (id),
    certified_on date not null,
    percent int not null check (percent between 1 and 100),
    valid_to date not null check (valid_to > certified_on),
    document text not null check (char_length(document) between 1 and 300),
    revoked_on date check (revoked_on between certified_on and valid_to),
    revoke_reason text check (char_length(revoke_reason) between 1 and 500),
    version bigint not null check (version > 0),
    check ((revoked_on is null) = (revoke_reason is null)),
    -- A course may be certified anew before its certificate ends; the later one then counts.
    constraint certificates_day_taken unique (course_id, certified_on)
);

-- The rest of imet.coursecatalog.v1.CourseFacts in proto3 JSON; what is searched for has columns.
alter table offerings add column facts jsonb not null default '{}';

-- What an offering copies of its course: as the catalogue says today, and with the certificate that holds on the class's first day.
create function offering_course(of_version uuid, starting date, today date)
    returns table (course_id uuid, masl_number text, title text, school_id uuid, school_name text, school_code text, training_kind text, implementing_agency text, fiscal_year int,
        dedicated boolean, prices jsonb, charge boolean, retired boolean, facts jsonb)
    language sql stable
as $$
    select v.course_id, c.masl_number, r.title, r.school_id, s.name, s.code, r.training_kind, c.implementing_agency, v.fiscal_year, r.dedicated, r.prices, r.charge, r.retired,
        jsonb_build_object('durationDays', r.duration_days, 'eclMinimum', r.ecl_minimum, 'opiMinimum', r.opi_minimum, 'platform', r.platform, 'purpose', r.purpose,
            'analysisCode', r.analysis_code, 'prerequisites', r.prerequisites, 'eImet', e.percent is not null, 'eImetPercent', coalesce(e.percent, 0))
    from course_versions v
    join course_version_revisions r on r.course_version_id = v.id and r.effective_from <= today and (r.effective_to is null or r.effective_to > today)
    join courses c on c.id = v.course_id
    left join schools s on s.id = r.school_id
    left join lateral (
        select percent from e_imet_certificates
        where course_id = c.id and certified_on <= starting and coalesce(revoked_on, valid_to) > starting
        order by certified_on desc limit 1) e on true
    where v.id = of_version
$$;

create index offerings_by_version on offerings (course_version_id, start_date);

grant select, insert on course_version_revisions to imet_catalog;
revoke update, delete, truncate on course_version_revisions from imet_catalog;
grant update (effective_to) on course_version_revisions to imet_catalog;
