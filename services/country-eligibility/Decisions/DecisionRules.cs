using System.Collections.Immutable;
using System.Globalization;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.Options.V1;
using ErrorReason = Imet.CountryEligibility.V1.ErrorReason;

namespace Imet.CountryEligibility;

/// <summary>The codes that a decision may name.</summary>
public sealed record KnownCodes
{
    public required IReadOnlyDictionary<string, LegalBasisRow> LegalBases { get; init; }
    public required IReadOnlySet<string> FundingPrograms { get; init; }
}

/// <summary>A decision ready to be stored, and the countries that it is about.</summary>
public sealed record Proposal(Decision Decision, ImmutableArray<string> Countries);

/// <summary>Who may decide what, in which state of a decision.</summary>
public static class DecisionRules
{
    public static readonly TimeSpan TimeToConfirm = TimeSpan.FromHours(72);

    public static Outcome<Proposal> Propose(Decision decision, KnownCodes codes, RecordFacts facts, bool mayImport)
    {
        if (DecisionContent.Check(decision, codes, facts.Countries) is { } wrong)
            return wrong;
        if (decision.KnownFromTime is not null && !mayImport)
            return Refusal.Of(ErrorReason.KnownTimeNotAllowed, "To state a known time needs the scope eligibility.history.").With("scope", "eligibility.history");
        var settled = Settle(decision.Clone(), codes, facts);
        // Tried on the record as it is: who approves should not meet what who proposes could have been told.
        var trial = AsIfApproved(Waiting(settled), facts);
        return trial.IsAccepted ? new Proposal(settled, trial.Value.Countries) : trial.Refusal;
    }

    public static Outcome<Enactment> Approve(DecisionRow decision, string etag, string approver, ImpactPreview? preview, RecordFacts facts)
    {
        if (CheckWaiting(decision) is { } decided)
            return decided;
        if (decision.ProposedBy == approver)
            return Refusal.Of(ErrorReason.SelfApproval, "Who proposed a decision may not approve it: another person must.");
        if (CheckEtag(decision, etag) is { } stale)
            return stale;
        if (preview?.Revisions.FirstOrDefault(seen => facts.Countries.TryGetValue(seen.Country, out var country) && country.Revision != seen.Revision) is { } moved)
            return Refusal.Of(ErrorReason.PreviewStale, $"{moved.Country} has changed since the preview: preview again, decide again.").With("country", moved.Country);
        return AsIfApproved(decision, facts);
    }

    /// <summary>What the decision would do to the record as it is.</summary>
    public static Outcome<Enactment> AsIfApproved(DecisionRow decision, RecordFacts facts) =>
        (CheckWaiting(decision) ?? CheckKnownTime(decision.StatedKnownFrom, facts.Countries)) is { } refusal ? refusal : Enacting.Enact(decision, facts);

    public static Outcome<DecisionRow> Reject(DecisionRow decision, string etag) =>
        (CheckWaiting(decision) ?? CheckEtag(decision, etag)) is { } refusal ? refusal : decision;

    public static Outcome<DecisionRow> Withdraw(DecisionRow decision, string etag, string by)
    {
        if (decision.ProposedBy != by)
            return Refusal.Of(ErrorReason.NotTheProposer, "Only who proposed a decision may withdraw it.");
        return Reject(decision, etag);
    }

    /// <summary>Alone a person may only make training wait, openly and from now on.</summary>
    public static Outcome<Proposal> ProposeInEmergency(Decision decision, KnownCodes codes, RecordFacts facts)
    {
        if (DecisionContent.Check(decision, codes, facts.Countries) is { } wrong)
            return wrong;
        var refusal = Refusal.Of(ErrorReason.EmergencyNotAllowed, "Alone and in an emergency only restrictions with effect HOLD or PAUSE_TRAINING are made, announced at once, known from now on, and holding within 72 hours.");
        if (decision.Restrictions.Count == 0 || DecisionContent.Parts(decision) > decision.Restrictions.Count)
            refusal = refusal.Field("decision", "Must hold restrictions and nothing else.");
        for (var i = 0; i < decision.Restrictions.Count; i++)
        {
            if (decision.Restrictions[i].Effect is not (Effect.Hold or Effect.PauseTraining))
                refusal = refusal.Field($"decision.restrictions[{i}].effect", "Must be HOLD or PAUSE_TRAINING.");
            if (decision.Restrictions[i].EffectiveFrom.ToDateOnly() > facts.Today.AddDays(TimeToConfirm.Days))
                refusal = refusal.Field($"decision.restrictions[{i}].effective_from", "Must be within 72 hours: for a later day there is time for two people.");
        }
        if (decision.AnnouncedOn is { } announced && announced.ToDateOnly() != facts.Today)
            refusal = refusal.Field("decision.announced_on", "Must be today, or left out.");
        if (decision.KnownFromTime is not null)
            refusal = refusal.Field("decision.known_from_time", "Must be left out.");
        if (refusal.Fields.Count > 0)
            return refusal;
        var settled = Settle(decision.Clone(), codes, facts);
        return new Proposal(settled, [.. settled.Restrictions.Select(restriction => restriction.Country).Distinct().Order(StringComparer.Ordinal)]);
    }

    public static Outcome<DecisionRow> Confirm(DecisionRow decision, string etag, string by, DateTime now)
    {
        if (decision is not { Emergency: true, State: "APPROVED", ConfirmedAt: null, VoidedBy: null } || now >= decision.ConfirmBy)
            return Refusal.Of(ErrorReason.NotAwaitingConfirmation, "The decision is none made in an emergency, is confirmed or voided already, or its 72 hours are over.");
        if (decision.ProposedBy == by)
            return Refusal.Of(ErrorReason.SelfApproval, "Who made a decision may not confirm it: another person must.");
        return CheckEtag(decision, etag) is { } stale ? stale : decision;
    }

    public static Refusal NoDecision() => Refusal.Of(CommonReason.NotFound, "There is no such decision.").With("resource", "decision");

    /// <summary>A lift of all that the restriction covers, for everybody, ends the restriction itself.</summary>
    public static bool IsWhole(Lift lift) => lift.Scope is null && lift.Conditions.Count == 0;

    internal static Refusal Invalid() => Refusal.Of(CommonReason.InvalidFields, "The request has fields that are missing or malformed.");

    internal static string Iso(DateOnly day) => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    // What a proposal left open: ids, wind-up, the end of a fiscal year, the countries of what it builds on. So what is approved is what was read.
    private static Decision Settle(Decision decision, KnownCodes codes, RecordFacts facts)
    {
        foreach (var restriction in decision.Restrictions)
            Settle(restriction, NewId(), codes);
        foreach (var lift in decision.Lifts)
        {
            (lift.Id, lift.Country, lift.DecisionId, lift.KnownFromTime) =
                (IsWhole(lift) ? "" : NewId(), facts.Restrictions.GetValueOrDefault(Guid.Parse(lift.RestrictionId))?.Country ?? "", "", null);
        }
        foreach (var waiver in decision.Waivers)
            Settle(waiver, NewId());
        foreach (var authority in decision.SpecialAuthorities)
            Settle(authority, NewId());
        foreach (var fulfilment in decision.Fulfilments)
        {
            (fulfilment.Id, fulfilment.Country, fulfilment.DecisionId, fulfilment.KnownFromTime) =
                (NewId(), facts.Restrictions.GetValueOrDefault(Guid.Parse(fulfilment.RestrictionId))?.Country ?? "", "", null);
        }
        foreach (var met in decision.ConditionsMet)
            (met.Id, met.Country, met.DecisionId, met.KnownFromTime) = (NewId(), facts.Reliefs.GetValueOrDefault(Guid.Parse(met.LiftId))?.Country ?? "", "", null);
        foreach (var correction in decision.Corrections)
        {
            if (correction.Restriction is { } restriction)
                Settle(restriction, correction.Id, codes);
            if (correction.Waiver is { } waiver)
                Settle(waiver, correction.Id);
            if (correction.SpecialAuthority is { } authority)
                Settle(authority, correction.Id);
        }
        return decision;

        string NewId() => facts.NewId().ToString();
    }

    private static void Settle(Restriction restriction, string id, KnownCodes codes)
    {
        (restriction.Id, restriction.DecisionId, restriction.KnownFromTime, restriction.KnownToTime, restriction.AnnouncedOn, restriction.ConfirmByTime) = (id, "", null, null, null, null);
        if (restriction.Effect == Effect.Stop)
            restriction.WindUp = WindUp.None;
        else if (restriction.WindUp == WindUp.Unspecified)
            restriction.WindUp = EligibilityEvents.ToWindUp(codes.LegalBases[restriction.LegalBasis].DefaultWindUp);
        if (restriction.Ceiling is { } ceiling)
            restriction.EffectiveTo ??= new DateOnly(ceiling.FiscalYear, 10, 1).ToProto();
    }

    private static void Settle(Waiver waiver, string id) => (waiver.Id, waiver.DecisionId, waiver.KnownFromTime, waiver.KnownToTime) = (id, "", null, null);

    private static void Settle(SpecialAuthority authority, string id) => (authority.Id, authority.DecisionId, authority.KnownFromTime, authority.KnownToTime) = (id, "", null, null);

    private static DecisionRow Waiting(Decision decision) => new()
    {
        Id = Guid.Empty,
        Document = decision.Document,
        Reason = decision.Reason,
        AnnouncedOn = decision.AnnouncedOn?.ToDateOnly(),
        StatedKnownFrom = decision.KnownFromTime?.ToDateTime(),
        Content = "",
        Proposed = decision,
        State = "PROPOSED",
        Version = 0,
        ProposedBy = "",
        ProposedAt = default,
    };

    private static Refusal? CheckKnownTime(DateTime? known, IReadOnlyDictionary<string, CountryRow> countries) => known is { } stated
        && countries.Values.FirstOrDefault(country => stated >= country.SystemOfRecordSince) is { } late
            ? Refusal.Of(ErrorReason.KnownTimeNotAllowed, $"For {late.Code} the record keeps its own time since {late.SystemOfRecordSince:u}: only earlier history can be imported.")
                .With("country", late.Code)
            : null;

    private static Refusal? CheckWaiting(DecisionRow decision) => decision.State == "PROPOSED"
        ? null
        : Refusal.Of(ErrorReason.DecisionNotProposed, $"The decision is {decision.State}, not waiting for approval.").With("state", decision.State);

    private static Refusal? CheckEtag(DecisionRow decision, string etag) => etag == decision.Etag
        ? null
        : Refusal.Of(CommonReason.EtagMismatch, "The decision is not the one that was read: read it again, decide again.");
}
