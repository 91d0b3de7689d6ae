using System.Globalization;
using System.Text.RegularExpressions;
using Imet.Cli.Replay;
using Imet.CourseCatalog.V1;
using static Imet.CourseCatalog.V1.CourseCatalogService;

namespace Imet.Cli.CatalogTables;

/// <summary>
/// Sends rows in batches, several in flight, and tells what became of them in the order of the file. Rows go by their natural keys, so a run that was cut short is completed by the next, and what is there already changes nothing.
/// </summary>
/// <param name="like">What every request says besides its rows: from which day, why, and whether only to check.</param>
public sealed partial class CatalogImport(CourseCatalogServiceClient catalog, PatientCalls calls, ImportCoursesRequest like, int concurrency, ImportTally tally, Stage progress)
{
    private const int MostRows = 2000;
    private const int MostCourses = 200;
    // Less than a service takes in one message.
    private const int MostBytes = 160 * 1024;
    private const int MostWaiting = 10_000;
    private const string NotThereYet = "REFERENCE_NOT_FOUND";

    private readonly List<(CatalogRow Row, CourseImportResult Result)> waiting = [];

    private sealed record Batch(IReadOnlyList<CatalogRow> Rows)
    {
        public CourseImportResult?[] Results { get; } = new CourseImportResult?[Rows.Count];
        public IReadOnlyList<Fault>?[] Faults { get; } = [.. Rows.Select(row => row.Course is null ? row.Faults : null)];
    }

    public async Task RunAsync(IEnumerable<CatalogRow> rows, CancellationToken cancel)
    {
        await SendAsync(rows, cancel);
        // A prerequisite may be a later row of the file: what names one is sent again at the end, for as long as more of it is taken.
        for (var before = int.MaxValue; waiting.Count > 0 && waiting.Count < before;)
        {
            before = waiting.Count;
            var again = waiting.Select(one => one.Row).ToList();
            waiting.Clear();
            await SendAsync(again, cancel);
        }
        foreach (var (row, result) in waiting)
            Tell(row, result);
    }

    private async Task SendAsync(IEnumerable<CatalogRow> rows, CancellationToken cancel)
    {
        var inFlight = new Queue<Task<Batch>>();
        foreach (var batch in Batches(rows))
        {
            inFlight.Enqueue(Task.Run(() => SendAsync(batch, cancel), cancel));
            if (inFlight.Count >= concurrency)
                Settle(await inFlight.Dequeue());
        }
        while (inFlight.TryDequeue(out var last))
            Settle(await last);
    }

    private static IEnumerable<Batch> Batches(IEnumerable<CatalogRow> rows)
    {
        var (batch, courses, bytes) = (new List<CatalogRow>(), 0, 0);
        foreach (var row in rows)
        {
            var size = row.Course?.CalculateSize() ?? 0;
            if (batch.Count == MostRows || courses == MostCourses || (bytes + size > MostBytes && courses > 0))
            {
                yield return new Batch(batch);
                (batch, courses, bytes) = ([], 0, 0);
            }
            batch.Add(row);
            (courses, bytes) = (courses + (row.Course is null ? 0 : 1), bytes + size);
        }
        if (batch.Count > 0)
            yield return new Batch(batch);
    }

    private async Task<Batch> SendAsync(Batch batch, CancellationToken cancel)
    {
        await SendAsync(batch, [.. Enumerable.Range(0, batch.Rows.Count).Where(row => batch.Faults[row] is null)], cancel);
        return batch;
    }

    private async Task SendAsync(Batch batch, List<int> good, CancellationToken cancel)
    {
        while (good.Count > 0)
        {
            var request = like.Clone();
            request.Courses.Add(good.Select(row => batch.Rows[row].Course));
            // Each run asks anew: what an earlier run did is seen in the record, not in the answer that it got.
            request.WithNewRequestId();
            var answer = await calls.AskAsync(options => catalog.ImportCoursesAsync(request, options), cancel);
            if (answer.Value is { } done)
            {
                foreach (var (row, result) in good.Zip(done.Results))
                    batch.Results[row] = result;
                return;
            }
            var wrong = answer.Violations.Select(violation => (Match: OfRow.Match(violation.Field), violation.Description)).ToList();
            if (wrong.FirstOrDefault(one => !one.Match.Success) is { Match: not null } ofAll)
                throw new CouldNotRunException($"{answer.Reason}: {answer.Message}");
            if (wrong.Count == 0 && good.Count == 1)
            {
                batch.Faults[good[0]] = [new Fault("", "", $"{answer.Reason}: {answer.Message}")];
                return;
            }
            if (wrong.Count == 0)
            {
                // Refused as a whole: half by half, until the row is found that stands in the way.
                await SendAsync(batch, good[..(good.Count / 2)], cancel);
                good = good[(good.Count / 2)..];
                continue;
            }
            foreach (var row in wrong.GroupBy(one => good[int.Parse(one.Match.Groups[1].ValueSpan, CultureInfo.InvariantCulture)]))
                batch.Faults[row.Key] = [.. row.Select(one => batch.Rows[row.Key].Fault(one.Match.Groups[2].Value, one.Description))];
            good.RemoveAll(row => batch.Faults[row] is not null);
        }
    }

    private void Settle(Batch batch)
    {
        for (var row = 0; row < batch.Rows.Count; row++)
        {
            if (batch.Faults[row] is { } faults)
            {
                tally.Add(batch.Rows[row], faults);
                progress.Step();
            }
            else if (batch.Results[row] is not { } result)
            {
                throw new CouldNotRunException("course-catalog answered fewer rows than it was sent.");
            }
            else if (!like.ValidateOnly && waiting.Count < MostWaiting && result.Errors.Count > 0 && result.Errors.All(error => error.Reason == NotThereYet))
            {
                waiting.Add((batch.Rows[row], result));
            }
            else
            {
                Tell(batch.Rows[row], result);
            }
        }
    }

    private void Tell(CatalogRow row, CourseImportResult result)
    {
        tally.Add(row, result);
        progress.Step();
    }

    [GeneratedRegex(@"^courses\[([0-9]+)\]\.?(.*)$")]
    private static partial Regex OfRow { get; }
}
