using System.Text.RegularExpressions;
using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Imet.Options.V1;

namespace Imet.CourseCatalog;

/// <summary>What a year's catalogue may say of a course, and when it may say something else: freely until the edition is published, from then on by amendments that never reach back.</summary>
internal static partial class VersionDecisions
{
    public sealed record Change(CourseVersionRow Row, IReadOnlyList<string> Fields);

    public static Outcome<Change> Edit(CourseVersionRow? before, EditionRow? edition, CourseVersion wanted, string etag, DateOnly today, string actor) =>
        Changeable(before, etag) is { } refusal ? refusal
        : edition?.IsPublished == true
            ? Refusal.Of(ErrorReason.EditionPublished, $"The catalogue of fiscal year {before!.FiscalYear} is published: amend it.").With("fiscal_year", $"{before.FiscalYear}")
        : Next(before!, wanted, Later(before!.EffectiveFrom, today), "", actor);

    public static Outcome<Change> Amend(CourseVersionRow? before, EditionRow? edition, CourseVersion wanted, string etag, DateOnly from, string reason, DateOnly today, string actor) =>
        Changeable(before, etag) is { } refusal ? refusal
        : edition?.IsPublished != true
            ? Refusal.Of(ErrorReason.EditionNotPublished, $"The catalogue of fiscal year {before!.FiscalYear} is not published: edit it.").With("fiscal_year", $"{before.FiscalYear}")
        : TooEarly(from, Later(before!.EffectiveFrom, today)) ?? Next(before, wanted, from, reason, actor);

    public static Outcome<CourseVersionRow> Retire(CourseVersionRow? before, string etag, DateOnly from, string reason, DateOnly today, string actor) =>
        Changeable(before, etag) is { } refusal ? refusal
        : TooEarly(from, Later(before!.EffectiveFrom, today)) is { } early ? early
        : before with { Revision = before.Revision + 1, CourseRevision = before.CourseRevision + 1, Retired = true, EffectiveFrom = from, Reason = reason, Actor = actor };

    public static Refusal? TooEarly(DateOnly from, DateOnly earliest) => from >= earliest ? null
        : Refusal.Of(ErrorReason.AmendmentTooEarly, $"It can take effect on {earliest:yyyy-MM-dd} at the earliest: what the catalogue said before can't change any more.")
            .With("earliest", $"{earliest:yyyy-MM-dd}");

    /// <summary>The fields that differ, by their names in CourseVersion.</summary>
    public static IReadOnlyList<string> Differences(CourseVersionRow one, CourseVersionRow other) =>
    [
        .. new (string Name, bool Differs)[]
        {
            ("title", one.Title != other.Title), ("school_id", one.SchoolId != other.SchoolId), ("location", one.Location != other.Location), ("training_kind", one.TrainingKind != other.TrainingKind),
            ("platform", one.Platform != other.Platform), ("purpose", one.Purpose != other.Purpose), ("analysis_code", one.AnalysisCode != other.AnalysisCode),
            ("duration_days", one.DurationDays != other.DurationDays), ("ecl_minimum", one.EclMinimum != other.EclMinimum), ("opi_minimum", one.OpiMinimum != other.OpiMinimum),
            ("prerequisites", !CatalogEvents.List<PrerequisiteGroup>(one.Prerequisites).SequenceEqual(CatalogEvents.List<PrerequisiteGroup>(other.Prerequisites))),
            ("prices", !Sorted(one).SequenceEqual(Sorted(other))), ("dedicated", one.Dedicated != other.Dedicated), ("charge", one.Charge != other.Charge),
        }.Where(field => field.Differs).Select(field => field.Name),
    ];

    public static References ReferencesOf(CourseVersionRow version) => new(
        [.. CatalogEvents.Prices(version.Prices).Select(price => price.Rate).Distinct()],
        [.. CatalogEvents.List<PrerequisiteGroup>(version.Prerequisites).SelectMany(group => group.OneOf).Where(one => one.HasMaslNumber).Select(one => one.MaslNumber).Distinct()],
        version.SchoolId);

    /// <summary>The first reference that names nothing, with the field that holds it.</summary>
    public static (string Field, string Id)? Missing(string path, CourseVersionRow version, IReadOnlySet<string> missing)
    {
        if (missing.Count == 0)
            return null;
        if (version.SchoolId is { } school && missing.Contains(school.ToString()))
            return ($"{path}.school_id", school.ToString());
        foreach (var (index, price) in CatalogEvents.Prices(version.Prices).Index())
        {
            if (missing.Contains(price.Rate))
                return ($"{path}.prices[{index}].rate", price.Rate);
        }
        foreach (var (index, group) in CatalogEvents.List<PrerequisiteGroup>(version.Prerequisites).Index())
        {
            if (group.OneOf.FirstOrDefault(one => one.HasMaslNumber && missing.Contains(one.MaslNumber)) is { } one)
                return ($"{path}.prerequisites[{index}]", one.MaslNumber);
        }
        return null;
    }

    public static IEnumerable<(string Field, string Remedy)> Violations(string path, CourseVersion version)
    {
        var rates = new HashSet<string>();
        foreach (var (index, price) in version.Prices.Index())
        {
            if (!rates.Add(price.Rate))
                yield return ($"{path}.prices[{index}].rate", "repeats an earlier one");
            if (price.Price.Units < 0 || price.Price.Nanos is < 0 or > 999_999_999)
                yield return ($"{path}.prices[{index}].price", "must not be negative, with less than a unit in nanos");
            if (!Currency().IsMatch(price.Price.CurrencyCode))
                yield return ($"{path}.prices[{index}].price.currency_code", "must be three capitals, for example USD");
        }
        if (version.OpiMinimum.Length > 0 && !Opi().IsMatch(version.OpiMinimum))
            yield return ($"{path}.opi_minimum", OpiRemedy);
        foreach (var (g, group) in version.Prerequisites.Index())
        {
            foreach (var (o, one) in group.OneOf.Index())
            {
                if (Violation(one, version) is { } remedy)
                    yield return ($"{path}.prerequisites[{g}].one_of[{o}]", remedy);
            }
        }
    }

    private static string? Violation(Prerequisite one, CourseVersion version) => one.RequirementCase switch
    {
        Prerequisite.RequirementOneofCase.MaslNumber => one.MaslNumber.Length == 0 ? "must name a course" : one.MaslNumber == version.MaslNumber ? "must be another course" : null,
        Prerequisite.RequirementOneofCase.Clearance => one.Clearance.Length == 0 ? "must name a clearance" : null,
        Prerequisite.RequirementOneofCase.English => one.English switch
        {
            { EclMinimum: 0, OpiMinimum: "" } => "must give an ECL or an OPI score",
            { OpiMinimum.Length: > 0 } english when !Opi().IsMatch(english.OpiMinimum) => OpiRemedy,
            _ => null,
        },
        Prerequisite.RequirementOneofCase.Rank => one.Rank is { LowestGrade: "", HighestGrade: "" } ? "must give a lowest or a highest grade"
            : Wrong(one.Rank.LowestGrade) || Wrong(one.Rank.HighestGrade) ? "grades are E-1 to E-9, W-1 to W-5 and O-1 to O-10" : null,
        Prerequisite.RequirementOneofCase.None => "must be one of course, English, rank and clearance",
        _ => throw new InvalidOperationException("No such requirement."),
    };

    private const string OpiRemedy = "must be two scores from 0 to 5, each with or without a plus, for example 2/2 or 2+/2";

    private static bool Wrong(string grade) => grade.Length > 0 && !Grade().IsMatch(grade);

    private static IEnumerable<TuitionPrice> Sorted(CourseVersionRow version) => CatalogEvents.Prices(version.Prices).OrderBy(price => price.Rate, StringComparer.Ordinal);

    private static DateOnly Later(DateOnly one, DateOnly other) => one > other ? one : other;

    private static Outcome<Change> Next(CourseVersionRow before, CourseVersion wanted, DateOnly from, string reason, string actor)
    {
        wanted = wanted.Clone();
        (wanted.CourseId, wanted.FiscalYear, wanted.MaslNumber) = (before.CourseId.ToString(), before.FiscalYear, before.MaslNumber);
        var violations = Violations("course_version", wanted).ToList();
        if (violations.Count > 0)
            return violations.Aggregate(Refusal.Of(CommonReason.InvalidFields, "Some fields can't be right as they are."), (refusal, wrong) => refusal.Field(wrong.Field, wrong.Remedy));
        var after = CatalogEvents.NewRow(before.Id, wanted, from, actor) with
        {
            MaslNumber = before.MaslNumber, CourseRevision = before.CourseRevision + 1, Revision = before.Revision + 1, Reason = reason, CreatedAt = before.CreatedAt,
        };
        var fields = Differences(before, after);
        return fields.Count > 0 ? new Change(after, fields)
            : Refusal.Of(CommonReason.InvalidFields, "The catalogue says so already.").Field("course_version", "must differ from what it is");
    }

    private static Refusal? Changeable(CourseVersionRow? version, string etag) => version switch
    {
        null => CatalogDecisions.NotFound("course_version"),
        _ when etag != version.Etag => Refusal.Of(CommonReason.EtagMismatch, $"The course's latest revision is another, in effect from {version.EffectiveFrom:yyyy-MM-dd}.").With("etag", version.Etag),
        { Retired: true } => Refusal.Of(ErrorReason.CourseRetired, $"The course left the catalogue of fiscal year {version.FiscalYear} on {version.EffectiveFrom:yyyy-MM-dd}."),
        _ => null,
    };

    [GeneratedRegex(@"^[0-5]\+?/[0-5]\+?$")]
    private static partial Regex Opi();

    [GeneratedRegex("^(E-[1-9]|W-[1-5]|O-([1-9]|10))$")]
    private static partial Regex Grade();

    [GeneratedRegex("^[A-Z]{3}$")]
    private static partial Regex Currency();
}
