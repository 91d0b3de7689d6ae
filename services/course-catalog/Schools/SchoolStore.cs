using Dapper;
using Imet.Chassis;
using Npgsql;
using static Imet.CourseCatalog.CatalogStore;

namespace Imet.CourseCatalog;

internal sealed record SchoolRow
{
    public required Guid Id { get; init; }
    public string? Code { get; init; }
    public required string Name { get; init; }
    public required string Location { get; init; }
    public required string ImplementingAgency { get; init; }
    public required string[] Sources { get; init; }
    public required string[] Names { get; init; }
    public required long Version { get; init; }
    public DateTime CreatedAt { get; init; }

    public string Etag => $"\"{Version}\"";
}

internal static class SchoolStore
{
    private const string Columns = """
        s.id, s.code, s.name, s.location, s.implementing_agency, s.version, s.created_at,
        array(select x.source from external_ids x where x.resource_id = s.id and x.kind = 'SCHOOL' order by x.source, x.external_id) as sources,
        array(select x.external_id from external_ids x where x.resource_id = s.id and x.kind = 'SCHOOL' order by x.source, x.external_id) as names
        """;

    public static async Task<Added<SchoolRow>> AddAsync(Transaction tx, SchoolRow school, CancellationToken cancel)
    {
        const string sql = """
            insert into schools (id, code, name, location, implementing_agency, version)
            values (@Id, @Code, @Name, @Location, @ImplementingAgency, @Version)
            on conflict (code) do nothing
            returning created_at
            """;
        if (await tx.Connection.ExecuteScalarAsync<DateTime?>(Command(sql, school, cancel)) is not { } createdAt)
            return new() { KeyHolder = await HolderAsync(tx, "select id from schools where code = @Code", school, cancel) };
        return await NamedAsync(tx, "SCHOOL", school.Id, school.Sources, school.Names, school with { CreatedAt = createdAt }, cancel);
    }

    public static Task<SchoolRow?> LockAsync(Transaction tx, Guid id, CancellationToken cancel) =>
        tx.Connection.QuerySingleOrDefaultAsync<SchoolRow?>(Command($"select {Columns} from schools s where s.id = @id for no key update", new { id }, cancel));

    public static async Task<Added<SchoolRow>> UpdateAsync(Transaction tx, SchoolRow school, CancellationToken cancel)
    {
        // A code that is being taken at this moment is waited for here, so that the update meets no surprise.
        const string taken = "select id from schools where code = @Code and id <> @Id for share";
        const string sql = "update schools set code = @Code, name = @Name, location = @Location, implementing_agency = @ImplementingAgency, version = @Version where id = @Id";
        if (await tx.Connection.QuerySingleOrDefaultAsync<Guid?>(Command(taken, school, cancel)) is { } holder)
            return new() { KeyHolder = holder };
        await tx.Connection.ExecuteAsync(Command(sql, school, cancel));
        return await NamedAsync(tx, "SCHOOL", school.Id, school.Sources, school.Names, school, cancel);
    }

    public static async Task<IReadOnlyList<Guid>> VersionsWithClassesToComeAsync(NpgsqlConnection connection, Guid schoolId, DateOnly today, CancellationToken cancel)
    {
        const string sql = "select distinct o.course_version_id from offerings o where o.school_id = @schoolId and o.start_date > @today";
        return [.. await connection.QueryAsync<Guid>(Command(sql, new { schoolId, today }, cancel))];
    }

    public static Task<SchoolRow?> SchoolAsync(NpgsqlConnection connection, Guid id, CancellationToken cancel)
    {
        const string sql = $"select {Columns} from schools s where s.id = @id";
        return connection.QuerySingleOrDefaultAsync<SchoolRow?>(Command(sql, new { id }, cancel));
    }

    public static async Task<IReadOnlyList<SchoolRow>> SchoolsAsync(NpgsqlConnection connection, string nameContains, PageRequest page, CancellationToken cancel)
    {
        var sql = $"""
            select {Columns}
            from schools s
            where (s.name, s.id) > (@afterName, @afterId) {When(nameContains.Length > 0, "and position(lower(@nameContains) in lower(s.name)) > 0")}
            order by s.name, s.id
            limit @limit
            """;
        var (afterName, afterId) = After(page);
        return [.. await connection.QueryAsync<SchoolRow>(Command(sql, new { afterName, afterId, nameContains, limit = page.Size + 1 }, cancel))];
    }
}
