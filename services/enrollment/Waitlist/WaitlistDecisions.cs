using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.Enrollment.Offerings;
using Imet.Enrollment.Seats;
using ErrorReason = Imet.Enrollment.V1.ErrorReason;

namespace Imet.Enrollment.Waitlist;

public static class WaitlistDecisions
{
    public const int UsualPriority = 5;

    /// <summary>Offers a seat, or says why the line is passed over: it is held, its country restricted, the person elsewhere or removed, or the seats there are too few for it or other countries'.</summary>
    public static Outcome<LineChange> Offer(
        Line line, Verdict verdict, OfferingCopy offering, OfferingSeatsRow seats, StudentRow? student, TimeSpan lasts, DateOnly today, DateTime instant, string actor, DateTime now)
    {
        var transition = LineStates.Find(line, LineCommand.OfferSeat);
        if (!transition.IsAccepted)
            return transition.Refusal;
        if (EnrollmentDecisions.RefusalOfOffering(offering, seats.State, today) is { } closed)
            return closed;
        if (EnrollmentDecisions.RefusalToMoveOn(verdict, line.Country) is { } restricted)
            return restricted;
        if (student is { Removed: true })
            return EnrollmentDecisions.PersonRemoved();
        if (student?.BusyIn is { } busy)
            return EnrollmentDecisions.StudentBusy(busy);
        if (SeatDecisions.RefusalOfSeats(seats, line.Headcount, waited: true) is { } full)
            return full;
        var begins = Washington.Midnight(line.StartDate.AddDays(1)).UtcDateTime;
        var expires = instant + lasts < begins ? instant + lasts : begins;
        var change = LineChange.Of(line, transition.Value, actor, $"The seat is kept until {expires:yyyy-MM-dd HH:mm} UTC.", now);
        return (change with { After = change.After with { OfferingVersion = offering.Version, Waiting = line.Waiting! with { ExpiresAt = expires } } })
            .On(EnrollmentDecisions.JudgementOf(verdict));
    }

    public static Outcome<LineChange> Accept(Line line, string etag, Verdict verdict, DateTime instant, string actor, DateTime now)
    {
        if (EnrollmentDecisions.RefusalOfEtag(line, etag) is { } stale)
            return stale;
        var transition = LineStates.Find(line, LineCommand.AcceptSeatOffer);
        if (!transition.IsAccepted)
            return transition.Refusal;
        if (line.Waiting?.ExpiresAt <= instant)
            return Refusal.Of(ErrorReason.OfferExpired, $"The seat was kept until {line.Waiting.ExpiresAt:yyyy-MM-dd HH:mm} UTC.");
        return EnrollmentDecisions.RefusalToMoveOn(verdict, line.Country) is { } refusal ? refusal : LineChange.Of(line, transition.Value, actor, "", now).On(EnrollmentDecisions.JudgementOf(verdict));
    }

    /// <summary>Takes the offer back when its time is over. Null when there is none, it still runs, or a hold keeps the line from taking it: nobody loses a seat by waiting for a decision of others.</summary>
    public static LineChange? Expire(Line line, DateTime instant, string actor, DateTime now) =>
        line is { State: LineState.Offered, Holds.Count: 0 } && line.Waiting?.ExpiresAt <= instant
            ? EnrollmentDecisions.Cancelled(line, LineStates.Find(line, LineCommand.ExpireOffer).OrThrow(), CancelCause.OfferExpired, actor, "Nobody took the seat in time.", "", now)
            : null;

    /// <summary>Ends the wait for a class that has begun. Null when the line no longer waits.</summary>
    public static LineChange? NoSeatInTime(Line line, string actor, DateTime now) =>
        line.State == LineState.Waitlisted
            ? EnrollmentDecisions.Cancelled(line, LineStates.Find(line, LineCommand.EndWaiting).OrThrow(), CancelCause.NoSeatInTime, actor, "The class began before there was a seat.", "", now)
            : null;
}
