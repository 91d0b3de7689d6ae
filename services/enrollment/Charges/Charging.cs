using Google.Type;
using Imet.Chassis;
using Imet.Enrollment.Offerings;
using Imet.Enrollment.V1;
using Rule = Imet.Enrollment.V1.CancellationCharge.Types.Rule;

namespace Imet.Enrollment.Charges;

/// <summary>What a line costs that does not run to its end, with all that it was worked out from. Whether a seat is refilled shows later, and is taken back then.</summary>
public static class Charging
{
    private const int DaysInTime = 60;
    private const int All = 10_000;

    public static CancellationCharge Withdrawn(Line line, OfferingCopy offering, WithdrawalCause cause, DateOnly askedOn)
    {
        var charge = new CancellationCharge
        {
            Price = Amounts.Money(line.Price),
            Cause = cause,
            On = askedOn.ToProto(),
            StartDate = line.StartDate.ToProto(),
            DaysBeforeStart = line.StartDate.DayNumber - askedOn.DayNumber,
            Dedicated = offering.Course.Dedicated,
            Seats = line.SeatsHeld,
        };
        var (rule, share) = charge switch
        {
            // Nobody is charged by an omission: a country's wish is told.
            _ when cause != WithdrawalCause.CountryRequest => (Rule.NotTheCountrys, 0),
            { Seats: 0 } => (Rule.NoSeat, 0),
            { DaysBeforeStart: >= DaysInTime } => (Rule.InTime, 0),
            { Dedicated: true } => (Rule.LateDedicated, All),
            _ => (Rule.Late, All / 2),
        };
        return Priced(charge, line.Price, rule, share, All);
    }

    /// <summary>Training that began and was not completed costs in proportion to its days, the last one counted.</summary>
    public static CancellationCharge NotCompleted(Line line, DateOnly plannedEnd, DateOnly endedOn)
    {
        var start = line.StartedOn ?? line.StartDate;
        var planned = Math.Max(1, plannedEnd.DayNumber - start.DayNumber + 1);
        var trained = Math.Clamp(line.StartedOn is null ? 0 : endedOn.DayNumber - start.DayNumber + 1, 0, planned);
        var charge = new CancellationCharge
        {
            Price = Amounts.Money(line.Price),
            On = endedOn.ToProto(),
            StartDate = start.ToProto(),
            DaysBeforeStart = start.DayNumber - endedOn.DayNumber,
            Seats = line.Headcount,
            DaysPlanned = planned,
            DaysTrained = trained,
        };
        return Priced(charge, line.Price, Rule.NotCompleted, trained, planned);
    }

    private static CancellationCharge Priced(CancellationCharge charge, Price? price, Rule rule, int share, int whole)
    {
        charge.Rule = price is null ? Rule.NoPrice : rule;
        charge.BasisPoints = price is null ? 0 : (int)Math.Round((decimal)All * share / whole, MidpointRounding.AwayFromZero);
        if (price is not null)
            charge.Amount = Amounts.Money(Amounts.Of(price) is var full && share == whole ? full : Math.Round(full * share / whole, 2, MidpointRounding.AwayFromZero), price.Currency);
        return charge;
    }

    /// <summary>Each seat's part of a charge, to the cent: the parts are the whole, the first seats take the odd cents.</summary>
    public static IReadOnlyList<decimal> Parts(decimal amount, int seats)
    {
        var cents = decimal.Floor(amount * 100 / seats) / 100;
        var left = amount - (cents * seats);
        var parts = new decimal[seats];
        for (var seat = 0; seat < seats; seat++)
        {
            var odd = Math.Min(left, 0.01m);
            parts[seat] = cents + odd;
            left -= odd;
        }
        return parts;
    }

    /// <summary>How many of the seats that were given up have been refilled: seats beyond what the class would still have had, were they not.</summary>
    public static int Refilled(int capacity, int taken, int freed) => Math.Clamp(taken - (capacity - freed), 0, freed);

    /// <summary>The line with a part of its charge taken back.</summary>
    public static LineChange Reverse(Line line, decimal amount, string actor, System.DateTime now)
    {
        var change = LineChange.Of(line, LineStates.Find(line, LineCommand.ReverseCharge).OrThrow(), actor, "A seat that was given up is taken again.", now);
        var charge = new CancellationCharge(line.Charge);
        charge.Reversed = Amounts.Money(Amounts.Of(charge.Reversed) + amount, charge.Amount.CurrencyCode);
        return change with { After = change.After with { Charge = charge } };
    }

    /// <summary>What a line costs now: its price while it holds or used a seat, or takes none by its kind; the charge less what was reversed where it did not run to its end; else nothing.</summary>
    public static decimal Cost(Line line) => line switch
    {
        { Price: null } => 0,
        { Charge: { } charge } => Amounts.Of(charge.Amount) - Amounts.Of(charge.Reversed),
        { Kind: not LineKind.Course, State: not LineState.Cancelled } => Amounts.Of(line.Price),
        { SeatsHeld: > 0 } => Amounts.Of(line.Price),
        _ => 0,
    };
}

/// <summary>Money is units and nanos at the border and an exact decimal within; it is never a float.</summary>
public static class Amounts
{
    private const decimal Nano = 0.000_000_001m;

    public static decimal Of(Price? price) => price is null ? 0 : price.Units + (price.Nanos * Nano);

    public static decimal Of(Money? money) => money is null ? 0 : money.Units + (money.Nanos * Nano);

    public static Money? Money(Price? price) => price is null ? null : new Money { CurrencyCode = price.Currency, Units = price.Units, Nanos = price.Nanos };

    public static Money Money(decimal amount, string currency) =>
        new() { CurrencyCode = currency, Units = (long)decimal.Truncate(amount), Nanos = (int)((amount - decimal.Truncate(amount)) / Nano) };
}
