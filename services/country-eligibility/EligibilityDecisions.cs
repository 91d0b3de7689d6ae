using System.Collections.Immutable;
using System.Globalization;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Options.V1;
using ErrorReason = Imet.CountryEligibility.V1.ErrorReason;

namespace Imet.CountryEligibility;

public sealed record ProposalFacts
{
    public required IReadOnlyDictionary<string, CountryRow> Countries { get; init; }
    public required IReadOnlyDictionary<string, LegalBasisRow> LegalBases { get; init; }
    public required IReadOnlySet<string> FundingPrograms { get; init; }

    /// <summary>The current version of every restriction that is to be lifted, as far as there is one.</summary>
    public required IReadOnlyDictionary<Guid, RestrictionRow> Current { get; init; }
}

public sealed record ApprovalFacts
{
    public required IReadOnlyDictionary<string, CountryRow> Countries { get; init; }
    public required IReadOnlyDictionary<Guid, RestrictionRow> Current { get; init; }
    public required DateOnly Today { get; init; }
    public required RecordRow Record { get; init; }
}

/// <summary>What an approval changes in the record.</summary>
public sealed record Approval
{
    public required Guid DecisionId { get; init; }
    public required string ApprovedBy { get; init; }
    public required DateOnly AnnouncedOn { get; init; }
    public required DateTime RecordedAt { get; init; }
    public required long RecordRevision { get; init; }
    public required ImmutableArray<RestrictionRow> Added { get; init; }
    public required ImmutableArray<RestrictionRow> Closed { get; init; }
    public required ImmutableArray<LiftRow> Lifts { get; init; }
    public required ImmutableArray<CountryChange> Countries { get; init; }
    public required ImmutableArray<CountryDayRow> Days { get; init; }
    public required bool IsAnnounced { get; init; }
}

/// <summary>A country that a decision is about, with its revision before it.</summary>
public sealed record CountryChange(string Country, long Before, ImmutableArray<Restriction> Restrictions, ImmutableArray<Lift> Lifts)
{
    /// <summary>Each event has a revision of its own, so that a subscriber never meets one version twice.</summary>
    public long After(bool announced) => Before + (announced && Restrictions.Length > 0 && Lifts.Length > 0 ? 2 : 1);
}

public static class EligibilityDecisions
{
    public static Outcome<ImmutableArray<string>> Propose(Decision decision, ProposalFacts facts, bool mayImport)
    {
        var fields = CheckFields(decision);
        if (fields.Fields.Count > 0)
            return fields;

        for (var i = 0; i < decision.Restrictions.Count; i++)
        {
            var restriction = decision.Restrictions[i];
            if (!facts.Countries.ContainsKey(restriction.Country))
                return UnknownCountry(restriction.Country, $"decision.restrictions[{i}].country");
            if (!facts.LegalBases.ContainsKey(restriction.LegalBasis))
                return Refusal.Of(ErrorReason.LegalBasisUnknown, $"There is no legal basis {restriction.LegalBasis}; ListLegalBases has them all.")
                    .With("legal_basis", restriction.LegalBasis).Field($"decision.restrictions[{i}].legal_basis", "Not a legal basis.");
            if (UnknownProgram(restriction.Scope, $"decision.restrictions[{i}].scope", facts.FundingPrograms) is { } unknown)
                return unknown;
        }
        for (var i = 0; i < decision.Lifts.Count; i++)
        {
            if (UnknownProgram(decision.Lifts[i].Scope, $"decision.lifts[{i}].scope", facts.FundingPrograms) is { } unknown)
                return unknown;
        }

        var known = decision.KnownFromTime?.ToDateTime();
        if (CheckLifts(decision.Lifts, facts.Current, known, decision.AnnouncedOn?.ToDateOnly()) is { } notInForce)
            return notInForce;
        var countries = decision.Restrictions.Select(restriction => restriction.Country)
            .Concat(decision.Lifts.Select(lift => facts.Current[Guid.Parse(lift.RestrictionId)].Country))
            .Distinct().Order(StringComparer.Ordinal).ToImmutableArray();
        if (known is { } stated)
        {
            if (!mayImport)
                return Refusal.Of(ErrorReason.KnownTimeNotAllowed, "To state a known time needs the scope eligibility.history.").With("scope", "eligibility.history");
            if (CheckKnownTime(stated, countries, facts.Countries) is { } late)
                return late;
        }
        return countries;
    }

    public static Outcome<Approval> Approve(DecisionRow decision, string etag, string approver, ApprovalFacts facts)
    {
        if (CheckWaiting(decision) is { } decided)
            return decided;
        if (decision.ProposedBy == approver)
            return Refusal.Of(ErrorReason.SelfApproval, "Who proposed a decision may not approve it: another person must.");
        if (CheckEtag(decision, etag) is { } stale)
            return stale;

        var content = decision.Proposed;
        if (CheckLifts(content.Lifts, facts.Current, decision.StatedKnownFrom, decision.AnnouncedOn) is { } notInForce)
            return notInForce;
        if (decision.StatedKnownFrom is { } stated && CheckKnownTime(stated, facts.Countries.Keys, facts.Countries) is { } late)
            return late;

        var known = decision.StatedKnownFrom ?? facts.Record.RecordedAt;
        // A lift tells of the restriction that it lifts, so it is announced with it at the earliest.
        var announced = decision.AnnouncedOn
            ?? facts.Current.Values.Select(restriction => restriction.AnnouncedOn).Append(decision.StatedKnownFrom is { } imported ? Washington.DateOf(imported) : facts.Today).Max();
        var isAnnounced = announced <= facts.Today;
        var closed = content.Lifts.Where(lift => lift.Scope is null).Select(lift => facts.Current[Guid.Parse(lift.RestrictionId)] with { KnownTo = known }).ToImmutableArray();
        var shortened = content.Lifts.Where(lift => lift.Scope is null).Select(lift =>
        {
            var current = facts.Current[Guid.Parse(lift.RestrictionId)];
            return current with { Version = current.Version + 1, EffectiveTo = lift.EffectiveFrom.ToDateOnly() };
        });
        var made = content.Restrictions.Select(restriction => new RestrictionRow
        {
            Id = Guid.Parse(restriction.Id),
            Version = 1,
            Country = restriction.Country,
            LegalBasis = restriction.LegalBasis,
            Effect = restriction.Effect.ToText(),
            Scope = (restriction.Scope ?? new Scope()).ToString(),
            WindUp = restriction.WindUp.ToText(),
            EffectiveFrom = restriction.EffectiveFrom.ToDateOnly(),
            EffectiveTo = restriction.EffectiveTo?.ToDateOnly(),
            MadeBy = decision.Id,
        });
        return new Approval
        {
            DecisionId = decision.Id,
            ApprovedBy = approver,
            AnnouncedOn = announced,
            RecordedAt = facts.Record.RecordedAt,
            RecordRevision = facts.Record.Revision + 1,
            IsAnnounced = isAnnounced,
            Closed = closed,
            Added = [.. made.Concat(shortened).Select(row => row with
            {
                ChangedBy = decision.Id,
                AnnouncedOn = announced,
                KnownFrom = known,
                KnownTo = null,
                RecordedAt = facts.Record.RecordedAt,
                Imported = decision.StatedKnownFrom is not null,
            })],
            Lifts = [.. content.Lifts.Select(lift => new LiftRow
            {
                RestrictionId = Guid.Parse(lift.RestrictionId),
                Country = facts.Current[Guid.Parse(lift.RestrictionId)].Country,
                Scope = lift.Scope?.ToString(),
                EffectiveFrom = lift.EffectiveFrom.ToDateOnly(),
                DecisionId = decision.Id,
                AnnouncedOn = announced,
                KnownFrom = known,
                RecordedAt = facts.Record.RecordedAt,
                Imported = decision.StatedKnownFrom is not null,
            })],
            Countries = Changes(content, facts),
            Days = [.. DaysToCome(decision.Id, content, facts, announced).Distinct()],
        };
    }

    public static Outcome<DecisionRow> Reject(DecisionRow decision, string etag) =>
        (CheckWaiting(decision) ?? CheckEtag(decision, etag)) is { } refusal ? refusal : decision;

    public static Refusal NoDecision() => Refusal.Of(CommonReason.NotFound, "There is no such decision.").With("resource", "decision");

    public static Refusal UnknownCountry(string code, string path) =>
        Refusal.Of(ErrorReason.CountryCodeInvalid, $"{code} is not the code of a country or territory, or not valid on that day.")
            .With("country", code).Field(path, "Not an ISO 3166-1 alpha-3 code in use (XKX for Kosovo).");

    /// <summary>What a question must hold beyond its form. A mistyped program would fall outside every scope and so pass every bar: it is refused.</summary>
    public static Refusal? CheckQuestion(Question question, string path, CountryRecord? country, IReadOnlySet<string> fundingPrograms, DateOnly on)
    {
        if (country is null || !country.IsValidOn(on))
            return UnknownCountry(question.Country, $"{path}.country");
        if (question.FundingProgram.Length > 0 && !fundingPrograms.Contains(question.FundingProgram))
            return UnknownProgram(question.FundingProgram, $"{path}.funding_program");
        if (question.Stage is Stage.Continuing or Stage.InTraining && question.TrackBegunOn is null)
            return Invalid().Field($"{path}.track_begun_on", "Say when the track began: the stage rests on it.");
        return null;
    }

    private static Refusal CheckFields(Decision decision)
    {
        var invalid = Invalid();
        if (decision.Restrictions.Count + decision.Lifts.Count == 0)
            invalid = invalid.Field("decision.restrictions", "A decision makes or lifts at least one restriction.");
        for (var i = 0; i < decision.Restrictions.Count; i++)
        {
            var restriction = decision.Restrictions[i];
            if (restriction.EffectiveTo is { } to && to.ToDateOnly() <= restriction.EffectiveFrom.ToDateOnly())
                invalid = invalid.Field($"decision.restrictions[{i}].effective_to", "Must be after effective_from: it is the first day on which the restriction no longer holds.");
            if (restriction.Effect is not (Effect.Suspend or Effect.Hold or Effect.PauseTraining))
                invalid = invalid.Field($"decision.restrictions[{i}].effect", "Must be SUSPEND, HOLD or PAUSE_TRAINING in this release.");
            invalid = CheckScope(invalid, restriction.Scope, $"decision.restrictions[{i}].scope");
        }
        var whole = new HashSet<string>();
        for (var i = 0; i < decision.Lifts.Count; i++)
        {
            invalid = CheckScope(invalid, decision.Lifts[i].Scope, $"decision.lifts[{i}].scope");
            if (decision.Lifts[i].Scope is null && !whole.Add(decision.Lifts[i].RestrictionId))
                invalid = invalid.Field($"decision.lifts[{i}].restriction_id", "This restriction is lifted as a whole twice.");
        }
        return invalid;
    }

    private static Refusal CheckScope(Refusal invalid, Scope? scope, string path)
    {
        if (scope is null)
            return invalid;
        if (scope.CalculateSize() == 0)
            return invalid.Field(path, "An empty scope covers nothing in particular: leave it out to cover everything.");
        if (scope.TrainingKinds?.TrainingKinds.Contains(TrainingKind.Unspecified) == true)
            invalid = invalid.Field($"{path}.training_kinds", "Name kinds of training.");
        if (scope.ImplementingAgencies?.ImplementingAgencies.Contains(ImplementingAgency.Unspecified) == true)
            invalid = invalid.Field($"{path}.implementing_agencies", "Name departments.");
        if (scope.Places?.Places.Contains(Place.Unspecified) == true)
            invalid = invalid.Field($"{path}.places", "Name places.");
        return invalid;
    }

    private static Refusal? UnknownProgram(Scope? scope, string path, IReadOnlySet<string> known) =>
        scope?.FundingPrograms?.Codes.FirstOrDefault(code => !known.Contains(code)) is { } unknown ? UnknownProgram(unknown, $"{path}.funding_programs") : null;

    private static Refusal UnknownProgram(string code, string path) =>
        Refusal.Of(ErrorReason.FundingProgramUnknown, $"There is no funding program {code}; ListFundingPrograms has them all.")
            .With("funding_program", code).Field(path, "Not a funding program.");

    private static Refusal? CheckLifts(IEnumerable<Lift> lifts, IReadOnlyDictionary<Guid, RestrictionRow> current, DateTime? known, DateOnly? announced)
    {
        foreach (var lift in lifts)
        {
            var day = lift.EffectiveFrom.ToDateOnly();
            var holds = current.TryGetValue(Guid.Parse(lift.RestrictionId), out var restriction) && restriction.EffectiveFrom <= day && !(day >= restriction.EffectiveTo);
            if (!holds)
                return Refusal.Of(ErrorReason.RestrictionNotInForce, restriction is null ? "There is no such restriction." : $"The restriction does not hold on {Iso(day)}.")
                    .With("restriction_id", lift.RestrictionId)
                    .Precondition("RESTRICTION_NOT_IN_FORCE", lift.RestrictionId, "Lift a restriction on a day on which it holds.");
            if (announced < restriction!.AnnouncedOn)
                return Invalid().Field("decision.announced_on", "A lift can't be announced before the restriction that it lifts.");
            if (known < restriction.KnownFrom)
                return Refusal.Of(ErrorReason.KnownTimeNotAllowed, "A lift can't have been known before the restriction that it lifts.").With("restriction_id", lift.RestrictionId);
        }
        return null;
    }

    private static Refusal? CheckKnownTime(DateTime stated, IEnumerable<string> countries, IReadOnlyDictionary<string, CountryRow> facts) =>
        countries.FirstOrDefault(code => stated >= facts[code].SystemOfRecordSince) is { } late
            ? Refusal.Of(ErrorReason.KnownTimeNotAllowed, $"For {late} the record keeps its own time since {facts[late].SystemOfRecordSince:u}: only earlier history can be imported.")
                .With("country", late)
            : null;

    private static Refusal? CheckWaiting(DecisionRow decision) => decision.State == "PROPOSED"
        ? null
        : Refusal.Of(ErrorReason.DecisionNotProposed, $"The decision is {decision.State}, not waiting for approval.").With("state", decision.State);

    private static Refusal? CheckEtag(DecisionRow decision, string etag) => etag == decision.Etag
        ? null
        : Refusal.Of(CommonReason.EtagMismatch, "The decision is not the one that was read: read it again, decide again.");

    private static ImmutableArray<CountryChange> Changes(Decision content, ApprovalFacts facts)
    {
        var restrictions = content.Restrictions.ToLookup(restriction => restriction.Country);
        var lifts = content.Lifts.ToLookup(lift => facts.Current[Guid.Parse(lift.RestrictionId)].Country);
        return [.. facts.Countries.Values.OrderBy(country => country.Code, StringComparer.Ordinal)
            .Select(country => new CountryChange(country.Code, country.Revision, [.. restrictions[country.Code]], [.. lifts[country.Code]]))];
    }

    // A day that is told with the announcement needs no event of its own.
    private static IEnumerable<CountryDayRow> DaysToCome(Guid decision, Decision content, ApprovalFacts facts, DateOnly announced)
    {
        var told = announced > facts.Today ? announced : facts.Today;
        if (announced > facts.Today)
        {
            foreach (var country in facts.Countries.Keys)
                yield return new CountryDayRow { Country = country, Day = announced, DecisionId = decision, Change = CountryDayRow.Announced };
        }
        var days = content.Restrictions.Select(restriction => (restriction.Country, Day: restriction.EffectiveFrom))
            .Concat(content.Restrictions.Where(restriction => restriction.EffectiveTo is not null).Select(restriction => (restriction.Country, Day: restriction.EffectiveTo)))
            .Concat(content.Lifts.Select(lift => (facts.Current[Guid.Parse(lift.RestrictionId)].Country, Day: lift.EffectiveFrom)));
        foreach (var (country, date) in days)
        {
            if (date.ToDateOnly() > told)
                yield return new CountryDayRow { Country = country, Day = date.ToDateOnly(), DecisionId = decision, Change = CountryDayRow.Changed };
        }
    }

    private static Refusal Invalid() => Refusal.Of(CommonReason.InvalidFields, "The request has fields that are missing or malformed.");

    private static string Iso(DateOnly day) => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
