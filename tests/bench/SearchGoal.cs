using System.Collections.Concurrent;
using System.Diagnostics;
using Imet.CourseCatalog.V1;
using Imet.Testing;

namespace Imet.Bench;

/// <summary>What people ask of the catalogue: fifteen kinds of question by turns, from four callers at once, over 20,000 courses and 40,000 offerings.</summary>
internal sealed class SearchGoal(Servers servers, int rounds, Action<string> say)
{
    private const int Calls = 3000;

    private static readonly SearchOfferingsRequest[] Questions =
    [
        new() { Text = "officer" },
        new() { Text = "course training" },
        new() { Text = "infantry officer basic" },
        new() { Text = "maint tech" },
        new() { Text = "B100077" },
        new() { Text = "topicaab" },
        new() { Text = "oficer infantary" },
        new() { Text = "langauge semniar" },
        new() { Text = "leavenworth", SeatsLeft = 3 },
        new() { Text = "aviation", StartFrom = new() { Year = 2031, Month = 6, Day = 1 }, StartBefore = new() { Year = 2031, Month = 8, Day = 1 } },
        new() { ImplementingAgency = ImplementingAgency.Navy, TrainingKind = TrainingKind.Language },
        new() { Text = "staff", SeatsLeft = 2, Country = "KEN" },
        new() { QuotaOnly = true, Country = "KEN" },
        new() { QuotaOnly = true, Country = "GHA" },
        new() { StartFrom = new() { Year = 2032, Month = 1, Day = 1 }, SeatsLeft = 10 },
    ];

    public async Task<Figure> RunAsync(CancellationToken cancel)
    {
        await using var stack = await TestStack.StartAsync(servers, new TestStackOptions(), cancel);
        await FullCatalogue.MakeAsync(stack.Database.Administrator, cancel);
        var catalog = stack.Anybody("bench").CourseCatalog;
        List<double> percentiles = [];
        for (var round = 0; round <= rounds; round++)
        {
            var waits = new ConcurrentBag<(int Question, double Milliseconds)>();
            await Parallel.ForAsync(0, Calls, new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = cancel }, async (i, stop) =>
            {
                var clock = Stopwatch.StartNew();
                await catalog.SearchOfferingsAsync(Questions[i % Questions.Length], cancellationToken: stop);
                waits.Add((i % Questions.Length, clock.Elapsed.TotalMilliseconds));
            });
            var sorted = waits.Select(wait => wait.Milliseconds).Order().ToArray();
            var (p50, p99) = (sorted[sorted.Length / 2], sorted[(int)(sorted.Length * 0.99)]);
            var slowest = waits.GroupBy(wait => wait.Question, wait => wait.Milliseconds).MaxBy(question => question.Average())!;
            say($"search: {(round == 0 ? "warming up" : $"round {round} of {rounds}")}: p50 {p50:F1} ms, p99 {p99:F1} ms; slowest kind {Questions[slowest.Key]}: {slowest.Average():F1} ms on average");
            if (round > 0)
                percentiles.Add(p99);
        }
        return new Figure
        {
            Goal = "search", What = "SearchOfferings over 20,000 courses and 40,000 offerings, 4 callers, p99", Unit = "ms",
            Ours = percentiles, Promise = "under 20 ms", Kept = figure => figure.OursSpread.Median < 20,
        };
    }
}
