using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.V1;
using Imet.Testing;
using Xunit;
using State = Imet.Enrollment.V1.TrainingLine.Types.State;

namespace Imet.Enrollment.Tests.Seats;

[Collection(InOneWorld.Name)]
public sealed class WaitlistTests(Servers servers, SharedWorld shared)
{
    private readonly World world = shared.World;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_freed_seat_is_offered_by_priority_then_time_and_taken_by_acceptance()
    {
        await using var outside = await Subscriber.StartAsync(world.Stack.Broker, Cancel, "imet.enrollment.v1");
        var offering = await world.ScheduleAsync(1);
        var seated = await world.EnrollAsync(offering, "KEN");
        var (late, early, first) = (await WaitAsync(offering, "GHA"), await WaitAsync(offering, "SEN"), await WaitAsync(offering, "UGA", priority: 1));
        Assert.Equal((State.Waitlisted, 5, 1), (late.State, late.Waiting.Priority, first.Waiting.Priority));
        var seats = await world.SeatsAsync(offering);
        Assert.Equal((1, 3), (seats.Taken, seats.Waiting));
        var waiting = (await world.Officer.Enrollment.ListWaitingLinesAsync(new ListWaitingLinesRequest { OfferingId = offering.Id, PageSize = 2 }));
        var rest = await world.Officer.Enrollment.ListWaitingLinesAsync(new ListWaitingLinesRequest { OfferingId = offering.Id, PageSize = 2, PageToken = waiting.NextPageToken });
        Assert.Equal([first.Id, late.Id, early.Id], waiting.Lines.Concat(rest.Lines).Select(line => line.Id));

        await world.WithdrawAsync(seated);
        var offered = await world.WhenAsync(first, line => line.State == State.Offered, Cancel);
        Assert.InRange(offered.Waiting.OfferExpiresTime.ToDateTime() - DateTime.UtcNow, TimeSpan.FromHours(70), TimeSpan.FromHours(72));
        Assert.Equal(1, (await world.SeatsAsync(offering)).Taken);
        Assert.Equal("training-line.offered.UGA", (await outside.WaitForAsync(e => e.Subject == $"training-line/{first.Id}" && e.AggregateVersion == offered.Version, Cancel)).RoutingKey);
        var accepted = (await world.Officer.Enrollment.AcceptSeatOfferAsync(new AcceptSeatOfferRequest { RequestId = World.NewId(), LineId = first.Id, Etag = offered.Etag })).Line;
        Assert.Equal((State.SeatConfirmed, null), (accepted.State, accepted.Waiting));

        await world.WithdrawAsync(accepted);
        await world.WhenAsync(late, line => line.State == State.Offered, Cancel);
        Assert.Equal(State.Waitlisted, (await world.GetAsync(early.Id)).State);
    }

    [Fact]
    public async Task Who_is_restricted_or_elsewhere_is_passed_over_and_served_when_that_is_over()
    {
        var offering = await world.ScheduleAsync(1);
        var seated = await world.EnrollAsync(offering, "KEN");
        var restricted = await WaitAsync(offering, "TCD", priority: 1);
        var student = await world.StudentAsync("SEN");
        var elsewhere = await WaitAsync(offering, "SEN", priority: 2, student: student);
        await world.EnrollStudentAsync(await world.ScheduleAsync(3, startsIn: 35), student, "SEN");
        var tooMany = await WaitAsync(offering, "GHA", priority: 3, headcount: 2);
        var next = await WaitAsync(offering, "UGA");
        var restriction = await world.RestrictAsync("TCD", Effect.Suspend);
        await world.WhenAsync(restricted, line => line.Holds.Count == 1, Cancel);

        await world.WithdrawAsync(seated);
        var offered = await world.WhenAsync(next, line => line.State == State.Offered, Cancel);
        foreach (var line in new[] { restricted, elsewhere, tooMany })
            Assert.Equal(State.Waitlisted, (await world.GetAsync(line.Id)).State);

        await world.LiftAsync(restriction);
        await world.WhenAsync(restricted, line => line.Holds.Count == 0, Cancel);
        await world.WithdrawAsync(offered);
        await world.WhenAsync(restricted, line => line.State == State.Offered, Cancel);
    }

    [Fact]
    public async Task A_newcomer_does_not_pass_those_who_wait()
    {
        await using var slow = await World.StartAsync(servers, Cancel, ("Failpoints__seat-offers.begin", "delay:3000"));
        var offering = await slow.ScheduleAsync(1);
        var seated = await slow.EnrollAsync(offering, "KEN");
        var waits = await WaitAsync(slow, offering, "GHA");
        await slow.WithdrawAsync(seated);
        // The seat is free, and not yet offered.
        Assert.Equal(0, (await slow.SeatsAsync(offering)).Taken);
        Assert.Equal("OFFERING_FULL", (await World.RefusedAsync(slow.EnrollAsync(offering, "UGA"))).Reason);
        await slow.WhenAsync(waits, line => line.State == State.Offered, Cancel);
    }

    [Fact]
    public async Task An_offer_that_nobody_takes_goes_to_the_next()
    {
        await using var quick = await World.StartAsync(servers, Cancel, ("Waitlist__OfferLasts", "00:00:02"));
        var offering = await quick.ScheduleAsync(1);
        var seated = await quick.EnrollAsync(offering, "KEN");
        var (first, second) = (await WaitAsync(quick, offering, "GHA"), await WaitAsync(quick, offering, "SEN"));
        await quick.WithdrawAsync(seated);
        var offered = await quick.WhenAsync(first, line => line.State is State.Offered or State.Cancelled, Cancel);
        var expired = await quick.WhenAsync(first, line => line.State == State.Cancelled, Cancel);
        Assert.Equal(TrainingLine.Types.CancelCause.OfferExpired, expired.CancelCause);
        await quick.WhenAsync(second, line => line.State is State.Offered or State.Cancelled, Cancel);
        var tooLate = new AcceptSeatOfferRequest { RequestId = World.NewId(), LineId = first.Id, Etag = offered.Etag };
        Assert.Contains((await World.RefusedAsync(quick.Officer.Enrollment.AcceptSeatOfferAsync(tooLate).ResponseAsync)).Reason, new[] { "ETAG_MISMATCH", "OFFER_EXPIRED" });
        await quick.WhenSeatsAsync(offering, seats => seats.Taken == 0, Cancel);
        Assert.Empty(await new Invariants(quick.Stack.Database.Administrator).BreachesAsync([], null, Cancel));
    }

    [Fact]
    public async Task More_seats_and_opened_quotas_serve_who_waits_and_a_class_called_off_ends_the_wait()
    {
        var offering = await world.ScheduleAsync(2);
        await world.AllocateAsync(offering, ("KEN", 2, null));
        var (one, two, three) = (await WaitAsync(offering, "GHA"), await WaitAsync(offering, "GHA"), await WaitAsync(offering, "GHA"));
        await world.Officer.Enrollment.ReturnQuotaSeatsAsync(new ReturnQuotaSeatsRequest
        {
            RequestId = World.NewId(), OfferingId = offering.Id, Etag = (await world.SeatsAsync(offering)).Etag, Country = "KEN", Seats = 1, Reason = "Fewer officers",
        });
        await world.WhenAsync(one, line => line.State == State.Offered, Cancel);
        await world.ResizeAsync(offering, 3);
        await world.WhenAsync(two, line => line.State == State.Offered, Cancel);
        Assert.Equal(State.Waitlisted, (await world.GetAsync(three.Id)).State);
        var now = await world.NowAsync(offering);
        await world.Officer.CourseCatalog.CancelOfferingAsync(new CancelOfferingRequest { RequestId = World.NewId(), OfferingId = offering.Id, Etag = now.Etag, Reason = "Floods" });
        foreach (var line in new[] { one, two, three })
            Assert.Equal(TrainingLine.Types.CancelCause.OfferingCancelled, (await world.WhenAsync(line, l => l.State == State.Cancelled, Cancel)).CancelCause);
        Assert.Equal((0, 0), ((await world.SeatsAsync(offering)).Taken, (await world.SeatsAsync(offering)).Waiting));
    }

    [Fact]
    public async Task A_nomination_that_finds_the_class_full_may_wait_for_its_seat()
    {
        var offering = await world.ScheduleAsync(1);
        var seated = await world.EnrollAsync(offering, "KEN");
        var wish = World.Wish(offering, "GHA");
        var nominated = (await world.Officer.Enrollment.NominateStudentAsync(new NominateStudentRequest
        {
            RequestId = wish.RequestId, Country = "GHA", Headcount = 1, OfferingId = wish.OfferingId, Funding = wish.Funding,
        })).Line;
        var approved = (await world.Officer.Enrollment.ApproveNominationAsync(new ApproveNominationRequest { RequestId = World.NewId(), LineId = nominated.Id, Etag = nominated.Etag })).Line;
        var confirm = new ConfirmSeatRequest { RequestId = World.NewId(), LineId = nominated.Id, Etag = approved.Etag };
        Assert.Equal("OFFERING_FULL", (await World.RefusedAsync(world.Officer.Enrollment.ConfirmSeatAsync(confirm).ResponseAsync)).Reason);
        confirm.WaitlistIfFull = true;
        Assert.Equal(State.Waitlisted, (await world.Officer.Enrollment.ConfirmSeatAsync(confirm)).Line.State);
        await world.WithdrawAsync(seated);
        await world.WhenAsync(nominated, line => line.State == State.Offered, Cancel);
    }

    private Task<TrainingLine> WaitAsync(Offering offering, string country, int priority = 0, int headcount = 1, string student = "") => WaitAsync(world, offering, country, priority, headcount, student);

    private static Task<TrainingLine> WaitAsync(World world, Offering offering, string country, int priority = 0, int headcount = 1, string student = "")
    {
        var wish = World.Wish(offering, country, headcount);
        if (student.Length > 0)
            wish.StudentId = student;
        (wish.WaitlistIfFull, wish.WaitlistPriority) = (true, priority);
        return world.EnrollAsync(wish);
    }
}
