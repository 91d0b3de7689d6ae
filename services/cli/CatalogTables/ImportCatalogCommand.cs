using System.CommandLine;
using System.Globalization;
using Imet.Cli.Replay;
using Imet.CourseCatalog.V1;
using Spectre.Console;

namespace Imet.Cli.CatalogTables;

/// <summary>imet import catalog FILE: a year's catalogue, or several years', from a table.</summary>
public static class ImportCatalogCommand
{
    private const int ShownInAPreview = 50;

    private const string About = """
        Courses by fiscal year with their schools, prices, prerequisites and E-IMET certificates, from a table as imet export catalog writes it (docs/import-catalog.md); or the courses that a training report names.

        A row says all of a course in a year. Good rows land; bad ones are in the errors file with line, column and why. A second run changes nothing, and a run that was cut short is completed by the next.
        Exit codes: 0 every row is in the catalogue; 1 some rows are in error; 2 it could not run (one line says why).
        """;

    public static Command Command()
    {
        var connection = new ConnectionOptions("catalog.read", "catalog.write");
        var file = new Argument<FileInfo>("FILE") { Description = "The table, as CSV or tab-separated, UTF-8." };
        var dryRun = new Option<bool>("--dry-run") { Description = "Show what would be added, changed and retired, and write nothing." };
        var errors = new Option<FileInfo?>("--errors") { Description = "Errors file (tab-separated: line, column, value, why). Else FILE's name with .errors.tsv, here." };
        var report = new Option<FileInfo?>("--report") { Description = "List every row that changes anything, or that can't be placed, in this file (tab-separated)." };
        var from = new Option<DateOnly?>("--effective-from") { Description = "For published editions: the first day on which they say so. Else today.", HelpName = "YYYY-MM-DD" };
        var reason = new Option<string>("--reason") { Description = "For published editions: why they change.", DefaultValueFactory = _ => "" };
        var concurrency = new Option<int>("--concurrency") { Description = "Batches in flight, 1 to 64.", HelpName = "C", DefaultValueFactory = _ => 4 };
        var patience = new Option<int>("--patience") { Description = "Seconds to go on asking a service that does not answer.", HelpName = "S", DefaultValueFactory = _ => 300 };
        concurrency.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out var value) && value is < 1 or > 64)
                result.AddError($"--concurrency must be 1 to 64, not {value}.");
        });
        var command = new Command("catalog", About) { file, dryRun, errors, report, from, reason, concurrency, patience };
        connection.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var table = parsed.GetRequiredValue(file);
            var (rows, count) = Open(table.FullName);
            using var errorsFile = new ErrorsFile(parsed.GetValue(errors), table);
            using var tally = new ImportTally(errorsFile, parsed.GetValue(report), parsed.GetValue(dryRun) ? ShownInAPreview : 0);
            await using var clients = connection.Open(parsed);
            var like = new ImportCoursesRequest { EffectiveFrom = parsed.GetValue(from)?.ToProto(), Reason = parsed.GetRequiredValue(reason), ValidateOnly = parsed.GetValue(dryRun) };
            var stage = new Stage("rows");
            stage.Begin(count);
            var import = new CatalogImport(clients.CourseCatalog, new PatientCalls(TimeSpan.FromSeconds(parsed.GetValue(patience))), like, parsed.GetValue(concurrency), tally, stage);
            await Replay.Progress.RunAsync([stage], Task.Run(() => import.RunAsync(rows, cancel), cancel), !Console.IsErrorRedirected);
            var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Out) });
            if (Console.IsOutputRedirected)
                console.Profile.Width = 200;
            tally.Write(console, like.ValidateOnly);
            return tally.InError > 0 ? ExitCode.SomeInError : ExitCode.Done;
        });
        return command;
    }

    private static (IEnumerable<CatalogRow> Rows, long Count) Open(string path)
    {
        if (ReportedCourses.IsReport(CatalogFile.Header(path)))
        {
            var courses = ReportedCourses.Read(path);
            return (courses, courses.Count);
        }
        var table = CatalogFile.Open(path);
        var (repeated, count) = (new RepeatedKeys(), 0L);
        foreach (var key in table.Keys())
        {
            repeated.Mark(key);
            count++;
        }
        return (table.Rows(repeated), count);
    }
}
