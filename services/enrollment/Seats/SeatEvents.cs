using Google.Protobuf.WellKnownTypes;
using Imet.Chassis;
using Imet.Enrollment.V1;

namespace Imet.Enrollment.Seats;

public static class SeatEvents
{
    /// <summary>One event for each country concerned; the report that a class is overbooked goes to all.</summary>
    public static IEnumerable<OutboundEvent> Of(SeatsChange change, DateTime now)
    {
        foreach (var move in change.Moves)
        {
            yield return Event(change.After, move.After.Country, new QuotaSeatsMoved
            {
                OfferingId = change.After.OfferingId.ToString(),
                Country = move.After.Country,
                Cause = move.Cause,
                Seats = move.After.Held - move.Before.Held,
                Held = move.After.Held,
                Opened = move.After.Opened,
                Reason = move.Reason,
                RecordedTime = Timestamp.FromDateTime(now),
            });
        }
        if (change.Report)
        {
            yield return Event(change.After, null, new OfferingOverbooked
            {
                OfferingId = change.After.OfferingId.ToString(),
                Capacity = change.After.Capacity,
                Taken = change.After.Taken,
                OfferingVersion = change.After.OfferingVersion,
            });
        }
    }

    public static OfferingSeats Resource(ClassSeats seats, int waiting, IReadOnlySet<string>? countries) => new()
    {
        OfferingId = seats.OfferingId.ToString(),
        Capacity = seats.Capacity,
        Taken = seats.Taken,
        OfferingVersion = seats.OfferingVersion,
        Overbooked = seats.IsOverbooked,
        Open = seats.Open,
        Waiting = waiting,
        Etag = seats.Etag,
        Countries =
        {
            seats.Quotas.Where(quota => countries is null || countries.Contains(quota.Country)).Select(quota => new CountrySeats
            {
                Country = quota.Country,
                Held = quota.Held,
                Taken = quota.Taken,
                OpensOn = quota.OpensOn?.ToProto(),
                Opened = quota.Opened,
            }),
        },
    };

    private static OutboundEvent Event(ClassSeats seats, string? country, Google.Protobuf.IMessage data) =>
        new() { AggregateId = seats.OfferingId.ToString(), AggregateVersion = seats.SeatsVersion, Country = country, Data = data };
}
