using Dapper;
using Imet.Testing;
using Npgsql;
using Xunit;

namespace Imet.SystemTests;

/// <summary>Seats on two replicas of every service.</summary>
public sealed class LastSeatTests(Servers servers)
{
    private const int Callers = 1000;
    private static readonly string[] Countries = ["COL", "JOR", "KEN", "PHL", "THA"];

    [Fact]
    public async Task Of_1000_callers_on_two_replicas_one_gets_the_last_seat()
    {
        var cancel = TestContext.Current.CancellationToken;
        await using var stack = await TestStack.StartAsync(servers, new() { Replicas = 2 }, cancel);
        await using var outside = await Subscriber.StartAsync(stack.Broker, cancel, TestStack.Exchanges);
        var world = new World(stack);
        var offering = await world.ClassAsync(capacity: 2, cancel);
        var first = await World.AskAsync(world.Office, World.Ask("COL", offering), cancel);
        TestCaller[] offices = [world.Office, world.Office.At(1)];

        var answers = await Task.WhenAll(Enumerable.Range(0, Callers).Select(i => World.AskAsync(offices[i % 2], World.Ask(Countries[i % Countries.Length], offering), cancel)));

        var taken = Assert.Single(answers, answer => answer.Value is not null);
        Assert.All(answers.Where(answer => answer.Value is null), answer => Assert.Equal("OFFERING_FULL", answer.Reason));
        var seats = await world.Office.Enrollment.GetOfferingSeatsAsync(new() { OfferingId = offering.Id }, cancellationToken: cancel);
        Assert.Equal((2, 2), (seats.Seats.Taken, seats.Seats.Capacity));
        // None was even met: locks are taken in one order.
        await using var connection = new NpgsqlConnection(stack.Database.Administrator);
        Assert.Equal(0, await connection.ExecuteScalarAsync<long>("select deadlocks from pg_stat_database where datname = current_database()"));
        await world.AssertInvariantsAsync([Guid.Parse(first.Value!.Line.Id), Guid.Parse(taken.Value!.Line.Id)], () => [.. outside.Received.Select(e => e.ToDelivery())], cancel);
    }

    [Fact]
    public async Task A_request_repeated_on_both_replicas_at_once_has_one_effect_and_one_answer()
    {
        var cancel = TestContext.Current.CancellationToken;
        await using var stack = await TestStack.StartAsync(servers, new() { Replicas = 2 }, cancel);
        var world = new World(stack);
        var offering = await world.ClassAsync(capacity: 10, cancel);
        var ask = World.Ask("KEN", offering);

        TestCaller[] offices = [world.Office, world.Office.At(1)];

        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => World.AskAsync(offices[i % 2], ask, cancel)));

        var line = Assert.Single(answers.Select(answer => answer.Value!.Line).Distinct());
        var other = ask.Clone();
        other.Country = "JOR";
        Assert.Equal("REQUEST_ID_REUSED", (await World.AskAsync(world.Office, other, cancel)).Reason);
        var seats = await world.Office.Enrollment.GetOfferingSeatsAsync(new() { OfferingId = offering.Id }, cancellationToken: cancel);
        Assert.Equal(1, seats.Seats.Taken);
        await world.AssertInvariantsAsync([Guid.Parse(line.Id)], null, cancel);
    }
}
