using System.Diagnostics;
using System.Globalization;
using Imet.Enrollment;
using Imet.Local;
using Imet.Testing;
using Npgsql;

namespace Imet.Bench;

/// <summary>The promises, each measured on servers of its own with fresh data.</summary>
internal sealed class Goals(Servers servers, int rounds, Action<string> say)
{
    private const int Offerings = 1000;
    private static readonly TimeSpan Round = TimeSpan.FromSeconds(8);

    /// <summary>EnrollStudent as shipped beside pgbench writing the same rows by one function; paired rounds.</summary>
    public async Task<Figure> EnrollAsync(CancellationToken cancel)
    {
        await using var stack = await TestStack.StartAsync(servers, new TestStackOptions(), cancel);
        var bench = new Bench(stack);
        await bench.ScheduleAsync(Offerings, cancel);
        var sample = await bench.EnrollAsync(cancel);
        var apart = await servers.NewDatabaseAsync("enrollment", typeof(EnrollmentService).Assembly, cancel);
        var limit = new PgLimit(new NpgsqlConnectionStringBuilder(apart.Administrator));
        await limit.PrepareAsync(stack.Database.Administrator, sample, Offerings);

        say("enroll: warming up");
        // Until the runtime has compiled the path at its best: what is measured is a service that runs, not one that starts.
        await bench.EnrollForAsync(64, 3 * Round, cancel);
        await limit.RunAsync(32, TimeSpan.FromSeconds(3), Offerings);
        List<double> ours = [], theirs = [];
        for (var round = 1; round <= rounds; round++)
        {
            ours.Add(await bench.EnrollForAsync(64, Round, cancel));
            await DrainedAsync(stack, cancel);
            theirs.Add(await limit.RunAsync(32, Round, Offerings));
            say($"enroll: round {round} of {rounds}: {ours[^1]:F0}/s beside {theirs[^1]:F0}/s");
        }
        return new Figure
        {
            Goal = "enroll", What = "EnrollStudent with 64 callers, relay and broker running; limit: pgbench, one function, 32 clients", Unit = "a second",
            Ours = ours, Limit = theirs, Promise = "ratio 0.4", Kept = figure => figure.Ratio!.Median >= 0.4,
        };
    }

    /// <summary>From the commit to an outside subscriber, at 200 enrollments a second.</summary>
    public async Task<Figure> DeliverAsync(CancellationToken cancel)
    {
        await using var stack = await TestStack.StartAsync(servers, new TestStackOptions(), cancel);
        var bench = new Bench(stack);
        await bench.ScheduleAsync(100, cancel);
        await using var subscriber = await Subscriber.StartAsync(stack.Broker, cancel, "imet.enrollment.v1");
        await bench.EnrollForAsync(8, TimeSpan.FromSeconds(4), cancel);
        List<double> percentiles = [];
        for (var round = 1; round <= rounds; round++)
        {
            var before = subscriber.Received.Count(e => !e.IsHeartbeat);
            var started = DateTimeOffset.UtcNow;
            var enrolled = await PacedAsync(bench, perSecond: 200, TimeSpan.FromSeconds(10), cancel);
            await Eventually.TrueAsync(() => subscriber.Received.Count(e => !e.IsHeartbeat && e.ReceivedAt >= started) >= enrolled, cancel);
            var recorded = await RecordedAsync(stack, cancel);
            var waits = subscriber.Received.Skip(before).Where(e => !e.IsHeartbeat && recorded.ContainsKey(e.Id) && e.ReceivedAt >= started)
                .Select(e => (e.ReceivedAt - recorded[e.Id]).TotalMilliseconds).Order().ToArray();
            percentiles.Add(waits[(int)(waits.Length * 0.99)]);
            say($"deliver: round {round} of {rounds}: {waits.Length} events, p50 {waits[waits.Length / 2]:F1} ms, p99 {percentiles[^1]:F1} ms");
        }
        return new Figure
        {
            Goal = "deliver", What = "event from its transaction's start to a subscriber at 200 a second, p99", Unit = "ms",
            Ours = percentiles, Promise = "under 250 ms", Kept = figure => figure.OursSpread.Median < 250,
        };
    }

    /// <summary>Start to ready and idle memory, for each service; the worst of the three counts.</summary>
    public async Task<IReadOnlyList<Figure>> StartAsync(CancellationToken cancel)
    {
        await using var stack = await TestStack.StartAsync(servers, new TestStackOptions(), cancel);
        List<double> ready = [], resident = [];
        foreach (var service in (ServiceProcess[])[stack.CountryEligibility[0], stack.CourseCatalog[0], stack.Enrollment[0]])
        {
            for (var round = 1; round <= rounds; round++)
            {
                await service.KillAsync(cancel);
                var clock = Stopwatch.StartNew();
                await service.RestartAsync(cancel);
                ready.Add(clock.Elapsed.TotalSeconds);
            }
            await Task.Delay(TimeSpan.FromSeconds(10), cancel);
            resident.Add(ResidentMiB(service.Id.Pid));
        }
        return
        [
            new Figure { Goal = "start", What = "start to ready, all three services", Unit = "s", Ours = ready, Promise = "under 1.5 s", Kept = figure => figure.OursSpread.Median < 1.5 },
            new Figure { Goal = "idle", What = "resident memory of an idle service", Unit = "MiB", Ours = resident, Promise = "under 130 MiB", Kept = figure => figure.OursSpread.Max < 130 },
        ];
    }

    /// <summary>A real year's report through the replay, services cold.</summary>
    public async Task<Figure> ReplayAsync(string report, CancellationToken cancel)
    {
        List<double> seconds = [];
        for (var round = 1; round <= rounds; round++)
        {
            await using var stack = await TestStack.StartAsync(servers, new TestStackOptions(), cancel);
            var clock = Stopwatch.StartNew();
            var program = Path.Combine(AppContext.BaseDirectory, "../../Imet.Cli", new DirectoryInfo(AppContext.BaseDirectory).Name, "imet.dll");
            var (code, output) = await Processes.TryRunAsync(House.Dotnet,
                [program, "replay", report, "--shift-years", "16", "-o", "json", "--errors", Path.Combine(servers.Folder, "errors.tsv")], servers.Folder,
                new Dictionary<string, string?>
                {
                    ["IMET_ELIGIBILITY"] = stack.CountryEligibility[0].Address,
                    ["IMET_CATALOG"] = stack.CourseCatalog[0].Address,
                    ["IMET_ENROLLMENT"] = stack.Enrollment[0].Address,
                    ["IMET_TOKEN"] = stack.Anybody("bench").Token,
                }, "", cancel);
            if (code > 1)
                throw new InvalidOperationException($"The replay could not run: {output}");
            seconds.Add(clock.Elapsed.TotalSeconds);
            say($"replay: round {round} of {rounds}: {seconds[^1]:F1} s: {output.Split('\n').Last(line => line.StartsWith('{'))}");
        }
        return new Figure { Goal = "replay", What = $"replay of {Path.GetFileName(report)}, services cold", Unit = "s", Ours = seconds, Promise = "under 30 s", Kept = figure => figure.OursSpread.Median < 30 };
    }

    private static async Task<int> PacedAsync(Bench bench, int perSecond, TimeSpan time, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        List<Task> calls = [];
        while (clock.Elapsed < time)
        {
            while (calls.Count < clock.Elapsed.TotalSeconds * perSecond)
                calls.Add(bench.EnrollAsync(cancel));
            await Task.Delay(1, cancel);
        }
        await Task.WhenAll(calls);
        return calls.Count;
    }

    private static async Task<Dictionary<Guid, DateTimeOffset>> RecordedAsync(TestStack stack, CancellationToken cancel)
    {
        await using var connection = new NpgsqlConnection(stack.Database.Administrator);
        await connection.OpenAsync(cancel);
        await using var command = new NpgsqlCommand("select id, recorded_at from enrollment.outbox", connection);
        await using var rows = await command.ExecuteReaderAsync(cancel);
        var recorded = new Dictionary<Guid, DateTimeOffset>();
        while (await rows.ReadAsync(cancel))
            recorded[rows.GetGuid(0)] = rows.GetFieldValue<DateTimeOffset>(1);
        return recorded;
    }

    private static Task DrainedAsync(TestStack stack, CancellationToken cancel) => Eventually.TrueAsync(async () =>
    {
        await using var connection = new NpgsqlConnection(stack.Database.Administrator);
        await connection.OpenAsync(cancel);
        await using var command = new NpgsqlCommand("select not exists (select from enrollment.outbox where published_at is null)", connection);
        return (bool)(await command.ExecuteScalarAsync(cancel))!;
    }, cancel, "all events are sent");

    private static double ResidentMiB(int pid)
    {
        var line = File.ReadLines($"/proc/{pid}/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        return double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) / 1024;
    }
}
