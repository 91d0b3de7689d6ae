-- Every effect; what does away with a restriction, beside it; what never took effect; decisions made alone in an emergency. And the order of the record, held by the database.

alter table legal_bases
    drop constraint legal_bases_default_effect_check,
    add constraint legal_bases_default_effect_check check (default_effect in
        ('STOP', 'SUSPEND', 'CONDITION_BLOCKING', 'HOLD', 'PAUSE_TRAINING', 'CONDITION_CARRIED', 'CEILING')),
    drop constraint legal_bases_default_wind_up_check,
    add constraint legal_bases_default_wind_up_check check (default_wind_up in ('FINISH_BEGUN', 'FINISH_BEGUN_ANYWHERE', 'NONE'));

alter table restrictions
    drop constraint restrictions_effect_check,
    add constraint restrictions_effect_check check (effect in ('STOP', 'SUSPEND', 'CONDITION_BLOCKING', 'HOLD', 'PAUSE_TRAINING', 'CONDITION_CARRIED', 'CEILING')),
    drop constraint restrictions_wind_up_check,
    add constraint restrictions_wind_up_check check (wind_up in ('FINISH_BEGUN', 'FINISH_BEGUN_ANYWHERE', 'NONE')),
    add column condition jsonb,
    add column ceiling jsonb,
    -- What this version says happened; one that is VOIDED says that there never was a restriction.
    add column change text not null default 'MADE' check (change in ('MADE', 'LIFTED', 'CORRECTED', 'VOIDED', 'RESTORED', 'LAPSED')),
    -- The version that set what is covered: by its dates it is judged what had begun before.
    add column origin int not null default 1,
    add constraint restrictions_condition_check check ((effect in ('CONDITION_BLOCKING', 'CONDITION_CARRIED')) = (condition is not null)),
    add constraint restrictions_ceiling_check check ((effect = 'CEILING') = (ceiling is not null)),
    add constraint restrictions_stop_check check (effect <> 'STOP' or wind_up = 'NONE');

alter table restrictions disable trigger restrictions_close_once;
update restrictions set change = 'LIFTED' where version > 1;
alter table restrictions enable trigger restrictions_close_once;
alter table restrictions
    add constraint restrictions_change_check1 check ((version = 1) = (change = 'MADE')),
    add constraint restrictions_origin_check check (origin between 1 and version);
create index restrictions_by_decision on restrictions (changed_by);

-- What does away with restrictions: in part (LIFT, with conditions for departments where CONDITION_MET says when each was met), of one legal basis (WAIVER), of named ones
-- (SPECIAL_AUTHORITY, FAA 614), or of a condition (FULFILMENT). One row for each version, as with restrictions.
create table reliefs (
    id uuid not null,
    version int not null check (version > 0),
    kind text not null check (kind in ('LIFT', 'CONDITION_MET', 'WAIVER', 'SPECIAL_AUTHORITY', 'FULFILMENT')),
    country text not null references countries,
    restriction_id uuid,
    lift_id uuid,
    implementing_agency text check (implementing_agency in ('ARMY', 'AIR_FORCE', 'NAVY')),
    legal_bases text[],
    scope jsonb not null,
    conditions jsonb,
    document text,
    effective_from date not null,
    effective_to date,
    change text not null check (change in ('MADE', 'CORRECTED', 'VOIDED', 'RESTORED')),
    made_by uuid not null references decisions,
    changed_by uuid not null references decisions,
    announced_on date not null,
    known_from timestamptz not null,
    known_to timestamptz,
    recorded_at timestamptz not null,
    imported boolean not null,
    primary key (id, version),
    check ((kind in ('LIFT', 'CONDITION_MET', 'FULFILMENT')) = (restriction_id is not null)),
    check ((kind = 'CONDITION_MET') = (lift_id is not null)),
    check ((kind = 'CONDITION_MET') = (implementing_agency is not null)),
    check ((kind in ('WAIVER', 'SPECIAL_AUTHORITY')) = (legal_bases is not null)),
    constraint reliefs_waive_one_basis check (kind <> 'WAIVER' or cardinality(legal_bases) = 1),
    check ((kind = 'FULFILMENT') = (document is not null)),
    check (conditions is null or kind = 'LIFT'),
    check (effective_to > effective_from),
    check ((version = 1) = (change = 'MADE')),
    check (known_to >= known_from),
    check (known_from <= recorded_at),
    check (imported or known_from = recorded_at),
    constraint reliefs_do_not_overlap exclude using gist (
        id with =,
        daterange(effective_from, effective_to) with &&,
        tstzrange(known_from, known_to) with &&)
);
create index reliefs_by_country on reliefs (country);
create index reliefs_by_decision on reliefs (changed_by);
create index reliefs_by_restriction on reliefs (restriction_id);
create index reliefs_by_lift on reliefs (lift_id) where lift_id is not null;

insert into reliefs (id, version, kind, country, restriction_id, scope, effective_from, change, made_by, changed_by, announced_on, known_from, recorded_at, imported)
select id, 1, 'LIFT', country, restriction_id, scope, effective_from, 'MADE', decision_id, decision_id, announced_on, known_from, recorded_at, imported
from lifts where scope is not null;
drop table lifts;

alter table decisions
    drop constraint decisions_state_check,
    add constraint decisions_state_check check (state in ('PROPOSED', 'APPROVED', 'REJECTED', 'WITHDRAWN')),
    add column emergency boolean not null default false,
    -- 72 hours after an emergency decision was made; one that is not confirmed by then ends.
    add column confirm_by timestamptz,
    add column impact_preview_etag text,
    drop constraint decisions_check5,
    add constraint decisions_take_two check (state <> 'APPROVED' or emergency or decided_by <> proposed_by),
    add constraint decisions_confirm_by_check check ((confirm_by is not null) = (emergency and state = 'APPROVED'));

create table confirmations (
    decision_id uuid primary key references decisions,
    confirmed_by text not null,
    confirmed_at timestamptz not null
);

-- Decisions that never took effect. One that was voided before it was announced never will be, nor will the one that voids it.
create table voids (
    decision_id uuid primary key references decisions,
    voided_by uuid not null references decisions,
    announced_on date not null,
    known_from timestamptz not null,
    recorded_at timestamptz not null,
    withheld boolean not null,
    check (decision_id <> voided_by)
);
create index voids_by_decision on voids (voided_by);

create or replace function only_decide_once() returns trigger language plpgsql as $body$
begin
    if old.state <> 'PROPOSED' or new.state = 'PROPOSED'
        or (old.announced_on is not null and new.announced_on is distinct from old.announced_on)
        or (new.id, new.document, new.reason, new.stated_known_from, new.content, new.proposed_by, new.proposed_at, new.emergency)
            is distinct from (old.id, old.document, old.reason, old.stated_known_from, old.content, old.proposed_by, old.proposed_at, old.emergency) then
        raise exception 'a decision is never edited: it is approved, rejected or withdrawn, once' using errcode = 'restrict_violation';
    end if;
    return new;
end
$body$;

create function confirmed_by_another() returns trigger language plpgsql as $body$
begin
    if not exists (select from decisions where id = new.decision_id and emergency and state = 'APPROVED' and decided_by <> new.confirmed_by and new.confirmed_at < confirm_by) then
        raise exception 'an emergency decision is confirmed by another person, in time' using errcode = 'restrict_violation';
    end if;
    return new;
end
$body$;

create function versions_follow() returns trigger language plpgsql as $body$
declare
    follows boolean;
begin
    if new.version > 1 then
        execute format('select known_to = $1 and country = $2 and announced_on <= $3 and change <> ''VOIDED'' from %I.%I where id = $4 and version = $5', tg_table_schema, tg_table_name)
            into follows using new.known_from, new.country, new.announced_on, new.id, new.version - 1;
        if follows is not true then
            raise exception 'a version follows the one before it: in number, in known time, of the same country, announced no earlier' using errcode = 'restrict_violation';
        end if;
    end if;
    return new;
end
$body$;

create function record_rises() returns trigger language plpgsql as $body$
begin
    if new.epoch = old.epoch and (new.revision <= old.revision or new.recorded_at <= old.recorded_at) then
        raise exception 'revision and time of the record rise strictly' using errcode = 'restrict_violation';
    end if;
    return new;
end
$body$;

create function country_rises() returns trigger language plpgsql as $body$
begin
    if (new.revision, new.record_revision, new.recorded_at) is distinct from (old.revision, old.record_revision, old.recorded_at)
        and (new.revision <= old.revision or new.record_revision <= old.record_revision or new.recorded_at <= old.recorded_at) then
        raise exception 'a country''s revision rises, with the record''s and with its time' using errcode = 'restrict_violation';
    end if;
    return new;
end
$body$;

create trigger restrictions_follow before insert on restrictions for each row execute function versions_follow();
create trigger reliefs_follow before insert on reliefs for each row execute function versions_follow();
create trigger reliefs_close_once before update on reliefs for each row execute function only_close_known_time();
create trigger reliefs_stay before delete on reliefs for each row execute function refuse_edit();
create trigger voids_stay before update or delete on voids for each row execute function refuse_edit();
create trigger confirmations_stay before update or delete on confirmations for each row execute function refuse_edit();
create trigger confirmations_by_another before insert on confirmations for each row execute function confirmed_by_another();
create trigger record_rises before update on record for each row execute function record_rises();
create trigger countries_rise before update on countries for each row execute function country_rises();

revoke all on reliefs, voids, confirmations from imet_eligibility;
grant select on reliefs, voids, confirmations to imet_eligibility;
grant insert, update (known_to) on reliefs to imet_eligibility;
grant insert on voids, confirmations to imet_eligibility;
grant update (confirm_by, impact_preview_etag) on decisions to imet_eligibility;
