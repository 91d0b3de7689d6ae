-- Words as English has them (Officers, Officer's and Officer'S are one), of all that people look for a class by.
alter table offerings add words tsvector not null generated always as
    (to_tsvector('english', title || ' ' || masl_number || ' ' || coalesce(school_name, '') || ' ' || coalesce(school_code, '') || ' ' || location)) stored;

create index offerings_by_words on offerings using gin (words);

-- Every word that a class has, so that a misspelt one is compared with some thousand words and not with every title. A word may be here twice: two who bring it at the same time do not wait for each other.
create table search_words (word text collate "C" not null);

create index search_words_by_word on search_words (word text_pattern_ops);
create index search_words_alike on search_words using gin (word extensions.gin_trgm_ops);

create function remember_words() returns trigger language plpgsql set search_path from current as $body$
begin
    insert into search_words (word)
    select distinct w.word
    from changed c, unnest(tsvector_to_array(to_tsvector('simple', c.title || ' ' || coalesce(c.school_name, '') || ' ' || c.location))) as w (word)
    where w.word ~ '^[a-z]{3,40}$' and not exists (select from search_words s where s.word = w.word);
    return null;
end
$body$;

create trigger offerings_words_added after insert on offerings referencing new table as changed for each statement execute function remember_words();
create trigger offerings_words_changed after update on offerings referencing new table as changed for each statement execute function remember_words();
