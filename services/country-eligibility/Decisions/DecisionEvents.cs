using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using State = Imet.CountryEligibility.V1.Decision.Types.State;

namespace Imet.CountryEligibility;

/// <summary>Rows of decisions and of what they made to resources, what a decision did to the events of a country.</summary>
public static class DecisionEvents
{
    public static Decision ToResource(this DecisionRow row)
    {
        var decision = row.Proposed.Clone();
        decision.Id = row.Id.ToString();
        decision.Document = row.Document;
        decision.Reason = row.Reason;
        decision.AnnouncedOn = row.AnnouncedOn?.ToProto();
        decision.KnownFromTime = EligibilityEvents.ToTimestamp(row.StatedKnownFrom);
        decision.State = ToState(row.State);
        decision.ProposedBy = row.ProposedBy;
        decision.DecidedBy = row.DecidedBy ?? "";
        decision.ProposeTime = Timestamp.FromDateTime(row.ProposedAt);
        decision.RecordedTime = EligibilityEvents.ToTimestamp(row.RecordedAt);
        decision.Etag = row.Etag;
        decision.ImportedHistory = row.StatedKnownFrom is not null;
        decision.Emergency = row.Emergency;
        decision.ConfirmByTime = EligibilityEvents.ToTimestamp(row.ConfirmBy);
        decision.ConfirmedBy = row.ConfirmedBy ?? "";
        decision.ConfirmTime = EligibilityEvents.ToTimestamp(row.ConfirmedAt);
        decision.VoidedBy = row.VoidedBy?.ToString() ?? "";
        decision.ImpactPreviewEtag = row.ImpactPreviewEtag ?? "";
        var known = row.RecordedAt is null ? null : decision.KnownFromTime ?? decision.RecordedTime;
        foreach (var restriction in decision.Restrictions)
            (restriction.DecisionId, restriction.KnownFromTime) = (decision.Id, known);
        foreach (var lift in decision.Lifts)
            (lift.DecisionId, lift.KnownFromTime) = (decision.Id, known);
        foreach (var waiver in decision.Waivers)
            (waiver.DecisionId, waiver.KnownFromTime) = (decision.Id, known);
        foreach (var authority in decision.SpecialAuthorities)
            (authority.DecisionId, authority.KnownFromTime) = (decision.Id, known);
        foreach (var fulfilment in decision.Fulfilments)
            (fulfilment.DecisionId, fulfilment.KnownFromTime) = (decision.Id, known);
        foreach (var met in decision.ConditionsMet)
            (met.DecisionId, met.KnownFromTime) = (decision.Id, known);
        return decision;
    }

    public static Restriction ToResource(this RestrictionRow row) => new()
    {
        Id = row.Id.ToString(),
        Country = row.Country,
        LegalBasis = row.LegalBasis,
        Effect = EligibilityEvents.ToEffect(row.Effect),
        Scope = ToScope(row.Scope),
        Condition = row.Condition is null ? null : EligibilityEvents.Parser.Parse<Condition>(row.Condition),
        Ceiling = row.Ceiling is null ? null : EligibilityEvents.Parser.Parse<Ceiling>(row.Ceiling),
        EffectiveFrom = row.EffectiveFrom.ToProto(),
        EffectiveTo = row.EffectiveTo?.ToProto(),
        WindUp = EligibilityEvents.ToWindUp(row.WindUp),
        DecisionId = row.MadeBy.ToString(),
        AnnouncedOn = row.AnnouncedOn.ToProto(),
        KnownFromTime = Timestamp.FromDateTime(row.KnownFrom),
        KnownToTime = EligibilityEvents.ToTimestamp(row.KnownTo),
        ConfirmByTime = EligibilityEvents.ToTimestamp(row.ConfirmBy),
    };

    /// <summary>A restriction that ends as a whole, as a lift.</summary>
    public static Lift ToLift(this RestrictionRow row) => new()
    {
        RestrictionId = row.Id.ToString(),
        EffectiveFrom = row.EffectiveTo!.Value.ToProto(),
        Country = row.Country,
        DecisionId = row.ChangedBy.ToString(),
        KnownFromTime = Timestamp.FromDateTime(row.KnownFrom),
    };

    public static Lift ToLift(this ReliefRow row) => new()
    {
        Id = row.Id.ToString(),
        RestrictionId = row.RestrictionId.ToString(),
        EffectiveFrom = row.EffectiveFrom.ToProto(),
        Scope = ToScope(row.Scope),
        Conditions = { row.Conditions is null ? [] : EligibilityEvents.Parser.Parse<Lift>(row.Conditions).Conditions },
        Country = row.Country,
        DecisionId = row.MadeBy.ToString(),
        KnownFromTime = Timestamp.FromDateTime(row.KnownFrom),
    };

    public static Waiver ToWaiver(this ReliefRow row) => new()
    {
        Id = row.Id.ToString(),
        Country = row.Country,
        LegalBasis = row.LegalBases![0],
        Scope = ToScope(row.Scope),
        EffectiveFrom = row.EffectiveFrom.ToProto(),
        EffectiveTo = row.EffectiveTo?.ToProto(),
        DecisionId = row.MadeBy.ToString(),
        KnownFromTime = Timestamp.FromDateTime(row.KnownFrom),
        KnownToTime = EligibilityEvents.ToTimestamp(row.KnownTo),
    };

    public static SpecialAuthority ToSpecialAuthority(this ReliefRow row) => new()
    {
        Id = row.Id.ToString(),
        Country = row.Country,
        LegalBases = { row.LegalBases },
        Scope = ToScope(row.Scope),
        EffectiveFrom = row.EffectiveFrom.ToProto(),
        EffectiveTo = row.EffectiveTo?.ToProto(),
        DecisionId = row.MadeBy.ToString(),
        KnownFromTime = Timestamp.FromDateTime(row.KnownFrom),
        KnownToTime = EligibilityEvents.ToTimestamp(row.KnownTo),
    };

    public static Fulfilment ToFulfilment(this ReliefRow row) => new()
    {
        Id = row.Id.ToString(),
        RestrictionId = row.RestrictionId.ToString(),
        FulfilledOn = row.EffectiveFrom.ToProto(),
        Document = row.Document,
        Scope = ToScope(row.Scope),
        Country = row.Country,
        DecisionId = row.MadeBy.ToString(),
        KnownFromTime = Timestamp.FromDateTime(row.KnownFrom),
    };

    public static ConditionMet ToConditionMet(this ReliefRow row) => new()
    {
        Id = row.Id.ToString(),
        LiftId = row.LiftId.ToString(),
        ImplementingAgency = EligibilityEvents.ToAgency(row.ImplementingAgency!),
        MetOn = row.EffectiveFrom.ToProto(),
        Country = row.Country,
        DecisionId = row.MadeBy.ToString(),
        KnownFromTime = Timestamp.FromDateTime(row.KnownFrom),
    };

    /// <summary>The events of one decision for one country, each with a revision of its own, the first one above the country's.</summary>
    public static IReadOnlyList<OutboundEvent> Of(
        DecisionRow decision, string country, long before, IEnumerable<RestrictionRow> restrictions, IEnumerable<ReliefRow> reliefs, DateOnly announcedOn, DateTime recordedAt, Guid epoch)
    {
        var changed = restrictions.Where(row => row.Country == country).ToLookup(row => row.Change);
        var relieved = reliefs.Where(row => row.Country == country).ToLookup(row => row.Change == Change.Made ? row.Kind : row.Change);
        List<OutboundEvent> events = [];
        if (changed[Change.Made].Any())
        {
            Add(revision => new CountryRestricted
            {
                Country = country,
                Revision = revision,
                Epoch = epoch.ToString(),
                Restrictions = { changed[Change.Made].Select(ToResource) },
                Document = decision.Document,
                AnnouncedOn = announcedOn.ToProto(),
                RecordedTime = Timestamp.FromDateTime(recordedAt),
            });
        }
        if (changed[Change.Lifted].Any() || relieved[ReliefRow.Lift].Any())
        {
            Add(revision => new CountryRestrictionLifted
            {
                Country = country,
                Revision = revision,
                Epoch = epoch.ToString(),
                Lifts = { changed[Change.Lifted].Select(ToLift), relieved[ReliefRow.Lift].Select(ToLift) },
                Document = decision.Document,
                AnnouncedOn = announcedOn.ToProto(),
                RecordedTime = Timestamp.FromDateTime(recordedAt),
            });
        }
        if (relieved[ReliefRow.Waiver].Any() || relieved[ReliefRow.SpecialAuthority].Any())
        {
            Add(revision => new CountryWaived
            {
                Country = country,
                Revision = revision,
                Epoch = epoch.ToString(),
                Waivers = { relieved[ReliefRow.Waiver].Select(ToWaiver) },
                SpecialAuthorities = { relieved[ReliefRow.SpecialAuthority].Select(ToSpecialAuthority) },
                Document = decision.Document,
                AnnouncedOn = announcedOn.ToProto(),
                RecordedTime = Timestamp.FromDateTime(recordedAt),
            });
        }
        if (relieved[ReliefRow.Fulfilment].Any() || relieved[ReliefRow.ConditionMet].Any())
        {
            Add(revision => new CountryConditionsMet
            {
                Country = country,
                Revision = revision,
                Epoch = epoch.ToString(),
                Fulfilments = { relieved[ReliefRow.Fulfilment].Select(ToFulfilment) },
                ConditionsMet = { relieved[ReliefRow.ConditionMet].Select(ToConditionMet) },
                Document = decision.Document,
                AnnouncedOn = announcedOn.ToProto(),
                RecordedTime = Timestamp.FromDateTime(recordedAt),
            });
        }
        string[] corrections = [Change.Corrected, Change.Restored, Change.Voided];
        if (corrections.Any(change => changed[change].Any() || relieved[change].Any()))
        {
            Add(revision => new CountryRecordCorrected
            {
                Country = country,
                Revision = revision,
                Epoch = epoch.ToString(),
                VoidedDecisionIds = { decision.Proposed.Voids.Select(one => one.DecisionId) },
                VoidedRestrictionIds = { changed[Change.Voided].Select(row => row.Id.ToString()) },
                Corrections =
                {
                    changed[Change.Corrected].Concat(changed[Change.Restored]).Select(row => new Correction { Id = row.Id.ToString(), Restriction = row.ToResource() }),
                    relieved[Change.Corrected].Concat(relieved[Change.Restored]).Select(ToCorrection),
                },
                Document = decision.Document,
                AnnouncedOn = announcedOn.ToProto(),
                RecordedTime = Timestamp.FromDateTime(recordedAt),
            });
        }
        return events;

        void Add(Func<long, IMessage> data)
        {
            var revision = before + events.Count + 1;
            events.Add(EligibilityEvents.ToEvent(country, revision, data(revision)));
        }
    }

    public static OutboundEvent Confirmed(DecisionRow decision, string country, long revision, RecordRow record) => EligibilityEvents.ToEvent(country, revision, new CountryEmergencyConfirmed
    {
        Country = country,
        Revision = revision,
        Epoch = record.Epoch.ToString(),
        DecisionId = decision.Id.ToString(),
        RecordedTime = Timestamp.FromDateTime(record.RecordedAt),
    });

    public static OutboundEvent Lapsed(DecisionRow decision, string country, long revision, IEnumerable<RestrictionRow> lapsed, RecordRow record) =>
        EligibilityEvents.ToEvent(country, revision, new CountryEmergencyLapsed
        {
            Country = country,
            Revision = revision,
            Epoch = record.Epoch.ToString(),
            DecisionId = decision.Id.ToString(),
            RestrictionIds = { lapsed.Select(row => row.Id.ToString()) },
            RecordedTime = Timestamp.FromDateTime(record.RecordedAt),
        });

    public static OutboundEvent ChangedOnDate(string country, long revision, Guid epoch, DateOnly on, IEnumerable<DayChange> changes) =>
        EligibilityEvents.ToEvent(country, revision, new CountryChangedOnDate { Country = country, Revision = revision, Epoch = epoch.ToString(), On = on.ToProto(), Changes = { changes } });

    public static string? ToText(this State state) => state switch
    {
        State.Proposed => "PROPOSED",
        State.Approved => "APPROVED",
        State.Rejected => "REJECTED",
        State.Withdrawn => "WITHDRAWN",
        State.Unspecified => null,
    };

    public static Scope? ToScope(string json) => json == "{}" ? null : EligibilityEvents.Parser.Parse<Scope>(json);

    private static Correction ToCorrection(ReliefRow row) => row.Kind == ReliefRow.Waiver
        ? new Correction { Id = row.Id.ToString(), Waiver = row.ToWaiver() }
        : new Correction { Id = row.Id.ToString(), SpecialAuthority = row.ToSpecialAuthority() };

    private static State ToState(string text) => text switch
    {
        "PROPOSED" => State.Proposed,
        "APPROVED" => State.Approved,
        "REJECTED" => State.Rejected,
        "WITHDRAWN" => State.Withdrawn,
        _ => throw new ArgumentOutOfRangeException(nameof(text), text, "The table's check holds every state."),
    };
}
