using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Imet.Chassis;
using Imet.CountryEligibility.V1;

namespace Imet.CountryEligibility;

/// <summary>Rows to resources, changes to events.</summary>
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
    };

    public static FundingProgram ToResource(this FundingProgramRow row) => new() { Code = row.Code, Name = row.Name, ForeignAssistance = row.ForeignAssistance };

    public static Decision ToResource(this DecisionRow row)
    {
        var decision = row.Proposed.Clone();
        decision.Id = row.Id.ToString();
        decision.Document = row.Document;
        decision.Reason = row.Reason;
        decision.AnnouncedOn = row.AnnouncedOn?.ToProto();
        decision.KnownFromTime = ToTimestamp(row.StatedKnownFrom);
        decision.State = ToState(row.State);
        decision.ProposedBy = row.ProposedBy;
        decision.DecidedBy = row.DecidedBy ?? "";
        decision.ProposeTime = Timestamp.FromDateTime(row.ProposedAt);
        decision.RecordedTime = ToTimestamp(row.RecordedAt);
        decision.Etag = row.Etag;
        decision.ImportedHistory = row.StatedKnownFrom is not null;
        foreach (var restriction in decision.Restrictions)
        {
            restriction.DecisionId = decision.Id;
            restriction.KnownFromTime = row.RecordedAt is null ? null : decision.KnownFromTime ?? decision.RecordedTime;
        }
        return decision;
    }

    public static Restriction ToResource(this RestrictionRow row) => new()
    {
        Id = row.Id.ToString(),
        Country = row.Country,
        LegalBasis = row.LegalBasis,
        Effect = ToEffect(row.Effect),
        Scope = row.Scope == "{}" ? null : Parser.Parse<Scope>(row.Scope),
        EffectiveFrom = row.EffectiveFrom.ToProto(),
        EffectiveTo = row.EffectiveTo?.ToProto(),
        WindUp = ToWindUp(row.WindUp),
        DecisionId = row.MadeBy.ToString(),
        KnownFromTime = Timestamp.FromDateTime(row.KnownFrom),
        KnownToTime = ToTimestamp(row.KnownTo),
    };

    /// <summary>A restriction ready to be judged by; first is its first version.</summary>
    public static RestrictionVersion ToVersion(this RestrictionRow row, RestrictionRow first, LegalBasisRow basis) => new()
    {
        Id = row.Id,
        Version = row.Version,
        Country = row.Country,
        LegalBasis = row.LegalBasis,
        BasisName = basis.Name,
        Citation = basis.Citation,
        Effect = ToEffect(row.Effect),
        Scope = TrainingScope.Of(Parser.Parse<Scope>(row.Scope)),
        WindUp = ToWindUp(row.WindUp),
        EffectiveFrom = row.EffectiveFrom,
        EffectiveTo = row.EffectiveTo,
        MadeBy = row.MadeBy,
        ChangedBy = row.ChangedBy,
        AnnouncedOn = row.AnnouncedOn,
        KnownFrom = row.KnownFrom,
        BegunBefore = RestrictionVersion.Latest(first.EffectiveFrom, first.AnnouncedOn, first.KnownFrom),
    };

    public static PartialLift ToPartialLift(this LiftRow row) => new()
    {
        RestrictionId = row.RestrictionId,
        Scope = TrainingScope.Of(Parser.Parse<Scope>(row.Scope!)),
        EffectiveFrom = row.EffectiveFrom,
        AnnouncedOn = row.AnnouncedOn,
        KnownFrom = row.KnownFrom,
    };

    /// <summary>The events of one decision for one country, each with a revision of its own, the first one above the country's.</summary>
    public static IEnumerable<OutboundEvent> Of(DecisionRow decision, CountryChange change, Guid epoch, DateOnly announcedOn, DateTime recordedAt)
    {
        var revision = change.Before;
        if (change.Restrictions.Length > 0)
        {
            revision++;
            yield return ToEvent(change.Country, revision, new CountryRestricted
            {
                Country = change.Country,
                Revision = revision,
                Epoch = epoch.ToString(),
                Restrictions = { change.Restrictions.Select(restriction => Told(restriction, decision, recordedAt)) },
                Document = decision.Document,
                AnnouncedOn = announcedOn.ToProto(),
                RecordedTime = Timestamp.FromDateTime(recordedAt),
            });
        }
        if (change.Lifts.Length > 0)
        {
            revision++;
            yield return ToEvent(change.Country, revision, new CountryRestrictionLifted
            {
                Country = change.Country,
                Revision = revision,
                Epoch = epoch.ToString(),
                Lifts = { change.Lifts },
                Document = decision.Document,
                AnnouncedOn = announcedOn.ToProto(),
                RecordedTime = Timestamp.FromDateTime(recordedAt),
            });
        }
    }

    public static OutboundEvent ChangedOnDate(string country, long revision, Guid epoch, DateOnly on) =>
        ToEvent(country, revision, new CountryChangedOnDate { Country = country, Revision = revision, Epoch = epoch.ToString(), On = on.ToProto() });

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

    public static string? ToText(this Decision.Types.State state) => state switch
    {
        Decision.Types.State.Proposed => "PROPOSED",
        Decision.Types.State.Approved => "APPROVED",
        Decision.Types.State.Rejected => "REJECTED",
        Decision.Types.State.Withdrawn => "WITHDRAWN",
        Decision.Types.State.Unspecified => null,
    };

    public static WindUp ToWindUp(string text) => text switch
    {
        "FINISH_BEGUN" => WindUp.FinishBegun,
        "NONE" => WindUp.None,
        _ => throw new ArgumentOutOfRangeException(nameof(text), text, "The table's check holds every wind-up."),
    };

    private static Effect ToEffect(string text) => text switch
    {
        "PAUSE_TRAINING" => Effect.PauseTraining,
        "HOLD" => Effect.Hold,
        "SUSPEND" => Effect.Suspend,
        _ => throw new ArgumentOutOfRangeException(nameof(text), text, "The table's check holds every effect."),
    };

    private static Decision.Types.State ToState(string text) => text switch
    {
        "PROPOSED" => Decision.Types.State.Proposed,
        "APPROVED" => Decision.Types.State.Approved,
        "REJECTED" => Decision.Types.State.Rejected,
        _ => throw new ArgumentOutOfRangeException(nameof(text), text, "The table's check holds every state."),
    };

    private static Restriction Told(Restriction proposed, DecisionRow decision, DateTime recordedAt)
    {
        var restriction = proposed.Clone();
        restriction.DecisionId = decision.Id.ToString();
        restriction.KnownFromTime = Timestamp.FromDateTime(decision.StatedKnownFrom ?? recordedAt);
        return restriction;
    }

    private static OutboundEvent ToEvent(string country, long revision, IMessage data) =>
        new() { AggregateId = country, AggregateVersion = revision, Country = country, Data = data };

    private static Timestamp? ToTimestamp(DateTime? time) => time is { } value ? Timestamp.FromDateTime(value) : null;
}
