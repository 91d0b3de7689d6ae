using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.Countries;
using Imet.Enrollment.Offerings;

namespace Imet.Enrollment.Reexamination;

/// <summary>
/// Takes a class over as the catalogue has it now. A cut of capacity drops nobody; a class that is called off cancels its lines without charge; one that is moved takes its lines with it,
/// and the rules of their countries are asked anew.
/// </summary>
public sealed class OfferingReexamination(
    Database database, EnrollmentFacts facts, EnrollmentStore store, OfferingCopies offerings, CountryLearning countries, MassActingSwitch acting) : IDueWorkHandler
{
    private const int BatchSize = 500;

    public static string Kind => "offering";

    public async Task HandleAsync(string key, CancellationToken cancel)
    {
        var offeringId = Guid.Parse(key);
        if (await facts.FindOfferingAsync(offeringId, cancel) is not { Copy: var offering } found)
            return;
        // From this commit on nobody takes a seat in a class that is called off, or on days that are past: the lines below are all there will be.
        await offerings.KeepAsync(found, cancel);
        var after = Guid.Empty;
        while (await database.ReadAsync(connection => offering.State == Offering.Types.State.Cancelled
            ? store.PageOfOfferingAsync(connection, offeringId, after, BatchSize, cancel)
            : store.PageToMoveAsync(connection, offeringId, offering.Version, after, BatchSize, cancel), cancel) is [.., var last] page)
        {
            await database.WriteAsync(tx => offering.State == Offering.Types.State.Cancelled ? CancelAsync(tx, page, cancel) : MoveAsync(tx, page, offering, cancel), cancel);
            after = last;
        }
    }

    private async Task<int> MoveAsync(Transaction tx, Guid[] lineIds, OfferingCopy latest, CancellationToken cancel)
    {
        await acting.RequireAsync(tx, cancel);
        var (now, lines, others) = await store.LockToMoveAsync(tx, lineIds, cancel);
        var copies = await offerings.OfAsync(tx.Connection, lines, cancel);
        List<LineChange> changes = [];
        foreach (var line in lines.Where(line => line.OfferingVersion < latest.Version))
        {
            var judgedBy = copies[(line.OfferingId, line.OfferingVersion)];
            var (_, start, end) = MoveDecisions.Days(line, judgedBy, latest);
            Guid? conflict = line.StudentId is { } student && others[student].FirstOrDefault(other => other.Start <= end && other.End >= start) is { LineId: var other } && other != Guid.Empty ? other : null;
            if (MoveDecisions.Move(line, judgedBy, latest, conflict, Actors.Service, now) is not { } change)
                continue;
            changes.Add(change);
            store.Write(tx, change, newTrack: false);
            tx.Publish(EnrollmentEvents.Of(change, latest));
        }
        foreach (var country in changes.Select(change => change.After.Country).Distinct())
            countries.AddWork(tx, country);
        return changes.Count;
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
