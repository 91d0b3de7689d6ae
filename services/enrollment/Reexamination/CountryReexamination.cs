using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.Enrollment.Countries;
using Imet.Enrollment.Offerings;
using Npgsql;

namespace Imet.Enrollment.Reexamination;

/// <summary>
/// Asks anew about every open line of a country and does what the answers say. Each batch is decided and committed whole, so that a run that dies is simply run again: what is done needs nothing more.
/// </summary>
public sealed partial class CountryReexamination(
    Database database,
    TimeProvider clock,
    IConfiguration settings,
    EnrollmentFacts facts,
    EnrollmentStore store,
    CountryStore countries,
    CountryLearning learning,
    OfferingCopies offerings,
    MassActingSwitch acting,
    ILogger<CountryReexamination> log) : IDueWorkHandler
{
    // Large enough that one answer and one commit serve many lines, small enough that nobody waits for the locks: about 100 ms.
    private readonly int _batchSize = settings.GetValue("Reexamination:BatchSize", 500);

    public static string Kind => "country";

    public async Task HandleAsync(string key, CancellationToken cancel)
    {
        var after = Guid.Empty;
        var (examined, changed) = (0, 0);
        while (true)
        {
            var page = await database.ReadAsync(connection => ReadPageAsync(connection, key, after, cancel), cancel);
            if (page.Lines.Count == 0)
                break;
            var done = await ExamineAsync(key, page, cancel);
            // Overtaken by a decision, or by something that happened to a line: the same page again.
            if (done is null)
                continue;
            (examined, changed) = (examined + page.Lines.Count, changed + done.Value);
            after = page.Lines[^1].Id;
            await Failpoints.HitAsync("enrollment.between-batches");
        }
        await database.WriteAsync(tx =>
        {
            countries.Examined(tx, key, Washington.Today(clock));
            return Task.FromResult(true);
        }, cancel);
        Examined(key, examined, changed);
    }

    private sealed record Page(SeenRevision? Seen, IReadOnlyList<Line> Lines, IReadOnlyDictionary<(Guid, long), OfferingCopy> Offerings);

    private async Task<Page> ReadPageAsync(NpgsqlConnection connection, string country, Guid after, CancellationToken cancel)
    {
        var seen = await countries.FindSeenAsync(connection, country, cancel);
        var lines = await store.PageOfCountryAsync(connection, country, after, _batchSize, cancel);
        return new Page(seen, lines, await offerings.OfAsync(connection, lines, cancel));
    }

    /// <summary>How many lines of the page changed; null when the answers were overtaken and nothing was written.</summary>
    private async Task<int?> ExamineAsync(string country, Page page, CancellationToken cancel)
    {
        var today = Washington.Today(clock);
        Question[] questions = [.. page.Lines.Select(line => EnrollmentFacts.QuestionFor(line, page.Offerings[(line.OfferingId, line.OfferingVersion)], today))];
        var verdicts = await facts.AskAsync(questions, country, page.Seen?.Revision ?? 0, cancel);
        var answer = new SeenRevision(verdicts[0].Epoch, verdicts[0].Revision);
        if (page.Seen is not { } seen || answer.IsNewsTo(seen))
        {
            await learning.LearnAsync(country, answer, cancel);
            return null;
        }
        return await database.WriteAsync(tx => ActAsync(tx, country, page, verdicts, answer, today, cancel), cancel);
    }

    private async Task<int?> ActAsync(
        Transaction tx, string country, Page page, IReadOnlyList<Verdict> verdicts, SeenRevision answer, DateOnly today, CancellationToken cancel)
    {
        await acting.RequireAsync(tx, cancel);
        var (seen, now, lines) = await store.LockLinesAsync(tx, country, [.. page.Lines.Select(line => line.Id)], andTracks: false, cancel);
        if (seen != answer)
            return null;
        List<LineChange> changes = [];
        for (var i = 0; i < lines.Count; i++)
        {
            if (lines[i].Version != page.Lines[i].Version || lines[i].TrackBegunOn != page.Lines[i].TrackBegunOn)
                return null;
            if (EnrollmentDecisions.Reexamine(lines[i], verdicts[i], today, Actors.Service, now) is { } change)
                changes.Add(change);
        }
        foreach (var change in changes)
        {
            store.Write(tx, change, newTrack: false);
            tx.Publish(EnrollmentEvents.Of(change, page.Offerings[(change.After.OfferingId, change.After.OfferingVersion)]));
        }
        store.MoveSeats(tx, changes);
        return changes.Count;
    }

    [LoggerMessage(LogLevel.Information, "{Country}: {Lines} lines examined anew, {Changed} changed")]
    private partial void Examined(string country, int lines, int changed);
}
