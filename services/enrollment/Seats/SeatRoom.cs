using Imet.Chassis;
using Imet.Enrollment.Offerings;
using Imet.Enrollment.Waitlist;

namespace Imet.Enrollment.Seats;

/// <summary>Writes what becomes of a class's seats other than by a line: always under the class's lock, told by event, and followed by offers to who waits.</summary>
public sealed class SeatRoom(OfferingStore offerings, SeatStore seats, WaitlistStore waitlist, DueWork dueWork, TimeProvider clock)
{
    /// <summary>Takes a class over as the catalogue has it. False when this version, or a later one, is known already.</summary>
    public async Task<bool> TakeOverAsync(Transaction tx, CatalogueOffering offering, CancellationToken cancel)
    {
        if (!await offerings.PutAsync(tx, offering.Copy, cancel))
            return false;
        var before = await seats.LockAsync(tx, offering.Copy.Id, cancel) ?? throw new InvalidOperationException("A class that was just put is there.");
        var takenBy = offering.Quotas.Count == 0 || before.Taken == 0 ? new Dictionary<string, int>() : await seats.TakenByAsync(tx, offering.Copy.Id, cancel);
        var change = SeatDecisions.TakeOver(before, offering.Quotas, takenBy, Washington.Today(clock));
        if (change.Moves.Count > 0 || change.Report)
            Write(tx, change);
        // More seats, or other days: who was passed over may be served now.
        waitlist.Reconsider(tx, offering.Copy.Id);
        return true;
    }

    public ClassSeats Write(Transaction tx, SeatsChange change)
    {
        var written = change with { After = change.After with { SeatsVersion = change.After.SeatsVersion + 1 } };
        seats.Write(tx, written);
        foreach (var told in SeatEvents.Of(written, clock.GetUtcNow().UtcDateTime))
            tx.Publish(told);
        waitlist.Reconsider(tx, written.After.OfferingId);
        if (SeatDecisions.NextOpening(written.After) is { } day)
            dueWork.Add(tx, QuotaOpening.Kind, written.After.OfferingId.ToString(), Washington.Midnight(day));
        return written.After;
    }
}
