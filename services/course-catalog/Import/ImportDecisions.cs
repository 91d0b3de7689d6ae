using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Imet.Options.V1;
using Result = Imet.CourseCatalog.V1.CourseImportResult.Types.Outcome;

namespace Imet.CourseCatalog;

/// <summary>All that the good rows of an import write.</summary>
internal sealed class ImportPlan
{
    public List<SchoolRow> Schools { get; } = [];
    public List<CourseRow> NewCourses { get; } = [];
    public List<CourseVersionRow> NewVersions { get; } = [];
    public List<CourseVersionRow> Revisions { get; } = [];
    public List<CertificateRow> Certificates { get; } = [];
    public List<OutboundEvent> Events { get; } = [];

    /// <summary>The version at which each course stands afterwards.</summary>
    public Dictionary<Guid, long> CourseVersions { get; } = [];

    public List<CourseImportResult> Results { get; } = [];
}

/// <summary>What rows of a catalogue change in it. A row is taken whole or refused with all its reasons; what it says already changes nothing.</summary>
internal sealed class ImportDecisions(ImportFacts facts, DateOnly today, DateOnly? from, string reason, string actor, Func<Guid> newId)
{
    private readonly ImportPlan plan = new();
    private readonly Dictionary<string, SchoolRow> schools = [];
    private readonly HashSet<(string, int)> named = [];

    public static ImportPlan Plan(IEnumerable<CourseImport> rows, ImportFacts facts, DateOnly today, DateOnly? from, string reason, string actor, Func<Guid> newId)
    {
        var decisions = new ImportDecisions(facts, today, from, reason, actor, newId);
        foreach (var row in rows)
            decisions.plan.Results.Add(decisions.Take(row));
        return decisions.plan;
    }

    private CourseImportResult Take(CourseImport row)
    {
        var errors = new List<CourseImportError>();
        if (!named.Add((row.MaslNumber, row.FiscalYear)))
            return Refused([Error(CommonReason.InvalidFields, "masl_number", "An earlier row of the same request says something of this course and year.")]);
        var before = facts.Versions.GetValueOrDefault((row.MaslNumber, row.FiscalYear));
        if (row.Retired)
            return Retire(row, before);

        var (schoolId, newSchool) = School(row, errors);
        var version = new CourseVersion
        {
            CourseId = $"{before?.CourseId ?? facts.Courses.GetValueOrDefault(row.MaslNumber)?.Id ?? Guid.Empty}", MaslNumber = row.MaslNumber, FiscalYear = row.FiscalYear, Title = row.Title,
            SchoolId = schoolId is { } id ? $"{id}" : "", Location = row.Location, TrainingKind = row.TrainingKind, Platform = row.Platform, Purpose = row.Purpose, AnalysisCode = row.AnalysisCode,
            DurationDays = row.DurationDays, EclMinimum = row.EclMinimum, OpiMinimum = row.OpiMinimum, Prerequisites = { row.Prerequisites }, Prices = { row.Prices }, Dedicated = row.Dedicated, Charge = row.Charge,
        };
        Check(row, version, errors);
        var published = facts.Published.Contains(row.FiscalYear);
        var start = published ? from ?? today : today;
        var wanted = CatalogEvents.NewRow(before?.Id ?? newId(), version, start, actor) with { MaslNumber = row.MaslNumber, Reason = published ? reason : "", CreatedAt = facts.Now };
        var fields = before is null ? [] : VersionDecisions.Differences(before, wanted);
        if (before is { Retired: true })
            errors.Add(Error(ErrorReason.CourseRetired, "masl_number", $"The course left the catalogue of fiscal year {row.FiscalYear} on {before.EffectiveFrom:yyyy-MM-dd}."));
        else if (before is null || fields.Count > 0)
            CheckEdition(row, before, published, start, errors);
        var certificate = Certificate(row, errors);
        if (errors.Count > 0)
            return Refused(errors);

        if (newSchool is not null && schools.TryAdd(Key(newSchool), newSchool))
        {
            plan.Schools.Add(newSchool);
            plan.Events.Add(CatalogEvents.Created(newSchool));
        }
        var courseId = CourseId(row);
        if (before is null)
            Add(wanted with { CourseId = courseId });
        else if (fields.Count > 0)
            Revise(before, wanted, fields);
        if (certificate is not null)
            Certify(certificate with { CourseId = courseId });
        return before is null ? new() { Outcome = Result.Added }
            : fields.Count == 0 && certificate is null ? new() { Outcome = Result.Unchanged }
            : new() { Outcome = Result.Changed, Fields = { fields, certificate is null ? [] : ["e_imet"] } };
    }

    private CourseImportResult Retire(CourseImport row, CourseVersionRow? before)
    {
        if (before is null)
            return Refused([Error(ErrorReason.ReferenceNotFound, "masl_number", $"The catalogue of fiscal year {row.FiscalYear} has no such course.")]);
        if (before.Retired)
            return new() { Outcome = Result.Unchanged };
        var errors = new List<CourseImportError>();
        var published = facts.Published.Contains(row.FiscalYear);
        var start = published ? from ?? today : today;
        CheckEdition(row, before, published, start, errors);
        if (errors.Count > 0)
            return Refused(errors);
        var retired = before with
        {
            Revision = before.Revision + 1, CourseRevision = Raise(before.CourseId, before.MaslNumber), Retired = true, EffectiveFrom = Later(before.EffectiveFrom, start), Actor = actor,
            Reason = reason.Length > 0 ? reason : "Taken out by an import",
        };
        plan.Revisions.Add(retired);
        plan.Events.Add(CatalogEvents.Retired(retired));
        return new() { Outcome = Result.Retired };
    }

    private (Guid? Id, SchoolRow? New) School(CourseImport row, List<CourseImportError> errors)
    {
        if (row.SchoolCode.Length + row.SchoolName.Length == 0)
            return (null, null);
        var known = row.SchoolCode.Length > 0 ? facts.SchoolsByCode[row.SchoolCode].ToList() : [.. facts.SchoolsByName[row.SchoolName]];
        if (known.Count > 1)
            errors.Add(Error(CommonReason.InvalidFields, "school_name", $"{known.Count} schools have this name: say which by school_code."));
        if (known is [var school])
        {
            if (row.SchoolCode.Length > 0 && row.SchoolName.Length > 0 && row.SchoolName != school.Name)
                errors.Add(Error(CommonReason.InvalidFields, "school_name", $"The school with code {row.SchoolCode} is named {school.Name}: leave the name out, or change the school first."));
            return (school.Id, null);
        }
        if (known.Count == 0 && row.SchoolName.Length == 0)
        {
            errors.Add(Error(ErrorReason.ReferenceNotFound, "school_code", "No school has this code: give its school_name, and it is recorded."));
            return (null, null);
        }
        var made = CatalogEvents.NewRow(newId(), new School { Code = row.SchoolCode, Name = row.SchoolName, Location = row.SchoolLocation }) with { CreatedAt = facts.Now };
        made = schools.GetValueOrDefault(Key(made)) ?? made;
        return (made.Id, made);
    }

    private void Check(CourseImport row, CourseVersion version, List<CourseImportError> errors)
    {
        if (row.Title.Length == 0)
            errors.Add(Error(CommonReason.InvalidFields, "title", "is needed, unless the course is taken out of the year"));
        errors.AddRange(VersionDecisions.Violations("", version).Select(wrong => Error(CommonReason.InvalidFields, wrong.Field.TrimStart('.'), wrong.Remedy)));
        foreach (var (index, price) in row.Prices.Index())
        {
            if (!facts.Rates.Contains(price.Rate))
                errors.Add(Error(ErrorReason.ReferenceNotFound, $"prices[{index}].rate", $"{price.Rate} is no tuition rate; ListTuitionRates has them all."));
        }
        foreach (var (index, group) in row.Prerequisites.Index())
        {
            if (group.OneOf.FirstOrDefault(one => one.HasMaslNumber && !facts.MaslNumbers.Contains(one.MaslNumber) && !plan.NewCourses.Exists(course => course.MaslNumber == one.MaslNumber)) is { } unknown)
                errors.Add(Error(ErrorReason.ReferenceNotFound, $"prerequisites[{index}]", $"{unknown.MaslNumber} is no course of the catalogue."));
        }
    }

    private void CheckEdition(CourseImport row, CourseVersionRow? before, bool published, DateOnly start, List<CourseImportError> errors)
    {
        if (published && reason.Length == 0)
            errors.Add(Error(ErrorReason.EditionPublished, "fiscal_year", $"The catalogue of fiscal year {row.FiscalYear} is published: say why it changes (reason), and from which day on."));
        var earliest = published && before is not null ? Later(before.EffectiveFrom, today) : today;
        if (published && start < earliest)
            errors.Add(Error(ErrorReason.AmendmentTooEarly, "effective_from", $"It can take effect on {earliest:yyyy-MM-dd} at the earliest."));
    }

    private CertificateRow? Certificate(CourseImport row, List<CourseImportError> errors)
    {
        if (row.EImetCertifiedOn is not { } on)
        {
            if (row.EImetPercent > 0 || row.EImetDocument.Length > 0)
                errors.Add(Error(CommonReason.InvalidFields, "e_imet_certified_on", "goes with the percent and the document of a certificate"));
            return null;
        }
        if (row.EImetPercent == 0)
            errors.Add(Error(CommonReason.InvalidFields, "e_imet_percent", "must be from 1 to 100"));
        if (row.EImetDocument.Length == 0)
            errors.Add(Error(CommonReason.InvalidFields, "e_imet_document", "must name the document that certifies"));
        var day = on.ToDateOnly();
        var existing = facts.Courses.GetValueOrDefault(row.MaslNumber) is { } course
            ? facts.Certificates[course.Id].Concat(plan.Certificates.Where(made => made.CourseId == course.Id)).FirstOrDefault(one => one.CertifiedOn == day)
            : plan.Certificates.Find(made => made.CertifiedOn == day && plan.NewCourses.Exists(made2 => made2.Id == made.CourseId && made2.MaslNumber == row.MaslNumber));
        if (existing is not null)
        {
            if (existing.Percent != row.EImetPercent)
                errors.Add(Error(ErrorReason.CertificateExists, "e_imet_percent", $"The course's certificate of {day:yyyy-MM-dd} says {existing.Percent}."));
            return null;
        }
        if (errors.Count > 0)
            return null;
        var rule = facts.Validity.FirstOrDefault(one => one.CertifiedFrom <= day);
        var made = CertificateDecisions.New(newId(), Guid.Empty, day, row.EImetPercent, row.EImetDocument,
            rule is null ? null : new ValidityRow { YearsWhole = rule.YearsWhole, YearsPartly = rule.YearsPartly });
        if (made.IsAccepted)
            return made.Value;
        errors.Add(Error(CommonReason.InvalidFields, "e_imet_certified_on", made.Refusal.Fields[0].Description));
        return null;
    }

    private Guid CourseId(CourseImport row)
    {
        if (facts.Courses.GetValueOrDefault(row.MaslNumber) is { } known)
            return known.Id;
        if (plan.NewCourses.Find(course => course.MaslNumber == row.MaslNumber) is { } made)
            return made.Id;
        var course = CatalogEvents.NewRow(newId(), new Course { MaslNumber = row.MaslNumber }) with { CreatedAt = facts.Now };
        plan.NewCourses.Add(course);
        plan.CourseVersions[course.Id] = course.Version;
        plan.Events.Add(CatalogEvents.Created(course));
        return course.Id;
    }

    private void Add(CourseVersionRow version)
    {
        version = version with { CourseRevision = Raise(version.CourseId, version.MaslNumber) };
        plan.NewVersions.Add(version);
        plan.Events.Add(CatalogEvents.Created(version));
    }

    private void Revise(CourseVersionRow before, CourseVersionRow wanted, IReadOnlyList<string> fields)
    {
        var revision = wanted with
        {
            Revision = before.Revision + 1, CourseRevision = Raise(before.CourseId, before.MaslNumber), EffectiveFrom = Later(before.EffectiveFrom, wanted.EffectiveFrom), CreatedAt = before.CreatedAt,
        };
        plan.Revisions.Add(revision);
        plan.Events.Add(CatalogEvents.Changed(revision, fields));
    }

    private void Certify(CertificateRow certificate)
    {
        plan.Certificates.Add(certificate);
        plan.Events.Add(CertificateDecisions.Certified(certificate, Raise(certificate.CourseId, "")));
    }

    private long Raise(Guid courseId, string maslNumber)
    {
        var now = plan.CourseVersions.TryGetValue(courseId, out var raised) ? raised
            : facts.Courses.TryGetValue(maslNumber, out var course) ? course.Version
            : facts.Courses.Values.First(known => known.Id == courseId).Version;
        return plan.CourseVersions[courseId] = now + 1;
    }

    private static string Key(SchoolRow school) => school.Code is { } code ? $"code {code}" : $"name {school.Name}";

    private static DateOnly Later(DateOnly one, DateOnly other) => one > other ? one : other;

    private static CourseImportResult Refused(IEnumerable<CourseImportError> errors) => new() { Outcome = Result.Refused, Errors = { errors } };

    private static CourseImportError Error<TReason>(TReason reason, string field, string message) where TReason : struct, Enum =>
        new() { Reason = CatalogEvents.Text(reason), Field = field, Message = message };
}
