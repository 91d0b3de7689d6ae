using System.Diagnostics;

namespace Imet.Cli.Replay;

/// <summary>One run: check the file, record what it names, enroll its rows, count.</summary>
public sealed record ReplayRun
{
    public required FileInfo Report { get; init; }
    public required int Years { get; init; }
    public required int Concurrency { get; init; }
    public required TimeSpan Patience { get; init; }
    public required IReadOnlyList<Uri> Metrics { get; init; }
    public FileInfo? Errors { get; init; }

    public async Task<(ReplaySummary Summary, IReadOnlyDictionary<string, ProgramTally> Programs, string ErrorsFile)> RunAsync(Clients clients, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        var file = ReportFile.Open(Report.FullName);
        using var errors = new ErrorsFile(Errors, Report);
        var tally = new Tally(errors);
        var calls = new PatientCalls(Patience);
        var countries = await ReportedCountries.AskAsync(clients.CountryEligibility, calls, file, cancel);
        var plan = Check(file, countries, tally);
        WarnOfThePast(plan);

        using var published = new PublishedEvents(Metrics);
        var counting = await published.BeginAsync(cancel);
        using var enrolling = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var watching = counting ? published.WatchAsync(enrolling.Token) : Task.CompletedTask;

        var (catalogue, lines) = (new Stage("catalogue"), new Stage("lines"));
        await Progress.RunAsync([catalogue, lines], WorkAsync(), !Console.IsErrorRedirected);
        var seconds = clock.Elapsed.TotalSeconds;

        await enrolling.CancelAsync();
        await watching;
        var summary = new ReplaySummary
        {
            Rows = tally.Programs.Values.Sum(program => program.Rows),
            Enrolled = tally.Programs.Values.Sum(program => program.Enrolled),
            Seats = tally.Programs.Values.Sum(program => program.Seats),
            Refused = tally.Reasons,
            InError = tally.Programs.Values.Sum(program => program.InError),
            Offerings = plan.Seats.Count,
            Courses = plan.Courses.Count,
            Schools = plan.Schools.Count,
            Countries = plan.Countries.Count,
            Seconds = Math.Round(seconds, 2),
            EventsPublished = counting ? await published.DrainedAsync(cancel) : null,
        };
        return (summary, tally.Programs, errors.Path);

        async Task WorkAsync()
        {
            catalogue.Begin(CatalogLoad.Steps(plan, Years));
            var offerings = await new CatalogLoad(clients.CourseCatalog, calls, countries, Years, Concurrency, catalogue).RunAsync(plan, cancel);
            lines.Begin(plan.Lines);
            await new EnrollLines(clients.Enrollment, calls, Years, Concurrency, lines).RunAsync(file, countries, offerings, tally, cancel);
        }
    }

    private static CatalogPlan Check(ReportFile file, ReportedCountries countries, Tally tally)
    {
        var plan = new CatalogPlan();
        foreach (var raw in file.Lines())
        {
            var (line, faults) = ReportLine.Read(raw, countries);
            if (line is null)
                tally.InError(raw, faults);
            else
                plan.Add(line);
        }
        return plan;
    }

    // A class that has begun takes nobody: said before the refusals are counted, since another number of years is all it needs.
    private void WarnOfThePast(CatalogPlan plan)
    {
        var tomorrow = DateOnly.FromDateTime(DateTime.UtcNow).AddDays(1);
        if (plan.FirstStart is not { } first || first.Move(Years) >= tomorrow)
            return;
        var enough = Years;
        while (first.Move(enough) < tomorrow)
            enough++;
        Console.Error.WriteLine($"imet: moved {Years} years, the first class starts {first.Move(Years):yyyy-MM-dd}, which is past; with --shift-years {enough} all lie ahead");
    }
}
