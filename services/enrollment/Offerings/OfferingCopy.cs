using Imet.Chassis;
using Imet.CourseCatalog.V1;

namespace Imet.Enrollment.Offerings;

/// <summary>One version of a class as the catalogue gave it. It never changes, so it may be held in memory.</summary>
public sealed record OfferingCopy
{
    public required Guid Id { get; init; }
    public required long Version { get; init; }
    public required Offering.Types.State State { get; init; }
    public required DateOnly ReportDate { get; init; }
    public required DateOnly StartDate { get; init; }
    public required DateOnly EndDate { get; init; }
    public required int Capacity { get; init; }
    public required string? HostCountry { get; init; }
    public required CourseFacts Course { get; init; }

    public static OfferingCopy Of(Offering offering) => new()
    {
        Id = Guid.Parse(offering.Id),
        Version = offering.Version,
        State = offering.State,
        ReportDate = (offering.ReportDate ?? offering.StartDate).ToDateOnly(),
        StartDate = offering.StartDate.ToDateOnly(),
        EndDate = offering.EndDate.ToDateOnly(),
        Capacity = offering.Capacity,
        HostCountry = offering.HostCountry.Length == 0 ? null : offering.HostCountry,
        Course = offering.Course ?? new CourseFacts(),
    };

    public static string Text(Offering.Types.State state) => state switch
    {
        Offering.Types.State.Planned => "PLANNED",
        Offering.Types.State.Open => "OPEN",
        Offering.Types.State.Moved => "MOVED",
        Offering.Types.State.Cancelled => "CANCELLED",
        // A state from a later release of the catalogue: known, not open.
        _ => "PLANNED",
    };

    public static Offering.Types.State ParseState(string text) => text switch
    {
        "PLANNED" => Offering.Types.State.Planned,
        "OPEN" => Offering.Types.State.Open,
        "MOVED" => Offering.Types.State.Moved,
        "CANCELLED" => Offering.Types.State.Cancelled,
        _ => throw new FormatException($"No state of an offering: {text}"),
    };
}

/// <summary>A version of a class with the quotas that the catalogue has allocated in it.</summary>
public sealed record CatalogueOffering(OfferingCopy Copy, IReadOnlyList<Quota> Quotas);

/// <summary>A class's seats as one country finds them, read under the class's lock.</summary>
public readonly record struct OfferingSeatsRow(long Version, Offering.Types.State State, int Capacity, int Taken)
{
    /// <summary>Set aside for other countries, and not taken by them.</summary>
    public int Reserved { get; init; }

    /// <summary>Set aside for the country itself, and not taken; null = it has no quota.</summary>
    public int? OwnUnused { get; init; }

    /// <summary>Lines of any country, or of this one, wait for a seat and were not passed over.</summary>
    public bool AnybodyWaits { get; init; }

    public bool OwnCountryWaits { get; init; }

    public int Free => Capacity - Taken - Reserved;
}
