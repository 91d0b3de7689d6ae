namespace Imet.Cli.Replay;

/// <summary>What became of the rows of one program.</summary>
public sealed record ProgramTally
{
    public int Rows { get; set; }
    public int Enrolled { get; set; }
    public long Seats { get; set; }
    public int Refused { get; set; }
    public int InError { get; set; }
}

/// <summary>Accounts for every row once: enrolled, refused with a reason, or in error with a line in the errors file.</summary>
public sealed class Tally(ErrorsFile errors)
{
    private const string Unreadable = "(program not readable)";

    private readonly Lock gate = new();
    private readonly SortedDictionary<string, ProgramTally> programs = new(StringComparer.OrdinalIgnoreCase);
    private readonly SortedDictionary<string, int> reasons = new(StringComparer.Ordinal);

    public IReadOnlyDictionary<string, ProgramTally> Programs => programs;
    public IReadOnlyDictionary<string, int> Reasons => reasons;

    public void Enrolled(ReportLine line) => Count(line.ProgramName, program =>
    {
        program.Enrolled++;
        program.Seats += line.Headcount;
    });

    public void Refused(ReportLine line, string reason) => Count(line.ProgramName, program =>
    {
        program.Refused++;
        reasons[reason] = reasons.GetValueOrDefault(reason) + 1;
    });

    public void InError(RawLine raw, IReadOnlyList<Fault> faults)
    {
        errors.Add(raw.Number, faults);
        Count(raw.Cells.Length > 2 ? ReportLine.ReadProgram(raw.Cells[2]).Value?.Name : null, program => program.InError++);
    }

    /// <summary>A good row that a service could not deal with, for a fault of its own.</summary>
    public void InError(ReportLine line, string why)
    {
        errors.Add(line.Number, [new Fault("", "", why)]);
        Count(line.ProgramName, program => program.InError++);
    }

    private void Count(string? name, Action<ProgramTally> outcome)
    {
        lock (gate)
        {
            name ??= Unreadable;
            if (!programs.TryGetValue(name, out var program))
                programs[name] = program = new ProgramTally();
            program.Rows++;
            outcome(program);
        }
    }
}
