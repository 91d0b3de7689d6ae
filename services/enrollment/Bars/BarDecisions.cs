using Imet.Chassis;
using Imet.Enrollment.V1;
using Imet.Options.V1;
using ErrorReason = Imet.Enrollment.V1.ErrorReason;

namespace Imet.Enrollment.Bars;

/// <summary>A bar on a person or a flag on a unit, and the days on which it is in force.</summary>
public sealed record Restraint(Guid Id, DateOnly From, DateOnly Until, string Cause)
{
    public bool IsInForceOn(DateOnly day) => From <= day && day <= Until;
}

/// <summary>What bars and flags do. The same at registration, at nomination, at a seat and at the gates: whoever has what is recorded can ask.</summary>
public static class BarDecisions
{
    public static Refusal? RefusalOf(IEnumerable<Restraint> bars, DateOnly today)
    {
        var inForce = bars.Where(bar => bar.IsInForceOn(today)).ToList();
        return inForce.Count == 0
            ? null
            : Refusal.Of(ErrorReason.PersonBarred, "A bar matches the person, who is refused under every program while it is in force.").With("bar_ids", string.Join(", ", inForce.Select(bar => bar.Id)));
    }

    public static Refusal? RefusalOf(PersonBar bar)
    {
        var refusal = Refusal.Of(CommonReason.InvalidFields, "The bar is not complete or not consistent.");
        if (PersonKeys.Of(IdentityOf(bar)).Count == 0)
            refusal = refusal.Field("bar.identity", "Give names with a date of birth, or a service number, or a passport number: nobody is found by less.");
        if (bar.Until?.ToDateOnly() < bar.From.ToDateOnly())
            refusal = refusal.Field("bar.until", "Must not be before the first day.");
        return refusal.Fields.Count > 0 ? refusal : null;
    }

    public static Refusal? RefusalOfDays(DateOnly from, DateOnly? until, string field) =>
        until < from ? Refusal.Of(CommonReason.InvalidFields, "The days are not consistent.").Field(field, $"Must not be before {from:yyyy-MM-dd}, the first day.") : null;

    public static Identity IdentityOf(PersonBar bar) => new(
        bar.Country, bar.Identity.Surname, bar.Identity.GivenNames, bar.Identity.DateOfBirth?.ToDateOnly(), bar.Identity.ServiceNumber, bar.Identity.PassportNumber);

    internal static Refusal? RefusalOfEtag(string current, string sent, string what) => current == sent
        ? null
        : Refusal.Of(CommonReason.EtagMismatch, $"The {what} has changed since it was read: it is now {current}. Read it again, decide again.");
}
