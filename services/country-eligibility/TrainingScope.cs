using System.Collections.Frozen;
using System.Collections.Immutable;
using Imet.CountryEligibility.V1;

namespace Imet.CountryEligibility;

public enum Coverage
{
    NotCovered,
    Covered,
    Unknown,
}

/// <summary>Whether a scope covers a question, and the dimension that says so or the ones that can't be judged.</summary>
public readonly record struct ScopeMatch(Coverage Coverage, string Dimension);

/// <summary>What a restriction or a relief covers, ready to be asked: only the dimensions that are set are kept, and all of them must cover.</summary>
public sealed class TrainingScope
{
    public static readonly TrainingScope Everything = new([]);

    private readonly ImmutableArray<Dimension> _dimensions;

    private TrainingScope(ImmutableArray<Dimension> dimensions) => _dimensions = dimensions;

    public static TrainingScope Of(Scope? scope)
    {
        if (scope is null)
            return Everything;
        var dimensions = ImmutableArray.CreateBuilder<Dimension>();
        if (scope.FundingPrograms is { } programs)
            dimensions.Add(Of("funding_program", programs.Mode, programs.Codes, question => question.FundingProgram, ""));
        if (scope.TrainingKinds is { } kinds)
            dimensions.Add(Of("training_kind", kinds.Mode, kinds.TrainingKinds, question => question.TrainingKind, CourseCatalog.V1.TrainingKind.Unspecified));
        if (scope.EImet != SetMode.Unspecified)
            dimensions.Add(Of("e_imet", scope.EImet, [true], question => question.HasEImet ? question.EImet : null, (bool?)null));
        if (scope.Purposes is { } purposes)
            dimensions.Add(Of("purpose", purposes.Mode, purposes.Codes, question => question.Purpose, ""));
        if (scope.ImplementingAgencies is { } agencies)
            dimensions.Add(Of("implementing_agency", agencies.Mode, agencies.ImplementingAgencies, question => question.ImplementingAgency,
                CourseCatalog.V1.ImplementingAgency.Unspecified));
        if (scope.Schools is { } schools)
            dimensions.Add(Of("school", schools.Mode, schools.Codes, question => question.School, ""));
        if (scope.Courses is { } courses)
            dimensions.Add(Of("masl_number", courses.Mode, courses.Codes, question => question.MaslNumber, ""));
        if (scope.Platforms is { } platforms)
            dimensions.Add(Of("platform", platforms.Mode, platforms.Codes, question => question.Platform, ""));
        if (scope.NomineeKinds is { } nominees)
            dimensions.Add(Of("nominee_kind", nominees.Mode, nominees.NomineeKinds, question => question.NomineeKind, NomineeKind.Unspecified));
        if (scope.Places is { } places)
            dimensions.Add(Of("place", places.Mode, places.Places, question => question.Place, CourseCatalog.V1.Place.Unspecified));
        if (scope.FiscalYears is { } years)
            dimensions.Add(Of("fiscal_year", years.Mode, years.FiscalYears, question => question.FiscalYear, 0));
        return dimensions.Count == 0 ? Everything : new TrainingScope(dimensions.ToImmutable());
    }

    /// <summary>A dimension that leaves the question out decides even where another lacks its fact: no fact could bring the question back in.</summary>
    public ScopeMatch Match(Question question)
    {
        var missing = "";
        foreach (var dimension in _dimensions)
        {
            switch (dimension.Covers(question))
            {
                case Coverage.NotCovered:
                    return new ScopeMatch(Coverage.NotCovered, dimension.Name);
                case Coverage.Unknown:
                    missing = missing.Length == 0 ? dimension.Name : $"{missing}, {dimension.Name}";
                    break;
                case Coverage.Covered:
                    break;
            }
        }
        return new ScopeMatch(missing.Length == 0 ? Coverage.Covered : Coverage.Unknown, missing);
    }

    private static Dimension Of<T>(string name, SetMode mode, IEnumerable<T> values, Func<Question, T> fact, T unknown)
    {
        var set = values.ToFrozenSet();
        var inside = mode == SetMode.Except ? Coverage.NotCovered : Coverage.Covered;
        var outside = mode == SetMode.Except ? Coverage.Covered : Coverage.NotCovered;
        return new Dimension(name, question =>
        {
            var value = fact(question);
            return EqualityComparer<T>.Default.Equals(value, unknown) ? Coverage.Unknown : set.Contains(value) ? inside : outside;
        });
    }

    private sealed record Dimension(string Name, Func<Question, Coverage> Covers);
}
