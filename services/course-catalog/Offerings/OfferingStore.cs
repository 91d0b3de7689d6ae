using System.Globalization;
using Dapper;
using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Npgsql;
using static Imet.CourseCatalog.CatalogStore;

namespace Imet.CourseCatalog;

internal sealed record OfferingRow
{
    public required Guid Id { get; init; }
    public required Guid CourseVersionId { get; init; }
    // From here to Prices: the course as of this version, copied when the row is written.
    public Guid CourseId { get; init; }
    public string MaslNumber { get; init; } = "";
    public string Title { get; init; } = "";
    public Guid? SchoolId { get; init; }
    public string? SchoolName { get; init; }
    public string? SchoolCode { get; init; }
    public string TrainingKind { get; init; } = "";
    public string ImplementingAgency { get; init; } = "";
    public int FiscalYear { get; init; }
    public bool Dedicated { get; init; }
    public string Prices { get; init; } = "[]";
    public string Facts { get; init; } = "{}";
    public required DateOnly ReportDate { get; init; }
    public required DateOnly StartDate { get; init; }
    public required DateOnly EndDate { get; init; }
    public required int Capacity { get; init; }
    public required string Location { get; init; }
    public string? HostCountry { get; init; }
    public required string State { get; init; }
    public required bool AllInternational { get; init; }
    public DateOnly? CancelledOn { get; init; }
    public string? CancelledBecause { get; init; }
    public required string[] Sources { get; init; }
    public required string[] Names { get; init; }
    public required long Version { get; init; }
    public DateTime CreatedAt { get; init; }
    public DateTime UpdatedAt { get; init; }
    // From here on: as enrollment has told, and only where it was asked for.
    public int Taken { get; init; }
    public int Reserved { get; init; }
    public DateTime? SeatsAsOf { get; init; }

    public string Etag => $"\"{Version}\"";
}

internal sealed record OfferingFilter
{
    public required Guid? CourseId { get; init; }
    public required Guid? SchoolId { get; init; }
    public required DateOnly? StartFrom { get; init; }
    public required DateOnly? StartBefore { get; init; }
    public required string? State { get; init; }
}

internal sealed record OfferingVersionRow
{
    public required Guid Id { get; init; }
    public required long Version { get; init; }
}

internal static class OfferingStore
{
    private const string Columns = """
        o.id, o.course_version_id, o.course_id, o.masl_number, o.title, o.school_id, o.school_name, o.school_code, o.training_kind, o.implementing_agency,
        o.fiscal_year, o.dedicated, o.prices::text as prices, o.facts::text as facts, o.report_date, o.start_date, o.end_date, o.capacity, o.location, o.host_country, o.state,
        o.all_international, o.cancelled_on, o.cancelled_because, o.version, o.created_at, o.updated_at
        """;

    internal const string NamedColumns = $"""
        {Columns},
        array(select x.source from external_ids x where x.resource_id = o.id and x.kind = 'OFFERING' order by x.source, x.external_id) as sources,
        array(select x.external_id from external_ids x where x.resource_id = o.id and x.kind = 'OFFERING' order by x.source, x.external_id) as names
        """;

    internal const string SeatColumns = "coalesce(s.taken, 0) as taken, coalesce(s.reserved, 0) as reserved, s.as_of as seats_as_of";

    // An offering held in a country is that country's own to see; a caller without countries sees all.
    internal const string InSight = "(o.host_country is null or @countries::text[] is null or o.host_country = any(@countries))";

    public static async Task<Added<OfferingRow>> AddAsync(Transaction tx, OfferingRow offering, DateOnly today, CancellationToken cancel)
    {
        const string sql = $"""
            insert into offerings as o (id, course_version_id, course_id, masl_number, title, school_id, school_name, school_code, training_kind,
                implementing_agency, fiscal_year, dedicated, prices, facts, report_date, start_date, end_date, capacity, location, host_country, state,
                all_international, version)
            select @Id, @CourseVersionId, k.course_id, k.masl_number, k.title, k.school_id, k.school_name, k.school_code, k.training_kind,
                k.implementing_agency, k.fiscal_year, k.dedicated, k.prices, k.facts, @ReportDate, @StartDate, @EndDate, @Capacity, @Location, @HostCountry, @State,
                @AllInternational, @Version
            from offering_course(@CourseVersionId, @StartDate, @today) k
            where not k.charge and not k.retired
            returning {Columns}
            """;
        const string why = "select charge, retired from offering_course(@CourseVersionId, @StartDate, @today)";
        var arguments = new
        {
            offering.Id, offering.CourseVersionId, offering.ReportDate, offering.StartDate, offering.EndDate, offering.Capacity, offering.Location, offering.HostCountry, offering.State,
            offering.AllInternational, offering.Version, today,
        };
        if (await tx.Connection.QuerySingleOrDefaultAsync<OfferingRow?>(Command(sql, arguments, cancel)) is { } row)
            return await NamedAsync(tx, "OFFERING", row.Id, offering.Sources, offering.Names, row with { Sources = offering.Sources, Names = offering.Names }, cancel);
        return await tx.Connection.QuerySingleOrDefaultAsync<(bool Charge, bool Retired)?>(Command(why, arguments, cancel)) is { } course
            ? new() { NoClass = course.Charge ? ErrorReason.NotAClass : ErrorReason.CourseRetired }
            : new() { MissingReference = ("offering.course_version_id", offering.CourseVersionId.ToString()) };
    }

    /// <summary>What the catalogue says of the course now, taken over by classes to come that say something else.</summary>
    public static async Task<IReadOnlyList<OfferingRow>> TakeOverCourseAsync(Transaction tx, Guid courseVersionId, DateOnly today, int limit, CancellationToken cancel)
    {
        const string sql = $"""
            with stale as materialized (
                select s.id
                from offerings s, lateral offering_course(s.course_version_id, s.start_date, @today) k
                where s.course_version_id = @courseVersionId and s.start_date > @today and s.state <> 'CANCELLED'
                    and (s.title, s.school_id, s.school_name, s.school_code, s.training_kind, s.dedicated, s.prices, s.facts)
                        is distinct from (k.title, k.school_id, k.school_name, k.school_code, k.training_kind, k.dedicated, k.prices, k.facts)
                order by s.id limit @limit for no key update of s
            )
            update offerings o
            set title = k.title, school_id = k.school_id, school_name = k.school_name, school_code = k.school_code, training_kind = k.training_kind, dedicated = k.dedicated,
                prices = k.prices, facts = k.facts, version = o.version + 1, updated_at = now()
            from stale, offerings i, lateral offering_course(i.course_version_id, i.start_date, @today) k
            where o.id = stale.id and i.id = stale.id
            returning {NamedColumns}
            """;
        return [.. await tx.Connection.QueryAsync<OfferingRow>(Command(sql, new { courseVersionId, today, limit }, cancel))];
    }

    public static Task<OfferingRow?> OfferingAsync(NpgsqlConnection connection, Guid id, string[]? countries, CancellationToken cancel)
    {
        const string sql = $"select {NamedColumns}, {SeatColumns} from offerings o left join offering_seats s on s.offering_id = o.id where o.id = @id and {InSight}";
        return connection.QuerySingleOrDefaultAsync<OfferingRow?>(Command(sql, new { id, countries }, cancel));
    }

    public static Task<OfferingRow?> LockAsync(Transaction tx, Guid id, string[]? countries, CancellationToken cancel)
    {
        const string sql = $"select {NamedColumns} from offerings o where o.id = @id and {InSight} for no key update of o";
        return tx.Connection.QuerySingleOrDefaultAsync<OfferingRow?>(Command(sql, new { id, countries }, cancel));
    }

    public static async Task<OfferingRow> UpdateAsync(Transaction tx, OfferingRow offering, CancellationToken cancel)
    {
        const string sql = """
            update offerings
            set state = @State, cancelled_on = @CancelledOn, cancelled_because = @CancelledBecause, report_date = @ReportDate, start_date = @StartDate, end_date = @EndDate,
                location = @Location, host_country = @HostCountry, capacity = @Capacity, version = @Version, updated_at = now()
            where id = @Id
            returning updated_at
            """;
        return offering with { UpdatedAt = await tx.Connection.ExecuteScalarAsync<DateTime>(Command(sql, offering, cancel)) };
    }

    public static async Task<IReadOnlyList<OfferingRow>> OfferingsAsync(
        NpgsqlConnection connection, OfferingFilter filter, string[]? countries, PageRequest page, CancellationToken cancel)
    {
        var sql = $"""
            select {NamedColumns}
            from offerings o
            where (o.start_date, o.id) > (@afterStart, @afterId) and {InSight}
                {When(filter.CourseId is not null, "and o.course_id = @CourseId")}
                {When(filter.SchoolId is not null, "and o.school_id = @SchoolId")}
                {When(filter.StartFrom is not null, "and o.start_date >= @StartFrom")}
                {When(filter.StartBefore is not null, "and o.start_date < @StartBefore")}
                {When(filter.State is not null, "and o.state = @State")}
            order by o.start_date, o.id
            limit @limit
            """;
        var afterStart = page.After is { } after ? DateOnly.ParseExact(after[0], "O", CultureInfo.InvariantCulture) : DateOnly.MinValue;
        var afterId = After(page).Id;
        var arguments = new
        {
            filter.CourseId, filter.SchoolId, filter.StartFrom, filter.StartBefore, filter.State, countries, afterStart, afterId, limit = page.Size + 1,
        };
        return [.. await connection.QueryAsync<OfferingRow>(Command(sql, arguments, cancel))];
    }

    public static async Task<IReadOnlyList<OfferingVersionRow>> VersionsAsync(
        NpgsqlConnection connection, Guid[] ids, string[]? countries, CancellationToken cancel)
    {
        const string sql = $"select o.id, o.version from offerings o where o.id = any(@ids) and {InSight}";
        return [.. await connection.QueryAsync<OfferingVersionRow>(Command(sql, new { ids, countries }, cancel))];
    }
}
