-- Run once for the database "imet", by a role that may create roles and owns the database; again after a password changes. Harmless to repeat.
-- Passwords come as settings of the session: imet.owner_password and imet.runtime_password, or imet.<schema>_owner_password and imet.<schema>_password
-- for passwords that differ, e.g.  PGOPTIONS="-c imet.owner_password=... -c imet.runtime_password=..." psql -d imet -f provision.sql
-- A role whose password is not given keeps the one it has.
do $$
declare
    service text;
    given text;
begin
    execute format('revoke all on database %I from public', current_database());
    revoke all on schema public from public;

    create schema if not exists extensions;
    grant usage on schema extensions to public;
    create extension if not exists btree_gist schema extensions;
    create extension if not exists pg_trgm schema extensions;

    foreach service in array array['eligibility', 'catalog', 'enrollment'] loop
        if not exists (select from pg_roles where rolname = format('imet_%s_owner', service)) then
            execute format('create role %I login', format('imet_%s_owner', service));
        end if;
        if not exists (select from pg_roles where rolname = format('imet_%s', service)) then
            execute format('create role %I login', format('imet_%s', service));
        end if;
        given := coalesce(nullif(current_setting(format('imet.%s_owner_password', service), true), ''), nullif(current_setting('imet.owner_password', true), ''));
        if given is not null then
            execute format('alter role %I password %L', format('imet_%s_owner', service), given);
        end if;
        given := coalesce(nullif(current_setting(format('imet.%s_password', service), true), ''), nullif(current_setting('imet.runtime_password', true), ''));
        if given is not null then
            execute format('alter role %I password %L', format('imet_%s', service), given);
        end if;

        execute format('grant connect on database %I to %I, %I', current_database(), format('imet_%s_owner', service), format('imet_%s', service));
        execute format('grant %I to current_user', format('imet_%s_owner', service));
        execute format('create schema if not exists %I authorization %I', service, format('imet_%s_owner', service));
        execute format('grant usage on schema %I to %I', service, format('imet_%s', service));
    end loop;
end $$;
