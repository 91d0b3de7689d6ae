using System.Collections.Immutable;
using Imet.Chassis;
using Imet.CountryEligibility.V1;

namespace Imet.CountryEligibility;

/// <summary>All that the record holds about one country, at one revision of it.</summary>
public sealed record CountryRecord
{
    public required string Code { get; init; }
    public required string Name { get; init; }
    public DateOnly? ValidFrom { get; init; }
    public DateOnly? ValidTo { get; init; }
    public required long Revision { get; init; }
    public required string Epoch { get; init; }
    public required DateTime RecordedAt { get; init; }

    /// <summary>Every version of every restriction, those of one restriction side by side, the oldest first.</summary>
    public ImmutableArray<RestrictionVersion> Restrictions { get; init; } = [];

    /// <summary>Lifts of a part of a restriction; a whole lift is a version of the restriction.</summary>
    public ImmutableArray<PartialLift> Lifts { get; init; } = [];

    public string Clear => field ??= $"Nothing in the record stands against this training for {Name}.";

    public bool IsValidOn(DateOnly day) => !(day < ValidFrom) && !(day >= ValidTo);
}

public sealed record RestrictionVersion
{
    public required Guid Id { get; init; }
    public required int Version { get; init; }
    public required string Country { get; init; }
    public required string LegalBasis { get; init; }
    public string BasisName { get; init; } = "";
    public string Citation { get; init; } = "";
    public required Effect Effect { get; init; }
    public required TrainingScope Scope { get; init; }
    public required WindUp WindUp { get; init; }
    public required DateOnly EffectiveFrom { get; init; }
    public DateOnly? EffectiveTo { get; init; }
    public required Guid MadeBy { get; init; }
    public required Guid ChangedBy { get; init; }
    public required DateOnly AnnouncedOn { get; init; }
    public required DateTime KnownFrom { get; init; }

    /// <summary>Training that began before this day had begun when the restriction came: the latest of effective, announced and known, of its first version.</summary>
    public required DateOnly BegunBefore { get; init; }

    /// <summary>Last day on which a later line of a begun track may start (FAA 617).</summary>
    public DateOnly WindUpLast => EffectiveFrom.AddMonths(8);

    public bool IsLifted => ChangedBy != MadeBy;

    public static DateOnly Latest(DateOnly effective, DateOnly announced, DateTime known)
    {
        var knownOn = Washington.DateOf(known);
        var latest = effective > announced ? effective : announced;
        return latest > knownOn ? latest : knownOn;
    }
}

public sealed record PartialLift
{
    public required Guid RestrictionId { get; init; }
    public required TrainingScope Scope { get; init; }
    public required DateOnly EffectiveFrom { get; init; }
    public required DateOnly AnnouncedOn { get; init; }
    public required DateTime KnownFrom { get; init; }
}

/// <summary>From where the record is looked at. AnnouncedBy is the last day of announcement that the caller may see; null = also what is not announced yet.</summary>
public readonly record struct Viewpoint(DateOnly On, DateTime KnownAt, DateOnly? AnnouncedBy)
{
    public bool Sees(DateOnly announcedOn, DateTime knownFrom) => knownFrom <= KnownAt && !(announcedOn > AnnouncedBy);
}
