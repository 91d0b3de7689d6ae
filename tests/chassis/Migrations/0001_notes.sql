create table note (
    id text primary key,
    version bigint not null
);
