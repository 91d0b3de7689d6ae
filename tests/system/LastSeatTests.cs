using Grpc.Core;
using Imet.Cli;
using Imet.Testing;
using Xunit;

namespace Imet.SystemTests;

/// <summary>Seats on two replicas of every service.</summary>
public sealed class LastSeatTests(Servers servers)
{
    private const int Callers = 200;
    private static readonly string[] Countries = ["COL", "JOR", "KEN", "PHL", "THA"];

    [Fact]
    public async Task Of_200_callers_on_two_replicas_one_gets_the_last_seat()
    {
        var cancel = TestContext.Current.CancellationToken;
        await using var stack = await TestStack.StartAsync(servers, new() { Replicas = 2 }, cancel);
        await using var outside = await Subscriber.StartAsync(stack.Broker, cancel, TestStack.Exchanges);
        var world = new World(stack);
        var offering = await world.ClassAsync(capacity: 2, cancel);
        var first = await world.Office.Enrollment.EnrollStudentAsync(World.Ask("COL", offering), cancellationToken: cancel);

        var answers = await Task.WhenAll(Enumerable.Range(0, Callers).Select(i =>
            World.TryAsync(() => world.Office.At(i % 2).Enrollment.EnrollStudentAsync(World.Ask(Countries[i % Countries.Length], offering), cancellationToken: cancel))));

        var taken = Assert.Single(answers, answer => answer.Line is not null);
        Assert.All(answers.Where(answer => answer.Line is null), answer => Assert.Equal((StatusCode.FailedPrecondition, "OFFERING_FULL"), (answer.Refused!.Code, answer.Refused.Reason)));
        var seats = await world.Office.Enrollment.GetOfferingSeatsAsync(new() { OfferingId = offering.Id }, cancellationToken: cancel);
        Assert.Equal((2, 2), (seats.Seats.Taken, seats.Seats.Capacity));
        await world.AssertInvariantsAsync([Guid.Parse(first.Line.Id), Guid.Parse(taken.Line!.Id)], () => [.. outside.Received.Select(e => e.ToDelivery())], cancel);
    }

    [Fact]
    public async Task A_request_repeated_on_both_replicas_at_once_has_one_effect_and_one_answer()
    {
        var cancel = TestContext.Current.CancellationToken;
        await using var stack = await TestStack.StartAsync(servers, new() { Replicas = 2 }, cancel);
        var world = new World(stack);
        var offering = await world.ClassAsync(capacity: 10, cancel);
        var ask = World.Ask("KEN", offering);

        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => world.Office.At(i % 2).Enrollment.EnrollStudentAsync(ask, cancellationToken: cancel).ResponseAsync));

        Assert.Single(answers.Distinct());
        var other = ask.Clone();
        other.Country = "JOR";
        var refused = await World.TryAsync(() => world.Office.Enrollment.EnrollStudentAsync(other, cancellationToken: cancel));
        Assert.Equal((StatusCode.InvalidArgument, "REQUEST_ID_REUSED"), (refused.Refused!.Code, refused.Refused.Reason));
        var seats = await world.Office.Enrollment.GetOfferingSeatsAsync(new() { OfferingId = offering.Id }, cancellationToken: cancel);
        Assert.Equal(1, seats.Seats.Taken);
        await world.AssertInvariantsAsync([Guid.Parse(answers[0].Line.Id)], null, cancel);
    }
}
