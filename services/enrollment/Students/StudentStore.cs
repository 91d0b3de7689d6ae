using Dapper;
using Imet.Chassis;
using Imet.Enrollment.Audit;
using Npgsql;
using NpgsqlTypes;

namespace Imet.Enrollment.Students;

/// <summary>A student without anything that tells who it is.</summary>
public sealed record StudentRecord
{
    public required Guid StudentId { get; init; }
    public required string Country { get; init; }
    public required Guid? UnitId { get; init; }
    public required DateTime RecordedAt { get; init; }
    public required string[]? Sources { get; init; }
    public required string[]? ExternalIds { get; init; }
    public long Version { get; init; }
    public byte[]? Digest { get; init; }
    public DateTime? PurgedAt { get; init; }
    public Guid[]? BarIds { get; init; }

    public AuditTip Tip => new(Version, Digest);
}

public sealed record ExternalIdHolder
{
    public required Guid ResourceId { get; init; }
    public required string Country { get; init; }
}

/// <summary>Its text is never to be logged: a record prints its values.</summary>
public sealed record PersonalRow
{
    public required string Surname { get; init; }
    public required string GivenNames { get; init; }
    public required string Rank { get; init; }
    public required string Service { get; init; }
    public required string ServiceNumber { get; init; }
    public required DateOnly? DateOfBirth { get; init; }
    public required string PlaceOfBirth { get; init; }
    public required string Sex { get; init; }
    public required string UsEquivalentRank { get; init; }
    public required string UsGrade { get; init; }
    public required string PassportNumber { get; init; }
    public required string Citizenship { get; init; }
    public required string VisaNumber { get; init; }
    public required string VisaType { get; init; }

    public override string ToString() => nameof(PersonalRow);
}

public sealed class StudentStore
{
    private const string StudentSql = """
        select s.student_id, s.country, s.unit_id, s.recorded_at, s.version, s.digest, s.purged_at, x.sources, x.external_ids,
               (select array_agg(bar_id order by bar_id) from bar_matches m where m.student_id = s.student_id) as bar_ids
        from students s
        left join lateral (select array_agg(source order by source, external_id) as sources, array_agg(external_id order by source, external_id) as external_ids
                           from external_ids where resource_id = s.student_id) x on true

        """;

    private const string FindSql = StudentSql + "where s.student_id = @id and (@countries::text[] is null or s.country = any(@countries))";

    public Task<StudentRecord?> FindStudentAsync(NpgsqlConnection connection, Guid id, string[]? countries, CancellationToken cancel) =>
        connection.QueryFirstOrDefaultAsync<StudentRecord>(new CommandDefinition(FindSql, new { id, countries }, cancellationToken: cancel));

    private const string FindByExternalIdSql = StudentSql + """
        where s.student_id = (select resource_id from external_ids where kind = 'STUDENT' and source = @source and external_id = @externalId)
          and (@countries::text[] is null or s.country = any(@countries))
        """;

    public Task<StudentRecord?> FindStudentByExternalIdAsync(NpgsqlConnection connection, string source, string externalId, string[]? countries, CancellationToken cancel) =>
        connection.QueryFirstOrDefaultAsync<StudentRecord>(new CommandDefinition(FindByExternalIdSql, new { source, externalId, countries }, cancellationToken: cancel));

    private const string LockSql = FindSql + " for no key update of s";

    public Task<StudentRecord?> LockAsync(Transaction tx, Guid id, string[]? countries, CancellationToken cancel) =>
        tx.Connection.QueryFirstOrDefaultAsync<StudentRecord>(new CommandDefinition(LockSql, new { id, countries }, tx.Npgsql, cancellationToken: cancel));

    private const string ListSql = StudentSql + """
        where s.country = @country and (@after::uuid is null or s.student_id > @after)
        order by s.student_id limit @size
        """;

    public async Task<List<StudentRecord>> ListStudentsAsync(NpgsqlConnection connection, string country, Guid? after, int size, CancellationToken cancel) =>
        [.. await connection.QueryAsync<StudentRecord>(new CommandDefinition(ListSql, new { country, after, size }, cancellationToken: cancel))];

    private const string PersonalSql = """
        select surname, given_names, rank, service, service_number, date_of_birth, place_of_birth, sex, us_equivalent_rank, us_grade, passport_number, citizenship, visa_number, visa_type
        from student_personal where student_id = @id
        """;

    public Task<PersonalRow?> FindPersonalAsync(NpgsqlConnection connection, Guid id, CancellationToken cancel) =>
        connection.QueryFirstOrDefaultAsync<PersonalRow>(new CommandDefinition(PersonalSql, new { id }, cancellationToken: cancel));

    private const string NowSql = "select now()";

    public Task<DateTime> NowAsync(Transaction tx, CancellationToken cancel) =>
        tx.Connection.QueryFirstAsync<DateTime>(new CommandDefinition(NowSql, transaction: tx.Npgsql, cancellationToken: cancel));

    private const string InsertSql = "insert into students (student_id, country, unit_id, version, digest) values ($1, $2, $3, $4, $5)";

    private const string InsertPersonalSql = """
        insert into student_personal (student_id, surname, given_names, rank, service, service_number, date_of_birth, place_of_birth, sex, us_equivalent_rank, us_grade, passport_number, citizenship,
                                      visa_number, visa_type)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        """;

    public void Insert(Transaction tx, StudentRecord student, PersonalRow personal)
    {
        tx.Enqueue(InsertSql, student.StudentId, student.Country, Sql.Of(NpgsqlDbType.Uuid, student.UnitId), student.Version, student.Digest!);
        InsertPersonal(tx, student.StudentId, personal);
        InsertExternalIds(tx, "STUDENT", student.StudentId, student.Country, student.Sources, student.ExternalIds);
    }

    private const string UpdateSql = "update students set unit_id = $2, version = $3, digest = $4 where student_id = $1";

    private const string DeletePersonalSql = "delete from student_personal where student_id = $1";

    public void Update(Transaction tx, StudentRecord student, PersonalRow personal)
    {
        tx.Enqueue(UpdateSql, student.StudentId, Sql.Of(NpgsqlDbType.Uuid, student.UnitId), student.Version, student.Digest!);
        tx.Enqueue(DeletePersonalSql, student.StudentId);
        InsertPersonal(tx, student.StudentId, personal);
        ReplaceExternalIds(tx, "STUDENT", student.StudentId, student.Country, student.Sources, student.ExternalIds);
    }

    private const string PurgeSql = "update students set purged_at = $2, version = $3, digest = $4 where student_id = $1";

    // The answers to requests name ids and etags only, so what remains there tells nothing.
    public void Purge(Transaction tx, StudentRecord student, DateTime now)
    {
        tx.Enqueue(PurgeSql, student.StudentId, now, student.Version, student.Digest!);
        tx.Enqueue(DeletePersonalSql, student.StudentId);
    }

    private const string OpenLineSql = """
        select line_id from training_lines where student_id = $1 and is_open
        union all
        select r.line_id from line_roster r join training_lines l on l.line_id = r.line_id where r.student_id = $1 and l.is_open
        limit 1
        """;

    public async Task<Guid?> OpenLineAsync(Transaction tx, Guid studentId, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(OpenLineSql, tx.Connection, tx.Npgsql) { Parameters = { new NpgsqlParameter<Guid> { TypedValue = studentId } } };
        return (Guid?)await command.ExecuteScalarAsync(cancel);
    }

    // Nothing of theirs is open, and nothing has changed since the day.
    private const string OutlivedSql = """
        select s.student_id from students s
        where s.purged_at is null and s.recorded_at < $1 and s.student_id > $2
          and not exists (select from training_lines l where l.student_id = s.student_id and (l.is_open or l.changed_at >= $1))
          and not exists (select from line_roster r join training_lines l on l.line_id = r.line_id where r.student_id = s.student_id and (l.is_open or l.changed_at >= $1))
        order by s.student_id limit $3
        """;

    public async Task<List<Guid>> OutlivedAsync(NpgsqlConnection connection, DateTime before, Guid after, int size, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(OutlivedSql, connection)
        {
            Parameters = { new NpgsqlParameter<DateTime> { TypedValue = before }, new NpgsqlParameter<Guid> { TypedValue = after }, new NpgsqlParameter<int> { TypedValue = size } },
        };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        List<Guid> ids = [];
        while (await reader.ReadAsync(cancel))
            ids.Add(reader.GetGuid(0));
        return ids;
    }

    private static void InsertPersonal(Transaction tx, Guid id, PersonalRow personal) => tx.Enqueue(InsertPersonalSql, id, personal.Surname, personal.GivenNames, personal.Rank, personal.Service,
        personal.ServiceNumber, Sql.Of(NpgsqlDbType.Date, personal.DateOfBirth), personal.PlaceOfBirth, personal.Sex, personal.UsEquivalentRank, personal.UsGrade, personal.PassportNumber,
        personal.Citizenship, personal.VisaNumber, personal.VisaType);

    private const string InsertExternalIdSql = "insert into external_ids (kind, source, external_id, resource_id, country) values ($1, $2, $3, $4, $5)";

    internal static void InsertExternalIds(Transaction tx, string kind, Guid id, string country, string[]? sources, string[]? externalIds)
    {
        for (var i = 0; i < (sources?.Length ?? 0); i++)
            tx.Enqueue(InsertExternalIdSql, kind, sources![i], externalIds![i], id, country);
    }

    private const string DeleteExternalIdsSql = "delete from external_ids where kind = $1 and resource_id = $2";

    internal static void ReplaceExternalIds(Transaction tx, string kind, Guid id, string country, string[]? sources, string[]? externalIds)
    {
        tx.Enqueue(DeleteExternalIdsSql, kind, id);
        InsertExternalIds(tx, kind, id, country, sources, externalIds);
    }

    private const string ExternalIdHolderSql = """
        select resource_id, country from external_ids
        where kind = @kind and (source, external_id) in (select u.source, u.external_id from unnest(@sources, @ids) as u(source, external_id))
        limit 1
        """;

    public Task<ExternalIdHolder?> ExternalIdHolderAsync(NpgsqlConnection connection, string kind, string[] sources, string[] ids, CancellationToken cancel) =>
        connection.QueryFirstOrDefaultAsync<ExternalIdHolder>(new CommandDefinition(ExternalIdHolderSql, new { kind, sources, ids }, cancellationToken: cancel));
}
