alter table training_lines
    -- What a line was before a restriction cancelled it: what it becomes again when that restriction turns out void.
    add cancelled_from text check (cancelled_from in ('NOMINATED', 'APPROVED', 'SEAT_CONFIRMED', 'ORDERS_ISSUED', 'WAITLISTED', 'OFFERED')),
    drop constraint not_restored_was_cancelled,
    add constraint not_restored_was_stopped check (not not_restored or (state in ('CANCELLED', 'EARLY_RETURN') and cancel_cause = 'RESTRICTION'));

create index lines_not_restored on training_lines (start_date, line_id) where not_restored;

-- For lists by school; what was copied before says no school here.
alter table offering_versions add school_code text not null default '';
