using Imet.Chassis;
using Imet.Enrollment.Gates;
using Imet.Enrollment.Offerings;

namespace Imet.Enrollment.Reexamination;

/// <summary>Makes the work of looking once more at the gates of a country's lines with orders. Whoever records something about persons or units adds it to the transaction.</summary>
public sealed class GateWork(DueWork dueWork)
{
    public void Add(Transaction tx, string country) => dueWork.Add(tx, GateReexamination.Kind, country);
}

/// <summary>Looks once more at the gates of every line of a country that has orders: a gate that turned red holds the line, one that is green again lets it go.</summary>
public sealed class GateReexamination(
    Database database, TimeProvider clock, GateRoom gates, GateStore store, EnrollmentStore lines, OfferingCopies offerings, MassActingSwitch acting) : IDueWorkHandler
{
    private const int BatchSize = 500;

    public static string Kind => "gates";

    public async Task HandleAsync(string key, CancellationToken cancel)
    {
        var after = Guid.Empty;
        while (await database.ReadAsync(connection => store.PageWithOrdersAsync(connection, key, after, BatchSize, cancel), cancel) is [.., var last] page)
        {
            await database.WriteAsync(async tx =>
            {
                await acting.RequireAsync(tx, cancel);
                return (await RecheckAsync(tx, page, Actors.Service, cancel)).Count;
            }, cancel);
            after = last;
        }
    }

    /// <summary>The lines whose holds changed, as they were before and are now.</summary>
    public async Task<IReadOnlyList<LineChange>> RecheckAsync(Transaction tx, Guid[] lineIds, string actor, CancellationToken cancel)
    {
        var (now, locked) = await lines.LockLinesAsync(tx, lineIds, cancel);
        List<LineChange> changes = [];
        foreach (var facts in await gates.FactsAsync(tx.Connection, tx.Npgsql, [.. locked.Where(line => line is { IsOpen: true, OrdersNumber: not null })], Washington.Today(clock), cancel))
        {
            if (GateDecisions.Recheck(facts, actor, now) is { } change)
                changes.Add(change);
        }
        var copies = await offerings.OfAsync(tx.Connection, changes.Select(change => change.After), cancel);
        foreach (var change in changes)
        {
            lines.Write(tx, change, newTrack: false);
            tx.Publish(EnrollmentEvents.Of(change, copies[(change.After.OfferingId, change.After.OfferingVersion)]));
        }
        return changes;
    }
}
