using CsCheck;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.Offerings;
using Imet.Enrollment.Reexamination;
using Imet.Enrollment.Seats;
using Xunit;

namespace Imet.Enrollment.Tests.Seats;

public sealed class SeatDecisionTests
{
    private const int Capacity = 12;
    private static readonly string[] Countries = ["GHA", "KEN", "SEN"];

    private static readonly ClassSeats Fresh = new()
    {
        OfferingId = Some.Line().OfferingId, OfferingVersion = 1, State = Offering.Types.State.Open, Capacity = Capacity, Taken = 0, SeatsVersion = 0,
        Quotas = [.. Countries.Select(country => new QuotaRow { Country = country })],
    };

    private sealed record Step(int What, int Country, int Other, int Seats);

    private static readonly Gen<Step[]> Steps =
        Gen.Select(Gen.Int[0, 5], Gen.Int[0, 2], Gen.Int[0, 2], Gen.Int[0, 6], (what, country, other, seats) => new Step(what, country, other, seats)).Array[0, 60];

    [Fact]
    public void Whatever_happens_no_seat_is_made_or_lost_and_none_that_is_used_is_given_away() => Steps.Sample(steps =>
    {
        var seats = Fresh;
        foreach (var step in steps)
        {
            var after = Apply(seats, step);
            Assert.Equal(Capacity, after.Capacity);
            Assert.InRange(after.Taken, 0, Capacity);
            Assert.Equal(after.Taken, after.Quotas.Sum(quota => quota.Taken));
            Assert.InRange(after.Quotas.Sum(quota => quota.Held), 0, Capacity);
            Assert.All(after.Quotas, quota => Assert.True(quota.Held >= 0));
            // Only an allocation takes away what is used, and then drops nobody.
            if (step.What != 3)
                Assert.All(after.Quotas, quota => Assert.True(quota.Held >= Math.Min(quota.Taken, seats.Of(quota.Country).Held)));
            seats = after;
        }
        // Whoever asks finds the same sum.
        foreach (var country in Countries)
            Assert.True(Asked(seats, country).Free <= seats.Open + seats.Of(country).Unused);
    });

    private static ClassSeats Apply(ClassSeats seats, Step step)
    {
        var (country, other) = (Countries[step.Country], Countries[step.Other]);
        switch (step.What)
        {
            case 0:
                return SeatDecisions.RefusalOfSeats(Asked(seats, country), step.Seats) is null ? Take(seats, country, step.Seats) : seats;
            case 1:
                return Take(seats, country, -Math.Min(step.Seats, seats.Of(country).Taken));
            case 2 when country != other:
                return SeatDecisions.Swap(seats, seats.Etag, country, other, step.Seats, "") is { IsAccepted: true } swapped ? swapped.Value.After : seats;
            case 3:
                var all = seats.Quotas.Sum(quota => quota.Nominal) - seats.Of(country).Nominal + step.Seats;
                return all > Capacity ? seats : SeatDecisions.TakeOver(seats, [new Quota { Country = country, Nominal = step.Seats, OpensOn = new() { Year = 2026, Month = 3, Day = 1 + step.Other } }],
                    new Dictionary<string, int>(), new DateOnly(2026, 3, 1)).After;
            case 4:
                return SeatDecisions.Return(seats, seats.Etag, country, step.Seats, "") is { IsAccepted: true } returned ? returned.Value.After : seats;
            default:
                return SeatDecisions.Open(seats, new DateOnly(2026, 3, 1 + step.Other))?.After ?? seats;
        }
    }

    private static ClassSeats Take(ClassSeats seats, string country, int count) => seats with
    {
        Taken = seats.Taken + count,
        Quotas = [.. seats.Quotas.Select(quota => quota.Country == country ? quota with { Taken = quota.Taken + count } : quota)],
    };

    private static OfferingSeatsRow Asked(ClassSeats seats, string country) => new(1, seats.State, seats.Capacity, seats.Taken)
    {
        Reserved = seats.Quotas.Where(quota => quota.Country != country).Sum(quota => quota.Unused),
        OwnUnused = seats.Of(country).Unused,
    };

    [Fact]
    public void A_swap_does_not_let_a_seat_be_allocated_twice()
    {
        var seats = Fresh with { Quotas = [new QuotaRow { Country = "GHA" }, new QuotaRow { Country = "KEN", Nominal = Capacity, Held = 0 }, new QuotaRow { Country = "SEN", Held = Capacity }] };
        var after = SeatDecisions.TakeOver(seats, [new Quota { Country = "KEN", Nominal = 0 }, new Quota { Country = "GHA", Nominal = Capacity }], new Dictionary<string, int>(), Some.Today).After;
        Assert.Equal([("GHA", 0), ("KEN", 0), ("SEN", Capacity)], after.Quotas.Select(quota => (quota.Country, quota.Held)));
    }

    [Theory]
    [InlineData(0, 0, 7, 7)]
    [InlineData(5, 20, 12, 27)]
    [InlineData(0, 5, 7, 12)]
    public void Days_within_a_class_move_as_far_as_the_class(int startsAfter, int endsAfter, int start, int end)
    {
        var (before, after) = (Some.Offering(), Some.Offering() with { Version = 2, StartDate = Some.Offering().StartDate.AddDays(7), EndDate = Some.Offering().EndDate.AddDays(7) });
        var whole = (startsAfter, endsAfter) == (0, 0);
        var line = Some.Line() with { StartDate = before.StartDate.AddDays(startsAfter), EndDate = whole ? before.EndDate : before.StartDate.AddDays(endsAfter) };
        var days = MoveDecisions.Days(line, before, after);
        Assert.Equal((before.StartDate.AddDays(start), whole ? after.EndDate : before.StartDate.AddDays(end)), (days.Start, days.End));
        // What has begun began when it did.
        var begun = MoveDecisions.Days(line with { StartedOn = line.StartDate }, before, after);
        Assert.Equal((line.ReportDate, line.StartDate), (begun.Report, begun.Start));
    }
}
