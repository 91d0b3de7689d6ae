using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.Offerings;
using Imet.Options.V1;
using Cause = Imet.CourseCatalog.V1.QuotaEntry.Types.Cause;
using ErrorReason = Imet.Enrollment.V1.ErrorReason;

namespace Imet.Enrollment.Seats;

/// <summary>Whose a seat is. A country's quota serves it first; what no country has set aside is open to all.</summary>
public static class SeatDecisions
{
    /// <summary>May so many seats be taken by the country as which the class was read? Newcomers do not pass those who wait for the same seats.</summary>
    public static Refusal? RefusalOfSeats(OfferingSeatsRow seats, int wanted, bool waited = false)
    {
        var fromOpen = wanted - Math.Min(wanted, seats.OwnUnused ?? 0);
        var ahead = !waited && (seats.OwnCountryWaits || (seats.AnybodyWaits && fromOpen > 0));
        if (wanted <= seats.Free && !ahead)
            return null;
        var others = (seats.Reserved > 0 ? $"; {seats.Reserved} are set aside for other countries" : "") + (ahead ? "; others wait for them" : "");
        return Refusal.Of(ErrorReason.OfferingFull, $"{seats.Taken} of {seats.Capacity} seats are taken; {wanted} asked for{others}.")
            .With("capacity", $"{seats.Capacity}").With("taken", $"{seats.Taken}");
    }

    /// <summary>The class as a new version of the catalogue has it. What a country gave away or got stays so; a cut drops nobody.</summary>
    /// <param name="takenBy">Seats taken by each country's lines: for countries that had no quota before.</param>
    public static SeatsChange TakeOver(ClassSeats seats, IReadOnlyList<Quota> allocated, IReadOnlyDictionary<string, int> takenBy, DateOnly today)
    {
        List<QuotaMove> moves = [];
        // A seat that was swapped away from whom it was allocated to is another's: it can't be allocated a second time. What is taken away first may be given.
        var free = seats.Capacity - seats.Quotas.Sum(quota => quota.Held);
        foreach (var quota in allocated.OrderBy(quota => quota.Nominal - seats.Of(quota.Country).Nominal))
        {
            var before = seats.Quotas.FirstOrDefault(known => known.Country == quota.Country) ?? new QuotaRow { Country = quota.Country, Taken = takenBy.GetValueOrDefault(quota.Country) };
            var opensOn = quota.OpensOn?.ToDateOnly();
            if (before.Nominal == quota.Nominal && before.OpensOn == opensOn)
                continue;
            var difference = quota.Nominal - before.Nominal;
            var held = Math.Max(0, before.Held + Math.Min(difference, Math.Max(0, free)));
            free -= held - before.Held;
            var after = before with
            {
                Nominal = quota.Nominal,
                OpensOn = opensOn,
                Held = held,
                // Seats allocated anew are the country's until their own deadline.
                Opened = before.Opened && opensOn <= today,
            };
            moves.Add(new QuotaMove(before, after, Cause.Allocated, ""));
        }
        return Moved(seats, moves) with { Report = seats.IsOverbooked };
    }

    public static Outcome<SeatsChange> Return(ClassSeats seats, string etag, string country, int count, string reason)
    {
        if (RefusalOfEtag(seats, etag) is { } stale)
            return stale;
        var before = seats.Of(country);
        return RefusalOfUse(before, count) is { } used ? used : Moved(seats, [new QuotaMove(before, before with { Held = before.Held - count }, Cause.Returned, reason)]);
    }

    /// <summary>One half of an exchange: seats of one class go from one country to the other.</summary>
    public static Outcome<SeatsChange> Swap(ClassSeats seats, string etag, string from, string to, int count, string reason)
    {
        if (RefusalOfEtag(seats, etag) is { } stale)
            return stale;
        if (seats.State is not (Offering.Types.State.Open or Offering.Types.State.Moved or Offering.Types.State.Planned))
            return Refusal.Of(ErrorReason.OfferingNotOpen, $"The class is {OfferingCopy.Text(seats.State)}.").With("state", OfferingCopy.Text(seats.State));
        var (giver, taker) = (seats.Of(from), seats.Of(to));
        if (RefusalOfUse(giver, count) is { } used)
            return used;
        return Moved(seats,
        [
            new QuotaMove(giver, giver with { Held = giver.Held - count }, Cause.Swapped, reason),
            // Seats got in a swap open on the day on which they would have opened.
            new QuotaMove(taker, taker with { Held = taker.Held + count, OpensOn = taker.OpensOn ?? giver.OpensOn }, Cause.Swapped, reason),
        ]);
    }

    /// <summary>Opens what is unused at its deadline, never below what is taken. Null when no deadline has passed.</summary>
    public static SeatsChange? Open(ClassSeats seats, DateOnly today)
    {
        QuotaMove[] moves =
        [
            .. seats.Quotas.Where(quota => !quota.Opened && quota.OpensOn <= today)
                .Select(quota => new QuotaMove(quota, quota with { Opened = true, Held = Math.Min(quota.Held, quota.Taken) }, Cause.Opened, $"Unused on {quota.OpensOn:yyyy-MM-dd}.")),
        ];
        return moves.Length == 0 ? null : Moved(seats, moves);
    }

    /// <summary>The next day on which a quota opens.</summary>
    public static DateOnly? NextOpening(ClassSeats seats) => seats.Quotas.Where(quota => !quota.Opened).Min(quota => quota.OpensOn);

    private static SeatsChange Moved(ClassSeats seats, IReadOnlyList<QuotaMove> moves)
    {
        var quotas = seats.Quotas.ToDictionary(quota => quota.Country);
        foreach (var move in moves)
            quotas[move.After.Country] = move.After;
        return new SeatsChange(seats with { Quotas = [.. quotas.Values.OrderBy(quota => quota.Country, StringComparer.Ordinal)] }, moves);
    }

    private static Refusal? RefusalOfEtag(ClassSeats seats, string etag) => etag == seats.Etag
        ? null
        : Refusal.Of(CommonReason.EtagMismatch, "The class's quotas have changed since they were read. Read them again, decide again.").With("etag", seats.Etag);

    private static Refusal? RefusalOfUse(QuotaRow quota, int count) => count <= quota.Unused
        ? null
        : Refusal.Of(ErrorReason.QuotaInUse, $"{quota.Country} has {quota.Unused} unused seats in its quota, not {count}.")
            .With("country", quota.Country).With("held", $"{quota.Held}").With("taken", $"{quota.Taken}");
}
