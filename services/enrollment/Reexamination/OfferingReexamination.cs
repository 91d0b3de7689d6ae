using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.Offerings;

namespace Imet.Enrollment.Reexamination;

/// <summary>Takes a class over as the catalogue has it now. A cut of capacity drops nobody; a class that is called off cancels its lines without charge.</summary>
public sealed class OfferingReexamination(
    Database database, EnrollmentFacts facts, EnrollmentStore store, OfferingCopies offerings, MassActingSwitch acting) : IDueWorkHandler
{
    private const int BatchSize = 500;

    public static string Kind => "offering";

    public async Task HandleAsync(string key, CancellationToken cancel)
    {
        var offeringId = Guid.Parse(key);
        if (await facts.FindOfferingAsync(offeringId, cancel) is not { } offering)
            return;
        // From this commit on nobody takes a seat in a class that is called off: the lines below are all there will be.
        await offerings.KeepAsync(offering, cancel);
        if (offering.State != Offering.Types.State.Cancelled)
            return;
        var after = Guid.Empty;
        while (await database.ReadAsync(connection => store.PageOfOfferingAsync(connection, offeringId, after, BatchSize, cancel), cancel) is [.., var last] page)
        {
            await database.WriteAsync(tx => CancelAsync(tx, page, cancel), cancel);
            after = last;
        }
    }

    private async Task<int> CancelAsync(Transaction tx, Guid[] lineIds, CancellationToken cancel)
    {
        await acting.RequireAsync(tx, cancel);
        var (now, lines) = await store.LockLinesAsync(tx, lineIds, cancel);
        var copies = await offerings.OfAsync(tx.Connection, lines, cancel);
        List<LineChange> changes = [];
        foreach (var line in lines)
        {
            if (EnrollmentDecisions.OfferingCancelled(line, Actors.Service, now) is not { } change)
                continue;
            changes.Add(change);
            store.Write(tx, change, newTrack: false);
            tx.Publish(EnrollmentEvents.Of(change, copies[(line.OfferingId, line.OfferingVersion)]));
        }
        store.MoveSeats(tx, changes);
        return changes.Count;
    }
}
