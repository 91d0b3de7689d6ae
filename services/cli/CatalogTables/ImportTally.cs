using System.Text;
using Imet.Cli.Replay;
using Imet.CourseCatalog.V1;
using Spectre.Console;
using Outcome = Imet.CourseCatalog.V1.CourseImportResult.Types.Outcome;

namespace Imet.Cli.CatalogTables;

/// <summary>Accounts for every row once, in the order of the file: what became of it is counted by year, what changes is listed, what is wrong goes to the errors file.</summary>
public sealed class ImportTally(ErrorsFile errors, FileInfo? report, int shown) : IDisposable
{
    private static readonly Outcome[] Outcomes = [Outcome.Added, Outcome.Changed, Outcome.Retired, Outcome.Unchanged];
    private readonly SortedDictionary<int, Dictionary<Outcome, int>> years = [];
    private readonly SortedDictionary<string, int> unplaced = new(StringComparer.Ordinal);
    private readonly List<string> first = [];
    private readonly StreamWriter? list = Open(report);
    private int changes;

    public int InError { get; private set; }

    public void Add(CatalogRow row, CourseImportResult result)
    {
        if (result.Outcome is Outcome.Refused or Outcome.Unspecified)
        {
            Add(row, [.. result.Errors.Select(error => row.Fault(error.Field, $"{error.Reason}: {error.Message}"))]);
            return;
        }
        var course = row.Course!;
        if (!years.TryGetValue(course.FiscalYear, out var outcomes))
            years[course.FiscalYear] = outcomes = Outcomes.ToDictionary(outcome => outcome, _ => 0);
        outcomes[result.Outcome]++;
        foreach (var what in row.Unplaced)
            unplaced[what] = unplaced.GetValueOrDefault(what) + 1;
        var word = Word(result.Outcome);
        if (list is not null && (result.Outcome != Outcome.Unchanged || row.Unplaced.Count > 0))
            list.WriteLine($"{row.Line}\t{course.FiscalYear}\t{course.MaslNumber}\t{course.Title}\t{word}\t{string.Join(", ", result.Fields)}\t{string.Join("; ", row.Unplaced)}");
        if (result.Outcome == Outcome.Unchanged || ++changes > shown)
            return;
        first.Add($"  {word,-8} {course.FiscalYear}  {course.MaslNumber,-18} {course.Title}{(result.Fields.Count > 0 ? $" ({string.Join(", ", result.Fields)})" : "")}");
    }

    public void Add(CatalogRow row, IReadOnlyList<Fault> faults)
    {
        InError++;
        errors.Add(row.Line, faults);
    }

    public void Write(IAnsiConsole console, bool dryRun)
    {
        foreach (var line in first)
            console.WriteLine(line);
        if (changes > first.Count && first.Count > 0)
            console.WriteLine($"  and {changes - first.Count:N0} more{(list is null ? "; --report FILE lists all" : "")}");
        var table = new Table().Border(TableBorder.Simple).AddColumn("fiscal year");
        foreach (var outcome in Outcomes)
            table.AddColumn(new TableColumn(Word(outcome)).RightAligned());
        foreach (var (year, outcomes) in years)
            table.AddRow([$"{year}", .. Outcomes.Select(outcome => outcomes[outcome].ToString("N0", null))]);
        if (years.Count > 0)
            console.Write(table);
        console.WriteLine(string.Join(", ", Outcomes.Select(outcome => $"{years.Values.Sum(outcomes => outcomes[outcome]):N0} {Word(outcome)}")) + $", {InError:N0} in error");
        foreach (var (what, rows) in unplaced)
            console.WriteLine($"not placed: {what}: {rows:N0}");
        if (InError > 0)
            console.WriteLine($"each row in error with line, column and why in {errors.Path}");
        if (dryRun)
            console.WriteLine("Nothing was written: --dry-run.");
    }

    public void Dispose() => list?.Dispose();

    private static string Word(Outcome outcome) => outcome.ToString().ToLowerInvariant();

    private static StreamWriter? Open(FileInfo? report)
    {
        if (report is null)
            return null;
        try
        {
            var list = new StreamWriter(report.FullName, false, new UTF8Encoding(false));
            list.WriteLine("line\tfiscal_year\tmasl_number\ttitle\toutcome\tfields\tnot_placed");
            return list;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CouldNotRunException($"Can't write the report {report}: {e.Message}");
        }
    }
}
