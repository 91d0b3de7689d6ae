using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.V1;

namespace Imet.CourseCatalog;

/// <summary>Hears from enrollment who took and freed seats, and what became of quotas: for display and search, never for a decision.</summary>
internal sealed class SeatsTaken : IEventConsumer
{
    public Task ReceiveAsync(Transaction tx, ReceivedEvent e, CancellationToken cancel) =>
        e.Type == QuotaSeatsMoved.Descriptor.FullName ? MovedAsync(tx, e, e.Data<QuotaSeatsMoved>(), cancel)
        // Every event of a line has its facts in the same field, whatever else it tells, also one that a later release adds.
        : e.Type.StartsWith("imet.enrollment.v1.TrainingLine", StringComparison.Ordinal) ? TakenAsync(tx, e.Data<TrainingLineEnrolled>().Line, cancel)
        : Task.CompletedTask;

    private static Task TakenAsync(Transaction tx, LineFacts? line, CancellationToken cancel) =>
        line is { OfferingId.Length: > 0, Kind: TrainingLine.Types.Kind.Course or TrainingLine.Types.Kind.Unspecified }
            ? SeatStore.CountAsync(tx, Guid.Parse(line.LineId), Guid.Parse(line.OfferingId), line.Country, line.SeatsHeld, line.Version, line.RecordedTime.ToDateTime(), cancel)
            : Task.CompletedTask;

    private static async Task MovedAsync(Transaction tx, ReceivedEvent e, QuotaSeatsMoved moved, CancellationToken cancel)
    {
        var offeringId = Guid.Parse(moved.OfferingId);
        // An allocation was entered when it was made here; its echo tells only what is held.
        var isToldHere = moved.Cause is QuotaEntry.Types.Cause.Allocated or QuotaEntry.Types.Cause.Unspecified;
        var isNews = await QuotaStore.ToldAsync(tx, offeringId, moved.Country, moved.Held, moved.Opened, e.AggregateVersion, cancel);
        if (!isToldHere)
        {
            var entry = new QuotaEntryRow { OfferingId = offeringId, Country = moved.Country, Cause = CatalogEvents.Text(moved.Cause), Change = moved.Seats, Held = moved.Held, Reason = moved.Reason };
            await QuotaStore.AddEntryAsync(tx, entry, moved.RecordedTime.ToDateTime(), cancel);
        }
        if (isNews)
        {
            await SeatStore.LockAsync(tx, offeringId, cancel);
            await SeatStore.CountReservedAsync(tx, offeringId, cancel);
        }
    }
}
