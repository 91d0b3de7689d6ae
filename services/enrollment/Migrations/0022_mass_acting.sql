-- What operators said about mass acting; the last word counts.
create table mass_acting (
    entry bigint primary key generated always as identity,
    halted boolean not null,
    actor text not null,
    reason text not null,
    recorded_at timestamptz not null default now()
);

create trigger mass_acting_append_only before update or delete or truncate on mass_acting for each statement execute function refuse_change();
revoke update, delete, truncate on mass_acting from imet_enrollment;
