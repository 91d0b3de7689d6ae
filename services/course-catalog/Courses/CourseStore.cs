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

/// <summary>What a year's catalogue says of a course from one day until before another: one revision.</summary>
internal sealed record CourseVersionRow
{
    public required Guid Id { get; init; }
    public required Guid CourseId { get; init; }
    public string MaslNumber { get; init; } = "";
    public long CourseRevision { get; init; }
    public required int FiscalYear { get; init; }
    public required string Title { get; init; }
    public Guid? SchoolId { get; init; }
    public required string Location { get; init; }
    public required string TrainingKind { get; init; }
    public required string Platform { get; init; }
    public required string Purpose { get; init; }
    public required string AnalysisCode { get; init; }
    public required int DurationDays { get; init; }
    public required int EclMinimum { get; init; }
    public required string OpiMinimum { get; init; }
    public required string Prerequisites { get; init; }
    public required string Prices { get; init; }
    public required bool Dedicated { get; init; }
    public required bool Charge { get; init; }
    public bool Retired { get; init; }
    public long Revision { get; init; } = 1;
    public DateOnly EffectiveFrom { get; init; }
    public DateOnly? EffectiveTo { get; init; }
    public string Reason { get; init; } = "";
    public string Actor { get; init; } = "";
    public DateTime CreatedAt { get; init; }

    public string Etag => $"\"{Revision}\"";
}

internal sealed record VersionFilter
{
    public required int FiscalYear { get; init; }
    public required Guid? SchoolId { get; init; }
    public required string? TrainingKind { get; init; }
    public required string TitleContains { get; init; }
    public required DateOnly AsOf { get; init; }
    public required bool WithRetired { get; init; }
}

internal static class CourseStore
{
    private const string CourseColumns = """
        c.id, c.masl_number, c.implementing_agency, c.version, c.created_at,
        array(select x.source from external_ids x where x.resource_id = c.id and x.kind = 'COURSE' order by x.source, x.external_id) as sources,
        array(select x.external_id from external_ids x where x.resource_id = c.id and x.kind = 'COURSE' order by x.source, x.external_id) as names
        """;

    private const string RevisionColumns = """
        r.title, r.school_id, r.location, r.training_kind, r.platform, r.purpose, r.analysis_code, r.duration_days, r.ecl_minimum, r.opi_minimum,
        r.prerequisites::text as prerequisites, r.prices::text as prices, r.dedicated, r.charge, r.retired, r.revision, r.effective_from, r.effective_to, r.reason, r.actor
        """;

    internal const string VersionSql = $"""
        select v.id, v.course_id, c.masl_number, c.version as course_revision, v.fiscal_year, v.created_at, {RevisionColumns}
        from course_version_revisions r join course_versions v on v.id = r.course_version_id join courses c on c.id = v.course_id
        """;

    private const string SaidOn = "r.effective_from <= @asOf and (r.effective_to is null or r.effective_to > @asOf)";

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
            return new() { MissingReference = ("course_version.course_id", version.CourseId.ToString()) };
        if (school != version.SchoolId)
            return new() { MissingReference = ("course_version.school_id", version.SchoolId.ToString()!) };
        if (createdAt is null)
        {
            const string holder = "select id from course_versions where course_id = @CourseId and fiscal_year = @FiscalYear";
            return new() { KeyHolder = await HolderAsync(tx, holder, version, cancel) };
        }
        EnqueueRevision(tx, version);
        return new() { Row = version with { MaslNumber = course.MaslNumber, CourseRevision = course.CourseRevision, CreatedAt = createdAt.Value } };
    }

    /// <summary>The latest revision, under the lock on its course: what is said later is said after this.</summary>
    public static async Task<CourseVersionRow?> LockVersionAsync(Transaction tx, Guid id, CancellationToken cancel)
    {
        const string sql = $"""
            select c.id from courses c join course_versions v on v.course_id = c.id where v.id = @id for no key update of c;
            {VersionSql} where v.id = @id and r.effective_to is null
            """;
        await using var results = await tx.Connection.QueryMultipleAsync(Command(sql, new { id }, cancel));
        await results.ReadAsync<Guid>();
        return await results.ReadSingleOrDefaultAsync<CourseVersionRow?>();
    }

    /// <summary>Queues a revision that takes the place of the one before it.</summary>
    public static void Revise(Transaction tx, CourseVersionRow revision)
    {
        tx.Enqueue("update course_version_revisions set effective_to = $3 where course_version_id = $1 and revision = $2", revision.Id, revision.Revision - 1, revision.EffectiveFrom);
        EnqueueRevision(tx, revision);
        tx.Enqueue("update courses set version = version + 1 where id = $1", revision.CourseId);
    }

    public static void EnqueueRevision(Transaction tx, CourseVersionRow r) => tx.Enqueue("""
        insert into course_version_revisions (course_version_id, revision, fiscal_year, title, school_id, location, training_kind, platform, purpose, analysis_code, duration_days, ecl_minimum,
            opi_minimum, prerequisites, prices, dedicated, charge, retired, effective_from, reason, actor)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
        """,
        r.Id, r.Revision, r.FiscalYear, r.Title, Sql.Of(NpgsqlTypes.NpgsqlDbType.Uuid, r.SchoolId), r.Location, r.TrainingKind, r.Platform, r.Purpose, r.AnalysisCode, r.DurationDays, r.EclMinimum,
        r.OpiMinimum, Sql.Json(r.Prerequisites), Sql.Json(r.Prices), r.Dedicated, r.Charge, r.Retired, r.EffectiveFrom, r.Reason, r.Actor);

    /// <summary>What of these the catalogue lacks: rates by code, courses by MASL number, a school by id.</summary>
    public static async Task<IReadOnlySet<string>> MissingAsync(NpgsqlConnection connection, References asked, CancellationToken cancel)
    {
        const string sql = """
            select x.code from unnest(@Rates) as x (code) where not exists (select from tuition_rates t where t.code = x.code)
            union all
            select x.number from unnest(@MaslNumbers) as x (number) where not exists (select from courses c where c.masl_number = x.number)
            union all
            select @SchoolId::text where @SchoolId is not null and not exists (select from schools s where s.id = @SchoolId)
            """;
        return asked.IsEmpty ? new HashSet<string>() : (await connection.QueryAsync<string>(Command(sql, asked, cancel))).ToHashSet();
    }

    public static async Task<IReadOnlyList<CourseVersionRow>> VersionsOfAsync(NpgsqlConnection connection, Guid courseId, DateOnly asOf, CancellationToken cancel)
    {
        const string sql = $"{VersionSql} where v.course_id = @courseId and {SaidOn} order by v.fiscal_year desc";
        return [.. await connection.QueryAsync<CourseVersionRow>(Command(sql, new { courseId, asOf }, cancel))];
    }

    public static Task<CourseVersionRow?> VersionAsync(NpgsqlConnection connection, Guid id, DateOnly asOf, CancellationToken cancel)
    {
        const string sql = $"{VersionSql} where v.id = @id and {SaidOn}";
        return connection.QuerySingleOrDefaultAsync<CourseVersionRow?>(Command(sql, new { id, asOf }, cancel));
    }

    public static Task<CourseVersionRow?> VersionAsync(NpgsqlConnection connection, Guid courseId, int fiscalYear, DateOnly asOf, CancellationToken cancel)
    {
        const string sql = $"{VersionSql} where v.course_id = @courseId and v.fiscal_year = @fiscalYear and {SaidOn}";
        return connection.QuerySingleOrDefaultAsync<CourseVersionRow?>(Command(sql, new { courseId, fiscalYear, asOf }, cancel));
    }

    public static async Task<IReadOnlyList<CourseVersionRow>> VersionsAsync(
        NpgsqlConnection connection, VersionFilter filter, PageRequest page, CancellationToken cancel)
    {
        var sql = $"""
            {VersionSql}
            where r.fiscal_year = @FiscalYear and (r.title, r.course_version_id) > (@afterTitle, @afterId) and {SaidOn}
                {When(!filter.WithRetired, "and not r.retired")}
                {When(filter.SchoolId is not null, "and r.school_id = @SchoolId")}
                {When(filter.TrainingKind is not null, "and r.training_kind = @TrainingKind")}
                {When(filter.TitleContains.Length > 0, "and position(lower(@TitleContains) in lower(r.title)) > 0")}
            order by r.title, r.course_version_id
            limit @limit
            """;
        var (afterTitle, afterId) = After(page);
        var arguments = new { filter.FiscalYear, filter.SchoolId, filter.TrainingKind, filter.TitleContains, asOf = filter.AsOf, afterTitle, afterId, limit = page.Size + 1 };
        return [.. await connection.QueryAsync<CourseVersionRow>(Command(sql, arguments, cancel))];
    }

    private sealed record CourseOfVersion
    {
        public required string MaslNumber { get; init; }
        public required long CourseRevision { get; init; }
    }
}

/// <summary>What a version names that must be in the catalogue.</summary>
internal sealed record References(string[] Rates, string[] MaslNumbers, Guid? SchoolId)
{
    public bool IsEmpty => Rates.Length + MaslNumbers.Length == 0 && SchoolId is null;
}
