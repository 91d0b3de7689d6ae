using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;

namespace Imet.CountryEligibility;

/// <summary>Words of the tables to those of the contracts, rows of reference data to resources.</summary>
public static class EligibilityEvents
{
    public static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    public static LegalBasis ToResource(this LegalBasisRow row) => new()
    {
        Code = row.Code,
        Name = row.Name,
        Citation = row.Citation,
        Trigger = row.SetOffBy,
        DefaultEffect = row.DefaultEffect is null ? Effect.Unspecified : ToEffect(row.DefaultEffect),
        Waiver = row.Waiver,
        Authority = row.Authority,
        DefaultWindUp = ToWindUp(row.DefaultWindUp),
        WaiverTerm = row.WaiverTerm switch
        {
            "NONE" => WaiverTerm.None,
            "OPEN" => WaiverTerm.Open,
            "FISCAL_YEAR" => WaiverTerm.FiscalYear,
            _ => throw new ArgumentOutOfRangeException(nameof(row), row.WaiverTerm, "The table's check holds every term."),
        },
        WaiverNoticeDays = row.WaiverNoticeDays,
    };

    public static FundingProgram ToResource(this FundingProgramRow row) => new() { Code = row.Code, Name = row.Name, ForeignAssistance = row.ForeignAssistance };

    public static string ToText(this Effect effect) => effect switch
    {
        Effect.PauseTraining => "PAUSE_TRAINING",
        Effect.Hold => "HOLD",
        Effect.Suspend => "SUSPEND",
        Effect.Stop => "STOP",
        Effect.ConditionBlocking => "CONDITION_BLOCKING",
        Effect.ConditionCarried => "CONDITION_CARRIED",
        Effect.Ceiling => "CEILING",
        Effect.Unspecified => throw new ArgumentException("A restriction has an effect.", nameof(effect)),
    };

    public static string ToText(this WindUp windUp) => windUp switch
    {
        WindUp.FinishBegun => "FINISH_BEGUN",
        WindUp.FinishBegunAnywhere => "FINISH_BEGUN_ANYWHERE",
        WindUp.None => "NONE",
        WindUp.Unspecified => throw new ArgumentException("A proposal's wind-up is settled before it is stored.", nameof(windUp)),
    };

    public static string ToText(this ImplementingAgency agency) => agency switch
    {
        ImplementingAgency.Army => "ARMY",
        ImplementingAgency.AirForce => "AIR_FORCE",
        ImplementingAgency.Navy => "NAVY",
        ImplementingAgency.Unspecified => throw new ArgumentException("A condition is a department's.", nameof(agency)),
    };

    public static ImplementingAgency ToAgency(string text) => text switch
    {
        "ARMY" => ImplementingAgency.Army,
        "AIR_FORCE" => ImplementingAgency.AirForce,
        "NAVY" => ImplementingAgency.Navy,
        _ => throw new ArgumentOutOfRangeException(nameof(text), text, "The table's check holds every department."),
    };

    public static WindUp ToWindUp(string text) => text switch
    {
        "FINISH_BEGUN" => WindUp.FinishBegun,
        "FINISH_BEGUN_ANYWHERE" => WindUp.FinishBegunAnywhere,
        "NONE" => WindUp.None,
        _ => throw new ArgumentOutOfRangeException(nameof(text), text, "The table's check holds every wind-up."),
    };

    public static Effect ToEffect(string text) => text switch
    {
        "STOP" => Effect.Stop,
        "SUSPEND" => Effect.Suspend,
        "CONDITION_BLOCKING" => Effect.ConditionBlocking,
        "HOLD" => Effect.Hold,
        "PAUSE_TRAINING" => Effect.PauseTraining,
        "CONDITION_CARRIED" => Effect.ConditionCarried,
        "CEILING" => Effect.Ceiling,
        _ => throw new ArgumentOutOfRangeException(nameof(text), text, "The table's check holds every effect."),
    };

    public static OutboundEvent ToEvent(string country, long revision, IMessage data) =>
        new() { AggregateId = country, AggregateVersion = revision, Country = country, Data = data };

    public static Timestamp? ToTimestamp(DateTime? time) => time is { } value ? Timestamp.FromDateTime(value) : null;
}
