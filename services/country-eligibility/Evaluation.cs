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
    public static Verdict Evaluate(Question question, CountryRecord country, Viewpoint view)
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
        List<Judged> judged = [];
        SortedSet<DateOnly> changes = [];
        for (var i = 0; i < country.Restrictions.Length; i++)
        {
            var restriction = country.Restrictions[i];
            if (!view.Sees(restriction.AnnouncedOn, restriction.KnownFrom) || ReplacedFor(view, country, i))
                continue;
            var scope = restriction.Scope.Match(question);
            judged.Add(Judge(question, country, view, days, restriction, scope));
            if (scope.Coverage != Coverage.NotCovered)
                AddChanges(changes, question, country, view, restriction);
        }

        judged.Sort(StrongestFirst);
        foreach (var one in judged)
            verdict.Findings.Add(one.ToFinding());
        foreach (var day in changes)
            verdict.NextChangeDates.Add(day.ToProto());
        Conclude(verdict, country, judged);
        return verdict;
    }

    // Versions of one restriction stand side by side, the oldest first; of those that the viewer sees the last counts.
    private static bool ReplacedFor(Viewpoint view, CountryRecord country, int index)
    {
        var id = country.Restrictions[index].Id;
        for (var i = index + 1; i < country.Restrictions.Length && country.Restrictions[i].Id == id; i++)
        {
            if (view.Sees(country.Restrictions[i].AnnouncedOn, country.Restrictions[i].KnownFrom))
                return true;
        }
        return false;
    }

    private static Judged Judge(Question question, CountryRecord country, Viewpoint view, Days days, RestrictionVersion restriction, ScopeMatch scope)
    {
        if (scope.Coverage == Coverage.NotCovered)
            return new Judged(restriction, Bearing.OutOfScope, scope.Dimension, $"It does not cover this {Words(scope.Dimension)}.");

        var action = OnDay(question, country, view, restriction, scope, days.Action);
        var start = days.Start == days.Action ? action : OnDay(question, country, view, restriction, scope, days.Start);
        var worse = Rank(start.Bearing) > Rank(action.Bearing) ? start : action;
        if (worse.Bearing is not (Bearing.Applies or Bearing.FactMissing))
            return worse;

        var windUp = WindsUp(question, days, restriction);
        return windUp.Coverage switch
        {
            Coverage.Covered => new Judged(restriction, Bearing.WindingUp, "stage", "The track had begun before it held, and what has begun may finish (FAA 617)."),
            Coverage.Unknown => Missing(restriction, worse.Bearing == Bearing.FactMissing ? Join(worse.Dimension, windUp.Dimension) : windUp.Dimension),
            Coverage.NotCovered => worse,
        };
    }

    private static Judged OnDay(Question question, CountryRecord country, Viewpoint view, RestrictionVersion restriction, ScopeMatch scope, DateOnly day)
    {
        if (day < restriction.EffectiveFrom || day >= restriction.EffectiveTo)
        {
            return day >= restriction.EffectiveTo && restriction.IsLifted
                ? new Judged(restriction, Bearing.Lifted, "", $"Lifted from {Iso(restriction.EffectiveTo.Value)}.")
                : new Judged(restriction, Bearing.NotInForce, "", restriction.EffectiveTo is { } to
                    ? $"It holds from {Iso(restriction.EffectiveFrom)} until before {Iso(to)}."
                    : $"It holds from {Iso(restriction.EffectiveFrom)}.");
        }

        var missing = scope.Dimension;
        foreach (var lift in country.Lifts)
        {
            if (lift.RestrictionId != restriction.Id || day < lift.EffectiveFrom || !view.Sees(lift.AnnouncedOn, lift.KnownFrom))
                continue;
            var lifted = lift.Scope.Match(question);
            if (lifted.Coverage == Coverage.Covered)
                return new Judged(restriction, Bearing.Lifted, "", $"Lifted for this training from {Iso(lift.EffectiveFrom)}.");
            if (lifted.Coverage == Coverage.Unknown)
                missing = Join(missing, lifted.Dimension);
        }
        return missing.Length > 0 ? Missing(restriction, missing) : new Judged(restriction, Bearing.Applies, "", Says(restriction));
    }

    // FAA 617 protects the track, not the line. Money may finish what has begun outside the student's own country, and start its later lines within 8 months.
    // A HOLD is milder than a termination and never stops what a SUSPEND would let finish; a line in training it leaves alone wherever it is held.
    private static ScopeMatch WindsUp(Question question, Days days, RestrictionVersion restriction)
    {
        var stays = new ScopeMatch(Coverage.NotCovered, "");
        if (restriction.WindUp == WindUp.None || restriction.Effect == Effect.PauseTraining || question.Stage is Stage.New or Stage.Unspecified)
            return stays;
        if (restriction.Effect == Effect.Hold && question.Stage == Stage.InTraining)
            return new ScopeMatch(Coverage.Covered, "");
        if (days.TrackBegun is not { } begun)
            return new ScopeMatch(Coverage.Unknown, "track_begun_on");
        if (begun >= restriction.BegunBefore || question.Place == Place.InCountry)
            return stays;
        var startsInTime = question.Stage == Stage.InTraining && question.StartDate is null
            || days.Start < restriction.BegunBefore
            || days.Start <= restriction.WindUpLast;
        if (!startsInTime)
            return stays;
        return question.Place == Place.Unspecified ? new ScopeMatch(Coverage.Unknown, "place") : new ScopeMatch(Coverage.Covered, "");
    }

    private static void AddChanges(SortedSet<DateOnly> changes, Question question, CountryRecord country, Viewpoint view, RestrictionVersion restriction)
    {
        AddLater(restriction.EffectiveFrom);
        if (restriction.EffectiveTo is { } to)
            AddLater(to);
        if (question.Stage is Stage.Continuing or Stage.InTraining && restriction.WindUp == WindUp.FinishBegun)
            AddLater(restriction.WindUpLast < restriction.BegunBefore ? restriction.BegunBefore : restriction.WindUpLast.AddDays(1));
        foreach (var lift in country.Lifts)
        {
            if (lift.RestrictionId == restriction.Id && view.Sees(lift.AnnouncedOn, lift.KnownFrom) && lift.Scope.Match(question).Coverage != Coverage.NotCovered)
                AddLater(lift.EffectiveFrom);
        }

        void AddLater(DateOnly day)
        {
            if (day > view.On)
                changes.Add(day);
        }
    }

    // A missing fact leaves the answer open only where what it would bring is stronger than what is certain.
    private static void Conclude(Verdict verdict, CountryRecord country, List<Judged> judged)
    {
        Judged? applies = null, missing = null;
        foreach (var one in judged)
        {
            if (one.Bearing == Bearing.Applies)
                applies ??= one;
            if (one.Bearing == Bearing.FactMissing)
                missing ??= one;
        }

        if (missing is not null && !(applies?.Restriction.Effect >= missing.Restriction.Effect))
        {
            verdict.Outcome = V1.Outcome.Depends;
            verdict.Summary = $"For {country.Name} it can't be said without: {missing.Dimension}.";
        }
        else if (applies is not null)
        {
            var because = $"{applies.Restriction.BasisName} ({applies.Restriction.Citation}), from {Iso(applies.Restriction.EffectiveFrom)}";
            (verdict.Outcome, verdict.Summary) = applies.Restriction.Effect switch
            {
                Effect.Suspend => (V1.Outcome.NotEligible, $"{country.Name} is not eligible for this training: {because}."),
                Effect.Hold => (V1.Outcome.OnHold, $"For {country.Name} this training waits and keeps its seat: {because}."),
                Effect.PauseTraining => (V1.Outcome.Paused, $"For {country.Name} this training may be planned but is paused: {because}."),
                _ => throw new InvalidOperationException("The record refuses a restriction without an effect."),
            };
        }
    }

    private static int StrongestFirst(Judged a, Judged b)
    {
        var order = Rank(b.Bearing).CompareTo(Rank(a.Bearing));
        if (order == 0)
            order = b.Restriction.Effect.CompareTo(a.Restriction.Effect);
        if (order == 0)
            order = a.Restriction.EffectiveFrom.CompareTo(b.Restriction.EffectiveFrom);
        return order == 0 ? a.Restriction.Id.CompareTo(b.Restriction.Id) : order;
    }

    private static int Rank(Bearing bearing) => bearing switch
    {
        Bearing.Applies => 5,
        Bearing.FactMissing => 4,
        Bearing.WindingUp => 3,
        Bearing.Lifted => 2,
        Bearing.NotInForce => 1,
        Bearing.Waived or Bearing.Overridden or Bearing.Fulfilled => 2,
        Bearing.OutOfScope or Bearing.Unspecified => 0,
    };

    private static Judged Missing(RestrictionVersion restriction, string dimensions) =>
        new(restriction, Bearing.FactMissing, dimensions, $"Whether it stands against this can't be said without: {dimensions}.");

    private static string Says(RestrictionVersion restriction) => restriction.Effect switch
    {
        Effect.Suspend => $"From {Iso(restriction.EffectiveFrom)} nothing new begins; what has not begun is cancelled without charge.",
        Effect.Hold => $"From {Iso(restriction.EffectiveFrom)} what has not begun waits and keeps its seat.",
        Effect.PauseTraining => $"From {Iso(restriction.EffectiveFrom)} it may be planned but not started, and training under way pauses.",
        _ => "",
    };

    private static string Join(string some, string more) => some.Length == 0 ? more : $"{some}, {more}";

    private static string Words(string dimension) => dimension == "masl_number" ? "course" : dimension.Replace('_', ' ');

    private static string Iso(DateOnly day) => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private readonly record struct Days(DateOnly Action, DateOnly Start, DateOnly? TrackBegun)
    {
        public static Days Of(Question question, DateOnly on)
        {
            var action = question.ActionDate?.ToDateOnly() ?? on;
            return new Days(action, question.StartDate?.ToDateOnly() ?? action, question.TrackBegunOn?.ToDateOnly());
        }
    }

    private sealed record Judged(RestrictionVersion Restriction, Bearing Bearing, string Dimension, string Explanation)
    {
        public Finding ToFinding() => new()
        {
            RestrictionId = Restriction.Id.ToString(),
            DecisionId = Restriction.MadeBy.ToString(),
            LegalBasis = Restriction.LegalBasis,
            Citation = Restriction.Citation,
            Effect = Restriction.Effect,
            Bearing = Bearing,
            Dimension = Dimension,
            EffectiveFrom = Restriction.EffectiveFrom.ToProto(),
            EffectiveTo = Restriction.EffectiveTo?.ToProto(),
            Explanation = Explanation,
        };
    }
}
