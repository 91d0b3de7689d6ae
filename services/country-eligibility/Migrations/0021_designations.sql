-- What a country is by treaty or by law, with dates: a status, never a right to be trained. A version is never edited: its known time is closed, once, when another takes its place.
create table designations (
    id uuid not null,
    version int not null check (version > 0),
    country text not null references countries,
    kind text not null check (kind in ('NATO_MEMBER', 'MAJOR_NON_NATO_ALLY', 'TREATED_AS_MAJOR_NON_NATO_ALLY', 'HIGH_INCOME')),
    source text not null,
    valid_from date not null,
    valid_to date check (valid_to > valid_from),
    known_from timestamptz not null,
    known_to timestamptz check (known_to > known_from),
    recorded_by text not null,
    primary key (id, version),
    constraint designations_do_not_overlap exclude using gist (
        country with =,
        kind with =,
        daterange(valid_from, valid_to) with &&,
        tstzrange(known_from, known_to) with &&)
);

create trigger designations_close_once before update on designations for each row execute function only_close_known_time();
create trigger designations_stay before delete on designations for each row execute function refuse_edit();

revoke all on designations from imet_eligibility;
grant select, insert, update (known_to) on designations to imet_eligibility;
