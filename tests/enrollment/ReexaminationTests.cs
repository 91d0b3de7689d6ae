using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.History;
using Imet.Enrollment.V1;
using Imet.Testing;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;
using Xunit;

namespace Imet.Enrollment.Tests;

[Collection(InOneWorld.Name)]
public sealed class ReexaminationTests(Servers servers, SharedWorld shared)
{
    private readonly World world = shared.World;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_suspension_cancels_what_has_not_begun_and_leaves_what_is_in_training()
    {
        await using var subscriber = await Subscriber.StartAsync(world.Stack.Broker, Cancel, "imet.enrollment.v1");
        var (today, later) = (await world.ScheduleAsync(5, startsIn: 0, reportsIn: -3), await world.ScheduleAsync(5));
        var inTraining = await world.EnrollAsync(today, "NER");
        await world.ArriveAsync(inTraining, 2);
        inTraining = await world.StartTrainingAsync(inTraining, 1);
        var notBegun = await world.EnrollAsync(later, "NER", 2);
        var restriction = await world.RestrictAsync("NER", Effect.Suspend);

        var cancelled = await world.WhenAsync(notBegun, line => line.State == TrainingLine.Types.State.Cancelled, Cancel);
        Assert.Equal(TrainingLine.Types.CancelCause.Restriction, cancelled.CancelCause);
        Assert.Equal(0, (await world.SeatsAsync(later)).Taken);
        Assert.Equal(inTraining, await world.GetAsync(inTraining.Id));
        var told = await subscriber.WaitForAsync(e => e.RoutingKey == "training-line.cancelled.NER", Cancel);
        Assert.Equal((restriction, "CANCEL_CAUSE_RESTRICTION"), (told.Data.GetProperty("sourceId").GetString(), told.Data.GetProperty("cause").GetString()));
        var history = await world.HistoryAsync(cancelled);
        Assert.Equal((Outcome.NotEligible, "imet.enrollment"), (history[^1].Judgement.Outcome, history[^1].Actor));
        Assert.Null(LineHistory.FirstBroken(Guid.Parse(cancelled.Id), history));
    }

    [Fact]
    public async Task A_hold_keeps_the_seat_and_a_lift_lets_the_line_go_on()
    {
        var offering = await world.ScheduleAsync(5, startsIn: 1, reportsIn: 0);
        var line = await world.EnrollAsync(offering, "PAK");
        var restriction = await world.RestrictAsync("PAK", Effect.Hold);
        var held = await world.WhenAsync(line, now => now.Holds.Count > 0, Cancel);
        Assert.Equal((Hold.Types.Cause.RestrictionHold, restriction), (held.Holds[0].Cause, held.Holds[0].SourceId));
        Assert.Equal((TrainingLine.Types.State.SeatConfirmed, 1), (held.State, (await world.SeatsAsync(offering)).Taken));
        Assert.Equal("LINE_ON_HOLD", (await World.RefusedAsync(world.ArriveAsync(line, 0))).Reason);
        Assert.Equal("COUNTRY_ON_HOLD", (await World.RefusedAsync(world.EnrollAsync(offering, "PAK"))).Reason);

        await world.LiftAsync(restriction);
        var released = await world.WhenAsync(line, now => now.Holds.Count == 0, Cancel);
        Assert.Equal(TrainingLine.Types.State.SeatConfirmed, released.State);
        Assert.Equal(TrainingLine.Types.State.Arrived, (await world.ArriveAsync(line, 0)).State);
    }

    [Fact]
    public async Task A_pause_of_operational_training_pauses_that_alone_and_lets_people_be_enrolled()
    {
        var scope = new Scope { TrainingKinds = new TrainingKindSet { Mode = SetMode.Only, TrainingKinds = { TrainingKind.Operational } } };
        var (flying, classroom) = (await world.ScheduleAsync(5, startsIn: 1, kind: TrainingKind.Operational), await world.ScheduleAsync(5, startsIn: 1));
        var (pilot, officer) = (await world.EnrollAsync(flying, "SAU"), await world.EnrollAsync(classroom, "SAU"));
        await world.RestrictAsync("SAU", Effect.PauseTraining, scope);
        await world.WhenAsync(pilot, now => now.Holds.Any(hold => hold.Cause == Hold.Types.Cause.TrainingPaused), Cancel);
        Assert.Empty((await world.GetAsync(officer.Id)).Holds);
        var nominated = await world.EnrollAsync(flying, "SAU");
        Assert.Equal(Hold.Types.Cause.TrainingPaused, Assert.Single(nominated.Holds).Cause);
        Assert.Equal("LINE_ON_HOLD", (await World.RefusedAsync(world.ArriveAsync(nominated, 0))).Reason);
    }

    [Fact]
    public async Task Who_may_have_arrived_is_held_and_the_report_of_the_arrival_resolves_it()
    {
        var line = await world.EnrollAsync(await world.ScheduleAsync(5, startsIn: 2, reportsIn: -2), "BFA");
        await world.RestrictAsync("BFA", Effect.Suspend);
        await world.WhenAsync(line, now => now.Holds.Any(hold => hold.Cause == Hold.Types.Cause.ArrivalUnknown), Cancel);
        Assert.Equal("COUNTRY_NOT_ELIGIBLE", (await World.RefusedAsync(world.ArriveAsync(line, 0))).Reason);
        var arrived = await world.ArriveAsync(line, 1);
        Assert.Equal((TrainingLine.Types.State.Arrived, 0), (arrived.State, arrived.Holds.Count));
        Assert.Equal(TrainingLine.Types.State.InTraining, (await world.StartTrainingAsync(line)).State);
    }

    [Fact]
    public async Task A_later_line_of_a_begun_track_stays()
    {
        var first = await world.EnrollAsync(await world.ScheduleAsync(5, startsIn: 0, reportsIn: -3, days: 10), "GIN");
        var wish = World.Wish(await world.ScheduleAsync(5, startsIn: 30), "GIN");
        wish.TrackId = first.TrackId;
        var later = await world.EnrollAsync(wish);
        var another = await world.EnrollAsync(await world.ScheduleAsync(5, startsIn: 30), "GIN");
        await world.ArriveAsync(first, 2);
        await world.RestrictAsync("GIN", Effect.Suspend);
        await world.WhenAsync(another, line => line.State == TrainingLine.Types.State.Cancelled, Cancel);
        Assert.Equal(later, await world.GetAsync(later.Id));
    }

    [Fact]
    public async Task A_class_called_off_cancels_its_lines()
    {
        var offering = await world.ScheduleAsync(5);
        var line = await world.EnrollAsync(offering, "JOR", 2);
        await world.Officer.CourseCatalog.CancelOfferingAsync(new CancelOfferingRequest { RequestId = World.NewId(), OfferingId = offering.Id, Etag = offering.Etag, Reason = "No instructors." });
        var cancelled = await world.WhenAsync(line, now => now.State == TrainingLine.Types.State.Cancelled, Cancel);
        Assert.Equal(TrainingLine.Types.CancelCause.OfferingCancelled, cancelled.CancelCause);
        Assert.Equal(0, (await world.SeatsAsync(offering)).Taken);
        Assert.Equal("OFFERING_NOT_OPEN", (await World.RefusedAsync(world.EnrollAsync(offering, "JOR"))).Reason);
    }

    [Fact]
    public async Task A_restriction_approved_between_question_and_commit_is_not_lost()
    {
        var gate = Path.Combine(servers.Folder, World.NewId());
        await using var alone = await World.StartAsync(servers, Cancel, ("Failpoints__enrollment.between-question-and-commit", $"pause:{gate}"));
        var offering = await alone.ScheduleAsync(5);
        var before = await alone.EnrollAsync(offering, "MMR");
        await File.WriteAllTextAsync(gate, "", Cancel);
        // Asked while nothing stood against it, and held before the commit.
        var enrolling = alone.EnrollAsync(offering, "MMR");
        await Eventually.TrueAsync(() => File.Exists($"{gate}.hit"), Cancel);
        await alone.RestrictAsync("MMR", Effect.Suspend);
        // Once this line is cancelled the higher revision is committed here.
        await alone.WhenAsync(before, line => line.State == TrainingLine.Types.State.Cancelled, Cancel);
        File.Delete(gate);
        Assert.Equal("COUNTRY_NOT_ELIGIBLE", (await World.RefusedAsync(enrolling)).Reason);
        Assert.Equal(0, (await alone.SeatsAsync(offering)).Taken);
    }

    [Fact]
    public async Task An_enrollment_committed_before_the_news_of_a_restriction_is_examined_after_it()
    {
        // Nothing is heard before the commit: no event comes through, and the reconciler does not look.
        var gate = Path.Combine(servers.Folder, World.NewId());
        await using var alone = await World.StartAsync(servers, Cancel,
            ("Failpoints__enrollment.between-question-and-commit", $"pause:{gate}"), ("Reconciliation__Interval", "1.00:00:00"));
        await UnbindAsync(alone, "imet.country-eligibility.v1");
        var offering = await alone.ScheduleAsync(5);
        await alone.EnrollAsync(offering, "SDN");
        await File.WriteAllTextAsync(gate, "", Cancel);
        var enrolling = alone.EnrollAsync(offering, "SDN");
        await Eventually.TrueAsync(() => File.Exists($"{gate}.hit"), Cancel);
        await alone.RestrictAsync("SDN", Effect.Suspend);
        File.Delete(gate);
        var enrolled = await enrolling;
        Assert.Equal(TrainingLine.Types.State.SeatConfirmed, enrolled.State);
        await BindAsync(alone, "imet.country-eligibility.v1");
        await alone.WhenAsync(enrolled, line => line.State == TrainingLine.Types.State.Cancelled, Cancel);
        Assert.Equal(0, (await alone.SeatsAsync(offering)).Taken);
    }

    [Fact]
    public async Task What_no_event_tells_the_reconciler_finds()
    {
        await using var alone = await World.StartAsync(servers, Cancel, ("Reconciliation__Interval", "00:00:00.500"));
        await UnbindAsync(alone, "imet.country-eligibility.v1");
        await UnbindAsync(alone, "imet.course-catalog.v1");
        var (suspended, calledOff) = (await alone.ScheduleAsync(5), await alone.ScheduleAsync(5));
        var lines = new[] { await alone.EnrollAsync(suspended, "TCD"), await alone.EnrollAsync(calledOff, "CMR") };
        await alone.RestrictAsync("TCD", Effect.Suspend);
        await alone.Officer.CourseCatalog.CancelOfferingAsync(new CancelOfferingRequest { RequestId = World.NewId(), OfferingId = calledOff.Id, Etag = calledOff.Etag, Reason = "No instructors." });
        foreach (var line in lines)
            await alone.WhenAsync(line, now => now.State == TrainingLine.Types.State.Cancelled, Cancel);
    }

    [Fact]
    public async Task An_examination_that_is_killed_half_way_is_completed_by_the_next_start()
    {
        var gate = Path.Combine(servers.Folder, World.NewId());
        await using var alone = await World.StartAsync(servers, Cancel, ("Failpoints__enrollment.between-batches", $"pause:{gate}"), ("Reexamination__BatchSize", "2"));
        var offering = await alone.ScheduleAsync(5);
        var lines = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => alone.EnrollAsync(offering, "VEN")));
        await File.WriteAllTextAsync(gate, "", Cancel);
        await alone.RestrictAsync("VEN", Effect.Suspend);
        await Eventually.TrueAsync(() => File.Exists($"{gate}.hit"), Cancel);
        Assert.Equal(3, (await alone.SeatsAsync(offering)).Taken);
        await alone.Stack.Enrollment[0].KillAsync(Cancel);
        File.Delete(gate);
        await alone.Stack.Enrollment[0].RestartAsync(Cancel);
        await alone.Stack.Enrollment[0].WaitUntilReadyAsync(Cancel);
        foreach (var line in lines)
        {
            await alone.WhenAsync(line, now => now.State == TrainingLine.Types.State.Cancelled, Cancel);
            Assert.Equal(["enrolled", "cancelled"], (await alone.HistoryAsync(line)).Select(entry => entry.Change));
        }
        Assert.Equal(0, (await alone.SeatsAsync(offering)).Taken);
    }

    [Fact]
    public async Task A_revision_is_learned_while_enrollments_never_stop()
    {
        var offering = await world.ScheduleAsync(10_000);
        using var stop = new CancellationTokenSource();
        var enrolling = Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    await world.EnrollAsync(offering, "HTI");
                }
                catch (Grpc.Core.RpcException)
                {
                    return;
                }
            }
        }));
        var first = await world.EnrollAsync(offering, "HTI");
        await world.RestrictAsync("HTI", Effect.Suspend);
        await world.WhenAsync(first, line => line.State == TrainingLine.Types.State.Cancelled, Cancel);
        await stop.CancelAsync();
        await enrolling;
        await Eventually.TrueAsync(async () => (await world.SeatsAsync(offering)).Taken == 0, Cancel);
        Assert.Empty(await new Invariants(world.Stack.Database.Administrator).BreachesAsync([Guid.Parse(first.Id)], null, Cancel));
    }

    // The consuming library binds our queue to an exchange of the same name, and that one to the publisher's.
    private static Task UnbindAsync(World world, string exchange) =>
        OnBrokerAsync(world, $"enrollment.{exchange}", (channel, queue) => channel.QueueUnbindAsync(queue, queue, "", cancellationToken: Cancel));

    private static Task BindAsync(World world, string exchange) =>
        OnBrokerAsync(world, $"enrollment.{exchange}", (channel, queue) => channel.QueueBindAsync(queue, queue, "", cancellationToken: Cancel));

    private static async Task OnBrokerAsync(World world, string queue, Func<IChannel, string, Task> act)
    {
        await using var connection = await new ConnectionFactory { Uri = new Uri(world.Stack.Broker) }.CreateConnectionAsync(Cancel);
        // A service is ready before it receives: what is unbound too early would be bound again.
        await Eventually.TrueAsync(() => IsReceivedFromAsync(connection, queue), Cancel);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
        await act(channel, queue);
    }
    private static async Task<bool> IsReceivedFromAsync(IConnection connection, string queue)
    {
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
        try
        {
            return await channel.ConsumerCountAsync(queue, Cancel) > 0;
        }
        catch (OperationInterruptedException)
        {
            return false;
        }
    }
}
