using Imet.CourseCatalog.V1;

namespace Imet.Enrollment.Seats;

/// <summary>Seats of a class that are set aside for a country.</summary>
public sealed record QuotaRow
{
    public required string Country { get; init; }
    /// <summary>As the catalogue last allocated.</summary>
    public int Nominal { get; init; }
    /// <summary>The country's now, after returns and swaps.</summary>
    public int Held { get; init; }
    /// <summary>By the country's lines, within the quota or beyond.</summary>
    public int Taken { get; init; }
    public DateOnly? OpensOn { get; init; }
    public bool Opened { get; init; }

    /// <summary>Kept from all others.</summary>
    public int Unused => Opened ? 0 : Math.Max(0, Held - Taken);
}

/// <summary>All seats of a class, read under its lock.</summary>
public sealed record ClassSeats
{
    public required Guid OfferingId { get; init; }
    public required long OfferingVersion { get; init; }
    public required Offering.Types.State State { get; init; }
    public required int Capacity { get; init; }
    public required int Taken { get; init; }
    public required long SeatsVersion { get; init; }
    public required IReadOnlyList<QuotaRow> Quotas { get; init; }

    public string Etag => $"\"{SeatsVersion}\"";

    public int Open => Math.Max(0, Capacity - Taken - Quotas.Sum(quota => quota.Unused));

    public bool IsOverbooked => Taken > Capacity;

    public QuotaRow Of(string country) => Quotas.FirstOrDefault(quota => quota.Country == country) ?? new QuotaRow { Country = country };
}

/// <summary>One country's seats before and after a change.</summary>
public sealed record QuotaMove(QuotaRow Before, QuotaRow After, QuotaEntry.Types.Cause Cause, string Reason);

/// <summary>A change of a class's seats other than by a line.</summary>
/// <param name="Report">The class has just become overbooked, or is so in a new version.</param>
public sealed record SeatsChange(ClassSeats After, IReadOnlyList<QuotaMove> Moves, bool Report = false);
