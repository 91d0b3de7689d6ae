using Dapper;
using Imet.Chassis;
using Npgsql;
using static Imet.CourseCatalog.CatalogStore;

namespace Imet.CourseCatalog;

internal sealed record CertificateRow
{
    public required Guid Id { get; init; }
    public required Guid CourseId { get; init; }
    public required DateOnly CertifiedOn { get; init; }
    public required int Percent { get; init; }
    public required DateOnly ValidTo { get; init; }
    public required string Document { get; init; }
    public DateOnly? RevokedOn { get; init; }
    public string? RevokeReason { get; init; }
    public required long Version { get; init; }

    public DateOnly HoldsUntil => RevokedOn ?? ValidTo;

    public string Etag => $"\"{Version}\"";
}

internal sealed record ValidityRow
{
    public required int YearsWhole { get; init; }
    public required int YearsPartly { get; init; }
}

internal static class CertificateStore
{
    private const string Columns = "id, course_id, certified_on, percent, valid_to, document, revoked_on, revoke_reason, version";

    private const string RaiseCourse = "update courses set version = version + 1 where id = @CourseId returning version";

    public static Task<ValidityRow?> ValidityAsync(NpgsqlConnection connection, DateOnly certifiedOn, CancellationToken cancel)
    {
        const string sql = "select years_whole, years_partly from e_imet_validity where certified_from <= @certifiedOn order by certified_from desc limit 1";
        return connection.QuerySingleOrDefaultAsync<ValidityRow?>(Command(sql, new { certifiedOn }, cancel));
    }

    /// <summary>The course's own version rises with it, under its row lock.</summary>
    public static async Task<Added<CourseRevised>> AddAsync(Transaction tx, CertificateRow certificate, CancellationToken cancel)
    {
        if (await tx.Connection.ExecuteScalarAsync<long?>(Command(RaiseCourse, certificate, cancel)) is not { } version)
            return new() { MissingReference = ("certificate.course_id", certificate.CourseId.ToString()) };
        const string sql = """
            insert into e_imet_certificates (id, course_id, certified_on, percent, valid_to, document, version) values (@Id, @CourseId, @CertifiedOn, @Percent, @ValidTo, @Document, @Version)
            on conflict (course_id, certified_on) do nothing
            """;
        const string holder = "select id from e_imet_certificates where course_id = @CourseId and certified_on = @CertifiedOn";
        return await tx.Connection.ExecuteAsync(Command(sql, certificate, cancel)) == 1
            ? new() { Row = new CourseRevised(version) }
            : new() { KeyHolder = await HolderAsync(tx, holder, certificate, cancel) };
    }

    public static Task<CertificateRow?> LockAsync(Transaction tx, Guid id, CancellationToken cancel) =>
        tx.Connection.QuerySingleOrDefaultAsync<CertificateRow?>(Command($"select {Columns} from e_imet_certificates where id = @id for update", new { id }, cancel));

    /// <summary>The version of the course with it.</summary>
    public static async Task<long> RevokeAsync(Transaction tx, CertificateRow certificate, CancellationToken cancel)
    {
        const string sql = "update e_imet_certificates set revoked_on = @RevokedOn, revoke_reason = @RevokeReason, version = @Version where id = @Id";
        await tx.Connection.ExecuteAsync(Command(sql, certificate, cancel));
        return await tx.Connection.ExecuteScalarAsync<long>(Command(RaiseCourse, certificate, cancel));
    }

    /// <summary>The latest first.</summary>
    public static async Task<IReadOnlyList<CertificateRow>> OfCourseAsync(NpgsqlConnection connection, Guid courseId, CancellationToken cancel) =>
        [.. await connection.QueryAsync<CertificateRow>(Command($"select {Columns} from e_imet_certificates where course_id = @courseId order by certified_on desc", new { courseId }, cancel))];

    public static async Task<IReadOnlyList<Guid>> VersionsWithClassesToComeAsync(NpgsqlConnection connection, Guid courseId, DateOnly today, CancellationToken cancel)
    {
        const string sql = """
            select v.id from course_versions v
            where v.course_id = @courseId and exists (select from offerings o where o.course_version_id = v.id and o.start_date > @today)
            """;
        return [.. await connection.QueryAsync<Guid>(Command(sql, new { courseId, today }, cancel))];
    }

    internal sealed record CourseRevised(long Version);
}
