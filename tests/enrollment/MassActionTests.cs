using System.Diagnostics;
using Grpc.Core;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Testing;
using Xunit;

namespace Imet.Enrollment.Tests;

/// <summary>Many lines at once, on two replicas.</summary>
public sealed class MassActionTests(Servers servers, ITestOutputHelper output)
{
    private const int Lines = 5_000;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_suspension_of_five_thousand_lines_is_acted_on_while_other_countries_enroll()
    {
        await using var world = await World.StartAsync(servers, 2, [], Cancel);
        var offerings = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => world.ScheduleAsync(400)));
        var lines = await EnrollManyAsync(world, offerings, "TUR", Lines);

        using var stop = new CancellationTokenSource();
        var others = Task.WhenAll(new[] { "ESP", "CHL", "CZE", "POL" }.Select(country => EnrollUntilAsync(world, offerings, country, stop.Token)));
        await Task.Delay(TimeSpan.FromSeconds(2), Cancel);
        var watch = Stopwatch.StartNew();
        await world.RestrictAsync("TUR", Effect.Suspend);
        var approved = watch.Elapsed;
        await Eventually.TrueAsync(async () => await OpenAsync(world, "TUR") == 0, Cancel);
        var took = watch.Elapsed - approved;
        await stop.CancelAsync();
        var enrolled = await others;
        output.WriteLine($"{Lines} lines cancelled in {took.TotalSeconds:F1} s; meanwhile {enrolled.Sum(country => country.Count)} lines of four other countries were enrolled, the slowest in {enrolled.Max(country => country.Slowest).TotalMilliseconds:F0} ms.");
        Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromSeconds(100));
        Assert.All(enrolled, country => Assert.True(country.Count > 0));
        Assert.Equal(Lines, await world.SqlAsync<int>("select count(*)::int from enrollment.training_lines where country = 'TUR' and state = 'CANCELLED' and cancel_cause = 'RESTRICTION'"));
        Assert.Empty(await new Invariants(world.Stack.Database.Administrator).BreachesAsync(lines, null, Cancel));
    }

    [Fact]
    public async Task Killed_in_the_middle_it_is_completed_by_who_is_left_and_nothing_is_done_twice()
    {
        await using var world = await World.StartAsync(servers, 2, [("Reexamination__BatchSize", "50")], Cancel);
        await using var subscriber = await Subscriber.StartAsync(world.Stack.Broker, Cancel, TestStack.Exchanges);
        var offerings = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => world.ScheduleAsync(400)));
        var lines = await EnrollManyAsync(world, offerings, "EGY", 1_500);
        var restricting = world.RestrictAsync("EGY", Effect.Suspend);
        await Eventually.TrueAsync(async () => await OpenAsync(world, "EGY") is > 0 and < 1_500, Cancel);
        // Both, so that whoever had the work is among them; one comes back at once, the other stays away.
        await Task.WhenAll(world.Stack.Enrollment.Select(replica => replica.KillAsync(Cancel)));
        var left = await OpenAsync(world, "EGY");
        Assert.InRange(left, 1, 1_499);
        await world.Stack.Enrollment[0].RestartAsync(Cancel);
        await restricting;
        await Eventually.TrueAsync(async () => await OpenAsync(world, "EGY") == 0, Cancel);
        output.WriteLine($"Killed with {left} of 1500 lines left.");
        Assert.Equal(0, await world.SqlAsync<int>("select coalesce(sum(taken), 0)::int from enrollment.offerings"));
        Assert.Equal(3_000, await world.SqlAsync<int>("select count(*)::int from enrollment.line_history h join enrollment.training_lines l using (line_id) where l.country = 'EGY'"));
        var invariants = new Invariants(world.Stack.Database.Administrator);
        IReadOnlyList<string> breaches = [];
        await Eventually.TrueAsync(async () => (breaches = await invariants.BreachesAsync(lines, [.. subscriber.Received.Select(e => e.ToDelivery())], Cancel)).Count == 0, Cancel, $"I1 to I6 hold: {string.Join("; ", breaches.Take(5))}");
    }

    private static async Task<Guid[]> EnrollManyAsync(World world, Offering[] offerings, string country, int count)
    {
        var next = 0;
        var lines = new Guid[count];
        await Task.WhenAll(Enumerable.Range(0, 32).Select(async _ =>
        {
            while (Interlocked.Increment(ref next) - 1 is var i && i < count)
                lines[i] = Guid.Parse((await world.EnrollAsync(offerings[i % offerings.Length], country)).Id);
        }));
        return lines;
    }

    private static async Task<(int Count, TimeSpan Slowest)> EnrollUntilAsync(World world, Offering[] offerings, string country, CancellationToken stop)
    {
        var (count, slowest) = (0, TimeSpan.Zero);
        while (!stop.IsCancellationRequested)
        {
            var watch = Stopwatch.StartNew();
            try
            {
                await world.EnrollAsync(offerings[count % offerings.Length], country);
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.FailedPrecondition)
            {
                // The class is full: the next one may not be.
            }
            (count, slowest) = (count + 1, watch.Elapsed > slowest ? watch.Elapsed : slowest);
        }
        return (count, slowest);
    }

    private static Task<int> OpenAsync(World world, string country) =>
        world.SqlAsync<int>("select count(*)::int from enrollment.training_lines where country = @country and is_open", new { country });
}
