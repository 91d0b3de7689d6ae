using System.Globalization;
using System.Text;
using Imet.Cli;
using Imet.CourseCatalog.V1;
using Imet.Testing;
using Xunit;

namespace Imet.SystemTests.CatalogTables;

/// <summary>imet import catalog and imet export catalog, as users run them.</summary>
public sealed class ImportCatalogTests(Servers servers, ITestOutputHelper output)
{
    private static readonly int Year = World.Today.FiscalYear() + 1;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Good_rows_land_bad_ones_are_told_a_second_run_changes_nothing_and_an_export_gives_back_what_an_import_takes()
    {
        await using var stack = await TestStack.StartAsync(servers, new(), Cancel);
        var year = $"{Year}";
        var file = await Table.WriteAsync(servers.Folder, "year.csv",
        [
            Table.Row(("fiscal_year", year), ("masl_number", "B000001"), ("title", "=cmd() | \"calc\", the course"), ("school_name", "Some School"), ("school_location", "Somewhere, KS"), ("price_FULL", "21600.50"), ("price_GRANT", "0")),
            Table.Row(("fiscal_year", year), ("masl_number", "B000002"), ("title", "Main"), ("prerequisites", "B000003 | B000001; ECL 80 OPI 2/2; RANK O-3..O-5; CLEARANCE SECRET"), ("dedicated", "yes"), ("platform", "UH-60")),
            Table.Row(("fiscal_year", year), ("masl_number", "B000003"), ("title", "'Tis the preparation"), ("school_name", "Some School"), ("e_imet_certified_on", "2026-02-01"), ("e_imet_percent", "100"), ("e_imet_document", "Memorandum 7")),
            Table.Row(("fiscal_year", "1900"), ("masl_number", "B000004"), ("title", "Too early")),
            Table.Row(("fiscal_year", year), ("masl_number", "B000005")),
            Table.Row(("fiscal_year", year), ("masl_number", "B000006"), ("title", "Of nothing"), ("prerequisites", "B999999")),
            Table.Row(("fiscal_year", year), ("masl_number", "B000007"), ("retired", "yes")),
            Table.Row(("fiscal_year", year), ("masl_number", "B000008"), ("title", "Perhaps"), ("dedicated", "perhaps")),
        ], Cancel);
        var errors = Path.Combine(servers.Folder, "year.errors.tsv");

        var dry = await RunAsync(stack, "import", "catalog", file, "--dry-run", "--errors", errors);
        Assert.Equal(ExitCode.SomeInError, dry.Code);
        Assert.Contains($"added    {year}  B000001", dry.Output, StringComparison.Ordinal);
        Assert.Contains("Nothing was written: --dry-run.", dry.Output, StringComparison.Ordinal);
        Assert.Empty(await CoursesAsync(stack));

        var first = await RunAsync(stack, "import", "catalog", file, "--errors", errors);
        Assert.Equal(ExitCode.SomeInError, first.Code);
        Assert.Contains("3 added, 0 changed, 0 retired, 0 unchanged, 5 in error", first.Output, StringComparison.Ordinal);
        var told = await File.ReadAllLinesAsync(errors, Cancel);
        string[] wrong = ["5\tfiscal_year\t1900\tmust be between 1976 and 2199", "6\ttitle\t\tINVALID_FIELDS: ", "7\tprerequisites\tB999999\tREFERENCE_NOT_FOUND: ", "8\tmasl_number\tB000007\tREFERENCE_NOT_FOUND: ", "9\tdedicated\tperhaps\tmust be yes or no"];
        Assert.Equal(wrong.Length + 1, told.Length);
        Assert.All(wrong, line => Assert.Single(told, found => found.StartsWith(line, StringComparison.Ordinal)));

        var courses = await CoursesAsync(stack);
        Assert.Equal(["B000001", "B000002", "B000003"], courses.Select(course => course.MaslNumber));
        var second = await RunAsync(stack, "import", "catalog", file, "--errors", errors);
        Assert.Contains("0 added, 0 changed, 0 retired, 3 unchanged, 5 in error", second.Output, StringComparison.Ordinal);
        Assert.Equal(courses, await CoursesAsync(stack));

        var table = await ExportAsync(stack, "export.csv");
        Assert.Contains("\"'=cmd() | \"\"calc\"\", the course\"", table, StringComparison.Ordinal);
        Assert.Contains("B000003 | B000001; ECL 80 OPI 2/2; RANK O-3..O-5; CLEARANCE SECRET", table, StringComparison.Ordinal);
        Assert.Contains("2026-02-01,100,Memorandum 7", table, StringComparison.Ordinal);
        var back = await RunAsync(stack, "import", "catalog", Path.Combine(servers.Folder, "export.csv"));
        Assert.Equal((ExitCode.Done, true), (back.Code, back.Output.Contains("0 added, 0 changed, 0 retired, 3 unchanged, 0 in error", StringComparison.Ordinal)));
        Assert.Equal(courses, await CoursesAsync(stack));

        // The same table into an empty catalogue gives the same table.
        await using (var other = await TestStack.StartAsync(servers, new(), Cancel))
        {
            Assert.Equal(ExitCode.Done, (await RunAsync(other, "import", "catalog", Path.Combine(servers.Folder, "export.csv"))).Code);
            Assert.Equal(table, await ExportAsync(other, "again.csv"));
        }

        var edited = Path.Combine(servers.Folder, "edited.csv");
        await File.WriteAllTextAsync(edited, table.Replace(",Main,", ",Main course,", StringComparison.Ordinal), Cancel);
        var changed = await RunAsync(stack, "import", "catalog", edited, "--dry-run");
        Assert.Contains($"changed  {year}  B000002            Main course (title)", changed.Output, StringComparison.Ordinal);
        Assert.Contains("1 changed", (await RunAsync(stack, "import", "catalog", edited)).Output, StringComparison.Ordinal);
        var retire = await Table.WriteAsync(servers.Folder, "retire.csv", [Table.Row(("fiscal_year", year), ("masl_number", "B000001"), ("retired", "yes"))], Cancel);
        Assert.Contains("1 retired", (await RunAsync(stack, "import", "catalog", retire)).Output, StringComparison.Ordinal);
        Assert.DoesNotContain("B000001,", await ExportAsync(stack, "without.csv"), StringComparison.Ordinal);
        Assert.Equal(ExitCode.CouldNotRun, (await RunAsync(stack, "import", "catalog", "absent.csv")).Code);
    }

    [Fact]
    public async Task An_import_that_is_killed_is_completed_by_the_next()
    {
        const int rows = 4000;
        await using var stack = await TestStack.StartAsync(servers, new(), Cancel);
        var file = await Table.WriteAsync(servers.Folder, "killed.csv", Enumerable.Range(1, rows).Select(number => Table.Course(number, Year, $"Course {number}", $"School {number % 7}")), Cancel);
        using (var half = CancellationTokenSource.CreateLinkedTokenSource(Cancel))
        {
            var running = Command.RunAsync(servers, stack, half.Token, "import", "catalog", file, "--concurrency", "1");
            await Eventually.TrueAsync(async () => (await CoursesAsync(stack)).Count > 0, Cancel, "the first rows landed");
            await half.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        }
        var landed = (await CoursesAsync(stack)).Count;
        Assert.InRange(landed, 1, rows - 1);
        var next = await RunAsync(stack, "import", "catalog", file);
        Assert.Equal(ExitCode.Done, next.Code);
        Assert.Equal(rows, (await CoursesAsync(stack)).Count);
        Assert.Contains("0 changed, 0 retired, ", next.Output, StringComparison.Ordinal);
        var schools = await stack.Anybody("test").CourseCatalog.ListSchoolsAsync(new() { PageSize = 1000 }, cancellationToken: Cancel);
        Assert.Equal(7, schools.Schools.Count);
    }

    [Fact]
    public async Task A_million_rows_are_read_in_a_heap_of_64_MB()
    {
        const int rows = 1_000_000;
        const int each = 50;
        await using var stack = await TestStack.StartAsync(servers, new(), Cancel);
        // One row in fifty is good and goes to the service; the others are wrong in a cell, each with a line in the errors file.
        var file = await Table.WriteAsync(servers.Folder, "million.csv", Enumerable.Range(1, rows).Select(number =>
        {
            var row = Table.Course(number, Year, $"A course whose title is as long as titles are: {number}");
            return number % each == 0 ? row : row.Replace(",CLASSROOM,", ",LECTURE,", StringComparison.Ordinal);
        }), Cancel);
        Assert.InRange(new FileInfo(file).Length, 80L << 20, long.MaxValue);
        var errors = Path.Combine(servers.Folder, "million.errors.tsv");
        var (code, told) = await Command.RunAsync(servers, stack, 64 << 20, Cancel, "import", "catalog", file, "--dry-run", "--errors", errors);
        Assert.Equal(ExitCode.SomeInError, code);
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"{rows / each:N0} added, 0 changed, 0 retired, 0 unchanged, {rows - rows / each:N0} in error"), told, StringComparison.Ordinal);
        Assert.Equal(rows - rows / each + 1, File.ReadLines(errors).Count());
        File.Delete(file);
        File.Delete(errors);
    }

    [Fact]
    public async Task All_titles_of_five_real_years_are_placed_or_told()
    {
        var reports = Path.GetDirectoryName(Repository.RealReport) ?? "";
        Assert.SkipUnless(Repository.RealReport is not null, "the five real reports are not beside the checkout (../shared/data/fmtr)");
        await using var stack = await TestStack.StartAsync(servers, new(), Cancel);
        var titles = new HashSet<string>();
        var untold = new HashSet<string>();
        foreach (var year in Enumerable.Range(2011, 5))
        {
            var (file, errors, list) = (Path.Combine(reports, $"training-fy{year}.tsv"), Path.Combine(servers.Folder, $"fy{year}.errors.tsv"), Path.Combine(servers.Folder, $"fy{year}.report.tsv"));
            var (code, told) = await RunAsync(stack, "import", "catalog", file, "--errors", errors, "--report", list);
            Assert.True(code is ExitCode.Done or ExitCode.SomeInError, told);
            output.WriteLine($"FY{year}\n{told}");
            // Read on their own, by nothing of ours: a title is in the catalogue, or every row of it is in the errors file.
            var wrong = File.ReadLines(errors).Skip(1).Select(line => int.Parse(line.Split('\t')[0], CultureInfo.InvariantCulture)).ToHashSet();
            var rows = (await File.ReadAllTextAsync(file, Encoding.UTF8, Cancel)).TrimEnd('\n').Split('\n').Select((line, index) => (Line: index + 1, Cells: line.TrimEnd('\r').Split('\t'))).Skip(1);
            foreach (var row in rows)
                (wrong.Contains(row.Line) ? untold : titles).Add(Fold(row.Cells.ElementAtOrDefault(3) ?? ""));
            var again = await RunAsync(stack, "import", "catalog", file, "--errors", errors);
            Assert.Contains(" 0 changed, 0 retired, ", again.Output, StringComparison.Ordinal);
            Assert.Contains("0 added, ", again.Output, StringComparison.Ordinal);
        }
        var placed = (await Task.WhenAll(Enumerable.Range(2008, 12).Select(year => VersionsAsync(stack, year)))).SelectMany(versions => versions).ToList();
        var inCatalogue = placed.Select(version => version.Title).ToHashSet();
        output.WriteLine($"{titles.Count:N0} titles in {placed.Count:N0} course years are in the catalogue; {untold.Except(titles).Count():N0} only in rows that are told");
        Assert.InRange(titles.Count, 4000, 5000);
        Assert.Empty(titles.Except(inCatalogue));

        // White space folded, and the quotes of a whole cell taken off.
        static string Fold(string cell)
        {
            var text = cell.Trim();
            if (text.Length > 1 && text[0] == '"' && text[^1] == '"' && !text[1..^1].Replace("\"\"", "", StringComparison.Ordinal).Contains('"', StringComparison.Ordinal))
                text = text[1..^1].Replace("\"\"", "\"", StringComparison.Ordinal);
            return string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        }
    }

    private async Task<(int Code, string Output)> RunAsync(TestStack stack, params string[] arguments) => await Command.RunAsync(servers, stack, Cancel, arguments);

    private async Task<string> ExportAsync(TestStack stack, string name)
    {
        var file = Path.Combine(servers.Folder, name);
        var (code, told) = await RunAsync(stack, "export", "catalog", "--year", $"{Year}", "-o", file);
        Assert.True(code == ExitCode.Done, told);
        return await File.ReadAllTextAsync(file, Cancel);
    }

    private static async Task<List<Course>> CoursesAsync(TestStack stack)
    {
        var courses = new List<Course>();
        for (var request = new ListCoursesRequest { PageSize = 1000 }; ;)
        {
            var page = await stack.Anybody("test").CourseCatalog.ListCoursesAsync(request, cancellationToken: Cancel);
            courses.AddRange(page.Courses);
            if ((request.PageToken = page.NextPageToken).Length == 0)
                return courses;
        }
    }

    private static async Task<List<CourseVersion>> VersionsAsync(TestStack stack, int year)
    {
        var versions = new List<CourseVersion>();
        var caller = stack.Anybody("test").CourseCatalog;
        for (var request = new ListCourseVersionsRequest { FiscalYear = year, PageSize = 1000 }; ;)
        {
            var page = await caller.ListCourseVersionsAsync(request, cancellationToken: Cancel);
            versions.AddRange(page.CourseVersions);
            if ((request.PageToken = page.NextPageToken).Length == 0)
                return versions;
        }
    }
}
