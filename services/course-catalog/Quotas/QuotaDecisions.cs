using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Imet.Options.V1;

namespace Imet.CourseCatalog;

/// <summary>The quotas that an allocation changes, as they were and as they are now.</summary>
internal sealed record Allocation(OfferingRow Offering, IReadOnlyList<(QuotaRow Before, QuotaRow After)> Changes);

internal static class QuotaDecisions
{
    public static Outcome<Allocation> Allocate(OfferingRow? offering, IReadOnlyList<QuotaRow> quotas, string etag, IReadOnlyList<QuotaAllocation> allocations)
    {
        if (OfferingDecisions.Changeable(offering, etag) is { } refusal)
            return refusal;
        var wrong = Refusal.Of(CommonReason.InvalidFields, "Some allocations can't be right as they are.");
        var all = quotas.ToDictionary(quota => quota.Country);
        List<(QuotaRow, QuotaRow)> changes = [];
        HashSet<string> named = [];
        foreach (var (index, allocation) in allocations.Index())
        {
            if (!named.Add(allocation.Country))
                wrong = wrong.Field($"allocations[{index}].country", "repeats an earlier one");
            var before = all.GetValueOrDefault(allocation.Country) ?? new QuotaRow { OfferingId = offering!.Id, Country = allocation.Country };
            var after = before with
            {
                Nominal = allocation.Seats,
                OpensOn = allocation.OpensOn?.ToDateOnly(),
                // What the country gave away or got stays so; enrollment, which knows the use, decides and tells.
                Held = Math.Max(0, before.Held + allocation.Seats - before.Nominal),
            };
            if (after != before)
                changes.Add((before, all[after.Country] = after));
        }
        if (wrong.Fields.Count == 0 && changes.Count == 0)
            wrong = wrong.Field("allocations", "must change something");
        if (wrong.Fields.Count > 0)
            return wrong;
        return Exceeding(offering!, all.Values) is { } exceeding ? exceeding : new Allocation(OfferingDecisions.Next(offering!), changes);
    }

    public static Refusal? Exceeding(OfferingRow offering, IEnumerable<QuotaRow> quotas) =>
        quotas.Sum(quota => (long)quota.Nominal) is var sum && sum <= offering.Capacity
            ? null
            : Refusal.Of(ErrorReason.QuotasExceedCapacity, $"{sum} seats would be set aside for countries, of {offering.Capacity}.")
                .With("capacity", $"{offering.Capacity}").With("quotas", $"{sum}");
}
