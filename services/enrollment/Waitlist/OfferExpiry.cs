using Imet.Chassis;
using Imet.Enrollment.Offerings;

namespace Imet.Enrollment.Waitlist;

/// <summary>Takes back an offer that nobody took in time; the freed seat is offered to the next.</summary>
public sealed class OfferExpiry(Database database, EnrollmentStore store, OfferingCopies offerings, DueWork dueWork, TimeProvider clock) : IDueWorkHandler
{
    private static readonly TimeSpan WhileHeld = TimeSpan.FromHours(1);

    public static string Kind => "offer-expiry";

    public Task HandleAsync(string key, CancellationToken cancel) => database.WriteAsync(async tx =>
    {
        var (now, lines) = await store.LockLinesAsync(tx, [Guid.Parse(key)], cancel);
        if (lines is not [{ State: LineState.Offered } line])
            return false;
        var instant = clock.GetUtcNow();
        if (WaitlistDecisions.Expire(line, instant.UtcDateTime, Actors.Service, now) is not { } change)
        {
            var expires = new DateTimeOffset(line.Waiting!.ExpiresAt!.Value);
            dueWork.Add(tx, Kind, key, expires > instant ? expires : instant + WhileHeld);
            return false;
        }
        var copies = await offerings.OfAsync(tx.Connection, lines, cancel);
        store.Write(tx, change, newTrack: false);
        store.MoveSeats(tx, [change]);
        tx.Publish(EnrollmentEvents.Of(change, copies[(line.OfferingId, line.OfferingVersion)]));
        return true;
    }, cancel);
}
