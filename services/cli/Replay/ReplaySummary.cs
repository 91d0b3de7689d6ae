using System.Text.Json;
using Spectre.Console;

namespace Imet.Cli.Replay;

/// <summary>How a replay ended. rows = enrolled + all refused + in_error.</summary>
public sealed record ReplaySummary
{
    public required int Rows { get; init; }
    public required int Enrolled { get; init; }
    public required long Seats { get; init; }
    public required IReadOnlyDictionary<string, int> Refused { get; init; }
    public required int InError { get; init; }
    public required int Offerings { get; init; }
    public required int Courses { get; init; }
    public required int Schools { get; init; }
    public required int Countries { get; init; }
    /// <summary>From the command's start to the last row's answer.</summary>
    public required double Seconds { get; init; }
    /// <summary>Null when the services' metrics could not be read.</summary>
    public required long? EventsPublished { get; init; }

    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public string ToJson() => JsonSerializer.Serialize(this, Json);

    public void Write(IAnsiConsole console, IReadOnlyDictionary<string, ProgramTally> programs, string errorsFile)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("program").ShowFooters();
        foreach (var heading in (string[])["rows", "enrolled", "seats", "refused", "in error"])
            table.AddColumn(new TableColumn(heading).RightAligned());
        foreach (var (name, program) in programs)
            table.AddRow(Markup.Escape(name), Text(program.Rows), Text(program.Enrolled), Text(program.Seats), Text(program.Refused), Text(program.InError));
        string[] totals = ["all", Text(Rows), Text(Enrolled), Text(Seats), Text(Refused.Values.Sum()), Text(InError)];
        for (var i = 0; i < totals.Length; i++)
            table.Columns[i].Footer = new Text(totals[i]);
        console.Write(table);
        foreach (var (reason, rows) in Refused)
            console.WriteLine($"refused {reason}: {rows:N0}");
        if (InError > 0)
            console.WriteLine($"in error: {InError:N0}, each with line, column and why in {errorsFile}");
        console.WriteLine($"{Offerings:N0} offerings of {Courses:N0} courses at {Schools:N0} schools; {Countries:N0} countries");
        console.WriteLine($"{Seconds:0.0} s, {(Seconds > 0 ? Rows / Seconds : 0):N0} rows/s; events published: {EventsPublished?.ToString("N0", null) ?? "unknown (no metrics)"}");
    }

    private static string Text(long number) => number.ToString("N0", null);
}
