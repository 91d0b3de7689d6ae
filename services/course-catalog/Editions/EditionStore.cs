using Dapper;
using Imet.Chassis;
using Npgsql;
using static Imet.CourseCatalog.CatalogStore;

namespace Imet.CourseCatalog;

internal sealed record EditionRow
{
    public required int FiscalYear { get; init; }
    public required string State { get; init; }
    public int? CopiedFrom { get; init; }
    public required int CopiedCount { get; init; }
    public required string OpenedBy { get; init; }
    public DateTime OpenedAt { get; init; }
    public string? PublishedBy { get; init; }
    public DateTime? PublishedAt { get; init; }
    public required long Version { get; init; }

    public bool IsPublished => State == "PUBLISHED";

    public string Etag => $"\"{Version}\"";
}

/// <summary>A course that two years say different things of; a side is null where the year has it not.</summary>
internal sealed record EditionChangeRow
{
    public required string MaslNumber { get; init; }
    public Guid? Before { get; init; }
    public Guid? After { get; init; }
}

internal static class EditionStore
{
    private const string Columns = "fiscal_year, state, copied_from, copied_count, opened_by, opened_at, published_by, published_at, version";

    // Of a year, what was said of each course at last, unless it left.
    private const string Latest = """
        select v.id, c.masl_number, r.title, r.school_id, r.location, r.training_kind, r.platform, r.purpose, r.analysis_code, r.duration_days, r.ecl_minimum, r.opi_minimum, r.prerequisites, r.prices,
            r.dedicated, r.charge, v.course_id
        from course_version_revisions r join course_versions v on v.id = r.course_version_id join courses c on c.id = v.course_id
        where r.effective_to is null and not r.retired
        """;

    /// <summary>Held until the end of the transaction, so that no course changes freely while its edition is being published.</summary>
    public static async Task<EditionRow?> LockForCoursesAsync(Transaction tx, int fiscalYear, CancellationToken cancel) =>
        await tx.Connection.QuerySingleOrDefaultAsync<EditionRow?>(Command($"select {Columns} from editions where fiscal_year = @fiscalYear for share", new { fiscalYear }, cancel));

    public static Task<EditionRow?> LockAsync(Transaction tx, int fiscalYear, CancellationToken cancel) =>
        tx.Connection.QuerySingleOrDefaultAsync<EditionRow?>(Command($"select {Columns} from editions where fiscal_year = @fiscalYear for update", new { fiscalYear }, cancel));

    public static async Task<IReadOnlyList<EditionRow>> EditionsAsync(NpgsqlConnection connection, CancellationToken cancel) =>
        [.. await connection.QueryAsync<EditionRow>(Command($"select {Columns} from editions order by fiscal_year desc", new { }, cancel))];

    public static Task<EditionRow?> EditionAsync(NpgsqlConnection connection, int fiscalYear, CancellationToken cancel) =>
        connection.QuerySingleOrDefaultAsync<EditionRow?>(Command($"select {Columns} from editions where fiscal_year = @fiscalYear", new { fiscalYear }, cancel));

    /// <summary>The year before this one that has courses, the latest first; null = none.</summary>
    public static Task<int?> YearBeforeAsync(NpgsqlConnection connection, int fiscalYear, CancellationToken cancel) =>
        connection.ExecuteScalarAsync<int?>(Command("select max(fiscal_year) from course_version_revisions where fiscal_year < @fiscalYear", new { fiscalYear }, cancel));

    /// <summary>False when the year has an edition already.</summary>
    public static async Task<EditionRow?> AddAsync(Transaction tx, EditionRow edition, CancellationToken cancel)
    {
        const string sql = """
            insert into editions (fiscal_year, state, copied_from, copied_count, opened_by, version) values (@FiscalYear, @State, @CopiedFrom, @CopiedCount, @OpenedBy, @Version)
            on conflict (fiscal_year) do nothing returning opened_at
            """;
        return await tx.Connection.ExecuteScalarAsync<DateTime?>(Command(sql, edition, cancel)) is { } openedAt ? edition with { OpenedAt = openedAt } : null;
    }

    /// <summary>Copies what the year before said at last of every course that the new year does not have; the number of courses.</summary>
    public static async Task<int> CopyForwardAsync(Transaction tx, int from, int to, DateOnly today, string actor, Func<Guid> newId, CancellationToken cancel)
    {
        const string sources = $"select s.id from ({Latest} and r.fiscal_year = @from) s where not exists (select from course_versions n where n.course_id = s.course_id and n.fiscal_year = @to)";
        const string copy = $"""
            with source as (
                select x.new_id, s.* from unnest(@sources, @ids) as x (id, new_id) join ({Latest}) s on s.id = x.id
            ), added as (
                insert into course_versions (id, course_id, fiscal_year, title, school_id, training_kind, duration_days, ecl_minimum, prices, dedicated)
                select new_id, course_id, @to, title, school_id, training_kind, duration_days, ecl_minimum, prices, dedicated from source
                returning id
            )
            insert into course_version_revisions (course_version_id, revision, fiscal_year, title, school_id, location, training_kind, platform, purpose, analysis_code, duration_days, ecl_minimum,
                opi_minimum, prerequisites, prices, dedicated, charge, effective_from, actor)
            select s.new_id, 1, @to, s.title, s.school_id, s.location, s.training_kind, s.platform, s.purpose, s.analysis_code, s.duration_days, s.ecl_minimum,
                s.opi_minimum, s.prerequisites, s.prices, s.dedicated, s.charge, @today, @actor
            from source s join added a on a.id = s.new_id
            """;
        Guid[] found = [.. await tx.Connection.QueryAsync<Guid>(Command(sources, new { from, to }, cancel))];
        foreach (var some in found.Chunk(1000))
            await tx.Connection.ExecuteAsync(Command(copy, new { sources = some, ids = some.Select(_ => newId()).ToArray(), to, today, actor }, cancel));
        return found.Length;
    }

    public static Task CopiedAsync(Transaction tx, int fiscalYear, int count, CancellationToken cancel) =>
        tx.Connection.ExecuteAsync(Command("update editions set copied_count = @count where fiscal_year = @fiscalYear", new { fiscalYear, count }, cancel));

    public static async Task<EditionRow> PublishAsync(Transaction tx, EditionRow edition, CancellationToken cancel)
    {
        const string sql = "update editions set state = @State, published_by = @PublishedBy, published_at = now(), version = @Version where fiscal_year = @FiscalYear returning published_at";
        return edition with { PublishedAt = await tx.Connection.ExecuteScalarAsync<DateTime>(Command(sql, edition, cancel)) };
    }

    public static async Task<IReadOnlyList<EditionChangeRow>> ChangesAsync(NpgsqlConnection connection, int before, int after, string afterNumber, int limit, CancellationToken cancel)
    {
        const string same = "title, {0}.school_id, {0}.location, {0}.training_kind, {0}.platform, {0}.purpose, {0}.analysis_code, {0}.duration_days, {0}.ecl_minimum, {0}.opi_minimum, {0}.prerequisites, {0}.prices, {0}.dedicated, {0}.charge";
        var sql = $"""
            select coalesce(b.masl_number, a.masl_number) as masl_number, b.id as before, a.id as after
            from ({Latest} and r.fiscal_year = @before and c.masl_number > @afterNumber) b
            full join ({Latest} and r.fiscal_year = @after and c.masl_number > @afterNumber) a on a.course_id = b.course_id
            where a.id is null or b.id is null or (a.{string.Format(System.Globalization.CultureInfo.InvariantCulture, same, "a")}) is distinct from (b.{string.Format(System.Globalization.CultureInfo.InvariantCulture, same, "b")})
            order by 1 limit @limit
            """;
        return [.. await connection.QueryAsync<EditionChangeRow>(Command(sql, new { before, after, afterNumber, limit }, cancel))];
    }

    public static async Task<IReadOnlyDictionary<Guid, CourseVersionRow>> LatestAsync(NpgsqlConnection connection, Guid[] ids, CancellationToken cancel) =>
        (await connection.QueryAsync<CourseVersionRow>(Command($"{CourseStore.VersionSql} where v.id = any(@ids) and r.effective_to is null", new { ids }, cancel))).ToDictionary(row => row.Id);
}
