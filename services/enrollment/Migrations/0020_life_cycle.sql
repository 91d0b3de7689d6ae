-- The whole life cycle. What may follow what is the table in LineStates.cs; here stands what each state means for seats and for examinations.
alter table training_lines
    add kind text not null default 'COURSE' check (kind in ('COURSE', 'EXTENSION', 'CHARGE')),
    add of_line_id uuid references training_lines,
    add ended_on date,
    -- The restriction or class that cancelled or ended it.
    add cancel_source_id text,
    add progress text check (progress in ('SATISFACTORY', 'AT_RISK', 'BEFORE_BOARD')),
    add orders_number text,
    -- The restriction that cancelled it is void, and there was no seat to give back.
    add not_restored boolean not null default false,
    drop constraint training_lines_state_check,
    drop constraint training_lines_cancel_cause_check,
    drop constraint cancelled_for_a_cause,
    drop constraint state_has_its_date,
    add constraint state_is_known check (state in ('NOMINATED', 'APPROVED', 'SEAT_CONFIRMED', 'ORDERS_ISSUED', 'ARRIVED', 'IN_TRAINING', 'EXTENDED', 'WAITLISTED', 'OFFERED',
        'GRADUATED', 'COMPLETED', 'CANCELLED', 'FORFEITED', 'NO_SHOW', 'ACADEMIC_FAILURE', 'EARLY_RETURN', 'DISENROLLED', 'ABSENT')),
    add constraint cause_is_a_word check (cancel_cause ~ '^[A-Z_]+$'),
    add constraint cancelled_for_a_cause check (state <> 'CANCELLED' or cancel_cause is not null),
    add constraint state_has_its_date check (kind <> 'COURSE' or case
        when state in ('NOMINATED', 'APPROVED', 'WAITLISTED', 'OFFERED', 'SEAT_CONFIRMED', 'ORDERS_ISSUED', 'NO_SHOW') then arrived_on is null
        when state = 'ARRIVED' then arrived_on is not null and started_on is null
        when state in ('IN_TRAINING', 'EXTENDED') then started_on is not null
        when state in ('GRADUATED', 'COMPLETED', 'ACADEMIC_FAILURE') then started_on is not null and ended_on >= started_on
        when state in ('EARLY_RETURN', 'DISENROLLED', 'ABSENT') then arrived_on is not null and ended_on is not null
        else true end),
    add constraint only_a_course_stands_alone check ((kind = 'COURSE') = (of_line_id is null)),
    add constraint not_restored_was_cancelled check (not not_restored or state = 'CANCELLED'),
    add is_open boolean not null generated always as
        (state in ('NOMINATED', 'APPROVED', 'SEAT_CONFIRMED', 'ORDERS_ISSUED', 'ARRIVED', 'IN_TRAINING', 'EXTENDED', 'WAITLISTED', 'OFFERED')) stored,
    -- A seat that was used stays counted; one that nobody came for, or that was given up, does not.
    add holds_seat boolean not null generated always as
        (kind = 'COURSE' and state in ('SEAT_CONFIRMED', 'OFFERED', 'ORDERS_ISSUED', 'ARRIVED', 'IN_TRAINING', 'EXTENDED',
                                       'GRADUATED', 'COMPLETED', 'ACADEMIC_FAILURE', 'EARLY_RETURN', 'DISENROLLED', 'ABSENT')) stored;

drop index lines_to_examine;
create index lines_to_examine on training_lines (country, line_id) where is_open;
create index lines_by_cancel_source on training_lines (country, line_id) where cancel_cause = 'RESTRICTION' and not is_open;
create index lines_of_line on training_lines (of_line_id) where of_line_id is not null;

-- Which causes and changes there are stands in the code that gives them; a list here would have to be changed with each new one, by whoever adds it.
alter table line_holds drop constraint line_holds_cause_check, add constraint cause_is_a_word check (cause ~ '^[A-Z_]+$');
alter table line_history drop constraint line_history_change_check, drop constraint line_history_state_check,
    add constraint change_is_a_word check (change ~ '^[a-z]+(-[a-z]+)*$'), add constraint state_is_a_word check (state ~ '^[A-Z_]+$');

-- Who takes the seats of a headcount line, as far as names are known.
create table line_roster (
    line_id uuid not null references training_lines,
    student_id uuid not null references students,
    named_at timestamptz not null default now(),
    primary key (line_id, student_id)
);

create index line_roster_by_student on line_roster (student_id);

-- Persons removed from training for cause: refused under every program.
create table removals (
    student_id uuid primary key references students,
    country text not null check (country ~ '^[A-Z]{3}$'),
    ended_on date not null,
    cause text not null,
    document text not null,
    removed_by text not null,
    recorded_at timestamptz not null default now()
);

create trigger removals_append_only before update or delete or truncate on removals for each statement execute function refuse_change();
revoke update, delete, truncate on removals from imet_enrollment;
