using System.Collections.Concurrent;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Bearing = Imet.CountryEligibility.V1.Finding.Types.Bearing;
using Date = Google.Type.Date;

namespace Imet.CountryEligibility;

/// <summary>
/// What can be said of one version of a restriction. Nearly all of it is the same for every question, so it is made once, when it is first said, and shared by all answers: nobody changes a finding. Two
/// threads that say something first at the same time make it twice, which does no harm.
/// </summary>
public sealed class PreparedFindings(RestrictionVersion restriction)
{
    private readonly string _id = restriction.Id.ToString();
    private readonly string _decision = restriction.MadeBy.ToString();
    private readonly Date _from = restriction.EffectiveFrom.ToProto();
    private readonly Date? _to = restriction.EffectiveTo?.ToProto();
    private readonly Date? _windUpUntil = restriction.Winds ? restriction.WindUpLast.ToProto() : null;
    private ConcurrentDictionary<string, Finding>? _outOfScope;
    private string? _summary;

    public Finding Applies => field ??= New(Bearing.Applies, "", Says());

    public Finding WindingUp => field ??= New(Bearing.WindingUp, "stage", "The track had begun before it held, and what has begun may finish (FAA 617).");

    public Finding NotInForce => field ??= New(Bearing.NotInForce, "", restriction.EffectiveTo is { } to
        ? $"It holds from {Evaluation.Iso(restriction.EffectiveFrom)} until before {Evaluation.Iso(to)}."
        : $"It holds from {Evaluation.Iso(restriction.EffectiveFrom)}.");

    /// <summary>After its last day.</summary>
    public Finding Over => field ??= restriction.Change switch
    {
        Change.Lifted => New(Bearing.Lifted, "", $"Lifted from {Evaluation.Iso(restriction.EffectiveTo!.Value)}."),
        Change.Lapsed => New(Bearing.NotInForce, "", $"Made in an emergency and not confirmed: it ended on {Evaluation.Iso(restriction.EffectiveTo!.Value)}."),
        _ => NotInForce,
    };

    public Finding OutOfScope(string dimension) => (_outOfScope ??= new ConcurrentDictionary<string, Finding>())
        .GetOrAdd(dimension, missed => New(Bearing.OutOfScope, missed, $"It does not cover this {Evaluation.Words(missed)}."));

    public Finding FactMissing(string dimensions, IEnumerable<Relief> reliefs)
    {
        var finding = New(Bearing.FactMissing, dimensions, $"Whether it stands against this can't be said without: {dimensions}.");
        finding.Reliefs.Add(reliefs);
        return finding;
    }

    public Finding Relieved(Relief.Types.Kind by, IEnumerable<Relief> reliefs)
    {
        var finding = by switch
        {
            Relief.Types.Kind.Waiver => New(Bearing.Waived, "", "Its legal basis is waived for this training."),
            Relief.Types.Kind.SpecialAuthority => New(Bearing.Overridden, "", "Its legal basis is overridden for this training (FAA 614)."),
            Relief.Types.Kind.Fulfilment => New(Bearing.Fulfilled, "", "What it waited for was done."),
            _ => New(Bearing.Lifted, "", "Lifted for this training."),
        };
        finding.Reliefs.Add(reliefs);
        return finding;
    }

    public Finding AppliesInSpiteOf(IEnumerable<Relief> reliefs)
    {
        var finding = Applies.Clone();
        finding.Reliefs.Add(reliefs);
        return finding;
    }

    /// <summary>The answer in one sentence where this is the strongest that applies.</summary>
    public string Summary(string country) => _summary ??= $"{Summarizes(country)}: {restriction.BasisName} ({restriction.Citation}), from {Evaluation.Iso(restriction.EffectiveFrom)}.";

    private string Summarizes(string country) => restriction.Effect switch
    {
        Effect.Stop => $"For {country} this training is stopped",
        Effect.Suspend => $"{country} is not eligible for this training",
        Effect.ConditionBlocking => $"{country} is not eligible for this training until this is done: {restriction.Condition!.Requirement}",
        Effect.Hold => $"For {country} this training waits and keeps its seat",
        Effect.PauseTraining => $"For {country} this training may be planned but is paused",
        Effect.ConditionCarried => $"{country} is eligible on a condition: {restriction.Condition!.Requirement}",
        Effect.Ceiling => $"{country} is eligible up to a ceiling",
        Effect.Unspecified => throw new InvalidOperationException("The record refuses a restriction without an effect."),
    };

    private string Says()
    {
        var from = Evaluation.Iso(restriction.EffectiveFrom);
        return restriction.Effect switch
        {
            Effect.Stop => $"From {Evaluation.Iso(restriction.NewFrom)} nothing new begins, and on {from} whatever it covers ends.",
            Effect.Suspend => $"From {from} nothing new begins; what has not begun is cancelled without charge.",
            Effect.ConditionBlocking => $"From {from} it waits for this: {restriction.Condition!.Requirement}",
            Effect.Hold => $"From {from} what has not begun waits and keeps its seat.",
            Effect.PauseTraining => $"From {from} it may be planned but not started, and training under way pauses.",
            Effect.ConditionCarried => $"From {from} it is allowed on a condition: {restriction.Condition!.Requirement}",
            Effect.Ceiling => $"From {from} it is allowed up to {Limit(restriction.Ceiling!)} of fiscal year {restriction.Ceiling!.FiscalYear}.",
            Effect.Unspecified => throw new InvalidOperationException("The record refuses a restriction without an effect."),
        };
    }

    private static string Limit(Ceiling ceiling) => ceiling.LimitCase == Ceiling.LimitOneofCase.SharePercent
        ? $"{ceiling.SharePercent} percent of the money"
        : $"{ceiling.Amount.CurrencyCode} {ceiling.Amount.Units:N0} of the money";

    private Finding New(Bearing bearing, string dimension, string explanation) => new()
    {
        RestrictionId = _id,
        DecisionId = _decision,
        LegalBasis = restriction.LegalBasis,
        Citation = restriction.Citation,
        Effect = restriction.Effect,
        Bearing = bearing,
        Dimension = dimension,
        EffectiveFrom = _from,
        EffectiveTo = _to,
        Explanation = explanation,
        Condition = restriction.Condition,
        Ceiling = restriction.Ceiling,
        WindUpUntil = _windUpUntil,
    };
}
