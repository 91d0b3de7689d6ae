using Dapper;
using Imet.Chassis;
using Npgsql;
using static Imet.CourseCatalog.CatalogStore;

namespace Imet.CourseCatalog;

internal sealed record CourseRow
{
    public required Guid Id { get; init; }
    public required string MaslNumber { get; init; }
    public required string ImplementingAgency { get; init; }
    public required string[] Sources { get; init; }
    public required string[] Names { get; init; }
    public required long Version { get; init; }
    public DateTime CreatedAt { get; init; }
}

internal sealed record CourseVersionRow
{
    public required Guid Id { get; init; }
    public required Guid CourseId { get; init; }
    public string MaslNumber { get; init; } = "";
    public long CourseRevision { get; init; }
    public required int FiscalYear { get; init; }
    public required string Title { get; init; }
    public Guid? SchoolId { get; init; }
    public required string TrainingKind { get; init; }
    public required int DurationDays { get; init; }
    public required int EclMinimum { get; init; }
    public required string Prices { get; init; }
    public required bool Dedicated { get; init; }
    public DateTime CreatedAt { get; init; }
}

internal sealed record VersionFilter
{
    public required int FiscalYear { get; init; }
    public required Guid? SchoolId { get; init; }
    public required string? TrainingKind { get; init; }
    public required string TitleContains { get; init; }
}

internal static class CourseStore
{
    private const string CourseColumns = """
        c.id, c.masl_number, c.implementing_agency, c.version, c.created_at,
        array(select x.source from external_ids x where x.resource_id = c.id and x.kind = 'COURSE' order by x.source, x.external_id) as sources,
        array(select x.external_id from external_ids x where x.resource_id = c.id and x.kind = 'COURSE' order by x.source, x.external_id) as names
        """;

    private const string VersionColumns = """
        v.id, v.course_id, c.masl_number, v.fiscal_year, v.title, v.school_id, v.training_kind, v.duration_days, v.ecl_minimum,
        v.prices::text as prices, v.dedicated, v.created_at
        """;

    public static async Task<Added<CourseRow>> AddAsync(Transaction tx, CourseRow course, CancellationToken cancel)
    {
        const string sql = """
            insert into courses (id, masl_number, implementing_agency, version)
            values (@Id, @MaslNumber, @ImplementingAgency, @Version)
            on conflict (masl_number) do nothing
            returning created_at
            """;
        if (await tx.Connection.ExecuteScalarAsync<DateTime?>(Command(sql, course, cancel)) is not { } createdAt)
            return new() { KeyHolder = await HolderAsync(tx, "select id from courses where masl_number = @MaslNumber", course, cancel) };
        return await NamedAsync(tx, "COURSE", course.Id, course.Sources, course.Names, course with { CreatedAt = createdAt }, cancel);
    }

    public static Task<CourseRow?> CourseAsync(NpgsqlConnection connection, Guid id, CancellationToken cancel)
    {
        const string sql = $"select {CourseColumns} from courses c where c.id = @id";
        return connection.QuerySingleOrDefaultAsync<CourseRow?>(Command(sql, new { id }, cancel));
    }

    public static Task<CourseRow?> CourseAsync(NpgsqlConnection connection, string maslNumber, CancellationToken cancel)
    {
        const string sql = $"select {CourseColumns} from courses c where c.masl_number = @maslNumber";
        return connection.QuerySingleOrDefaultAsync<CourseRow?>(Command(sql, new { maslNumber }, cancel));
    }

    public static async Task<IReadOnlyList<CourseRow>> CoursesAsync(NpgsqlConnection connection, string? agency, PageRequest page, CancellationToken cancel)
    {
        var sql = $"""
            select {CourseColumns}
            from courses c
            where c.masl_number > @afterNumber {When(agency is not null, "and c.implementing_agency = @agency")}
            order by c.masl_number
            limit @limit
            """;
        var afterNumber = page.After?[0] ?? "";
        return [.. await connection.QueryAsync<CourseRow>(Command(sql, new { afterNumber, agency, limit = page.Size + 1 }, cancel))];
    }

    /// <summary>A version is a change of its course: the course's own version rises with it, under the course's row lock, so that events of one course have an order.</summary>
    public static async Task<Added<CourseVersionRow>> AddAsync(Transaction tx, CourseVersionRow version, CancellationToken cancel)
    {
        const string sql = """
            update courses set version = version + 1 where id = @CourseId returning masl_number, version as course_revision;
            select s.id from schools s where s.id = @SchoolId;
            insert into course_versions (id, course_id, fiscal_year, title, school_id, training_kind, duration_days, ecl_minimum, prices, dedicated)
            select @Id, c.id, @FiscalYear, @Title, s.id, @TrainingKind, @DurationDays, @EclMinimum, @Prices::jsonb, @Dedicated
            from courses c left join schools s on s.id = @SchoolId
            where c.id = @CourseId
            on conflict (course_id, fiscal_year) do nothing
            returning created_at
            """;
        await using var results = await tx.Connection.QueryMultipleAsync(Command(sql, version, cancel));
        var course = await results.ReadSingleOrDefaultAsync<CourseOfVersion?>();
        var school = await results.ReadSingleOrDefaultAsync<Guid?>();
        var createdAt = await results.ReadSingleOrDefaultAsync<DateTime?>();
        if (course is null)
            return new() { MissingReference = ("course_version.course_id", version.CourseId) };
        if (school != version.SchoolId)
            return new() { MissingReference = ("course_version.school_id", version.SchoolId!.Value) };
        if (createdAt is null)
        {
            const string holder = "select id from course_versions where course_id = @CourseId and fiscal_year = @FiscalYear";
            return new() { KeyHolder = await HolderAsync(tx, holder, version, cancel) };
        }
        return new() { Row = version with { MaslNumber = course.MaslNumber, CourseRevision = course.CourseRevision, CreatedAt = createdAt.Value } };
    }

    public static async Task<IReadOnlyList<CourseVersionRow>> VersionsOfAsync(NpgsqlConnection connection, Guid courseId, CancellationToken cancel)
    {
        const string sql = $"""
            select {VersionColumns}
            from course_versions v join courses c on c.id = v.course_id
            where v.course_id = @courseId
            order by v.fiscal_year desc
            """;
        return [.. await connection.QueryAsync<CourseVersionRow>(Command(sql, new { courseId }, cancel))];
    }

    public static Task<CourseVersionRow?> VersionAsync(NpgsqlConnection connection, Guid id, CancellationToken cancel)
    {
        const string sql = $"select {VersionColumns} from course_versions v join courses c on c.id = v.course_id where v.id = @id";
        return connection.QuerySingleOrDefaultAsync<CourseVersionRow?>(Command(sql, new { id }, cancel));
    }

    public static Task<CourseVersionRow?> VersionAsync(NpgsqlConnection connection, Guid courseId, int fiscalYear, CancellationToken cancel)
    {
        const string sql = $"""
            select {VersionColumns}
            from course_versions v join courses c on c.id = v.course_id
            where v.course_id = @courseId and v.fiscal_year = @fiscalYear
            """;
        return connection.QuerySingleOrDefaultAsync<CourseVersionRow?>(Command(sql, new { courseId, fiscalYear }, cancel));
    }

    public static async Task<IReadOnlyList<CourseVersionRow>> VersionsAsync(
        NpgsqlConnection connection, VersionFilter filter, PageRequest page, CancellationToken cancel)
    {
        var sql = $"""
            select {VersionColumns}
            from course_versions v join courses c on c.id = v.course_id
            where v.fiscal_year = @FiscalYear and (v.title, v.id) > (@afterTitle, @afterId)
                {When(filter.SchoolId is not null, "and v.school_id = @SchoolId")}
                {When(filter.TrainingKind is not null, "and v.training_kind = @TrainingKind")}
                {When(filter.TitleContains.Length > 0, "and position(lower(@TitleContains) in lower(v.title)) > 0")}
            order by v.title, v.id
            limit @limit
            """;
        var (afterTitle, afterId) = After(page);
        var arguments = new { filter.FiscalYear, filter.SchoolId, filter.TrainingKind, filter.TitleContains, afterTitle, afterId, limit = page.Size + 1 };
        return [.. await connection.QueryAsync<CourseVersionRow>(Command(sql, arguments, cancel))];
    }

    private sealed record CourseOfVersion
    {
        public required string MaslNumber { get; init; }
        public required long CourseRevision { get; init; }
    }
}
