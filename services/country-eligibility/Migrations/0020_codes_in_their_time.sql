-- Codes that ended or changed are valid only in their time, and so a code of two letters or three digits may be another country's at another time.
alter table countries
    drop constraint countries_alpha2_key,
    drop constraint countries_numeric_code_key,
    drop constraint countries_dsca_code_key,
    add constraint countries_alpha2_is_one exclude using gist (alpha2 with =, daterange(valid_from, valid_to) with &&),
    add constraint countries_numeric_code_is_one exclude using gist (numeric_code with =, daterange(valid_from, valid_to) with &&),
    add constraint countries_dsca_code_is_one exclude using gist (dsca_code with =, daterange(valid_from, valid_to) with &&);

update countries set valid_from = d.day
from (values
    ('MMR', date '1989-12-05'), ('RUS', date '1992-08-30'), ('CZE', date '1993-06-15'), ('SVK', date '1993-06-15'), ('ERI', date '1993-07-12'), ('COD', date '1997-07-14'),
    ('ROU', date '2002-02-01'), ('TLS', date '2002-05-20'), ('MNE', date '2006-09-26'), ('SRB', date '2006-09-26'), ('BES', date '2010-12-15'), ('CUW', date '2010-12-15'),
    ('SXM', date '2010-12-15'), ('SSD', date '2011-08-09')) d (code, day)
where countries.code = d.code;

-- ISO 3166-3: formerly used codes, with the day on which they were withdrawn.
insert into countries (code, name, alpha2, numeric_code, dsca_code, region, combatant_command, valid_from, valid_to)
values
    ('ANT', 'Netherlands Antilles', 'AN', '530', null, 'Western Hemisphere', 'SOUTHCOM', null, '2010-12-15'),
    ('BUR', 'Burma', 'BU', '104', 'BM', 'East Asia and Pacific', 'INDOPACOM', null, '1989-12-05'),
    ('CSK', 'Czechoslovakia', 'CS', '200', null, 'Europe and Eurasia', 'EUCOM', null, '1993-06-15'),
    ('DDR', 'German Democratic Republic', 'DD', '278', null, 'Europe and Eurasia', 'EUCOM', null, '1990-10-30'),
    ('ROM', 'Romania', 'RO', '642', 'RO', 'Europe and Eurasia', 'EUCOM', null, '2002-02-01'),
    ('SCG', 'Serbia and Montenegro', 'CS', '891', 'YI', 'Europe and Eurasia', 'EUCOM', '2003-07-23', '2006-09-26'),
    ('SUN', 'Soviet Union', 'SU', '810', null, 'Europe and Eurasia', 'EUCOM', null, '1992-08-30'),
    ('TMP', 'East Timor', 'TP', '626', null, 'East Asia and Pacific', 'INDOPACOM', null, '2002-05-20'),
    ('YMD', 'South Yemen', 'YD', '720', null, 'Near East', 'CENTCOM', null, '1990-08-14'),
    ('YUG', 'Yugoslavia', 'YU', '891', 'YU', 'Europe and Eurasia', 'EUCOM', null, '2003-07-23'),
    ('ZAR', 'Zaire', 'ZR', '180', 'CX', 'Africa', 'AFRICOM', null, '1997-07-14');

-- Every name of a country, its own among them, as it is compared: folded and in capitals. At one time a name is one country's; valid is the time of the country's code.
create table country_names (
    country text not null references countries,
    folded text not null,
    name text not null,
    is_own boolean not null,
    valid daterange not null,
    primary key (country, folded),
    constraint country_names_are_one exclude using gist (folded with =, valid with &&)
);

insert into country_names (country, folded, name, is_own, valid)
-- Capitals of every letter that occurs, whatever the database's locale.
select code, upper(translate(name, 'ãçéíôü', 'ÃÇÉÍÔÜ')), name, true, daterange(valid_from, valid_to) from countries;

-- How reports and public tables spell countries.
insert into country_names (country, folded, name, is_own, valid)
select c.code, upper(s.name), s.name, false, daterange(c.valid_from, c.valid_to)
from (values
    ('BIH', 'Bosnia & Herzegovina'),
    ('BIH', 'Bosnia-Herzegovina'),
    ('BIH', 'Bosnia-Hercegovina'),
    ('BIH', 'Bosnia'),
    ('MMR', 'Burma'),
    ('CPV', 'Cape Verde'),
    ('CPV', 'Cape Verde, Republic of'),
    ('CHN', 'China, People''s Republic of'),
    ('COD', 'Congo, Democratic Republic of (Kinshasa)'),
    ('COD', 'Democratic Republic of the Congo'),
    ('COD', 'Dem Rep of the Congo'),
    ('COD', 'DRC'),
    ('COG', 'Congo, Republic of (Brazzaville)'),
    ('COG', 'Republic of the Congo'),
    ('CIV', 'Cote D''Ivoire, Republic of'),
    ('CIV', 'Cote d''Ivoire'),
    ('CIV', 'Ivory Coast'),
    ('CZE', 'Czech Republic'),
    ('TLS', 'East Timor'),
    ('TLS', 'Timor-Leste, Democratic Republic of'),
    ('FJI', 'Fiji Islands'),
    ('GMB', 'Gambia, The'),
    ('KHM', 'Kampuchea (Cambodia)'),
    ('KOR', 'Korea, Republic of South'),
    ('MKD', 'Macedonia'),
    ('MNE', 'Montenegro, Republic of'),
    ('MNE', 'Republic of Montenegro'),
    ('PSE', 'Palestinian Authority'),
    ('PNG', 'Papua-New Guinea'),
    ('SRB', 'Republic of Serbia'),
    ('SRB', 'Serbia, Republic of'),
    ('KNA', 'Saint Kitts & Nevis'),
    ('KNA', 'St Kitts & Nevis'),
    ('VCT', 'Saint Vincent and Grenadines'),
    ('VCT', 'St Vincent and Grenadines'),
    ('LCA', 'St Lucia'),
    ('STP', 'Sao Tome and Principe'),
    ('STP', 'Sao Tome & Principe'),
    ('SSD', 'Sudan, Republic of South'),
    ('SSD', 'Sudan, Republic of Southern'),
    ('SSD', 'Southern Sudan'),
    ('SWZ', 'Swaziland'),
    ('TTO', 'Trinidad-Tobago'),
    ('TUR', 'Turkey'),
    ('TCA', 'Turks and Caicos'),
    ('ARE', 'UAE'),
    ('USA', 'US'),
    ('USA', 'USA'),
    ('USA', 'United States of America'),
    ('GBR', 'UK'),
    ('VNM', 'Viet Nam'),
    ('YEM', 'Yemen (Sana)'),
    ('BDI', 'Brundi'),
    ('SYC', 'Seyechelles'),
    ('XKX', '*KS'),
    ('TUR', 'Turkiye'),
    ('COD', 'Congo (DRC)'),
    ('RUS', 'Russian Federation'),
    ('KOR', 'Republic of Korea'),
    ('KOR', 'Korea (Seoul)'),
    ('PRK', 'Korea, Democratic People''s Republic of'),
    ('LAO', 'Lao PDR'),
    ('SYR', 'Syrian Arab Republic'),
    ('BRN', 'Brunei Darussalam'),
    ('COD', 'Zaire')) s (country, name)
join countries c on c.code = s.country;

revoke all on country_names from imet_eligibility;
grant select, insert, delete on country_names to imet_eligibility;
grant insert, update (name, alpha2, numeric_code, dsca_code, region, combatant_command, valid_from, valid_to) on countries to imet_eligibility;
