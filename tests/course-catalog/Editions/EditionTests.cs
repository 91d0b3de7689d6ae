using Google.Type;
using Grpc.Core;
using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Imet.Testing;
using Xunit;
using static Imet.CourseCatalog.Tests.Catalog;
using Kind = Imet.CourseCatalog.V1.EditionChange.Types.Kind;

namespace Imet.CourseCatalog.Tests;

/// <summary>A fiscal year is one of all tests that share a database: each test of editions takes years that no other takes.</summary>
[Collection(nameof(Catalog))]
public sealed class EditionTests(Catalog catalog)
{
    [Fact]
    public async Task Everything_that_a_year_says_of_a_course_is_kept()
    {
        var (school, before) = (await catalog.NewSchoolAsync(), await catalog.NewCourseAsync());
        var said = new CourseVersion
        {
            Title = "Aviator Qualification", SchoolId = school.Id, TrainingKind = TrainingKind.Operational, DurationDays = 100, EclMinimum = 80, OpiMinimum = "2+/2", Location = "Fort Novosel, AL", Platform = "UH-60",
            Purpose = "TECHNICAL", AnalysisCode = "4A", Dedicated = true, Prices = { Price("FULL", 208_000), Price("GRANT", 155_000), Price("EXCHANGE", 0) },
            Prerequisites =
            {
                new PrerequisiteGroup { OneOf = { new Prerequisite { MaslNumber = before.MaslNumber }, new Prerequisite { English = new EnglishRequirement { EclMinimum = 80, OpiMinimum = "2/2" } } } },
                new PrerequisiteGroup { OneOf = { new Prerequisite { Rank = new RankRequirement { LowestGrade = "O-1", HighestGrade = "O-3" } } } },
                new PrerequisiteGroup { OneOf = { new Prerequisite { Clearance = "SECRET" } } },
            },
        };
        var version = await catalog.NewVersionAsync((await catalog.NewCourseAsync()).Id, v =>
        {
            (var id, var year) = (v.CourseId, v.FiscalYear);
            v.MergeFrom(said);
            (v.CourseId, v.FiscalYear) = (id, year);
        });
        var read = (await catalog.At(1).GetCourseVersionAsync(new() { CourseVersionId = version.Id }, cancellationToken: Cancel)).CourseVersion;
        Assert.Equal(version, read);
        Assert.Equal((said.Prerequisites, said.Prices, "2+/2", "UH-60", "4A", "Fort Novosel, AL"), (read.Prerequisites, read.Prices, read.OpiMinimum, read.Platform, read.AnalysisCode, read.Location));
        var offering = await catalog.NewOfferingAsync(version.Id);
        Assert.Equal((said.Prerequisites, 100, 80, "2+/2", "UH-60", "TECHNICAL", "4A"),
            (offering.Course.Prerequisites, offering.Course.DurationDays, offering.Course.EclMinimum, offering.Course.OpiMinimum, offering.Course.Platform, offering.Course.Purpose, offering.Course.AnalysisCode));
    }

    [Fact]
    public async Task All_that_can_not_be_right_is_said_at_once_with_its_path()
    {
        var course = await catalog.NewCourseAsync();
        var refused = await Refused.ByAsync(() => catalog.NewVersionAsync(course.Id, v =>
        {
            v.OpiMinimum = "9/9";
            v.Prerequisites.Add(new PrerequisiteGroup
            {
                OneOf = { new Prerequisite(), new Prerequisite { English = new EnglishRequirement() }, new Prerequisite { Rank = new RankRequirement { LowestGrade = "O-11" } } },
            });
            v.Prices.Add([Price("GRANT", 1), Price("GRANT", 2)]);
        }));
        Assert.Equal((StatusCode.InvalidArgument, "INVALID_FIELDS"), (refused.Code, refused.Reason));
        Assert.Equal(
            ["course_version.opi_minimum", "course_version.prerequisites[0].one_of[0]", "course_version.prerequisites[0].one_of[1]", "course_version.prerequisites[0].one_of[2]", "course_version.prices[1].rate"],
            refused.Fields.Order());
    }

    [Fact]
    public async Task A_rate_and_a_prerequisite_must_be_in_the_catalogue()
    {
        var course = await catalog.NewCourseAsync();
        var rate = await Refused.ByAsync(() => catalog.NewVersionAsync(course.Id, v => v.Prices.Add(Price("RATE-Z", 1))));
        Assert.Equal(("REFERENCE_NOT_FOUND", "course_version.prices[0].rate"), (rate.Reason, rate.Metadata["field"]));
        var missing = await Refused.ByAsync(() => catalog.NewVersionAsync(course.Id, v => v.Prerequisites.Add(OneOf("T-NOT-THERE"))));
        Assert.Equal(("REFERENCE_NOT_FOUND", "course_version.prerequisites[0]", "T-NOT-THERE"), (missing.Reason, missing.Metadata["field"], missing.Metadata["id"]));
    }

    [Fact]
    public async Task A_rate_is_added_as_data()
    {
        var code = Unique("R-")[..18];
        await catalog.Writer.CreateTuitionRateAsync(new() { RequestId = NewId(), TuitionRate = new TuitionRate { Code = code, Name = "Reciprocal agreement" } }, cancellationToken: Cancel);
        Assert.Contains((await catalog.Writer.ListTuitionRatesAsync(new(), cancellationToken: Cancel)).TuitionRates, rate => rate.Code == code);
        Assert.Equal(code, (await catalog.NewVersionAsync((await catalog.NewCourseAsync()).Id, v => v.Prices.Add(Price(code, 1)))).Prices.Single().Rate);
        Assert.Equal("TUITION_RATE_EXISTS",
            (await Refused.ByAsync(() => catalog.Writer.CreateTuitionRateAsync(new() { RequestId = NewId(), TuitionRate = new TuitionRate { Code = "FULL", Name = "Again" } }, cancellationToken: Cancel).ResponseAsync)).Reason);
    }

    [Fact]
    public async Task A_year_is_copied_forward_edited_published_and_then_changes_by_amendments_only()
    {
        const int year = 1990;
        var (kept, changed, gone) = (await catalog.NewCourseAsync(), await catalog.NewCourseAsync(), await catalog.NewCourseAsync());
        foreach (var course in new[] { kept, changed, gone })
            await catalog.NewVersionAsync(course.Id, v => (v.FiscalYear, v.Title) = (year, "As it was"));

        var opened = (await catalog.Writer.OpenEditionAsync(new() { RequestId = NewId(), FiscalYear = year + 1 }, cancellationToken: Cancel)).Edition;
        Assert.Equal((CatalogEdition.Types.State.Open, year, 3), (opened.State, opened.CopiedFrom, opened.CopiedCount));
        Assert.Equal("EDITION_EXISTS", (await Refused.ByAsync(() => catalog.Writer.OpenEditionAsync(new() { RequestId = NewId(), FiscalYear = year + 1 }, cancellationToken: Cancel).ResponseAsync)).Reason);

        var (ofKept, ofChanged, ofGone) = (await OfAsync(kept, year + 1), await OfAsync(changed, year + 1), await OfAsync(gone, year + 1));
        var wanted = With(ofChanged, v => (v.Title, v.DurationDays) = ("As it is", 10));
        Assert.Equal("EDITION_NOT_PUBLISHED", (await Refused.ByAsync(() => AmendAsync(ofChanged, wanted, ofChanged.Etag))).Reason);
        ofChanged = (await catalog.Writer.UpdateCourseVersionAsync(new() { RequestId = NewId(), CourseVersionId = ofChanged.Id, CourseVersion = wanted, Etag = ofChanged.Etag }, cancellationToken: Cancel)).CourseVersion;
        await catalog.Writer.RetireCourseVersionAsync(new() { RequestId = NewId(), CourseVersionId = ofGone.Id, Etag = ofGone.Etag, Reason = "No longer taught" }, cancellationToken: Cancel);
        var added = await catalog.NewVersionAsync((await catalog.NewCourseAsync()).Id, v => v.FiscalYear = year + 1);

        var report = (await catalog.Writer.ListEditionChangesAsync(new() { FiscalYear = year + 1 }, cancellationToken: Cancel)).Changes;
        Assert.Equal(
            new[] { (changed.MaslNumber, Kind.Changed, "title duration_days"), (gone.MaslNumber, Kind.Retired, ""), (added.MaslNumber, Kind.Added, "") }.OrderBy(row => row.MaslNumber, StringComparer.Ordinal),
            report.Select(change => (change.MaslNumber, change.Kind, string.Join(' ', change.Fields))));

        Assert.Equal(StatusCode.PermissionDenied, (await Refused.ByAsync(() =>
            catalog.As("clerk", ["catalog.write"]).PublishEditionAsync(new() { RequestId = NewId(), FiscalYear = year + 1, Etag = opened.Etag }, cancellationToken: Cancel).ResponseAsync)).Code);
        var published = (await catalog.Writer.PublishEditionAsync(new() { RequestId = NewId(), FiscalYear = year + 1, Etag = opened.Etag }, cancellationToken: Cancel)).Edition;
        Assert.Equal(CatalogEdition.Types.State.Published, published.State);

        var next = With(ofChanged, v => v.DurationDays = 11);
        Assert.Equal("EDITION_PUBLISHED", (await Refused.ByAsync(() => catalog.Writer.UpdateCourseVersionAsync(
            new() { RequestId = NewId(), CourseVersionId = ofChanged.Id, CourseVersion = next, Etag = ofChanged.Etag }, cancellationToken: Cancel).ResponseAsync)).Reason);
        var today = Washington.Today(TimeProvider.System);
        Assert.Equal("AMENDMENT_TOO_EARLY", (await Refused.ByAsync(() => AmendAsync(ofChanged, next, ofChanged.Etag, today.AddDays(-1)))).Reason);
        var amended = await AmendAsync(ofChanged, next, ofChanged.Etag, today.AddDays(30));
        Assert.Equal(11, amended.DurationDays);

        Assert.Equal((10, 11), ((await OfAsync(changed, year + 1, today.AddDays(29))).DurationDays, (await OfAsync(changed, year + 1, today.AddDays(30))).DurationDays));
        Assert.Equal("AMENDMENT_TOO_EARLY", (await Refused.ByAsync(() => AmendAsync(amended, With(amended, v => v.DurationDays = 12), amended.Etag, today.AddDays(29)))).Reason);
        Assert.Equal("ETAG_MISMATCH", (await Refused.ByAsync(() => AmendAsync(amended, With(amended, v => v.DurationDays = 12), ofChanged.Etag, today.AddDays(40)))).Reason);
        Assert.Equal(ofKept, await OfAsync(kept, year + 1));
        Assert.DoesNotContain((await catalog.Writer.ListCourseVersionsAsync(new() { FiscalYear = year + 1 }, cancellationToken: Cancel)).CourseVersions, version => version.CourseId == gone.Id);
        Assert.Contains((await catalog.Writer.ListCourseVersionsAsync(new() { FiscalYear = year + 1, WithRetired = true }, cancellationToken: Cancel)).CourseVersions, version => version.CourseId == gone.Id);
        Assert.Equal("COURSE_RETIRED", (await Refused.ByAsync(() => catalog.NewOfferingAsync(ofGone.Id))).Reason);
    }

    [Fact]
    public async Task A_class_to_come_takes_over_what_the_catalogue_says_now_and_tells_it()
    {
        var version = await catalog.NewVersionAsync((await catalog.NewCourseAsync()).Id, v => v.FiscalYear = 1980);
        var (open, cancelled) = (await catalog.NewOfferingAsync(version.Id), await catalog.NewOfferingAsync(version.Id));
        await catalog.Writer.CancelOfferingAsync(new() { RequestId = NewId(), OfferingId = cancelled.Id, Etag = cancelled.Etag, Reason = "Not held" }, cancellationToken: Cancel);
        await catalog.Writer.UpdateCourseVersionAsync(
            new() { RequestId = NewId(), CourseVersionId = version.Id, CourseVersion = With(version, v => v.EclMinimum = 85), Etag = version.Etag }, cancellationToken: Cancel);

        var now = await Eventually.GetAsync(async () => (await catalog.Writer.GetOfferingAsync(new() { OfferingId = open.Id }, cancellationToken: Cancel)).Offering is { } offering && offering.Course.EclMinimum == 85 ? offering : null, Cancel);
        Assert.Equal(open.Version + 1, now.Version);
        await Eventually.TrueAsync(() => catalog.Outside.Received.Any(e => e.RoutingKey == "offering.course-changed.ALL" && e.Body.GetRawText().Contains(open.Id, StringComparison.Ordinal) && e.AggregateVersion == now.Version), Cancel);
        Assert.Equal(80, (await catalog.Writer.GetOfferingAsync(new() { OfferingId = cancelled.Id }, cancellationToken: Cancel)).Offering.Course.EclMinimum);
    }

    [Fact]
    public async Task What_is_charged_and_not_taught_has_no_classes()
    {
        var version = await catalog.NewVersionAsync((await catalog.NewCourseAsync()).Id, v => (v.Charge, v.Title) = (true, "Extension of training"));
        Assert.Equal("NOT_A_CLASS", (await Refused.ByAsync(() => catalog.NewOfferingAsync(version.Id))).Reason);
    }

    [Fact]
    public async Task A_school_that_is_renamed_is_known_by_its_new_name_in_classes_to_come()
    {
        var school = await catalog.NewSchoolAsync();
        var version = await catalog.NewVersionAsync((await catalog.NewCourseAsync()).Id, v => v.SchoolId = school.Id);
        var offering = await catalog.NewOfferingAsync(version.Id);
        var renamed = school.Clone();
        renamed.Name = Unique("Renamed ");
        var after = (await catalog.Writer.UpdateSchoolAsync(new() { RequestId = NewId(), SchoolId = school.Id, School = renamed, Etag = school.Etag }, cancellationToken: Cancel)).School;
        Assert.Equal((renamed.Name, school.Version + 1), (after.Name, after.Version));
        await Eventually.GetAsync(async () => (await catalog.Writer.GetOfferingAsync(new() { OfferingId = offering.Id }, cancellationToken: Cancel)).Offering is { } now && now.Course.SchoolName == renamed.Name ? now : null, Cancel);
        Assert.Equal("ETAG_MISMATCH", (await Refused.ByAsync(() => catalog.Writer.UpdateSchoolAsync(new() { RequestId = NewId(), SchoolId = school.Id, School = renamed, Etag = school.Etag }, cancellationToken: Cancel).ResponseAsync)).Reason);
    }

    private async Task<CourseVersion> OfAsync(Course course, int year, DateOnly? asOf = null) =>
        (await catalog.Writer.GetCourseVersionAsync(new() { CourseId = course.Id, FiscalYear = year, AsOf = asOf is { } day ? Day(day.Year, day.Month, day.Day) : null }, cancellationToken: Cancel)).CourseVersion;

    private async Task<CourseVersion> AmendAsync(CourseVersion version, CourseVersion wanted, string etag, DateOnly? from = null) => (await catalog.Writer.AmendCourseVersionAsync(
        new() { RequestId = NewId(), CourseVersionId = version.Id, CourseVersion = wanted, Etag = etag, EffectiveFrom = from is { } day ? Day(day.Year, day.Month, day.Day) : null, Reason = "Found to be longer" },
        cancellationToken: Cancel)).CourseVersion;

    private static CourseVersion With(CourseVersion version, Action<CourseVersion> change)
    {
        var changed = version.Clone();
        change(changed);
        return changed;
    }

    private static PrerequisiteGroup OneOf(string maslNumber) => new() { OneOf = { new Prerequisite { MaslNumber = maslNumber } } };

    internal static TuitionPrice Price(string rate, long dollars) => new() { Rate = rate, Price = new Money { CurrencyCode = "USD", Units = dollars } };
}
