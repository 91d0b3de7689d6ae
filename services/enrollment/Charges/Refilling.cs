using Imet.Chassis;
using Imet.Enrollment.Offerings;

namespace Imet.Enrollment.Charges;

/// <summary>Takes charges back when seats that were given up are taken again, by whomever. Looked for each second, so that whoever takes a seat does not wait for it.</summary>
public sealed partial class Refilling(Database database, ChargeStore store, EnrollmentStore lines, OfferingCopies offerings, TimeProvider clock, ILogger<Refilling> log) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                foreach (var offering in await database.ReadAsync(connection => store.RefilledAsync(connection, stoppingToken), stoppingToken))
                    await RefillAsync(offering, stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                NotRefilled(e.GetType().Name);
            }
        }
    }

    private async Task RefillAsync(Guid offeringId, CancellationToken cancel)
    {
        var candidates = await database.ReadAsync(connection => store.LinesAsync(connection, offeringId, cancel), cancel);
        await database.WriteAsync(async tx =>
        {
            var (now, locked) = await lines.LockLinesAsync(tx, candidates, cancel);
            var (capacity, taken, open) = await store.LockAsync(tx, offeringId, cancel);
            var refilled = open.Take(Charging.Refilled(capacity, taken, open.Count)).Where(seat => locked.Exists(line => line.Id == seat.LineId)).ToList();
            var copies = await offerings.OfAsync(tx.Connection, locked, cancel);
            List<LineChange> changes = [];
            foreach (var seats in refilled.GroupBy(seat => seat.LineId))
            {
                var line = locked.Single(line => line.Id == seats.Key);
                var change = Charging.Reverse(line, seats.Sum(seat => seat.Amount), Actors.Service, now);
                lines.Write(tx, change, newTrack: false);
                tx.Publish(EnrollmentEvents.Of(change, copies[(line.OfferingId, line.OfferingVersion)]));
                changes.Add(change);
            }
            lines.MoveSeats(tx, changes);
            refilled.ForEach(seat => store.Refill(tx, seat, now));
            return changes.Count;
        }, cancel);
    }

    [LoggerMessage(LogLevel.Warning, "Charges of refilled seats stay until the next round: {Fault}")]
    private partial void NotRefilled(string fault);
}
