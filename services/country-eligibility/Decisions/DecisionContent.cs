using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using ErrorReason = Imet.CountryEligibility.V1.ErrorReason;

namespace Imet.CountryEligibility;

/// <summary>What a decision must hold, before the record is asked: fields that fit together, and codes that exist. All that is wrong in one way is told at once.</summary>
public static class DecisionContent
{
    /// <summary>How many things it makes or changes.</summary>
    public static int Parts(Decision decision) => decision.Restrictions.Count + decision.Lifts.Count + decision.Waivers.Count + decision.SpecialAuthorities.Count + decision.Fulfilments.Count
        + decision.ConditionsMet.Count + decision.Voids.Count + decision.Corrections.Count;

    public static Refusal? Check(Decision decision, KnownCodes codes, IReadOnlyDictionary<string, CountryRow> countries)
    {
        var fields = new Violations();
        if (Parts(decision) == 0)
            fields.Add("decision", "Must make or change at least one thing.");
        foreach (var (restriction, path) in Restrictions(decision))
            CheckRestriction(fields, restriction, path);
        foreach (var (_, from, to, path) in Reliefs(decision))
            CheckPeriod(fields, from, to, path);
        CheckLifts(fields, decision);
        for (var i = 0; i < decision.Corrections.Count; i++)
        {
            if (decision.Corrections[i].CorrectedCase == Correction.CorrectedOneofCase.None)
                fields.Add($"decision.corrections[{i}]", "Must say what is right: a restriction, a waiver or a special authority.");
        }
        foreach (var (scope, path) in Scopes(decision))
            CheckScope(fields, scope, path);
        foreach (var (waiver, path) in Waivers(decision))
            CheckTerm(fields, waiver, decision.AnnouncedOn, codes, path);
        return fields.Refusal ?? CheckCodes(decision, codes, countries);
    }

    // What may be waived a fiscal year at a time lapses with it; what Congress is told of before begins no earlier than the days it was promised.
    private static void CheckTerm(Violations fields, Waiver waiver, Google.Type.Date? announced, KnownCodes codes, string path)
    {
        if (!codes.LegalBases.TryGetValue(waiver.LegalBasis, out var basis))
            return;
        var from = waiver.EffectiveFrom.ToDateOnly();
        var yearEnds = new DateOnly(Washington.FiscalYear(from), 10, 1);
        if (basis.WaiverTerm == "FISCAL_YEAR" && !(waiver.EffectiveTo?.ToDateOnly() <= yearEnds))
            fields.Add($"{path}.effective_to", $"A waiver of {basis.Code} holds for a fiscal year: end it on {yearEnds:yyyy-MM-dd} or before.");
        if (announced?.ToDateOnly().AddDays(basis.WaiverNoticeDays) > from)
            fields.Add($"{path}.effective_from", $"A waiver of {basis.Code} is announced {basis.WaiverNoticeDays} days before its first one.");
    }

    private static void CheckRestriction(Violations fields, Restriction restriction, string path)
    {
        CheckPeriod(fields, restriction.EffectiveFrom, restriction.EffectiveTo, path);
        var conditional = restriction.Effect is Effect.ConditionBlocking or Effect.ConditionCarried;
        if (conditional != restriction.Condition is not null)
            fields.Add($"{path}.condition", conditional ? "Must say what is required." : "Goes with CONDITION_BLOCKING and CONDITION_CARRIED only.");
        if (restriction.Condition is { Duties.Count: > 0 } condition && (restriction.Effect != Effect.ConditionCarried || condition.Duties.Contains(Duty.Unspecified)))
            fields.Add($"{path}.condition.duties", "Name duties, and with CONDITION_CARRIED only.");
        if (restriction.Effect == Effect.Ceiling != restriction.Ceiling is not null)
            fields.Add($"{path}.ceiling", restriction.Ceiling is null ? "Must say how much." : "Goes with CEILING only.");
        if (restriction.Ceiling is { } ceiling && !IsLimit(ceiling))
            fields.Add($"{path}.ceiling.limit", "Must be an amount with its currency, not negative, or a share of 1 to 99 percent.");
        if (restriction is { Effect: Effect.Stop, WindUp: not (WindUp.None or WindUp.Unspecified) })
            fields.Add($"{path}.wind_up", "A STOP ends what has begun: leave it out, or say NONE.");
    }

    private static bool IsLimit(Ceiling ceiling) => ceiling.LimitCase switch
    {
        Ceiling.LimitOneofCase.Amount => ceiling.Amount is { CurrencyCode.Length: 3, Units: >= 0, Nanos: >= 0 and < 1_000_000_000 },
        Ceiling.LimitOneofCase.SharePercent => ceiling.SharePercent is >= 1 and <= 99,
        _ => false,
    };

    private static void CheckPeriod(Violations fields, Google.Type.Date from, Google.Type.Date? to, string path)
    {
        if (to is not null && to.ToDateOnly() <= from.ToDateOnly())
            fields.Add($"{path}.effective_to", "Must be after effective_from: it is the first day on which it no longer holds.");
    }

    private static void CheckLifts(Violations fields, Decision decision)
    {
        var whole = new HashSet<string>();
        for (var i = 0; i < decision.Lifts.Count; i++)
        {
            if (DecisionRules.IsWhole(decision.Lifts[i]) && !whole.Add(decision.Lifts[i].RestrictionId))
                fields.Add($"decision.lifts[{i}].restriction_id", "This restriction is lifted as a whole twice.");
            if (decision.Lifts[i].Conditions.DistinctBy(condition => condition.ImplementingAgency).Count() < decision.Lifts[i].Conditions.Count)
                fields.Add($"decision.lifts[{i}].conditions", "Name each department once.");
        }
    }

    private static void CheckScope(Violations fields, Scope scope, string path)
    {
        if (scope.CalculateSize() == 0)
            fields.Add(path, "An empty scope covers nothing in particular: leave it out to cover everything.");
        if (scope.TrainingKinds?.TrainingKinds.Contains(TrainingKind.Unspecified) == true)
            fields.Add($"{path}.training_kinds", "Name kinds of training.");
        if (scope.ImplementingAgencies?.ImplementingAgencies.Contains(ImplementingAgency.Unspecified) == true)
            fields.Add($"{path}.implementing_agencies", "Name departments.");
        if (scope.Places?.Places.Contains(Place.Unspecified) == true)
            fields.Add($"{path}.places", "Name places.");
        if (scope.NomineeKinds?.NomineeKinds.Contains(NomineeKind.Unspecified) == true)
            fields.Add($"{path}.nominee_kinds", "Name kinds of people.");
    }

    // A code that does not exist would cover nothing, or everything: it is refused by name.
    private static Refusal? CheckCodes(Decision decision, KnownCodes codes, IReadOnlyDictionary<string, CountryRow> countries)
    {
        Refusal? country = null, basis = null, program = null, waiver = null;
        foreach (var (code, path) in Countries(decision))
        {
            if (!countries.ContainsKey(code))
                country = (country ?? EligibilityDecisions.UnknownCountry(code)).Field($"{path}.country", "Not an ISO 3166-1 alpha-3 code (XKX for Kosovo).");
        }
        foreach (var (code, path, waives) in LegalBases(decision))
        {
            if (!codes.LegalBases.TryGetValue(code, out var known))
                basis = (basis ?? Refusal.Of(ErrorReason.LegalBasisUnknown, $"There is no legal basis {code}; ListLegalBases has them all.").With("legal_basis", code)).Field(path, "Not a legal basis.");
            else if (waives && known.Waiver.Length == 0)
                waiver = (waiver ?? Refusal.Of(ErrorReason.WaiverNotPossible, $"Nothing may waive {code}: {known.Citation}.").With("legal_basis", code)).Field(path, "Not to be waived.");
        }
        foreach (var (scope, path) in Scopes(decision))
        {
            if (scope.FundingPrograms?.Codes.FirstOrDefault(code => !codes.FundingPrograms.Contains(code)) is { } unknown)
                program = (program ?? EligibilityDecisions.UnknownProgram(unknown)).Field($"{path}.funding_programs", "Not a funding program.");
        }
        return country ?? basis ?? program ?? waiver;
    }

    private static IEnumerable<(Restriction Restriction, string Path)> Restrictions(Decision decision) =>
        decision.Restrictions.Index().Select(one => (one.Item, $"decision.restrictions[{one.Index}]"))
            .Concat(decision.Corrections.Index().Where(one => one.Item.Restriction is not null).Select(one => (one.Item.Restriction, $"decision.corrections[{one.Index}].restriction")));

    private static IEnumerable<(Waiver Waiver, string Path)> Waivers(Decision decision) =>
        decision.Waivers.Index().Select(one => (one.Item, $"decision.waivers[{one.Index}]"))
            .Concat(decision.Corrections.Index().Where(one => one.Item.Waiver is not null).Select(one => (one.Item.Waiver, $"decision.corrections[{one.Index}].waiver")));

    private static IEnumerable<(SpecialAuthority Authority, string Path)> Authorities(Decision decision) =>
        decision.SpecialAuthorities.Index().Select(one => (one.Item, $"decision.special_authorities[{one.Index}]"))
            .Concat(decision.Corrections.Index().Where(one => one.Item.SpecialAuthority is not null).Select(one => (one.Item.SpecialAuthority, $"decision.corrections[{one.Index}].special_authority")));

    private static IEnumerable<(Scope? Scope, Google.Type.Date From, Google.Type.Date? To, string Path)> Reliefs(Decision decision) =>
        Waivers(decision).Select(one => (one.Waiver.Scope, one.Waiver.EffectiveFrom, one.Waiver.EffectiveTo, one.Path))
            .Concat(Authorities(decision).Select(one => (one.Authority.Scope, one.Authority.EffectiveFrom, one.Authority.EffectiveTo, one.Path)))!;

    private static IEnumerable<(string Code, string Path)> Countries(Decision decision) =>
        Restrictions(decision).Select(one => (one.Restriction.Country, one.Path))
            .Concat(Waivers(decision).Select(one => (one.Waiver.Country, one.Path)))
            .Concat(Authorities(decision).Select(one => (one.Authority.Country, one.Path)));

    private static IEnumerable<(string Code, string Path, bool Waives)> LegalBases(Decision decision) =>
        Restrictions(decision).Select(one => (one.Restriction.LegalBasis, $"{one.Path}.legal_basis", false))
            .Concat(Waivers(decision).Select(one => (one.Waiver.LegalBasis, $"{one.Path}.legal_basis", true)))
            .Concat(Authorities(decision).SelectMany(one => one.Authority.LegalBases.Index().Select(basis => (basis.Item, $"{one.Path}.legal_bases[{basis.Index}]", false))));

    private static IEnumerable<(Scope Scope, string Path)> Scopes(Decision decision) =>
        Restrictions(decision).Select(one => ((Scope?)one.Restriction.Scope, one.Path))
            .Concat(Reliefs(decision).Select(one => (one.Scope, one.Path)))
            .Concat(decision.Lifts.Index().Select(one => ((Scope?)one.Item.Scope, $"decision.lifts[{one.Index}]")))
            .Concat(decision.Fulfilments.Index().Select(one => ((Scope?)one.Item.Scope, $"decision.fulfilments[{one.Index}]")))
            .Where(one => one.Item1 is not null).Select(one => (one.Item1!, $"{one.Item2}.scope"));

    private sealed class Violations
    {
        public Refusal? Refusal { get; private set; }

        public void Add(string path, string remedy) => Refusal = (Refusal ?? DecisionRules.Invalid()).Field(path, remedy);
    }
}
