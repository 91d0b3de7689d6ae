using Imet.Cli;
using Imet.Testing;
using Xunit;

namespace Imet.SystemTests;

/// <summary>What a newcomer sees first, executed as a newcomer does.</summary>
public sealed class TourTests(Servers servers)
{
    [Fact]
    public async Task The_tour_keeps_its_promises_again_and_again()
    {
        var cancel = TestContext.Current.CancellationToken;
        await using var stack = await TestStack.StartAsync(servers, new(), cancel);

        var unseeded = await Command.RunAsync(servers, stack, cancel, "tour");
        Assert.Equal(ExitCode.CouldNotRun, unseeded.Code);
        Assert.Contains("imet seed", unseeded.Output, StringComparison.Ordinal);

        var first = await Command.RunAsync(servers, stack, cancel, "seed");
        Assert.True(first.Code == ExitCode.Done, first.Output);
        var events = await CountAsync(stack, cancel);
        var second = await Command.RunAsync(servers, stack, cancel, "seed");
        Assert.True(second.Code == ExitCode.Done, second.Output);
        Assert.DoesNotContain(" new", second.Output, StringComparison.Ordinal);
        Assert.Equal(events, await CountAsync(stack, cancel));

        foreach (var _ in Enumerable.Range(0, 2))
        {
            var tour = await Command.RunAsync(servers, stack, cancel, "tour");
            Assert.True(tour.Code == ExitCode.Done, tour.Output);
            Assert.Contains("COUP_7008", tour.Output, StringComparison.Ordinal);
            Assert.DoesNotContain("\u001b", tour.Output, StringComparison.Ordinal);
        }
        await new World(stack).AssertInvariantsAsync([], null, cancel);
    }

    // Heartbeats come by themselves.
    private static async Task<long> CountAsync(TestStack stack, CancellationToken cancel)
    {
        await using var connection = new Npgsql.NpgsqlConnection(stack.Database.Administrator);
        await connection.OpenAsync(cancel);
        await using var command = new Npgsql.NpgsqlCommand(
            "select (select count(*) from catalog.outbox where aggregate <> 'heartbeat') + (select count(*) from eligibility.outbox where aggregate <> 'heartbeat')", connection);
        return (long)(await command.ExecuteScalarAsync(cancel))!;
    }
}
