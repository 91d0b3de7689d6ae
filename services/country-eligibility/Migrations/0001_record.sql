-- The record of who may train: nothing in it is edited. Every change is a new row with the time from which it is known.

create table record (
    single boolean primary key default true check (single),
    revision bigint not null default 0,
    -- Another epoch means that the record was restored and that revisions start anew.
    epoch uuid not null default gen_random_uuid(),
    recorded_at timestamptz not null default now()
);
insert into record default values;

create table countries (
    code text primary key check (code ~ '^[A-Z]{3}$'),
    name text not null,
    alpha2 text unique check (alpha2 ~ '^[A-Z]{2}$'),
    numeric_code text unique check (numeric_code ~ '^[0-9]{3}$'),
    dsca_code text unique check (dsca_code ~ '^[A-Z0-9]{2}$'),
    region text,
    combatant_command text,
    valid_from date,
    valid_to date check (valid_to > valid_from),
    -- The record keeps itself from here on; what was known before may be imported as history.
    system_of_record_since timestamptz not null default now(),
    -- Of this country, one for each event; record_revision is the overall one at its last change and tells replicas what to load.
    revision bigint not null default 0,
    record_revision bigint not null default 0,
    recorded_at timestamptz not null default now()
);

create table legal_bases (
    code text primary key check (code ~ '^[A-Z0-9][A-Z0-9_.-]{0,39}$'),
    name text not null,
    citation text not null,
    set_off_by text not null,
    -- Null: it bars nothing by itself.
    default_effect text check (default_effect in ('PAUSE_TRAINING', 'HOLD', 'SUSPEND')),
    waiver text not null,
    authority text not null,
    default_wind_up text not null check (default_wind_up in ('FINISH_BEGUN', 'NONE'))
);

create table funding_programs (
    code text primary key check (code ~ '^[A-Z0-9][A-Z0-9_.-]{0,39}$'),
    name text not null,
    foreign_assistance boolean not null
);

create table decisions (
    id uuid primary key,
    document text not null,
    reason text not null,
    -- Null until approval where the proposal states no day: then the day of approval.
    announced_on date,
    stated_known_from timestamptz,
    -- The restrictions and lifts as they were proposed, in proto3 JSON: what is approved is what was read.
    content jsonb not null,
    state text not null default 'PROPOSED' check (state in ('PROPOSED', 'APPROVED', 'REJECTED')),
    version bigint not null default 1,
    proposed_by text not null,
    proposed_at timestamptz not null default clock_timestamp(),
    decided_by text,
    decided_at timestamptz,
    recorded_at timestamptz,
    record_revision bigint unique,
    check ((state = 'PROPOSED') = (decided_by is null)),
    check ((decided_by is null) = (decided_at is null)),
    check ((state = 'APPROVED') = (recorded_at is not null)),
    check ((state = 'APPROVED') = (record_revision is not null)),
    check (state <> 'APPROVED' or announced_on is not null),
    check (state <> 'APPROVED' or decided_by <> proposed_by),
    check (stated_known_from <= recorded_at)
);
create index decisions_by_state on decisions (state, id desc);

create table decision_countries (
    decision_id uuid not null references decisions,
    country text not null references countries,
    primary key (country, decision_id)
);
create index decision_countries_by_decision on decision_countries (decision_id);

-- One row for each version of a restriction. A whole lift closes the known time of the version before it and adds one that ends earlier.
create table restrictions (
    id uuid not null,
    version int not null check (version > 0),
    country text not null references countries,
    legal_basis text not null references legal_bases,
    effect text not null check (effect in ('PAUSE_TRAINING', 'HOLD', 'SUSPEND')),
    scope jsonb not null,
    wind_up text not null check (wind_up in ('FINISH_BEGUN', 'NONE')),
    effective_from date not null,
    effective_to date,
    made_by uuid not null references decisions,
    changed_by uuid not null references decisions,
    announced_on date not null,
    known_from timestamptz not null,
    known_to timestamptz,
    recorded_at timestamptz not null,
    imported boolean not null,
    primary key (id, version),
    check (effective_to > effective_from or (effective_to = effective_from and version > 1)),
    check (known_to >= known_from),
    check (known_from <= recorded_at),
    check (imported or known_from = recorded_at),
    constraint restrictions_do_not_overlap exclude using gist (
        id with =,
        daterange(effective_from, effective_to) with &&,
        tstzrange(known_from, known_to) with &&)
);
create index restrictions_by_country on restrictions (country, effective_from, id);

create table lifts (
    id uuid primary key,
    restriction_id uuid not null,
    country text not null references countries,
    -- Null: the whole restriction ends, by a version of its own.
    scope jsonb,
    effective_from date not null,
    decision_id uuid not null references decisions,
    announced_on date not null,
    known_from timestamptz not null,
    recorded_at timestamptz not null,
    imported boolean not null,
    check (known_from <= recorded_at),
    check (imported or known_from = recorded_at)
);
create index lifts_by_country on lifts (country);

-- What changes by the passing of time and has not been told yet: the day's work deletes the rows it tells.
create table country_days (
    country text not null references countries,
    day date not null,
    decision_id uuid not null references decisions,
    change text not null check (change in ('ANNOUNCED', 'CHANGED')),
    primary key (country, day, decision_id, change)
);

create function refuse_edit() returns trigger language plpgsql as $body$
begin
    raise exception '% is a record: rows are added, never edited', tg_table_name using errcode = 'restrict_violation';
end
$body$;

create function only_close_known_time() returns trigger language plpgsql as $body$
begin
    if old.known_to is not null or new.known_to is null or to_jsonb(new) - 'known_to' <> to_jsonb(old) - 'known_to' then
        raise exception 'a restriction is never edited: its known time is closed, once' using errcode = 'restrict_violation';
    end if;
    return new;
end
$body$;

create function only_decide_once() returns trigger language plpgsql as $body$
begin
    if old.state <> 'PROPOSED' or new.state = 'PROPOSED'
        or (old.announced_on is not null and new.announced_on is distinct from old.announced_on)
        or (new.id, new.document, new.reason, new.stated_known_from, new.content, new.proposed_by, new.proposed_at)
            is distinct from (old.id, old.document, old.reason, old.stated_known_from, old.content, old.proposed_by, old.proposed_at) then
        raise exception 'a decision is never edited: it is approved or rejected, once' using errcode = 'restrict_violation';
    end if;
    return new;
end
$body$;

create trigger restrictions_close_once before update on restrictions for each row execute function only_close_known_time();
create trigger restrictions_stay before delete on restrictions for each row execute function refuse_edit();
create trigger lifts_stay before update or delete on lifts for each row execute function refuse_edit();
create trigger decisions_decide_once before update on decisions for each row execute function only_decide_once();
create trigger decisions_stay before delete on decisions for each row execute function refuse_edit();

revoke all on record, countries, legal_bases, funding_programs, decisions, decision_countries, restrictions, lifts, country_days from imet_eligibility;
grant select on record, countries, legal_bases, funding_programs, decisions, decision_countries, restrictions, lifts, country_days to imet_eligibility;
grant update (revision, recorded_at) on record to imet_eligibility;
grant update (revision, record_revision, recorded_at) on countries to imet_eligibility;
grant insert, update (announced_on, state, version, decided_by, decided_at, recorded_at, record_revision) on decisions to imet_eligibility;
grant insert on decision_countries, lifts to imet_eligibility;
grant insert, update (known_to) on restrictions to imet_eligibility;
grant insert, delete on country_days to imet_eligibility;
