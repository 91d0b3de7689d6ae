using Dapper;
using Imet.Chassis;
using Npgsql;
using NpgsqlTypes;

namespace Imet.Enrollment.Students;

public sealed record UnitRow
{
    public required Guid UnitId { get; init; }
    public required string Country { get; init; }
    public required string Name { get; init; }
    public required DateTime RecordedAt { get; init; }
    public required string[]? Sources { get; init; }
    public required string[]? ExternalIds { get; init; }
}

/// <summary>A student without anything that tells who it is.</summary>
public sealed record StudentRecord
{
    public required Guid StudentId { get; init; }
    public required string Country { get; init; }
    public required Guid? UnitId { get; init; }
    public required DateTime RecordedAt { get; init; }
    public required string[]? Sources { get; init; }
    public required string[]? ExternalIds { get; init; }
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

    public override string ToString() => nameof(PersonalRow);
}

public sealed class StudentStore
{
    private const string UnitSql = """
        select u.unit_id, u.country, u.name, u.recorded_at, x.sources, x.external_ids
        from units u
        left join lateral (select array_agg(source order by source, external_id) as sources, array_agg(external_id order by source, external_id) as external_ids
                           from external_ids where resource_id = u.unit_id) x on true

        """;

    private const string StudentSql = """
        select s.student_id, s.country, s.unit_id, s.recorded_at, x.sources, x.external_ids
        from students s
        left join lateral (select array_agg(source order by source, external_id) as sources, array_agg(external_id order by source, external_id) as external_ids
                           from external_ids where resource_id = s.student_id) x on true

        """;

    private const string FindUnitSql = UnitSql + "where u.unit_id = @id and (@countries::text[] is null or u.country = any(@countries))";

    public Task<UnitRow?> FindUnitAsync(NpgsqlConnection connection, Guid id, string[]? countries, CancellationToken cancel) =>
        connection.QueryFirstOrDefaultAsync<UnitRow>(new CommandDefinition(FindUnitSql, new { id, countries }, cancellationToken: cancel));

    private const string ListUnitsSql = UnitSql + """
        where u.country = @country and (@after::text is null or u.name > @after)
        order by u.name limit @size
        """;

    public async Task<List<UnitRow>> ListUnitsAsync(NpgsqlConnection connection, string country, string? after, int size, CancellationToken cancel) =>
        [.. await connection.QueryAsync<UnitRow>(new CommandDefinition(ListUnitsSql, new { country, after, size }, cancellationToken: cancel))];

    private const string FindStudentSql = StudentSql + "where s.student_id = @id and (@countries::text[] is null or s.country = any(@countries))";

    public Task<StudentRecord?> FindStudentAsync(NpgsqlConnection connection, Guid id, string[]? countries, CancellationToken cancel) =>
        connection.QueryFirstOrDefaultAsync<StudentRecord>(new CommandDefinition(FindStudentSql, new { id, countries }, cancellationToken: cancel));

    private const string FindStudentByExternalIdSql = StudentSql + """
        where s.student_id = (select resource_id from external_ids where kind = 'STUDENT' and source = @source and external_id = @externalId)
          and (@countries::text[] is null or s.country = any(@countries))
        """;

    public Task<StudentRecord?> FindStudentByExternalIdAsync(NpgsqlConnection connection, string source, string externalId, string[]? countries, CancellationToken cancel) =>
        connection.QueryFirstOrDefaultAsync<StudentRecord>(new CommandDefinition(FindStudentByExternalIdSql, new { source, externalId, countries }, cancellationToken: cancel));

    private const string ListStudentsSql = StudentSql + """
        where s.country = @country and (@after::uuid is null or s.student_id > @after)
        order by s.student_id limit @size
        """;

    public async Task<List<StudentRecord>> ListStudentsAsync(NpgsqlConnection connection, string country, Guid? after, int size, CancellationToken cancel) =>
        [.. await connection.QueryAsync<StudentRecord>(new CommandDefinition(ListStudentsSql, new { country, after, size }, cancellationToken: cancel))];

    private const string PersonalSql = """
        select surname, given_names, rank, service, service_number, date_of_birth, place_of_birth from student_personal where student_id = @id
        """;

    public Task<PersonalRow?> FindPersonalAsync(NpgsqlConnection connection, Guid id, CancellationToken cancel) =>
        connection.QueryFirstOrDefaultAsync<PersonalRow>(new CommandDefinition(PersonalSql, new { id }, cancellationToken: cancel));

    private const string UnitCountrySql = "select country from units where unit_id = @id";

    public Task<string?> UnitCountryAsync(Transaction tx, Guid id, CancellationToken cancel) =>
        tx.Connection.QueryFirstOrDefaultAsync<string>(new CommandDefinition(UnitCountrySql, new { id }, tx.Npgsql, cancellationToken: cancel));

    private const string NowSql = "select now()";

    public Task<DateTime> NowAsync(Transaction tx, CancellationToken cancel) =>
        tx.Connection.QueryFirstAsync<DateTime>(new CommandDefinition(NowSql, transaction: tx.Npgsql, cancellationToken: cancel));

    private const string InsertUnitSql = "insert into units (unit_id, country, name) values ($1, $2, $3)";

    public void Insert(Transaction tx, UnitRow unit)
    {
        tx.Enqueue(InsertUnitSql, unit.UnitId, unit.Country, unit.Name);
        InsertExternalIds(tx, "UNIT", unit.UnitId, unit.Country, unit.Sources, unit.ExternalIds);
    }

    private const string InsertStudentSql = "insert into students (student_id, country, unit_id) values ($1, $2, $3)";

    private const string InsertPersonalSql = """
        insert into student_personal (student_id, surname, given_names, rank, service, service_number, date_of_birth, place_of_birth)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        """;

    public void Insert(Transaction tx, StudentRecord student, PersonalRow personal)
    {
        tx.Enqueue(InsertStudentSql, student.StudentId, student.Country, Sql.Of(NpgsqlDbType.Uuid, student.UnitId));
        tx.Enqueue(InsertPersonalSql, student.StudentId, personal.Surname, personal.GivenNames, personal.Rank, personal.Service, personal.ServiceNumber,
            Sql.Of(NpgsqlDbType.Date, personal.DateOfBirth), personal.PlaceOfBirth);
        InsertExternalIds(tx, "STUDENT", student.StudentId, student.Country, student.Sources, student.ExternalIds);
    }

    private const string InsertExternalIdSql = "insert into external_ids (kind, source, external_id, resource_id, country) values ($1, $2, $3, $4, $5)";

    private static void InsertExternalIds(Transaction tx, string kind, Guid id, string country, string[]? sources, string[]? externalIds)
    {
        for (var i = 0; i < (sources?.Length ?? 0); i++)
            tx.Enqueue(InsertExternalIdSql, kind, sources![i], externalIds![i], id, country);
    }

    private const string ExternalIdHolderSql = """
        select resource_id, country from external_ids
        where kind = @kind and (source, external_id) in (select u.source, u.external_id from unnest(@sources, @ids) as u(source, external_id))
        limit 1
        """;

    public Task<ExternalIdHolder?> ExternalIdHolderAsync(NpgsqlConnection connection, string kind, string[] sources, string[] ids, CancellationToken cancel) =>
        connection.QueryFirstOrDefaultAsync<ExternalIdHolder>(new CommandDefinition(ExternalIdHolderSql, new { kind, sources, ids }, cancellationToken: cancel));

    private const string UnitNamedSql = "select unit_id from units where country = @country and name = @name";

    public Task<Guid?> UnitNamedAsync(NpgsqlConnection connection, string country, string name, CancellationToken cancel) =>
        connection.QueryFirstOrDefaultAsync<Guid?>(new CommandDefinition(UnitNamedSql, new { country, name }, cancellationToken: cancel));
}
