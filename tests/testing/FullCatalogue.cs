using Dapper;
using Npgsql;

namespace Imet.Testing;

/// <summary>A catalogue of full size, written straight into the tables of course-catalog: 150 schools, 20,000 courses, 40,000 offerings over three years, some with quotas and seats taken.</summary>
public static class FullCatalogue
{
    // Words with the shares that titles of real reports have: some in a third of all, most in few.
    private const string Sql = """
        set search_path = catalog, extensions;
        insert into schools (id, code, name, location, implementing_agency, version)
        select gen_random_uuid(), 'S' || lpad(n::text, 3, '0'), 'School ' || n, 'Fort ' || (array['Benning, GA', 'Leavenworth, KS', 'Sill, OK', 'Lee, VA', 'Huachuca, AZ'])[1 + n % 5], 'ARMY', 1
        from generate_series(1, 150) n;
        create temp table titles on commit drop as
        select n, (array['Basic', 'Advanced', 'International', 'Intermediate', 'Joint'])[1 + n % 5] || ' '
            || (array['Infantry', 'Armor', 'Logistics', 'Aviation', 'Medical', 'Signal', 'Engineer', 'Artillery', 'Intelligence', 'Language'])[1 + n % 10] || ' '
            || (array['Officer', 'Sergeant', 'Instructor', 'Technician', 'Staff', 'Maintenance'])[1 + (n / 7) % 6] || ' '
            || (array['Course', 'Training', 'Seminar', 'Workshop'])[1 + (n / 3) % 4] || ' ' || 'topic' || chr(97 + n % 26) || chr(97 + (n / 26) % 26) || chr(97 + (n / 676) % 26) as title
        from generate_series(1, 20000) n;
        insert into courses (id, masl_number, implementing_agency, version)
        select gen_random_uuid(), (array['B', 'D', 'P'])[1 + n % 3] || (100000 + n), (array['ARMY', 'AIR_FORCE', 'NAVY'])[1 + n % 3], 1 from titles;
        insert into course_versions (id, course_id, fiscal_year, title, school_id, training_kind, duration_days, ecl_minimum, prices, dedicated)
        select gen_random_uuid(), c.id, 2031, t.title, s.id, (array['CLASSROOM', 'OPERATIONAL', 'LANGUAGE'])[1 + t.n % 3], 30, 70, '[]', false
        from titles t join courses c on c.masl_number = (array['B', 'D', 'P'])[1 + t.n % 3] || (100000 + t.n) join schools s on s.code = 'S' || lpad((1 + t.n % 150)::text, 3, '0');
        insert into offerings (id, course_version_id, course_id, masl_number, title, school_id, school_name, school_code, training_kind, implementing_agency, fiscal_year, dedicated, prices,
            report_date, start_date, end_date, capacity, location, state, all_international, cancelled_on, cancelled_because, version)
        select gen_random_uuid(), v.id, c.id, c.masl_number, v.title, s.id, s.name, s.code, v.training_kind, c.implementing_agency, 2031, false, '[]',
            d.day, d.day, d.day + 30, 5 + (h.n % 40), s.location, case when h.n % 20 = 0 then 'CANCELLED' when h.n % 9 = 0 then 'MOVED' else 'OPEN' end, false,
            case when h.n % 20 = 0 then d.day end, case when h.n % 20 = 0 then 'Of no use.' end, 1
        from (select row_number() over (order by v.id) as k, v.* from course_versions v) v
        join courses c on c.id = v.course_id join schools s on s.id = v.school_id
        cross join lateral (select v.k * 2 + half as n from generate_series(0, 1) half) h
        cross join lateral (select date '2030-10-01' + (h.n * 7919 % 1096)::int as day) d;
        insert into offering_seats (offering_id, taken, as_of) select id, capacity / 2, now() from offerings where hashtext(id::text) % 3 = 0;
        insert into quotas (offering_id, country, nominal, held)
        select o.id, q.country, 1, 1 from offerings o cross join (values ('KEN'), ('JOR'), ('COL')) q (country) where hashtext(o.id::text) % 25 = 0 and o.capacity > 5;
        insert into quotas (offering_id, country, nominal, held) select o.id, 'GHA', 1, 1 from offerings o where hashtext(o.id::text) % 2000 = 0;
        """;

    public static async Task MakeAsync(string administrator, CancellationToken cancel)
    {
        await using var connection = new NpgsqlConnection(administrator);
        await connection.OpenAsync(cancel);
        await using (var transaction = await connection.BeginTransactionAsync(cancel))
        {
            await connection.ExecuteAsync(new CommandDefinition(Sql, transaction: transaction, commandTimeout: 300, cancellationToken: cancel));
            await transaction.CommitAsync(cancel);
        }
        await connection.ExecuteAsync(new CommandDefinition("vacuum analyze catalog.offerings, catalog.offering_seats, catalog.quotas, catalog.search_words", commandTimeout: 300, cancellationToken: cancel));
    }
}
