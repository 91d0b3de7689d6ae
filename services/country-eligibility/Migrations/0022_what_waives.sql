-- What may waive a basis, and for how long: nothing, a fiscal year at a time, or until it is ended. And how many days before its first one a waiver must be announced.
alter table legal_bases
    add column waiver_term text not null default 'OPEN' check (waiver_term in ('NONE', 'OPEN', 'FISCAL_YEAR')),
    add column waiver_notice_days int not null default 0 check (waiver_notice_days >= 0);

update legal_bases set waiver_term = 'NONE' where waiver = '';
update legal_bases set waiver_term = 'FISCAL_YEAR' where code in ('CSPA_404', 'TVPA_110', 'FAA_620Q', 'COUP_7008');
update legal_bases set waiver_notice_days = 15 where code = 'FAA_620A';
update legal_bases set default_effect = 'CONDITION_CARRIED' where code = 'GNP_PER_HEAD';
update legal_bases set default_effect = 'CEILING' where code = 'FAA_490';

insert into legal_bases (code, name, citation, set_off_by, default_effect, waiver, authority, default_wind_up, waiver_term)
values
    ('YEARLY_ACT', 'Country provision of a yearly act', 'Foreign operations act of the fiscal year', 'The act names the country, for example for Expanded IMET alone', 'SUSPEND', '', 'Congress', 'FINISH_BEGUN', 'NONE'),
    ('NOTIFICATION', 'Only after notification of Congress', 'Foreign operations act of the fiscal year', 'The act names the country: first the regular notification procedures of the Committees on Appropriations', 'CONDITION_BLOCKING', '', 'Congress', 'FINISH_BEGUN', 'NONE'),
    ('WEAPONS_PROGRAM', 'Removal from a weapons program', 'Letter of the Secretary of Defense', 'The country is removed from a program: training on its platform ends', 'STOP', 'Ended by who made it', 'Secretary of Defense', 'NONE', 'OPEN');

alter table legal_bases add constraint legal_bases_say_who_waives check ((waiver = '') = (waiver_term = 'NONE'));
