using Imet.CourseCatalog.V1;
using Xunit;
using static Imet.CourseCatalog.Tests.Catalog;
using Result = Imet.CourseCatalog.V1.CourseImportResult.Types.Outcome;

namespace Imet.CourseCatalog.Tests;

[Collection(nameof(Catalog))]
public sealed class ImportTests(Catalog catalog)
{
    [Fact]
    public async Task Good_rows_land_bad_ones_say_why_and_a_second_run_changes_nothing()
    {
        var (school, number) = (Unique("")[..7], Unique("T-"));
        CourseImport[] rows =
        [
            Row(number, r => (r.SchoolCode, r.SchoolName, r.SchoolLocation) = (school, $"School {school}", "Newport, RI")),
            Row(Unique("T-"), r => r.Prerequisites.Add(new PrerequisiteGroup { OneOf = { new Prerequisite { MaslNumber = number } } })),
            Row(Unique("T-"), r => r.Title = ""),
            Row(Unique("T-"), r => r.Prices.Add(EditionTests.Price("NO-RATE", 1))),
            Row(Unique("T-"), r => (r.SchoolCode, r.SchoolName) = ("NOTTHERE", "")),
            Row(number, _ => { }),
            Row(Unique("T-"), r => (r.EImetCertifiedOn, r.EImetPercent, r.EImetDocument) = (Day(2026, 3, 1), 30, "List of 2026")),
            Row(Unique("T-"), r => r.Retired = true),
        ];
        var first = await ImportAsync(rows);
        Assert.Equal([Result.Added, Result.Added, Result.Refused, Result.Refused, Result.Refused, Result.Refused, Result.Added, Result.Refused], first.Select(result => result.Outcome));
        Assert.Equal(
            ["INVALID_FIELDS title", "REFERENCE_NOT_FOUND prices[1].rate", "REFERENCE_NOT_FOUND school_code", "INVALID_FIELDS masl_number", "REFERENCE_NOT_FOUND masl_number"],
            first.SelectMany(result => result.Errors).Select(error => $"{error.Reason} {error.Field}"));

        var second = await ImportAsync(rows);
        Assert.Equal([Result.Unchanged, Result.Unchanged, Result.Refused, Result.Refused, Result.Refused, Result.Refused, Result.Unchanged, Result.Refused], second.Select(result => result.Outcome));

        var course = await catalog.At(1).GetCourseAsync(new() { MaslNumber = number }, cancellationToken: Cancel);
        Assert.Equal((2L, 1L), (course.Course.Version, course.Versions.Single().Revision));
        Assert.Equal($"School {school}", (await catalog.Writer.GetSchoolAsync(new() { SchoolId = course.Versions.Single().SchoolId }, cancellationToken: Cancel)).School.Name);
        Assert.True((await catalog.Writer.CheckEImetAsync(new() { MaslNumber = rows[6].MaslNumber, On = Day(2031, 2, 28) }, cancellationToken: Cancel)).EImet);
    }

    [Fact]
    public async Task A_row_that_says_something_else_changes_the_year_and_one_that_is_taken_out_leaves_it()
    {
        var row = Row(Unique("T-"), _ => { });
        await ImportAsync(row);
        var changed = row.Clone();
        (changed.Title, changed.DurationDays) = ("Another title", 12);
        var result = (await ImportAsync(changed)).Single();
        Assert.Equal((Result.Changed, "title duration_days"), (result.Outcome, string.Join(' ', result.Fields)));
        changed.Retired = true;
        Assert.Equal([Result.Retired], (await ImportAsync(changed)).Select(r => r.Outcome));
        Assert.Equal([Result.Unchanged], (await ImportAsync(changed)).Select(r => r.Outcome));
        Assert.True((await catalog.Writer.GetCourseAsync(new() { MaslNumber = row.MaslNumber }, cancellationToken: Cancel)).Versions.Single().Retired);
    }

    [Fact]
    public async Task A_published_year_is_changed_only_with_a_reason()
    {
        const int year = 1994;
        var row = Row(Unique("T-"), r => r.FiscalYear = year);
        await ImportAsync(row);
        var edition = (await catalog.Writer.OpenEditionAsync(new() { RequestId = NewId(), FiscalYear = year }, cancellationToken: Cancel)).Edition;
        await catalog.Writer.PublishEditionAsync(new() { RequestId = NewId(), FiscalYear = year, Etag = edition.Etag }, cancellationToken: Cancel);
        row.Title = "Another title";
        Assert.Equal("EDITION_PUBLISHED", (await ImportAsync(row)).Single().Errors.Single().Reason);
        Assert.Equal(Result.Changed, (await ImportAsync("Correction of the printer's error", row)).Single().Outcome);
    }

    [Fact]
    public async Task A_trial_writes_nothing_and_says_what_would_be()
    {
        var row = Row(Unique("T-"), _ => { });
        var request = new ImportCoursesRequest { RequestId = NewId(), Courses = { row }, ValidateOnly = true };
        Assert.Equal(Result.Added, (await catalog.Writer.ImportCoursesAsync(request, cancellationToken: Cancel)).Results.Single().Outcome);
        Assert.Equal("NOT_FOUND", (await Refused.ByAsync(catalog.Writer.GetCourseAsync(new() { MaslNumber = row.MaslNumber }, cancellationToken: Cancel))).Reason);
    }

    [Fact]
    public async Task Imports_of_the_same_rows_at_the_same_time_record_each_once()
    {
        var (school, numbers) = (Unique("School "), Enumerable.Range(0, 50).Select(_ => Unique("T-")).ToArray());
        CourseImport[] rows = [.. numbers.Select(number => Row(number, r => r.SchoolName = school))];
        var all = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => ImportAsync(i % 2, "", rows)));
        Assert.Equal(50, all.SelectMany(results => results).Count(result => result.Outcome == Result.Added));
        Assert.Equal(350, all.SelectMany(results => results).Count(result => result.Outcome == Result.Unchanged));
        Assert.Single((await catalog.Writer.ListSchoolsAsync(new() { NameContains = school }, cancellationToken: Cancel)).Schools);
    }

    private Task<IReadOnlyList<CourseImportResult>> ImportAsync(params CourseImport[] rows) => ImportAsync(0, "", rows);

    private Task<IReadOnlyList<CourseImportResult>> ImportAsync(string reason, params CourseImport[] rows) => ImportAsync(0, reason, rows);

    private async Task<IReadOnlyList<CourseImportResult>> ImportAsync(int replica, string reason, CourseImport[] rows) =>
        (await catalog.At(replica).ImportCoursesAsync(new() { RequestId = NewId(), Courses = { rows }, Reason = reason }, cancellationToken: Cancel)).Results;

    private static CourseImport Row(string number, Action<CourseImport> set)
    {
        var row = new CourseImport { MaslNumber = number, FiscalYear = 2031, Title = "Imported", TrainingKind = TrainingKind.Classroom, DurationDays = 10, Prices = { EditionTests.Price("GRANT", 10) } };
        set(row);
        return row;
    }
}
