using CsCheck;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Xunit;
using Axis = Imet.CountryEligibility.V1.ExplainEligibilityRequest.Types.Axis;

namespace Imet.CountryEligibility.Tests;

/// <summary>
/// Random histories against an oracle that knows no cleverness. A history is a list of acts in the order in which they entered the record; each is enacted by the rules of the house into the rows of the
/// tables. The oracle keeps no rows and no versions: it replays the acts that the viewer knows, one after the other, and then asks everything about every restriction on both days. A missing fact it
/// judges by trying every value.
/// </summary>
public sealed class EvaluationModelTests
{
    private const int Histories = 100_000;
    private static readonly DateOnly Origin = new(2018, 1, 1);
    private static readonly string[] Programs = ["IMET", "FMF"];
    private static readonly string[] Bases = ["COUP_7008", "CSPA_404", "TVPA_110"];
    private static readonly ImplementingAgency[] Agencies = [ImplementingAgency.Navy, ImplementingAgency.Army];
    private static readonly Effect[] Effects = [Effect.Stop, Effect.Suspend, Effect.ConditionBlocking, Effect.Hold, Effect.PauseTraining, Effect.ConditionCarried, Effect.Ceiling];

    private sealed record Facts(string? Program, ImplementingAgency? Agency, bool? EImet, int? FiscalYear, Place? Place, Stage Stage, int Begun, int? Act, int? Start)
    {
        public bool IsWhole => Program is not null && Agency is not null && EImet is not null && FiscalYear is not null && Place is not null;
    }

    private sealed record Spec(bool Except, string? Program, ImplementingAgency? Agency, bool EImet, int? FiscalYear)
    {
        public Scope? ToScope()
        {
            if (Program is null && Agency is null && !EImet && FiscalYear is null)
                return null;
            var mode = Except ? SetMode.Except : SetMode.Only;
            var scope = new Scope();
            if (Program is not null)
                scope.FundingPrograms = new CodeSet { Mode = mode, Codes = { Program } };
            if (Agency is { } agency)
                scope.ImplementingAgencies = new ImplementingAgencySet { Mode = mode, ImplementingAgencies = { agency } };
            if (EImet)
                scope.EImet = mode;
            if (FiscalYear is { } year)
                scope.FiscalYears = new FiscalYearSet { Mode = mode, FiscalYears = { year } };
            return scope;
        }
    }

    /// <summary>One decision. Target picks among what earlier acts made, and is taken modulo how many there are.</summary>
    private sealed record Act(Kind Kind, int Target, Effect Effect, string Basis, Spec Scope, WindUp WindUp, int From, int? Length, int AnnouncedAfter, int KnownAfter, ImplementingAgency Agency);

    private enum Kind
    {
        Restrict,
        Lift,
        LiftPart,
        LiftOnConditions,
        Meet,
        Waive,
        Override,
        Fulfil,
        Correct,
        Void,
    }

    private sealed record Case(Act[] Acts, Facts Facts, int On, int KnownAt, bool Unannounced);

    private static readonly Gen<int> Days = Gen.Int[0, 400];

    private static readonly Gen<Spec> Specs =
        from except in Gen.Bool
        from program in Choose<string?>(null, null, "IMET")
        from agency in Choose<ImplementingAgency?>(null, null, ImplementingAgency.Navy)
        from e in Choose(false, false, true)
        from year in Choose<int?>(null, null, null, 2018)
        select new Spec(except, program, agency, e, year);

    private static readonly Gen<Act> Acts =
        from kind in Gen.Frequency((4, Gen.Const(Kind.Restrict)), (6, Gen.Int[1, 9].Select(number => (Kind)number)))
        from target in Gen.Int[0, 3]
        from effect in Choose(Effects)
        from basis in Choose(Bases)
        from scope in Specs
        from windUp in Choose(WindUp.FinishBegun, WindUp.FinishBegunAnywhere, WindUp.None)
        from begin in Days
        from length in Gen.Int[1, 200].Nullable()
        from announced in Gen.Int[0, 60]
        from known in Gen.Int[1, 60]
        from agency in Choose(Agencies)
        select new Act(kind, target, effect, basis, scope, windUp, begin, length, announced, known, agency);

    private static readonly Gen<Case> Cases =
        from acts in Acts.Array[0, 7]
        from program in Choose<string?>("IMET", "FMF", null)
        from agency in Choose<ImplementingAgency?>(ImplementingAgency.Navy, ImplementingAgency.Army, null)
        from e in Choose<bool?>(true, false, null)
        from year in Choose<int?>(2018, 2019, null)
        from place in Choose<Place?>(Place.UnitedStates, Place.InCountry, null)
        from stage in Choose(Stage.New, Stage.Continuing, Stage.InTraining)
        from begun in Days
        from act in Days.Nullable()
        from start in Gen.Int[0, 700].Nullable()
        from day in Days
        from knownAt in Gen.Int[0, 300]
        from unannounced in Gen.Bool
        select new Case(acts, new Facts(program, agency, e, year, place, stage, begun, act, start), day, knownAt, unannounced);

    [Fact]
    public void Over_random_histories_the_answer_is_the_oracles() => Cases.Sample(one =>
    {
        var full = one with { Facts = Whole(one.Facts) };
        return Ask(full, full.On).Outcome == Oracle(full, full.On);
    }, iter: Histories, print: Print);

    [Fact]
    public void Whatever_a_missing_fact_turns_out_to_be_the_answer_holds_or_was_DEPENDS() => Cases.Sample(one =>
    {
        var outcome = Ask(one, one.On).Outcome;
        return outcome == V1.Outcome.Depends
            ? !one.Facts.IsWhole
            : Worlds(one).All(world => Oracle(world, one.On) == outcome);
    }, iter: 20_000, print: Print);

    [Fact]
    public void Between_two_dates_of_change_the_answer_stays() => Cases.Sample(one =>
    {
        one = one with { Facts = one.Facts with { Act = null } };
        var (_, record) = Enact(one.Acts);
        var first = Ask(one, one.On, record);
        var changes = first.NextChangeDates.Select(day => day.ToDateOnly()).ToHashSet();
        var last = first.Outcome;
        for (var day = one.On + 1; day < 900; day++)
        {
            var outcome = Ask(one, day, record).Outcome;
            if (outcome != last && !changes.Contains(Origin.AddDays(day)))
                return false;
            last = outcome;
        }
        return true;
    }, iter: 1_000, print: Print);

    [Fact]
    public void Told_through_time_the_answer_is_that_of_each_day() => Cases.Sample(one =>
    {
        one = one with { Facts = one.Facts with { Act = null } };
        var (_, record) = Enact(one.Acts);
        foreach (var axis in new[] { Axis.Day, Axis.Known, Axis.History })
        {
            var (periods, next) = Explanation.Explain(ToQuestion(one), record, View(one, one.On, one.KnownAt), axis, Origin, Origin.AddDays(600));
            if (next is not null || periods[0].FromDate.ToDateOnly() != Origin)
                return false;
            for (var day = 0; day < 600; day++)
            {
                var (on, known) = axis switch { Axis.Day => (day, one.KnownAt), Axis.Known => (one.On, day), _ => (day, day) };
                // Knowledge comes at noon: a day's answer is the one by its end, as a period of knowledge that begins on that day says too.
                var said = periods.Last(period => axis == Axis.Known ? period.FromTime.ToDateTime() <= Washington.Midnight(Origin.AddDays(day + 1)).UtcDateTime.AddTicks(-1)
                    : period.FromDate.ToDateOnly() <= Origin.AddDays(day));
                if (said.Outcome != Ask(one with { KnownAt = known }, on, record).Outcome)
                    return false;
            }
        }
        return true;
    }, iter: 300, print: Print);

    [Fact]
    public void Every_restriction_that_the_viewer_knows_has_one_finding_and_the_strongest_come_first() => Cases.Sample(one =>
    {
        var verdict = Ask(one, one.On);
        var known = Replay(one).Bans.Count;
        var applying = verdict.Findings.TakeWhile(finding => finding.Bearing == Finding.Types.Bearing.Applies).Select(finding => Precedence.Of(finding.Effect)).ToList();
        return verdict.Findings.Count == known && verdict.Findings.Select(finding => finding.RestrictionId).Distinct().Count() == known
            && applying.SequenceEqual(applying.OrderDescending()) && verdict.Findings.Skip(applying.Count).All(finding => finding.Bearing != Finding.Types.Bearing.Applies)
            && verdict.Findings.All(finding => finding.Explanation.Length > 0);
    }, iter: 20_000, print: Print);

    private static Facts Whole(Facts facts) => facts with
    {
        Program = facts.Program ?? "IMET",
        Agency = facts.Agency ?? ImplementingAgency.Navy,
        EImet = facts.EImet ?? false,
        FiscalYear = facts.FiscalYear ?? 2018,
        Place = facts.Place ?? Place.UnitedStates,
    };

    private static IEnumerable<Case> Worlds(Case one) =>
        from program in one.Facts.Program is { } p ? [p] : Programs
        from agency in one.Facts.Agency is { } a ? [a] : Agencies
        from e in one.Facts.EImet is { } i ? [i] : new[] { true, false }
        from year in one.Facts.FiscalYear is { } y ? [y] : new[] { 2018, 2019 }
        from place in one.Facts.Place is { } l ? [l] : new[] { Place.UnitedStates, Place.InCountry }
        select one with { Facts = one.Facts with { Program = program, Agency = agency, EImet = e, FiscalYear = year, Place = place } };

    private static Verdict Ask(Case one, int on) => Ask(one, on, Enact(one.Acts).Record);

    private static Verdict Ask(Case one, int on, CountryRecord record) => Evaluation.Evaluate(ToQuestion(one), record, View(one, on, one.KnownAt));

    private static Viewpoint View(Case one, int on, int knownAt) => new(Origin.AddDays(on), Noon(knownAt), one.Unannounced ? null : Origin.AddDays(knownAt));

    private static Question ToQuestion(Case one)
    {
        var question = new Question
        {
            Country = "XXA",
            FundingProgram = one.Facts.Program ?? "",
            ImplementingAgency = one.Facts.Agency ?? ImplementingAgency.Unspecified,
            FiscalYear = one.Facts.FiscalYear ?? 0,
            Place = one.Facts.Place ?? Place.Unspecified,
            Stage = one.Facts.Stage,
            TrackBegunOn = Origin.AddDays(one.Facts.Begun).ToProto(),
            ActionDate = one.Facts.Act is { } act ? Origin.AddDays(act).ToProto() : null,
            StartDate = one.Facts.Start is { } start ? Origin.AddDays(start).ToProto() : null,
        };
        if (one.Facts.EImet is { } e)
            question.EImet = e;
        return question;
    }

    // ---- The acts by the rules of the house ----

    /// <summary>A decision that the record accepted.</summary>
    private sealed record Entered(Guid Id, Decision Decision, DateOnly Announced, DateTime Known);

    private static (List<Entered> Entered, CountryRecord Record) Enact(Act[] acts)
    {
        List<RestrictionRow> restrictions = [];
        List<ReliefRow> reliefs = [];
        List<DecisionRow> decisions = [];
        List<Entered> entered = [];
        var number = 0;
        var clock = 0;
        Guid NewId() => new(++number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
        foreach (var act in acts)
        {
            clock += act.KnownAfter;
            if (ToDecision(act, [.. Current(restrictions).Where(row => row.Change != Change.Voided)], [.. Current(reliefs)], decisions, NewId) is not { } decision)
                continue;
            var row = new DecisionRow
            {
                Id = NewId(),
                Document = "",
                Reason = "",
                Content = "",
                Proposed = decision,
                AnnouncedOn = Origin.AddDays(clock + act.AnnouncedAfter),
                State = "PROPOSED",
                Version = 1,
                ProposedBy = "anna",
                ProposedAt = default,
            };
            var facts = Facts(decision);
            var outcome = Enacting.Enact(row, facts);
            // What changes something is announced with it at the earliest: left open, the record says when that is.
            if (!outcome.IsAccepted && outcome.Refusal.Fields.Any(field => field.Field == "decision.announced_on"))
                outcome = Enacting.Enact(row with { AnnouncedOn = null }, facts);
            if (!outcome.IsAccepted)
                continue;
            restrictions.AddRange(outcome.Value.Restrictions);
            reliefs.AddRange(outcome.Value.Reliefs);
            foreach (var voided in outcome.Value.Voids)
                decisions[decisions.FindIndex(one => one.Id == voided.DecisionId)] = decisions.Find(one => one.Id == voided.DecisionId)! with { VoidedBy = row.Id };
            decisions.Add(row with { State = "APPROVED", AnnouncedOn = outcome.Value.AnnouncedOn, RecordedAt = Noon(clock) });
            entered.Add(new Entered(row.Id, decision, outcome.Value.AnnouncedOn, Noon(clock)));
        }
        var country = new CountryRow { Code = "XXA", Name = "Ruritania", SystemOfRecordSince = Noon(0), Revision = number, RecordedAt = Noon(clock) };
        return (entered, CountryRecord.Of(country, restrictions, reliefs, "", Given.Bases(restrictions)));

        RecordFacts Facts(Decision decision)
        {
            var voided = decision.Voids.Select(one => Guid.Parse(one.DecisionId)).ToHashSet();
            var bans = restrictions.Where(row => voided.Contains(row.MadeBy)).Select(row => row.Id).ToHashSet();
            var lifts = reliefs.Where(row => voided.Contains(row.MadeBy)).Select(row => row.Id).ToHashSet();
            return new RecordFacts
            {
                Record = new RecordRow { Revision = number, Epoch = Guid.Empty, RecordedAt = Noon(clock) },
                Today = Origin.AddDays(clock),
                NewId = NewId,
                Countries = new Dictionary<string, CountryRow>(),
                Restrictions = Current(restrictions).ToDictionary(row => row.Id),
                Reliefs = Current(reliefs).ToDictionary(row => row.Id),
                ToVoid = decisions.Where(row => voided.Contains(row.Id)).ToDictionary(row => row.Id),
                TouchedRestrictions = Touched(restrictions, decisions, row => voided.Contains(row.ChangedBy)),
                TouchedReliefs = Touched(reliefs, decisions, row => voided.Contains(row.ChangedBy) || bans.Contains(row.RestrictionId ?? Guid.Empty) || lifts.Contains(row.LiftId ?? Guid.Empty)),
            };
        }
    }

    private static Decision? ToDecision(Act act, List<RestrictionRow> bans, List<ReliefRow> reliefs, List<DecisionRow> decisions, Func<Guid> newId)
    {
        var decision = new Decision();
        var ban = bans.Count == 0 ? null : bans[act.Target % bans.Count];
        switch (act.Kind)
        {
            case Kind.Restrict:
                decision.Restrictions.Add(ToRestriction(act, newId()));
                break;
            case Kind.Lift or Kind.LiftPart or Kind.LiftOnConditions when ban is not null:
                var lift = new Lift { RestrictionId = ban.Id.ToString(), EffectiveFrom = Origin.AddDays(act.From).ToProto(), Id = newId().ToString() };
                if (act.Kind != Kind.Lift)
                    lift.Scope = act.Scope.ToScope();
                if (act.Kind == Kind.LiftOnConditions)
                    lift.Conditions.Add(Agencies.Select(agency => new LiftCondition { ImplementingAgency = agency, Requirement = "Monitoring" }));
                decision.Lifts.Add(lift);
                break;
            case Kind.Meet:
                var lifts = reliefs.Where(one => one is { Kind: ReliefRow.Lift, Conditions: not null, Change: not Change.Voided }).ToList();
                if (lifts.Count == 0)
                    return null;
                decision.ConditionsMet.Add(new ConditionMet { LiftId = lifts[act.Target % lifts.Count].Id.ToString(), ImplementingAgency = act.Agency, MetOn = Origin.AddDays(act.From).ToProto(), Id = newId().ToString() });
                break;
            case Kind.Waive:
                decision.Waivers.Add(new Waiver
                {
                    Id = newId().ToString(), Country = "XXA", LegalBasis = act.Basis, Scope = act.Scope.ToScope(), EffectiveFrom = Origin.AddDays(act.From).ToProto(), EffectiveTo = To(act),
                });
                break;
            case Kind.Override:
                decision.SpecialAuthorities.Add(new SpecialAuthority
                {
                    Id = newId().ToString(), Country = "XXA", LegalBases = { Bases[..2] }, Scope = act.Scope.ToScope(), EffectiveFrom = Origin.AddDays(act.From).ToProto(), EffectiveTo = To(act),
                });
                break;
            case Kind.Fulfil when ban is not null:
                decision.Fulfilments.Add(new Fulfilment { Id = newId().ToString(), RestrictionId = ban.Id.ToString(), FulfilledOn = Origin.AddDays(act.From).ToProto(), Document = "CN", Scope = act.Scope.ToScope() });
                break;
            case Kind.Correct when ban is not null:
                decision.Corrections.Add(new Correction { Id = ban.Id.ToString(), Restriction = ToRestriction(act, ban.Id) });
                break;
            case Kind.Void when decisions.Count > 0:
                decision.Voids.Add(new V1.Void { DecisionId = decisions[act.Target % decisions.Count].Id.ToString() });
                break;
            default:
                return null;
        }
        return decision;
    }

    private static Restriction ToRestriction(Act act, Guid id) => new()
    {
        Id = id.ToString(),
        Country = "XXA",
        LegalBasis = act.Basis,
        Effect = act.Effect,
        Scope = act.Scope.ToScope(),
        WindUp = act.Effect == Effect.Stop ? WindUp.None : act.WindUp,
        EffectiveFrom = Origin.AddDays(act.From).ToProto(),
        EffectiveTo = To(act),
        Condition = act.Effect is Effect.ConditionBlocking or Effect.ConditionCarried ? new Condition { Requirement = "Notification" } : null,
        Ceiling = act.Effect == Effect.Ceiling ? new Ceiling { FiscalYear = 2018, SharePercent = 50 } : null,
    };

    private static Google.Type.Date? To(Act act) => act.Length is { } length ? Origin.AddDays(act.From + length).ToProto() : null;

    private static IEnumerable<T> Current<T>(IEnumerable<T> rows) where T : VersionRow => rows.GroupBy(row => row.Id).Select(versions => versions.MaxBy(row => row.Version)!);

    private static ILookup<Guid, T> Touched<T>(List<T> rows, List<DecisionRow> decisions, Func<T, bool> touched) where T : VersionRow =>
        rows.GroupBy(row => row.Id).Where(versions => versions.Any(touched)).SelectMany(versions => versions.OrderBy(row => row.Version))
            .Select(row => row with { Undone = decisions.Exists(decision => decision.Id == row.ChangedBy && decision.VoidedBy is not null) }).ToLookup(row => row.Id);

    // ---- The oracle ----

    private sealed class Ban(Restriction says, Entered by)
    {
        public Restriction Says { get; set; } = says;
        public DateOnly? To { get; set; } = says.EffectiveTo?.ToDateOnly();
        public DateOnly Announced { get; set; } = by.Announced;
        public DateOnly Known { get; set; } = DateOnly.FromDateTime(by.Known);
    }

    /// <summary>What the viewer knows: the decisions are done one after the other, and one that is known to be void was never made.</summary>
    private static (List<Ban> Bans, List<Decision> Decisions) Replay(Case one)
    {
        var seen = Enact(one.Acts).Entered.Where(entered => entered.Known <= Noon(one.KnownAt) && (one.Unannounced || entered.Announced <= Origin.AddDays(one.KnownAt))).ToList();
        var voided = seen.SelectMany(entered => entered.Decision.Voids).Select(one => one.DecisionId).ToHashSet();
        var bans = new Dictionary<string, Ban>();
        List<Decision> done = [];
        foreach (var entered in seen.Where(entered => !voided.Contains(entered.Id.ToString())))
        {
            done.Add(entered.Decision);
            foreach (var restriction in entered.Decision.Restrictions)
                bans[restriction.Id] = new Ban(restriction, entered);
            foreach (var correction in entered.Decision.Corrections)
                bans[correction.Id] = new Ban(correction.Restriction, entered);
            foreach (var lift in entered.Decision.Lifts.Where(lift => lift.Scope is null && lift.Conditions.Count == 0))
                bans[lift.RestrictionId].To = lift.EffectiveFrom.ToDateOnly();
        }
        return ([.. bans.Values], done);
    }

    private static bool Covers(Scope? scope, Facts facts)
    {
        return scope is null
            || ((scope.FundingPrograms is not { } programs || Within(programs.Mode, programs.Codes.Contains(facts.Program)))
                && (scope.ImplementingAgencies is not { } agencies || Within(agencies.Mode, agencies.ImplementingAgencies.Contains(facts.Agency!.Value)))
                && (scope.EImet == SetMode.Unspecified || Within(scope.EImet, facts.EImet!.Value))
                && (scope.FiscalYears is not { } years || Within(years.Mode, years.FiscalYears.Contains(facts.FiscalYear!.Value))));

        static bool Within(SetMode mode, bool listed) => listed == (mode == SetMode.Only);
    }

    private static V1.Outcome Oracle(Case one, int on)
    {
        var facts = one.Facts;
        var act = Origin.AddDays(facts.Act ?? on);
        var start = facts.Start is { } starts ? Origin.AddDays(starts) : act;
        var (bans, decisions) = Replay(one);
        V1.Outcome[] fromBest = [V1.Outcome.Eligible, V1.Outcome.EligibleWithConditions, V1.Outcome.Paused, V1.Outcome.OnHold, V1.Outcome.NotEligible];
        return bans.Where(ban => Covers(ban.Says.Scope, facts) && (Bars(ban, act) || Bars(ban, start)) && !Finishes(facts, ban, start))
            .Select(ban => ban.Says.Effect switch
            {
                Effect.Stop or Effect.Suspend or Effect.ConditionBlocking => V1.Outcome.NotEligible,
                Effect.Hold => V1.Outcome.OnHold,
                Effect.PauseTraining => V1.Outcome.Paused,
                _ => V1.Outcome.EligibleWithConditions,
            })
            .Append(V1.Outcome.Eligible).MaxBy(outcome => Array.IndexOf(fromBest, outcome));

        bool Bars(Ban ban, DateOnly day)
        {
            var from = ban.Says.EffectiveFrom.ToDateOnly();
            var first = ban.Says.Effect == Effect.Stop && facts.Stage == Stage.New && ban.Announced < from ? ban.Announced : from;
            return day >= first && !(day >= ban.To) && !decisions.Any(decision =>
                decision.Lifts.Any(lift => lift.RestrictionId == ban.Says.Id && (lift.Scope is not null || lift.Conditions.Count > 0) && Lifts(lift, day))
                || decision.Waivers.Any(waiver => waiver.LegalBasis == ban.Says.LegalBasis && Holds(waiver.EffectiveFrom, waiver.EffectiveTo, day) && Covers(waiver.Scope, facts))
                || decision.SpecialAuthorities.Any(authority => authority.LegalBases.Contains(ban.Says.LegalBasis) && Holds(authority.EffectiveFrom, authority.EffectiveTo, day) && Covers(authority.Scope, facts))
                || decision.Fulfilments.Any(fulfilment => fulfilment.RestrictionId == ban.Says.Id && ban.Says.Effect == Effect.ConditionBlocking && Holds(fulfilment.FulfilledOn, null, day)
                    && Covers(fulfilment.Scope, facts)));
        }

        bool Lifts(Lift lift, DateOnly day) => Holds(lift.EffectiveFrom, null, day) && Covers(lift.Scope, facts) && (lift.Conditions.Count == 0
            || decisions.SelectMany(decision => decision.ConditionsMet).Any(met => met.LiftId == lift.Id && met.ImplementingAgency == facts.Agency && Holds(met.MetOn, null, day)));

        static bool Holds(Google.Type.Date from, Google.Type.Date? to, DateOnly day) => from.ToDateOnly() <= day && !(day >= to?.ToDateOnly());
    }

    private static bool Finishes(Facts facts, Ban ban, DateOnly start)
    {
        if (ban.Says.WindUp == WindUp.None || facts.Stage == Stage.New || ban.Says.Effect == Effect.PauseTraining)
            return false;
        if (ban.Says.Effect == Effect.Hold && facts.Stage == Stage.InTraining)
            return true;
        var from = ban.Says.EffectiveFrom.ToDateOnly();
        DateOnly[] dates = [from, ban.Announced, ban.Known];
        var came = dates.Max();
        var inTime = start < came || start <= from.AddMonths(8) || (facts.Stage == Stage.InTraining && facts.Start is null);
        return Origin.AddDays(facts.Begun) < came && (facts.Place == Place.UnitedStates || ban.Says.WindUp == WindUp.FinishBegunAnywhere) && inTime;
    }

    private static Gen<T> Choose<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(index => values[index]);

    private static DateTime Noon(int day) => Origin.AddDays(day).ToDateTime(new TimeOnly(17, 0), DateTimeKind.Utc);

    private static string Print(Case one) => $"""
        {string.Join("\n", one.Acts.Select(act => $"{act}"))}
        {one.Facts} on {one.On} known at {one.KnownAt} unannounced {one.Unannounced}
        """;
}
