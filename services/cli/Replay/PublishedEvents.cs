using System.Globalization;

namespace Imet.Cli.Replay;

/// <summary>
/// How many events the services' relays sent while a replay ran, by their own counters: all events of that time but heartbeats, other callers' among them. Sampled each second, since a counter starts
/// anew when its service does: what was sent between the last sample and a kill is not counted.
/// </summary>
public sealed class PublishedEvents(IReadOnlyList<Uri> metrics) : IDisposable
{
    private const string Counter = "imet_outbox_published_total";
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(1);
    // The services answer scrapes from a copy that is up to a second old.
    private const int QuietSamples = 3;
    private static readonly TimeSpan LongestDrain = TimeSpan.FromMinutes(2);

    private readonly HttpClient http = new() { Timeout = TimeSpan.FromSeconds(5) };
    private readonly long?[] last = new long?[metrics.Count];
    private long published;

    /// <summary>First sample of all; false when one can't be read, and there is nothing to count.</summary>
    public async Task<bool> BeginAsync(CancellationToken cancel)
    {
        await SampleAsync(cancel);
        return metrics.Count > 0 && Array.TrueForAll(last, sample => sample is not null);
    }

    public async Task WatchAsync(CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            await Task.Delay(Every, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!cancel.IsCancellationRequested)
                await SampleAsync(CancellationToken.None);
        }
    }

    /// <summary>The count once the relays have come to rest.</summary>
    public async Task<long> DrainedAsync(CancellationToken cancel)
    {
        var (until, quiet) = (Environment.TickCount64 + (long)LongestDrain.TotalMilliseconds, 0);
        while (quiet < QuietSamples && Environment.TickCount64 < until)
        {
            await Task.Delay(Every, cancel);
            var before = published;
            await SampleAsync(cancel);
            quiet = published == before ? quiet + 1 : 0;
        }
        return published;
    }

    public void Dispose() => http.Dispose();

    private async Task SampleAsync(CancellationToken cancel)
    {
        for (var i = 0; i < metrics.Count; i++)
        {
            if (await ReadAsync(metrics[i], cancel) is not { } now)
                continue;
            if (last[i] is { } before)
                published += now >= before ? now - before : now;
            last[i] = now;
        }
    }

    private async Task<long?> ReadAsync(Uri address, CancellationToken cancel)
    {
        try
        {
            // A service that has sent nothing yet has no such line.
            var text = await http.GetStringAsync(address, cancel);
            return text.Split('\n').Where(IsCounted).Sum(Value);
        }
        catch (Exception e) when (e is HttpRequestException or FormatException || (e is TaskCanceledException && !cancel.IsCancellationRequested))
        {
            return null;
        }
    }

    private static bool IsCounted(string line) => line.StartsWith(Counter, StringComparison.Ordinal) && !line.Contains("Heartbeat\"", StringComparison.Ordinal);

    // name{labels} value [milliseconds]
    private static long Value(string line) => (long)double.Parse(line[(line.LastIndexOf('}') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries)
        .First(part => !part.StartsWith(Counter, StringComparison.Ordinal)), CultureInfo.InvariantCulture);
}
