using Google.Protobuf.WellKnownTypes;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Axis = Imet.CountryEligibility.V1.ExplainEligibilityRequest.Types.Axis;
using Bearing = Imet.CountryEligibility.V1.Finding.Types.Bearing;

namespace Imet.CountryEligibility;

/// <summary>One question through time: it is judged at every moment at which the answer can change, and moments that change nothing are left out.</summary>
public static class Explanation
{
    public const int MostPeriods = 500;

    /// <summary>The view is the one to keep: its day along the axis of knowledge, its knowledge along the axis of days.</summary>
    public static (IReadOnlyList<EligibilityPeriod> Periods, DateOnly? Next) Explain(Question question, CountryRecord country, Viewpoint view, Axis axis, DateOnly from, DateOnly to)
    {
        List<EligibilityPeriod> periods = [];
        Dictionary<string, Finding> before = [];
        foreach (var (at, date) in Moments(country, axis, from, to))
        {
            var seen = axis switch
            {
                Axis.Known => view with { KnownAt = at, AnnouncedBy = view.AnnouncedBy is null ? null : date },
                Axis.History => view with { On = date, KnownAt = Washington.Midnight(date.AddDays(1)).UtcDateTime.AddTicks(-1), AnnouncedBy = view.AnnouncedBy is null ? null : date },
                _ => view with { On = date },
            };
            var verdict = Evaluation.Evaluate(question, country, seen);
            var now = verdict.Findings.ToDictionary(finding => finding.RestrictionId);
            var causes = Changes(before, now).ToList();
            if (periods.Count > 0 && causes.Count == 0)
                continue;
            if (periods.Count == MostPeriods)
                return (periods, date);
            periods.Add(new EligibilityPeriod
            {
                FromDate = date.ToProto(),
                FromTime = axis == Axis.Known ? Timestamp.FromDateTime(at) : null,
                Outcome = verdict.Outcome,
                Summary = verdict.Summary,
                Causes = { causes },
            });
            before = now;
        }
        return (periods, null);
    }

    private static IEnumerable<FindingChange> Changes(Dictionary<string, Finding> before, Dictionary<string, Finding> now)
    {
        foreach (var (id, finding) in now)
        {
            var was = before.GetValueOrDefault(id);
            if (Bears(was) || Bears(finding) ? was?.Bearing != finding.Bearing || !Same(was, finding) : false)
                yield return new FindingChange { BearingBefore = was?.Bearing ?? Bearing.Unspecified, Finding = finding };
        }
        foreach (var (id, was) in before.Where(pair => Bears(pair.Value) && !now.ContainsKey(pair.Key)))
        {
            var gone = was.Clone();
            gone.Bearing = Bearing.Unspecified;
            yield return new FindingChange { BearingBefore = was.Bearing, Finding = gone };
        }
    }

    private static bool Same(Finding was, Finding now) => was.Effect == now.Effect && was.LegalBasis == now.LegalBasis && was.Dimension == now.Dimension;

    private static bool Bears(Finding? finding) => finding is { Bearing: not (Bearing.OutOfScope or Bearing.NotInForce or Bearing.Unspecified) };

    private static IEnumerable<(DateTime At, DateOnly Date)> Moments(CountryRecord country, Axis axis, DateOnly from, DateOnly to)
    {
        var versions = country.Restrictions.SelectMany(history => history.All).ToList();
        var reliefs = versions.SelectMany(version => version.Reliefs).Distinct().SelectMany(history => history.All).ToList();
        var all = versions.Concat<RecordVersion>(reliefs).Concat(reliefs.SelectMany(relief => relief.Met).SelectMany(history => history.All)).ToList();
        if (axis == Axis.Known)
        {
            var first = Washington.Midnight(from).UtcDateTime;
            var end = Washington.Midnight(to).UtcDateTime;
            return all.SelectMany(version => new[] { version.KnownFrom, Washington.Midnight(version.AnnouncedOn).UtcDateTime }).Append(first)
                .Where(at => at >= first && at < end).Distinct().Order().Select(at => (at, Washington.DateOf(at)));
        }
        var days = all.SelectMany(version => new DateOnly?[] { version.EffectiveFrom, version.EffectiveTo })
            .Concat(versions.SelectMany(version => new DateOnly?[] { version.NewFrom, version.BegunBefore, version.WindUpLast.AddDays(1) }));
        if (axis == Axis.History)
            days = days.Concat(all.SelectMany(version => new DateOnly?[] { version.AnnouncedOn, Washington.DateOf(version.KnownFrom) }));
        return days.OfType<DateOnly>().Append(from).Where(day => day >= from && day < to).Distinct().Order().Select(day => (default(DateTime), day));
    }
}
