using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Bearing = Imet.CountryEligibility.V1.Finding.Types.Bearing;

namespace Imet.CountryEligibility;

/// <summary>The one place that judges a question. Values in, verdict out: the same question to the same record from the same viewpoint is answered the same for ever.</summary>
public static class Evaluation
{
    private const int StrongestRank = 5;

    public static Verdict Evaluate(Question question, CountryRecord country, Viewpoint view, FindingsView show = FindingsView.All)
    {
        var verdict = new Verdict
        {
            Outcome = V1.Outcome.Eligible,
            Summary = country.Clear,
            Revision = country.Revision,
            Epoch = country.Epoch,
            KnownTime = Timestamp.FromDateTime(view.KnownAt),
            On = view.On.ToProto(),
        };
        if (country.Restrictions.IsEmpty)
            return verdict;

        var days = Days.Of(question, view.On);
        var judged = new List<Judged>(country.Restrictions.Length);
        List<DateOnly>? changes = null;
        var inOrder = true;
        foreach (var history in country.Restrictions)
        {
            if (history.AsSeen(view) is not { } restriction)
                continue;
            inOrder &= restriction == history.Last;
            judged.Add(Judge(question, view, days, restriction));
            AddChanges(ref changes, question, view, restriction);
        }
        // The record keeps restrictions in the order of what they say last; who looks from an earlier time may see another.
        if (!inOrder)
            judged.Sort((a, b) => RestrictionVersion.StrongestFirst.Compare(a.Restriction, b.Restriction));

        verdict.Findings.Capacity = judged.Count;
        var weakest = show == FindingsView.Bearing ? Rank(Bearing.Lifted) : 0;
        for (var rank = StrongestRank; rank >= weakest; rank--)
        {
            foreach (var one in judged)
            {
                if (Rank(one.Finding.Bearing) == rank)
                    verdict.Findings.Add(one.Finding);
            }
        }
        if (changes is not null)
        {
            changes.Sort();
            for (var i = 0; i < changes.Count; i++)
            {
                if (i == 0 || changes[i] != changes[i - 1])
                    verdict.NextChangeDates.Add(changes[i].ToProto());
            }
        }
        Conclude(verdict, country, judged);
        return verdict;
    }

    private static Judged Judge(Question question, in Viewpoint view, in Days days, RestrictionVersion restriction)
    {
        // Most of a long record lies in the past: the dates are looked at before the scope.
        var action = When(question, restriction, days.Action);
        var start = days.Start == days.Action ? action : When(question, restriction, days.Start);
        if (action is not null && start is not null)
            return new Judged(restriction, Rank(start.Bearing) > Rank(action.Bearing) ? start : action);

        var scope = restriction.Scope.Match(question);
        if (scope.Coverage == Coverage.NotCovered)
            return new Judged(restriction, restriction.Prepared.OutOfScope(scope.Dimension));

        action ??= OnDay(question, view, restriction, scope, days.Action);
        start = days.Start == days.Action ? action : start ?? OnDay(question, view, restriction, scope, days.Start);
        var worse = Rank(start.Bearing) > Rank(action.Bearing) ? start : action;
        if (worse.Bearing is not (Bearing.Applies or Bearing.FactMissing))
            return new Judged(restriction, worse);

        var windUp = WindsUp(question, days, restriction);
        return new Judged(restriction, windUp.Coverage switch
        {
            Coverage.Covered => restriction.Prepared.WindingUp,
            Coverage.Unknown => restriction.Prepared.FactMissing(worse.Bearing == Bearing.FactMissing ? Join(worse.Dimension, windUp.Dimension) : windUp.Dimension, worse.Reliefs),
            Coverage.NotCovered => worse,
        });
    }

    // Why it does not hold on the day; null where it does.
    private static Finding? When(Question question, RestrictionVersion restriction, DateOnly day)
    {
        if (day >= restriction.EffectiveTo)
            return restriction.Prepared.Over;
        return day < (question.Stage is Stage.New or Stage.Unspecified ? restriction.NewFrom : restriction.EffectiveFrom) ? restriction.Prepared.NotInForce : null;
    }

    private static Finding OnDay(Question question, in Viewpoint view, RestrictionVersion restriction, ScopeMatch scope, DateOnly day)
    {
        if (restriction.Reliefs.IsEmpty)
            return scope.Dimension.Length == 0 ? restriction.Prepared.Applies : restriction.Prepared.FactMissing(scope.Dimension, []);

        var missing = scope.Dimension;
        List<Relief> reliefs = [];
        var relievedBy = Relief.Types.Kind.Unspecified;
        foreach (var history in restriction.Reliefs)
        {
            if (history.AsSeen(view) is not { } relief || !relief.Concerns(restriction))
                continue;
            var bears = Relieves(question, view, relief, day);
            reliefs.Add(new Relief { Kind = relief.Kind, Id = relief.Text, DecisionId = relief.Decision, Applies = bears.Coverage == Coverage.Covered, Explanation = bears.Why });
            if (bears.Coverage == Coverage.Covered && relievedBy == Relief.Types.Kind.Unspecified)
                relievedBy = relief.Kind;
            if (bears.Coverage == Coverage.Unknown)
                missing = Join(missing, bears.Dimension);
        }
        if (relievedBy != Relief.Types.Kind.Unspecified)
            return restriction.Prepared.Relieved(relievedBy, reliefs);
        if (missing.Length > 0)
            return restriction.Prepared.FactMissing(missing, reliefs);
        return reliefs.Count == 0 ? restriction.Prepared.Applies : restriction.Prepared.AppliesInSpiteOf(reliefs);
    }

    private static (Coverage Coverage, string Dimension, string Why) Relieves(Question question, in Viewpoint view, ReliefVersion relief, DateOnly day)
    {
        if (day < relief.EffectiveFrom)
            return (Coverage.NotCovered, "", $"It begins on {Iso(relief.EffectiveFrom)}.");
        if (day >= relief.EffectiveTo)
            return (Coverage.NotCovered, "", $"It ended on {Iso(relief.EffectiveTo.Value)}.");
        var scope = relief.Scope.Match(question);
        if (scope.Coverage == Coverage.NotCovered)
            return (Coverage.NotCovered, scope.Dimension, $"It does not cover this {Words(scope.Dimension)}.");
        if (!relief.Conditions.IsEmpty && question.ImplementingAgency == ImplementingAgency.Unspecified)
            scope = new ScopeMatch(Coverage.Unknown, Join(scope.Dimension, "implementing_agency"));
        else if (!relief.Conditions.IsEmpty && Unmet(question.ImplementingAgency, view, relief, day) is { } unmet)
            return (Coverage.NotCovered, "implementing_agency", unmet);
        return scope.Coverage == Coverage.Unknown
            ? (Coverage.Unknown, scope.Dimension, $"Whether it covers this can't be said without: {scope.Dimension}.")
            : (Coverage.Covered, "", $"It covers this from {Iso(relief.EffectiveFrom)}{(relief.EffectiveTo is { } to ? $" until before {Iso(to)}" : "")}.");
    }

    private static string? Unmet(ImplementingAgency agency, in Viewpoint view, ReliefVersion lift, DateOnly day)
    {
        foreach (var history in lift.Met)
        {
            if (history.AsSeen(view) is { } met && met.Agency == agency)
                return day >= met.EffectiveFrom ? null : $"The department has met its condition from {Iso(met.EffectiveFrom)}.";
        }
        return lift.Conditions.FirstOrDefault(condition => condition.ImplementingAgency == agency) is { } open
            ? $"The department has not met its condition: {open.Requirement}"
            : "It is for other departments.";
    }

    // FAA 617 protects the track, not the line. Money may finish what has begun outside the student's own country, and start its later lines within 8 months.
    // A HOLD is milder than a termination and never stops what a SUSPEND would let finish; a line in training it leaves alone wherever it is held.
    private static ScopeMatch WindsUp(Question question, in Days days, RestrictionVersion restriction)
    {
        var stays = new ScopeMatch(Coverage.NotCovered, "");
        if (!restriction.Winds || question.Stage is Stage.New or Stage.Unspecified)
            return stays;
        if (restriction.Effect == Effect.Hold && question.Stage == Stage.InTraining)
            return new ScopeMatch(Coverage.Covered, "");
        if (days.TrackBegun is not { } begun)
            return new ScopeMatch(Coverage.Unknown, "track_begun_on");
        var anywhere = restriction.WindUp == WindUp.FinishBegunAnywhere;
        if (begun >= restriction.BegunBefore || (question.Place == Place.InCountry && !anywhere))
            return stays;
        var startsInTime = question.Stage == Stage.InTraining && question.StartDate is null
            || days.Start < restriction.BegunBefore
            || days.Start <= restriction.WindUpLast;
        if (!startsInTime)
            return stays;
        return question.Place == Place.Unspecified && !anywhere ? new ScopeMatch(Coverage.Unknown, "place") : new ScopeMatch(Coverage.Covered, "");
    }

    private static void AddChanges(ref List<DateOnly>? changes, Question question, in Viewpoint view, RestrictionVersion restriction)
    {
        var on = view.On;
        var before = changes?.Count ?? 0;
        AddLater(ref changes, question.Stage is Stage.New or Stage.Unspecified ? restriction.NewFrom : restriction.EffectiveFrom);
        AddLater(ref changes, restriction.EffectiveTo);
        if (question.Stage is Stage.Continuing or Stage.InTraining && restriction.Winds)
            AddLater(ref changes, restriction.WindUpLast < restriction.BegunBefore ? restriction.BegunBefore : restriction.WindUpLast.AddDays(1));
        if (restriction.EffectiveTo is null || restriction.EffectiveTo > on)
        {
            foreach (var history in restriction.Reliefs)
            {
                if (history.AsSeen(view) is not { } relief || !relief.Concerns(restriction) || (relief.EffectiveFrom <= on && !(relief.EffectiveTo > on) && relief.Met.IsEmpty)
                    || relief.Scope.Match(question).Coverage == Coverage.NotCovered)
                    continue;
                AddLater(ref changes, relief.EffectiveFrom);
                AddLater(ref changes, relief.EffectiveTo);
                foreach (var met in relief.Met)
                    AddLater(ref changes, met.AsSeen(view)?.EffectiveFrom);
            }
        }
        if (changes?.Count > before && restriction.Scope.Match(question).Coverage == Coverage.NotCovered)
            changes.RemoveRange(before, changes.Count - before);

        void AddLater(ref List<DateOnly>? days, DateOnly? day)
        {
            if (day > on)
                (days ??= []).Add(day.Value);
        }
    }

    // A missing fact leaves the answer open only where what it would bring is worse than what is certain.
    private static void Conclude(Verdict verdict, CountryRecord country, List<Judged> judged)
    {
        RestrictionVersion? applies = null;
        Judged? missing = null;
        foreach (var one in judged)
        {
            if (one.Finding.Bearing == Bearing.Applies)
            {
                applies ??= one.Restriction;
                if (one.Restriction.Condition is { } condition)
                    verdict.Conditions.Add(condition);
                if (one.Restriction.Ceiling is { } ceiling)
                    verdict.Ceilings.Add(ceiling);
            }
            if (one.Finding.Bearing == Bearing.FactMissing)
                missing ??= one;
        }

        var certain = applies is null ? V1.Outcome.Eligible : Precedence.Outcome(applies.Effect);
        if (missing is { } open && Badness(Precedence.Outcome(open.Restriction.Effect)) > Badness(certain))
        {
            verdict.Outcome = V1.Outcome.Depends;
            verdict.Summary = $"For {country.Name} it can't be said without: {open.Finding.Dimension}.";
        }
        else if (applies is not null)
        {
            verdict.Outcome = certain;
            verdict.Summary = applies.Prepared.Summary(country.Name);
        }
    }

    private static int Badness(Outcome outcome) => outcome switch
    {
        V1.Outcome.NotEligible => 4,
        V1.Outcome.OnHold => 3,
        V1.Outcome.Paused => 2,
        V1.Outcome.EligibleWithConditions => 1,
        _ => 0,
    };

    private static int Rank(Bearing bearing) => bearing switch
    {
        Bearing.Applies => StrongestRank,
        Bearing.FactMissing => 4,
        Bearing.WindingUp => 3,
        Bearing.Lifted or Bearing.Waived or Bearing.Overridden or Bearing.Fulfilled => 2,
        Bearing.NotInForce => 1,
        Bearing.OutOfScope or Bearing.Unspecified => 0,
    };

    private static string Join(string some, string more) => some.Length == 0 ? more : some.Split(", ").Contains(more) ? some : $"{some}, {more}";

    internal static string Words(string dimension) => dimension switch
    {
        "masl_number" => "course",
        "e_imet" => "share of Expanded IMET",
        _ => dimension.Replace('_', ' '),
    };

    internal static string Iso(DateOnly day) => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private readonly record struct Days(DateOnly Action, DateOnly Start, DateOnly? TrackBegun)
    {
        public static Days Of(Question question, DateOnly on)
        {
            var action = question.ActionDate?.ToDateOnly() ?? on;
            return new Days(action, question.StartDate?.ToDateOnly() ?? action, question.TrackBegunOn?.ToDateOnly());
        }
    }

    private readonly record struct Judged(RestrictionVersion Restriction, Finding Finding);
}
