using Grpc.Core;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.V1;
using Imet.Testing;
using Xunit;
using State = Imet.Enrollment.V1.TrainingLine.Types.State;

namespace Imet.Enrollment.Tests.Seats;

[Collection(InOneWorld.Name)]
public sealed class MoveTests(SharedWorld shared)
{
    private readonly World world = shared.World;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Lines_of_a_moved_class_keep_their_seats_and_follow_its_days()
    {
        await using var outside = await Subscriber.StartAsync(world.Stack.Broker, Cancel, "imet.enrollment.v1");
        var offering = await world.ScheduleAsync(10, reportsIn: 28);
        var whole = await world.EnrollAsync(offering, "KEN", 2);
        var part = World.Wish(offering, "GHA");
        (part.StartDate, part.EndDate) = (World.Today.AddDays(40).ToProto(), World.Today.AddDays(50).ToProto());
        var shorter = await world.EnrollAsync(part);
        var moved = await world.MoveAsync(offering, 7);

        whole = await world.WhenAsync(whole, line => line.OfferingVersion == moved.Version, Cancel);
        Assert.Equal((State.SeatConfirmed, moved.ReportDate, moved.StartDate, moved.EndDate), (whole.State, whole.ReportDate, whole.StartDate, whole.EndDate));
        shorter = await world.WhenAsync(shorter, line => line.OfferingVersion == moved.Version, Cancel);
        Assert.Equal((World.Today.AddDays(47).ToProto(), World.Today.AddDays(57).ToProto()), (shorter.StartDate, shorter.EndDate));
        Assert.Equal(3, (await world.SeatsAsync(offering)).Taken);
        Assert.Equal("moved", (await world.HistoryAsync(whole))[^1].Change);
        var told = await outside.WaitForAsync(e => e.RoutingKey == "training-line.moved.KEN" && e.Subject == $"training-line/{whole.Id}", Cancel);
        Assert.Equal(offering.StartDate.Day, told.Data.GetProperty("previousStartDate").GetProperty("day").GetInt32());
        // It still takes seats.
        await world.EnrollAsync(moved, "KEN");
    }

    [Fact]
    public async Task A_student_who_is_elsewhere_on_the_new_days_is_held_until_one_of_the_two_is_off()
    {
        var student = await world.StudentAsync("SEN");
        var offering = await world.ScheduleAsync(10, startsIn: 30, days: 10);
        var line = await world.EnrollStudentAsync(offering, student, "SEN");
        var other = await world.EnrollStudentAsync(await world.ScheduleAsync(10, startsIn: 50, days: 10), student, "SEN");
        await world.MoveAsync(offering, 18);
        var held = await world.WhenAsync(line, l => l.Holds.Count == 1, Cancel);
        Assert.Equal((Hold.Types.Cause.DateConflict, other.Id), (held.Holds[0].Cause, held.Holds[0].SourceId));
        await world.WithdrawAsync(other);
        await world.WhenAsync(line, l => l.Holds.Count == 0, Cancel);
    }

    [Fact]
    public async Task A_move_into_the_time_of_a_restriction_or_into_its_place_is_judged_anew()
    {
        var offering = await world.ScheduleAsync(10);
        var line = await world.EnrollAsync(offering, "BEN");
        await world.RestrictAsync("BEN", Effect.Suspend, new Scope { Places = new PlaceSet { Mode = SetMode.Only, Places = { Place.InCountry } } });
        Assert.Equal(State.SeatConfirmed, (await world.GetAsync(line.Id)).State);
        await world.MoveAsync(offering, 3, new OfferingPlace { Location = "Cotonou", HostCountry = "BEN" });
        Assert.Equal(TrainingLine.Types.CancelCause.Restriction, (await world.WhenAsync(line, l => l.State == State.Cancelled, Cancel)).CancelCause);
    }

    [Fact]
    public async Task A_class_with_500_lines_is_moved_and_then_called_off()
    {
        var offering = await world.ScheduleAsync(600);
        string[] countries = ["KEN", "GHA", "SEN", "UGA", "RWA"];
        var lines = new TrainingLine[500];
        await Parallel.ForAsync(0, lines.Length, new ParallelOptions { MaxDegreeOfParallelism = 20, CancellationToken = Cancel }, async (i, _) => lines[i] = await world.EnrollAsync(offering, countries[i % countries.Length]));
        var moved = await world.MoveAsync(offering, 14);
        await Eventually.TrueAsync(async () => await world.SqlAsync<int>("""
            select count(*)::int from enrollment.training_lines where offering_id = @id and offering_version = @version and start_date = @start and state = 'SEAT_CONFIRMED'
            """, new { id = Guid.Parse(offering.Id), version = moved.Version, start = moved.StartDate.ToDateOnly() }) == 500, Cancel, "all lines are moved");
        Assert.Equal((500, 600), ((await world.SeatsAsync(offering)).Taken, (await world.SeatsAsync(offering)).Capacity));
        Assert.Empty(await new Invariants(world.Stack.Database.Administrator).BreachesAsync([.. lines.Select(line => Guid.Parse(line.Id))], null, Cancel));

        await world.Officer.CourseCatalog.CancelOfferingAsync(new CancelOfferingRequest { RequestId = World.NewId(), OfferingId = offering.Id, Etag = (await world.NowAsync(offering)).Etag, Reason = "Floods" });
        await world.WhenSeatsAsync(offering, seats => seats.Taken == 0, Cancel);
        Assert.Equal(500, await world.SqlAsync<int>("select count(*)::int from enrollment.training_lines where offering_id = @id and state = 'CANCELLED' and cancel_cause = 'OFFERING_CANCELLED'", new { id = Guid.Parse(offering.Id) }));
        Assert.Equal("OFFERING_NOT_OPEN", (await World.RefusedAsync(world.EnrollAsync(offering, "KEN"))).Reason);
        // The catalogue hears of every seat.
        await Eventually.TrueAsync(async () => (await world.Officer.CourseCatalog.GetOfferingAsync(new GetOfferingRequest { OfferingId = offering.Id })).Seats is { Taken: 0, AsOfTime: not null }, Cancel);
        Assert.Empty(await new Invariants(world.Stack.Database.Administrator).BreachesAsync([.. lines.Select(line => Guid.Parse(line.Id))], null, Cancel));
    }
}
