using Google.Protobuf.WellKnownTypes;
using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.Bars;
using Imet.Enrollment.Offerings;
using Imet.Enrollment.V1;
using Npgsql;
using NpgsqlTypes;
using Extent = Imet.Enrollment.V1.EnglishExemption.Types.Extent;
using Kind = Imet.Enrollment.V1.Gate.Types.Kind;

namespace Imet.Enrollment.Gates;

/// <summary>What one person, and the unit, is known by at the gates.</summary>
public sealed record PersonRead(Guid? UnitId, string? RemovedBy, IReadOnlyList<Restraint> Bars, IReadOnlyList<Restraint> Flags, IReadOnlyList<Evidence> Evidence);

public sealed class GateStore
{
    private const string PeopleSql = """
        select s.student_id, s.unit_id, r.document, b.bar_ids, b.froms, b.untils, b.causes, f.flag_ids, f.froms, f.untils, f.causes
        from students s
        left join removals r on r.student_id = s.student_id
        left join barred_students b on b.student_id = s.student_id
        left join flagged_units f on f.unit_id = s.unit_id
        where s.student_id = any($1)
        """;

    private const string EvidenceSql = """
        select s.student_id, e.result_id, e.gate, e.passed, e.decided_on, e.valid_until, e.ecl_score, e.opi_level
        from students s
        cross join lateral (
            select distinct on (gate) * from (select * from gate_results where student_id = s.student_id union all select * from gate_results where unit_id = s.unit_id) known
            order by gate, result_id desc
        ) e
        where s.student_id = any($1)
        """;

    public async Task<IReadOnlyDictionary<Guid, PersonRead>> PeopleAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction, Guid[] studentIds, CancellationToken cancel)
    {
        await using var batch = new NpgsqlBatch(connection, transaction)
        {
            BatchCommands = { new NpgsqlBatchCommand(PeopleSql) { Parameters = { Value(studentIds) } }, new NpgsqlBatchCommand(EvidenceSql) { Parameters = { Value(studentIds) } } },
        };
        await using var reader = await batch.ExecuteReaderAsync(cancel);
        Dictionary<Guid, PersonRead> people = [];
        Dictionary<Guid, List<Evidence>> evidence = [];
        while (await reader.ReadAsync(cancel))
        {
            var id = reader.GetGuid(0);
            people[id] = new PersonRead(reader.IsDBNull(1) ? null : reader.GetGuid(1), reader.IsDBNull(2) ? null : reader.GetString(2), BarStore.Read(reader, 3), BarStore.Read(reader, 7), evidence[id] = []);
        }
        await reader.NextResultAsync(cancel);
        while (await reader.ReadAsync(cancel))
        {
            evidence[reader.GetGuid(0)].Add(new Evidence
            {
                Id = reader.GetGuid(1),
                Gate = Parse(reader.GetString(2)),
                Passed = reader.GetBoolean(3),
                DecidedOn = reader.GetFieldValue<DateOnly>(4),
                ValidUntil = reader.IsDBNull(5) ? null : reader.GetFieldValue<DateOnly>(5),
                EclScore = reader.GetInt32(6),
                OpiLevel = reader.GetString(7),
            });
        }
        return people;
    }

    private const string EnglishSql = "select fiscal_year, extent from english_exemptions where country = $1 order by recorded_at";

    public async Task<IReadOnlyDictionary<int, Extent>> EnglishAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction, string country, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(EnglishSql, connection, transaction) { Parameters = { Value(country) } };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        Dictionary<int, Extent> years = [];
        while (await reader.ReadAsync(cancel))
            years[reader.GetInt32(0)] = ParseExtent(reader.GetString(1));
        return years;
    }

    private const string StatesSql = "select offering_id, state from offerings where offering_id = any($1)";

    public async Task<IReadOnlyDictionary<Guid, Offering.Types.State>> OfferingStatesAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction, Guid[] offeringIds, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(StatesSql, connection, transaction) { Parameters = { Value(offeringIds) } };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        Dictionary<Guid, Offering.Types.State> states = [];
        while (await reader.ReadAsync(cancel))
            states[reader.GetGuid(0)] = OfferingCopy.ParseState(reader.GetString(1));
        return states;
    }

    private const string LockStudentSql = "select country, now() from students where student_id = $1 for no key update";

    private const string LockUnitSql = "select country, now() from units where unit_id = $1 for no key update";

    /// <summary>The country of the person or unit that something is recorded about: orders that rest on it wait.</summary>
    public async Task<(string Country, DateTime Now)?> LockSubjectAsync(Transaction tx, Guid? studentId, Guid? unitId, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(studentId is null ? LockUnitSql : LockStudentSql, tx.Connection, tx.Npgsql) { Parameters = { Value(studentId ?? unitId ?? Guid.Empty) } };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        return await reader.ReadAsync(cancel) ? (reader.GetString(0), reader.GetDateTime(1)) : null;
    }

    private const string InsertSql = """
        insert into gate_results (result_id, country, gate, student_id, unit_id, passed, decided_on, valid_until, ecl_score, opi_level, document, recorded_by, recorded_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        """;

    public void Insert(Transaction tx, GateResult result, DateTime now) => tx.Enqueue(InsertSql, Guid.Parse(result.Id), result.Country, GateDecisions.Text(result.Gate),
        Sql.Of(NpgsqlDbType.Uuid, Wishes.IdOrNull(result.StudentId)), Sql.Of(NpgsqlDbType.Uuid, Wishes.IdOrNull(result.UnitId)), result.Passed, result.DecidedOn.ToDateOnly(),
        Sql.Of(NpgsqlDbType.Date, result.ValidUntil?.ToDateOnly()), result.EclScore, result.OpiLevel, result.Document, result.RecordedBy, now);

    private const string LinesOfStudentSql = "select line_id from training_lines where student_id = $1 and orders_number is not null and is_open";

    private const string LinesOfUnitSql = """
        select l.line_id from training_lines l join students s on s.student_id = l.student_id where s.unit_id = $1 and l.orders_number is not null and l.is_open
        """;

    /// <summary>Lines with orders that rest on what is known of the person or unit.</summary>
    public async Task<Guid[]> LinesOfAsync(Transaction tx, Guid? studentId, Guid? unitId, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(studentId is null ? LinesOfUnitSql : LinesOfStudentSql, tx.Connection, tx.Npgsql) { Parameters = { Value(studentId ?? unitId ?? Guid.Empty) } };
        return await IdsAsync(command, cancel);
    }

    private const string PageWithOrdersSql = "select line_id from training_lines where country = $1 and orders_number is not null and is_open and line_id > $2 order by line_id limit $3";

    public async Task<Guid[]> PageWithOrdersAsync(NpgsqlConnection connection, string country, Guid after, int size, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(PageWithOrdersSql, connection) { Parameters = { Value(country), Value(after), Value(size) } };
        return await IdsAsync(command, cancel);
    }

    private const string ListSql = """
        select result_id, country, gate, student_id, unit_id, passed, decided_on, valid_until, ecl_score, opi_level, document, recorded_by, recorded_at
        from gate_results where (student_id = $1 or unit_id = $2) and ($3::text[] is null or country = any($3)) and ($4::uuid is null or result_id < $4)
        order by result_id desc limit $5
        """;

    public async Task<List<GateResult>> ListAsync(NpgsqlConnection connection, Guid? studentId, Guid? unitId, string[]? countries, Guid? before, int size, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(ListSql, connection)
        {
            Parameters =
            {
                Sql.Of(NpgsqlDbType.Uuid, studentId), Sql.Of(NpgsqlDbType.Uuid, unitId), Sql.Of(NpgsqlDbType.Array | NpgsqlDbType.Text, countries), Sql.Of(NpgsqlDbType.Uuid, before), Value(size),
            },
        };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        List<GateResult> results = [];
        while (await reader.ReadAsync(cancel))
        {
            results.Add(new GateResult
            {
                Id = reader.GetGuid(0).ToString(),
                Country = reader.GetString(1),
                Gate = Parse(reader.GetString(2)),
                StudentId = reader.IsDBNull(3) ? "" : reader.GetGuid(3).ToString(),
                UnitId = reader.IsDBNull(4) ? "" : reader.GetGuid(4).ToString(),
                Passed = reader.GetBoolean(5),
                DecidedOn = reader.GetFieldValue<DateOnly>(6).ToProto(),
                ValidUntil = reader.IsDBNull(7) ? null : reader.GetFieldValue<DateOnly>(7).ToProto(),
                EclScore = reader.GetInt32(8),
                OpiLevel = reader.GetString(9),
                Document = reader.GetString(10),
                RecordedBy = reader.GetString(11),
                RecordedTime = Timestamp.FromDateTime(reader.GetDateTime(12)),
            });
        }
        return results;
    }

    private const string ExemptSql = "insert into english_exemptions (country, fiscal_year, extent, document, recorded_by) values ($1, $2, $3, $4, $5)";

    public void Exempt(Transaction tx, EnglishExemption exemption, string actor) =>
        tx.Enqueue(ExemptSql, exemption.Country, exemption.FiscalYear, exemption.Extent switch { Extent.Full => "FULL", Extent.InCountry => "IN_COUNTRY", _ => "NONE" }, exemption.Document, actor);

    private static Extent ParseExtent(string text) => text switch
    {
        "FULL" => Extent.Full,
        "IN_COUNTRY" => Extent.InCountry,
        _ => Extent.None,
    };

    private static Kind Parse(string text) => System.Enum.GetValues<Kind>().First(kind => kind != Kind.Unspecified && GateDecisions.Text(kind) == text);

    private static async Task<Guid[]> IdsAsync(NpgsqlCommand command, CancellationToken cancel)
    {
        await using var reader = await command.ExecuteReaderAsync(cancel);
        List<Guid> ids = [];
        while (await reader.ReadAsync(cancel))
            ids.Add(reader.GetGuid(0));
        return [.. ids];
    }

    private static NpgsqlParameter<T> Value<T>(T value) => new() { TypedValue = value };
}
