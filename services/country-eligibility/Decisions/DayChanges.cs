using Imet.CountryEligibility.V1;
using Kind = Imet.CountryEligibility.V1.DayChange.Types.Kind;

namespace Imet.CountryEligibility;

/// <summary>What begins or ends on a day, by the versions that are announced by then.</summary>
public static class DayChanges
{
    public static IReadOnlyList<DayChange> On(DateOnly day, IEnumerable<RestrictionRow> restrictions, IEnumerable<ReliefRow> reliefs)
    {
        List<DayChange> changes = [];
        foreach (var row in Last(restrictions, day).Where(row => row.EffectiveFrom != row.EffectiveTo))
        {
            Add(row.EffectiveFrom, Kind.RestrictionBegins, row.Id);
            Add(row.EffectiveTo, Kind.RestrictionEnds, row.Id);
            Add(Enacting.WindUpEnd(row), Kind.WindUpEnds, row.Id);
        }
        foreach (var row in Last(reliefs, day))
        {
            var (begins, lapses) = row.Kind switch
            {
                ReliefRow.Waiver => (Kind.WaiverBegins, Kind.WaiverLapses),
                ReliefRow.SpecialAuthority => (Kind.SpecialAuthorityBegins, Kind.SpecialAuthorityLapses),
                ReliefRow.Fulfilment => (Kind.FulfilmentBegins, Kind.Unspecified),
                _ => (Kind.LiftBegins, Kind.Unspecified),
            };
            // A lift with conditions begins for each department when it has met its own.
            if (row.Conditions is null)
                Add(row.EffectiveFrom, begins, row.LiftId ?? row.Id);
            Add(row.EffectiveTo, lapses, row.Id);
        }
        return changes;

        void Add(DateOnly? on, Kind kind, Guid id)
        {
            if (on == day)
                changes.Add(new DayChange { Kind = kind, Id = id.ToString() });
        }
    }

    private static IEnumerable<T> Last<T>(IEnumerable<T> rows, DateOnly day) where T : VersionRow =>
        rows.Where(row => row.AnnouncedOn <= day).GroupBy(row => row.Id).Select(versions => versions.MaxBy(row => row.Version)!).Where(row => row.Change != Change.Voided);
}
