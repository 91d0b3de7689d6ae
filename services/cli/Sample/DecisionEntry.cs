using System.Text.Json;
using System.Text.Json.Serialization;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;

namespace Imet.Cli.Sample;

/// <summary>A decision of the past as the files in Sample/History have it. Entries name what they are built on by its key, whatever file it stands in.</summary>
public sealed record DecisionEntry
{
    public required string Key { get; init; }
    public required string Document { get; init; }
    public required string Reason { get; init; }
    /// <summary>The day it was announced; known from midnight in Washington.</summary>
    public required DateOnly AnnouncedOn { get; init; }
    public IReadOnlyList<RestrictionEntry> Restrictions { get; init; } = [];
    public IReadOnlyList<LiftEntry> Lifts { get; init; } = [];
    public IReadOnlyList<WaiverEntry> Waivers { get; init; } = [];
    public IReadOnlyList<ConditionMetEntry> ConditionsMet { get; init; } = [];
    /// <summary>Keys of decisions that never took effect.</summary>
    public IReadOnlyList<string> Voids { get; init; } = [];
}

public sealed record RestrictionEntry
{
    public required string Key { get; init; }
    public string? Country { get; init; }
    /// <summary>One restriction for each; its key has the country's code at its end ("key-AFG").</summary>
    public IReadOnlyList<string> Countries { get; init; } = [];
    public required string LegalBasis { get; init; }
    [JsonConverter(typeof(ContractName<Effect>))]
    public required Effect Effect { get; init; }
    public ScopeEntry? Scope { get; init; }
    public required DateOnly From { get; init; }
    public DateOnly? To { get; init; }
    public string? Condition { get; init; }

    public IEnumerable<(string Key, string Country)> Each => Country is { } one ? [(Key, one)] : Countries.Select(code => ($"{Key}-{code}", code));
}

public sealed record ScopeEntry
{
    public IReadOnlyList<string> Programs { get; init; } = [];
    [JsonConverter(typeof(ContractNames<TrainingKind>))]
    public IReadOnlyList<TrainingKind> Kinds { get; init; } = [];
    [JsonConverter(typeof(ContractNames<ImplementingAgency>))]
    public IReadOnlyList<ImplementingAgency> Agencies { get; init; } = [];
    public IReadOnlyList<string> Schools { get; init; } = [];
    public IReadOnlyList<string> ExceptSchools { get; init; } = [];
    public IReadOnlyList<string> Platforms { get; init; } = [];
    /// <summary>ONLY or EXCEPT.</summary>
    [JsonConverter(typeof(ContractName<SetMode>))]
    public SetMode EImet { get; init; }
}

public sealed record LiftEntry
{
    public string? Key { get; init; }
    public required string Restriction { get; init; }
    public required DateOnly From { get; init; }
    /// <summary>What each department must meet before it acts for it.</summary>
    public IReadOnlyDictionary<string, string> Conditions { get; init; } = new Dictionary<string, string>();
}

public sealed record WaiverEntry
{
    public string? Country { get; init; }
    public IReadOnlyList<string> Countries { get; init; } = [];
    public required string LegalBasis { get; init; }
    public ScopeEntry? Scope { get; init; }
    public required DateOnly From { get; init; }
    public DateOnly? To { get; init; }

    public IEnumerable<string> Each => Country is { } one ? [one] : Countries;
}

public sealed record ConditionMetEntry
{
    public required string Lift { get; init; }
    [JsonConverter(typeof(ContractName<ImplementingAgency>))]
    public required ImplementingAgency Agency { get; init; }
    public required DateOnly On { get; init; }
}

/// <summary>AIR_FORCE in the files, as in the contract; ImplementingAgency.AirForce in code.</summary>
internal sealed class ContractName<T> : JsonConverter<T> where T : struct, Enum
{
    public static T Parse(string name) => Enum.Parse<T>(string.Concat(name.Split('_').Select(word => word[..1] + word[1..].ToLowerInvariant())));
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => Parse(reader.GetString()!);
    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => throw new NotSupportedException();
}

internal sealed class ContractNames<T> : JsonConverter<IReadOnlyList<T>> where T : struct, Enum
{
    public override IReadOnlyList<T> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        [.. JsonSerializer.Deserialize<string[]>(ref reader)!.Select(ContractName<T>.Parse)];
    public override void Write(Utf8JsonWriter writer, IReadOnlyList<T> value, JsonSerializerOptions options) => throw new NotSupportedException();
}
