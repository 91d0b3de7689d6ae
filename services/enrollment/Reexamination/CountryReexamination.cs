using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.Enrollment.Countries;
using Imet.Enrollment.Offerings;
using Npgsql;

namespace Imet.Enrollment.Reexamination;

/// <summary>
/// Asks anew about every open line of a country and does what the answers say; then brings back what a void decision had cancelled.
/// Each batch is decided and committed whole, so that a run that dies is simply run again: what is done needs nothing more.
/// </summary>
public sealed partial class CountryReexamination(
    Database database,
    TimeProvider clock,
    IConfiguration settings,
    EnrollmentFacts facts,
    EnrollmentStore store,
    RestoreStore restores,
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
        var (examined, changed) = await InPagesAsync(
            (connection, after) => store.PageOfCountryAsync(connection, key, after, _batchSize, cancel), (page, today) => ExamineAsync(key, page, today, cancel), key, cancel);
        var (looked, restored) = await RestoreAsync(key, cancel);
        await database.WriteAsync(tx =>
        {
            countries.Examined(tx, key, Washington.Today(clock));
            return Task.FromResult(true);
        }, cancel);
        Examined(key, examined + looked, changed + restored);
    }

    private sealed record Page(SeenRevision? Seen, IReadOnlyList<Line> Lines, IReadOnlyDictionary<(Guid, long), OfferingCopy> Offerings);

    /// <summary>One page after the other; the same again when its answers were overtaken by a decision, or by something that happened to a line.</summary>
    private async Task<(int Lines, int Changed)> InPagesAsync(
        Func<NpgsqlConnection, Guid, Task<List<Line>>> next, Func<Page, DateOnly, Task<int?>> act, string country, CancellationToken cancel)
    {
        var after = Guid.Empty;
        var (lines, changed) = (0, 0);
        while (true)
        {
            var page = await database.ReadAsync(async connection =>
            {
                var seen = await countries.FindSeenAsync(connection, country, cancel);
                var found = await next(connection, after);
                return new Page(seen, found, await offerings.OfAsync(connection, found, cancel));
            }, cancel);
            if (page.Lines.Count == 0)
                return (lines, changed);
            if (await act(page, Washington.Today(clock)) is not { } done)
                continue;
            (lines, changed, after) = (lines + page.Lines.Count, changed + done, page.Lines[^1].Id);
            await Failpoints.HitAsync("enrollment.between-batches");
        }
    }

    /// <summary>How many lines of the page changed; null when the answers were overtaken and nothing was written.</summary>
    private async Task<int?> ExamineAsync(string country, Page page, DateOnly today, CancellationToken cancel)
    {
        if (await AskAsync(country, page, [.. page.Lines.Select(line => EnrollmentFacts.QuestionFor(line, page.Offerings[(line.OfferingId, line.OfferingVersion)], today))], cancel) is not var (verdicts, answer))
            return null;
        return await database.WriteAsync(async tx =>
        {
            await acting.RequireAsync(tx, cancel);
            var (seen, now, lines) = await store.LockLinesAsync(tx, country, [.. page.Lines.Select(line => line.Id)], andTracks: false, cancel);
            if (seen != answer || !Same(lines, page.Lines))
                return (int?)null;
            return Write(tx, [.. lines.Select((line, i) => EnrollmentDecisions.Reexamine(line, verdicts[i], today, Actors.Service, now)).OfType<LineChange>()], page.Offerings);
        }, cancel);
    }

    private async Task<(int Lines, int Restored)> RestoreAsync(string country, CancellationToken cancel)
    {
        var sources = await database.ReadAsync(connection => restores.SourcesAsync(connection, country, Washington.Today(clock), cancel), cancel);
        if (sources.Count == 0)
            return (0, 0);
        var seen = await database.ReadAsync(connection => countries.FindSeenAsync(connection, country, cancel), cancel);
        var (answer, known) = await facts.RestrictionsAsync(country, seen?.Revision ?? 0, null, cancel);
        string[] never = [.. sources.Where(source => !known.Contains(source))];
        return never.Length == 0 ? (0, 0) : await InPagesAsync(
            (connection, after) => restores.PageAsync(connection, country, Washington.Today(clock), never, after, _batchSize, cancel),
            (page, today) => RestoreAsync(country, answer.Epoch, page, today, cancel), country, cancel);
    }

    private async Task<int?> RestoreAsync(string country, string epoch, Page page, DateOnly today, CancellationToken cancel)
    {
        Dictionary<Guid, OfferingCopy> latest = [];
        foreach (var line in page.Lines)
            latest[line.OfferingId] = await offerings.LatestAsync(line.OfferingId, cancel) ?? page.Offerings[(line.OfferingId, line.OfferingVersion)];
        if (await AskAsync(country, page, [.. page.Lines.Select(line => EnrollmentFacts.QuestionFor(line, latest[line.OfferingId], today))], cancel) is not var (verdicts, answer))
            return null;
        return await database.WriteAsync(async tx =>
        {
            await acting.RequireAsync(tx, cancel);
            var read = await restores.LockAsync(tx, country, [.. page.Lines.Select(line => line.Id)], cancel);
            if (read.Seen != answer || !Same(read.Lines, page.Lines))
                return (int?)null;
            // In a record that was restored, what is not there may only be lost.
            var classes = latest.ToDictionary(copy => copy.Key, copy => (copy.Value, read.Seats[copy.Key]));
            var changes = Restoring.DecideAll(read.Lines, verdicts, classes, read.Students, [], today, Actors.Service, read.Now).Where(change => change.Before!.Judgement?.Epoch == epoch);
            return Write(tx, [.. changes], page.Offerings);
        }, cancel);
    }

    /// <summary>Null when the answer tells of a revision that was not known here: it is committed first, and the page is asked about again.</summary>
    private async Task<(IReadOnlyList<Verdict> Verdicts, SeenRevision Answer)?> AskAsync(string country, Page page, Question[] questions, CancellationToken cancel)
    {
        var verdicts = await facts.AskAsync(questions, country, page.Seen?.Revision ?? 0, cancel);
        var answer = new SeenRevision(verdicts[0].Epoch, verdicts[0].Revision);
        if (page.Seen is { } seen && !answer.IsNewsTo(seen))
            return (verdicts, answer);
        await learning.LearnAsync(country, answer, cancel);
        return null;
    }

    private static bool Same(List<Line> now, IReadOnlyList<Line> asked) =>
        now.Count == asked.Count && now.Zip(asked).All(pair => pair.First.Version == pair.Second.Version && pair.First.TrackBegunOn == pair.Second.TrackBegunOn);

    private int? Write(Transaction tx, List<LineChange> changes, IReadOnlyDictionary<(Guid, long), OfferingCopy> copies)
    {
        foreach (var change in changes)
        {
            store.Write(tx, change, newTrack: false);
            tx.Publish(EnrollmentEvents.Of(change, copies[(change.After.OfferingId, change.After.OfferingVersion)]));
        }
        store.MoveSeats(tx, changes);
        return changes.Count;
    }

    [LoggerMessage(LogLevel.Information, "{Country}: {Lines} lines examined anew, {Changed} changed")]
    private partial void Examined(string country, int lines, int changed);
}
