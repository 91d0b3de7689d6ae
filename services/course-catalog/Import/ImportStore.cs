using Dapper;
using Imet.Chassis;
using Imet.CourseCatalog.V1;
using static Imet.CourseCatalog.CatalogStore;

namespace Imet.CourseCatalog;

/// <summary>What the catalogue has of all that rows name, read under the locks that keep it so.</summary>
internal sealed record ImportFacts
{
    public required DateTime Now { get; init; }
    public required IReadOnlyDictionary<string, ImportedCourseRow> Courses { get; init; }
    public required IReadOnlyDictionary<(string MaslNumber, int FiscalYear), CourseVersionRow> Versions { get; init; }
    public required ILookup<string, ImportedSchoolRow> SchoolsByCode { get; init; }
    public required ILookup<string, ImportedSchoolRow> SchoolsByName { get; init; }
    public required IReadOnlySet<int> Published { get; init; }
    public required IReadOnlySet<string> Rates { get; init; }
    public required IReadOnlySet<string> MaslNumbers { get; init; }
    public required ILookup<Guid, CertificateRow> Certificates { get; init; }
    public required IReadOnlyList<DatedValidityRow> Validity { get; init; }
}

internal sealed record ImportedCourseRow
{
    public required Guid Id { get; init; }
    public required string MaslNumber { get; init; }
    public required long Version { get; init; }
}

internal sealed record ImportedSchoolRow
{
    public required Guid Id { get; init; }
    public string? Code { get; init; }
    public required string Name { get; init; }
}

internal sealed record DatedValidityRow
{
    public required DateOnly CertifiedFrom { get; init; }
    public required int YearsWhole { get; init; }
    public required int YearsPartly { get; init; }
}

internal static class ImportStore
{
    /// <summary>One round trip. Imports wait for each other: two that name the same new school would otherwise record it twice.</summary>
    public static async Task<ImportFacts> ReadAsync(Transaction tx, IReadOnlyCollection<CourseImport> rows, CancellationToken cancel)
    {
        const string sql = $"""
            select now() from (select pg_advisory_xact_lock(hashtext('catalog-import'))) as locked;
            select id, masl_number, version from courses where masl_number = any(@numbers) order by masl_number for no key update;
            {CourseStore.VersionSql} where c.masl_number = any(@numbers) and v.fiscal_year = any(@years) and r.effective_to is null;
            select id, code, name from schools where code = any(@codes) or name = any(@names);
            select fiscal_year from editions where fiscal_year = any(@years) and state = 'PUBLISHED' for share;
            select code from tuition_rates;
            select masl_number from courses where masl_number = any(@prerequisites);
            select e.id, e.course_id, e.certified_on, e.percent, e.valid_to, e.document, e.revoked_on, e.revoke_reason, e.version
            from e_imet_certificates e join courses c on c.id = e.course_id where c.masl_number = any(@numbers);
            select certified_from, years_whole, years_partly from e_imet_validity order by certified_from desc;
            """;
        var arguments = new
        {
            numbers = Distinct(rows.Select(row => row.MaslNumber)),
            years = rows.Select(row => row.FiscalYear).Distinct().ToArray(),
            codes = Distinct(rows.Select(row => row.SchoolCode)),
            names = Distinct(rows.Select(row => row.SchoolName)),
            prerequisites = Distinct(rows.SelectMany(row => row.Prerequisites).SelectMany(group => group.OneOf).Where(one => one.HasMaslNumber).Select(one => one.MaslNumber)),
        };
        await using var results = await tx.Connection.QueryMultipleAsync(Command(sql, arguments, cancel));
        var now = await results.ReadSingleAsync<DateTime>();
        var courses = (await results.ReadAsync<ImportedCourseRow>()).ToDictionary(course => course.MaslNumber);
        var versions = (await results.ReadAsync<CourseVersionRow>()).ToDictionary(version => (version.MaslNumber, version.FiscalYear));
        var schools = (await results.ReadAsync<ImportedSchoolRow>()).ToList();
        return new ImportFacts
        {
            Now = now,
            Courses = courses,
            Versions = versions,
            SchoolsByCode = schools.Where(school => school.Code is not null).ToLookup(school => school.Code!),
            SchoolsByName = schools.ToLookup(school => school.Name),
            Published = (await results.ReadAsync<int>()).ToHashSet(),
            Rates = (await results.ReadAsync<string>()).ToHashSet(),
            MaslNumbers = (await results.ReadAsync<string>()).ToHashSet(),
            Certificates = (await results.ReadAsync<CertificateRow>()).ToLookup(certificate => certificate.CourseId),
            Validity = [.. await results.ReadAsync<DatedValidityRow>()],
        };
    }

    public static void Write(Transaction tx, ImportPlan plan)
    {
        foreach (var school in plan.Schools)
        {
            tx.Enqueue("insert into schools (id, code, name, location, implementing_agency, version) values ($1, $2, $3, $4, $5, $6)",
                school.Id, Sql.Of(NpgsqlTypes.NpgsqlDbType.Text, school.Code), school.Name, school.Location, school.ImplementingAgency, school.Version);
        }
        foreach (var course in plan.NewCourses)
            tx.Enqueue("insert into courses (id, masl_number, implementing_agency, version) values ($1, $2, $3, $4)", course.Id, course.MaslNumber, course.ImplementingAgency, course.Version);
        foreach (var version in plan.NewVersions)
        {
            tx.Enqueue("""
                insert into course_versions (id, course_id, fiscal_year, title, school_id, training_kind, duration_days, ecl_minimum, prices, dedicated) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                """,
                version.Id, version.CourseId, version.FiscalYear, version.Title, Sql.Of(NpgsqlTypes.NpgsqlDbType.Uuid, version.SchoolId), version.TrainingKind, version.DurationDays, version.EclMinimum,
                Sql.Json(version.Prices), version.Dedicated);
            CourseStore.EnqueueRevision(tx, version);
        }
        foreach (var revision in plan.Revisions)
        {
            tx.Enqueue("update course_version_revisions set effective_to = $3 where course_version_id = $1 and revision = $2", revision.Id, revision.Revision - 1, revision.EffectiveFrom);
            CourseStore.EnqueueRevision(tx, revision);
        }
        foreach (var certificate in plan.Certificates)
        {
            tx.Enqueue("insert into e_imet_certificates (id, course_id, certified_on, percent, valid_to, document, version) values ($1, $2, $3, $4, $5, $6, $7)",
                certificate.Id, certificate.CourseId, certificate.CertifiedOn, certificate.Percent, certificate.ValidTo, certificate.Document, certificate.Version);
        }
        foreach (var (course, version) in plan.CourseVersions)
            tx.Enqueue("update courses set version = $2 where id = $1 and version <> $2", course, version);
        foreach (var e in plan.Events)
            tx.Publish(e);
    }

    private static string[] Distinct(IEnumerable<string> texts) => [.. texts.Where(text => text.Length > 0).Distinct()];
}
