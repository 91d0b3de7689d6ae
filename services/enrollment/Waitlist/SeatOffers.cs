using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.Countries;
using Imet.Enrollment.Offerings;
using Imet.Enrollment.Reexamination;
using Imet.Enrollment.Seats;

namespace Imet.Enrollment.Waitlist;

/// <summary>Offers the free seats of a class to who waits, by priority, then time. Each offer is decided and committed by itself, so that a run that dies is simply run again.</summary>
public sealed partial class SeatOffers(
    Database database,
    TimeProvider clock,
    IConfiguration settings,
    EnrollmentFacts facts,
    EnrollmentStore store,
    WaitlistStore waitlist,
    SeatStore seats,
    CountryStore countries,
    CountryLearning learning,
    OfferingCopies offerings,
    DueWork dueWork,
    MassActingSwitch acting,
    ILogger<SeatOffers> log) : IDueWorkHandler
{
    private const int BatchSize = 500;

    private readonly TimeSpan _offerLasts = settings.GetValue("Waitlist:OfferLasts", TimeSpan.FromDays(3));

    public static string Kind => "seat-offers";

    public async Task HandleAsync(string key, CancellationToken cancel)
    {
        var offeringId = Guid.Parse(key);
        await Failpoints.HitAsync("seat-offers.begin");
        while (await database.ReadAsync(connection => waitlist.NextAsync(connection, offeringId, cancel), cancel) is { } line)
        {
            var today = Washington.Today(clock);
            var current = await database.ReadAsync(connection => seats.FindAsync(connection, offeringId, cancel), cancel) ?? throw new InvalidOperationException("A class that is waited for is there.");
            var copy = await LatestAsync(offeringId, current, cancel);
            if (copy.StartDate < today)
            {
                await database.WriteAsync(tx => EndWaitingAsync(tx, offeringId, cancel), cancel);
                continue;
            }
            if (current.Taken >= current.Capacity || copy.State is not (Offering.Types.State.Open or Offering.Types.State.Moved))
            {
                // Whatever frees a seat makes this work anew; without it, the wait ends with the first day of the class.
                await database.WriteAsync(tx => LaterAsync(tx, key, copy), cancel);
                return;
            }
            await TryAsync(line, copy, today, cancel);
        }
    }

    private async Task<OfferingCopy> LatestAsync(Guid offeringId, ClassSeats current, CancellationToken cancel)
    {
        var copy = await offerings.LatestAsync(offeringId, cancel);
        if (copy?.Version == current.OfferingVersion)
            return copy;
        offerings.Forget(offeringId);
        return await offerings.LatestAsync(offeringId, cancel) ?? throw new InvalidOperationException("A class that is waited for is there.");
    }

    private async Task TryAsync(Line line, OfferingCopy copy, DateOnly today, CancellationToken cancel)
    {
        var seen = await database.ReadAsync(connection => countries.FindSeenAsync(connection, line.Country, cancel), cancel);
        var verdict = await facts.AskAsync(EnrollmentFacts.QuestionFor(line, copy, today), seen?.Revision ?? 0, cancel);
        var answer = new SeenRevision(verdict.Epoch, verdict.Revision);
        if (seen is not { } known || answer.IsNewsTo(known))
            await learning.LearnAsync(line.Country, answer, cancel);
        await database.WriteAsync(async tx =>
        {
            await acting.RequireAsync(tx, cancel);
            var read = await store.LockForSeatAsync(tx, line, line.StartDate, line.EndDate, cancel);
            // Overtaken: the next round asks anew.
            if (read.Seen != answer || read.Line.Version != line.Version || read.Seats.Version != copy.Version || read.Line.State != LineState.Waitlisted)
                return false;
            var offered = WaitlistDecisions.Offer(read.Line, verdict, copy, read.Seats, read.Student, _offerLasts, today, clock.GetUtcNow().UtcDateTime, Actors.Service, read.Now);
            if (!offered.IsAccepted)
            {
                waitlist.PassOver(tx, line.Id);
                PassedOver(line.Id, offered.Refusal.Reason);
                return true;
            }
            var written = store.Write(tx, offered.Value, newTrack: false);
            store.MoveSeats(tx, [offered.Value]);
            tx.Publish(EnrollmentEvents.Of(offered.Value, copy));
            dueWork.Add(tx, OfferExpiry.Kind, line.Id.ToString(), written.Waiting!.ExpiresAt);
            return true;
        }, cancel);
    }

    private Task<bool> LaterAsync(Transaction tx, string key, OfferingCopy copy)
    {
        dueWork.Add(tx, Kind, key, Washington.Midnight(copy.StartDate.AddDays(1)));
        return Task.FromResult(true);
    }

    private async Task<int> EndWaitingAsync(Transaction tx, Guid offeringId, CancellationToken cancel)
    {
        await acting.RequireAsync(tx, cancel);
        var ids = await waitlist.WaitingIdsAsync(tx.Connection, offeringId, BatchSize, cancel);
        var (now, lines) = await store.LockLinesAsync(tx, ids, cancel);
        var copies = await offerings.OfAsync(tx.Connection, lines, cancel);
        foreach (var line in lines)
        {
            if (WaitlistDecisions.NoSeatInTime(line, Actors.Service, now) is not { } change)
                continue;
            store.Write(tx, change, newTrack: false);
            tx.Publish(EnrollmentEvents.Of(change, copies[(line.OfferingId, line.OfferingVersion)]));
        }
        return lines.Count;
    }

    [LoggerMessage(LogLevel.Information, "Line {LineId} is passed over for a seat: {Reason}")]
    private partial void PassedOver(Guid lineId, string reason);
}
