-- Up to here the log is no longer whole: set when a part of it is purged.
alter table outbox_state add column purged_position bigint not null default 0;

-- Drops the months that are over for longer than events are kept, and what lay in the default partition as long. It runs with the owner's rights, because
-- the runtime role may not drop tables. A month with an event that was never sent stays. Writers queue behind the lock that a drop waits for,
-- so it gives up at once where it does not get it, and is called again.
create function outbox_purge(kept interval) returns integer language plpgsql security definer set search_path from current set lock_timeout = '100ms' as $$
declare
    bound uuid := outbox_bound(now() - kept);
    month record;
    last bigint;
    unsent boolean;
    purged integer := 0;
begin
    for month in
        select c.relname as name
        from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'outbox'::regclass and c.relname ~ '^outbox_\d{4}_\d{2}$'
            and outbox_bound((to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month') at time zone 'utc') <= bound
        order by c.relname
    loop
        execute format('select exists (select from %I where published_at is null)', month.name) into unsent;
        continue when unsent;
        execute format('select max(position) from %I', month.name) into last;
        execute format('drop table %I', month.name);
        update outbox_state set purged_position = greatest(purged_position, coalesce(last, 0));
        purged := purged + 1;
    end loop;

    with old as (
        delete from outbox_default where id in (select id from outbox_default where id < bound and published_at is not null limit 2000) returning position
    )
    select max(position) into last from old;
    update outbox_state set purged_position = last where purged_position < last;
    return purged;
end $$;
