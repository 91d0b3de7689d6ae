using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Imet.Options.V1;

namespace Imet.CourseCatalog;

/// <summary>Every rule of the catalogue. What a single field must look like stands in the contracts and is checked before; here is what needs more than one field, or the record.</summary>
internal static class CatalogDecisions
{
    public static Outcome<School> CheckNew(School school) => Checked(school, RepeatedIds("school", school.ExternalIds));

    public static Outcome<Course> CheckNew(Course course) => Checked(course, RepeatedIds("course", course.ExternalIds));

    public static Outcome<CourseVersion> CheckNew(CourseVersion version) => Checked(version, [.. VersionDecisions.Violations("course_version", version)]);

    public static Outcome<Offering> CheckNew(Offering offering) =>
        Checked(offering, [.. Dates(offering), .. RepeatedIds("offering", offering.ExternalIds)]);

    /// <summary>The school as it is to be. Names in other systems are added and never taken away: somebody may know it by one.</summary>
    public static Outcome<SchoolRow> Update(SchoolRow? before, School school, string etag)
    {
        if (before is null)
            return NotFound("school");
        if (etag != before.Etag)
            return Refusal.Of(CommonReason.EtagMismatch, "The school has changed since it was read.").With("etag", before.Etag);
        var after = CatalogEvents.NewRow(before.Id, school);
        var (sources, names) = CatalogEvents.Sorted(CatalogEvents.Names(before.Sources, before.Names).Union(school.ExternalIds));
        return after with { Sources = sources, Names = names, Version = before.Version + 1, CreatedAt = before.CreatedAt };
    }

    /// <summary>A MASL number is opaque but for its first letter, and only where it looks like one: made-up numbers of report lines ("FMTR-1A2B") say nothing.</summary>
    public static ImplementingAgency AgencyOf(string maslNumber) =>
        maslNumber.Length > 1 && maslNumber.AsSpan(1).IndexOfAnyExceptInRange('0', '9') < 0
            ? maslNumber[0] switch
            {
                'B' => ImplementingAgency.Army,
                'D' => ImplementingAgency.AirForce,
                'P' => ImplementingAgency.Navy,
                _ => ImplementingAgency.Unspecified,
            }
            : ImplementingAgency.Unspecified;

    public static Outcome<T> Recorded<T>(Added<T> added, ErrorReason keyTaken, string what) where T : class =>
        added.KeyHolder is { } holder ? Refusal.Of(keyTaken, $"{what} is there already.").With("id", holder.ToString()) : Recorded(added);

    public static Outcome<T> Recorded<T>(Added<T> added) where T : class =>
        added switch
        {
            { NameHolder: { } name } => Refusal.Of(CommonReason.ExternalIdTaken, $"The external id {name.ExternalId} of {name.Source} is another's.")
                .With("id", name.ResourceId.ToString()).With("source", name.Source).With("external_id", name.ExternalId),
            { MissingReference: { } missing } => NoReference(missing.Field, missing.Id),
            { NoClass: { } reason } => Refusal.Of(reason, reason == ErrorReason.NotAClass ? "What is charged and not taught has no classes." : "The course is no longer in the year's catalogue."),
            { Row: { } row } => row,
            _ => throw new InvalidOperationException("An insert that met nothing has a row."),
        };

    public static Refusal NoReference(string field, string id) =>
        Refusal.Of(ErrorReason.ReferenceNotFound, $"{field} names nothing in the catalogue.").With("field", field).With("id", id);

    public static Refusal NotFound(string resource) => Refusal.Of(CommonReason.NotFound, $"There is no such {resource}.").With("resource", resource);

    /// <summary>A look-up names exactly one key. Two are refused even where they agree: which one is meant would be a guess.</summary>
    public static Refusal? ExactlyOne(params ReadOnlySpan<(string Field, bool Given)> keys)
    {
        var given = 0;
        foreach (var key in keys)
            given += key.Given ? 1 : 0;
        if (given == 1)
            return null;
        var refusal = Refusal.Of(CommonReason.InvalidFields, "A look-up needs exactly one key.");
        foreach (var (field, isGiven) in keys)
        {
            if (isGiven == given > 1)
                refusal = refusal.Field(field, given > 1 ? "only one of the keys may be given" : "one of the keys must be given");
        }
        return refusal;
    }

    public static Refusal? VersionKey(GetCourseVersionRequest request)
    {
        var byCourse = request.CourseId.Length > 0;
        return ExactlyOne(("course_version_id", request.CourseVersionId.Length > 0), ("course_id", byCourse))
            ?? (byCourse == request.FiscalYear > 0
                ? null
                : Refusal.Of(CommonReason.InvalidFields, "A year's version is named by its course and the year.").Field("fiscal_year", "goes with course_id, and only with it"));
    }

    private static Outcome<T> Checked<T>(T resource, List<(string Field, string Description)> violations) =>
        violations.Count == 0
            ? resource
            : violations.Aggregate(Refusal.Of(CommonReason.InvalidFields, "Some fields can't be right as they are."),
                (refusal, violation) => refusal.Field(violation.Field, violation.Description));

    public static IEnumerable<(string Field, string Remedy)> DayViolations(DateOnly? report, DateOnly start, DateOnly end)
    {
        if (end < start)
            yield return ("end_date", "must not be before start_date");
        if (report > start)
            yield return ("report_date", "must not be after start_date");
    }

    private static IEnumerable<(string, string)> Dates(Offering offering) =>
        DayViolations(offering.ReportDate?.ToDateOnly(), offering.StartDate.ToDateOnly(), offering.EndDate.ToDateOnly()).Select(wrong => ($"offering.{wrong.Field}", wrong.Remedy));

    private static List<(string, string)> RepeatedIds(string resource, IReadOnlyList<ExternalId> ids)
    {
        var seen = new HashSet<(string, string)>();
        return [.. ids.Index().Where(id => !seen.Add((id.Item.Source, id.Item.Id))).Select(id => ($"{resource}.external_ids[{id.Index}]", "repeats an earlier one"))];
    }
}
