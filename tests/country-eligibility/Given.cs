using Imet.Chassis;
using Imet.CountryEligibility;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;

namespace Imet.CountryEligibility.Tests;

/// <summary>A country's record by hand, for the pure tests.</summary>
internal sealed class Given(string code, string name)
{
    private readonly List<RestrictionVersion> _versions = [];
    private readonly List<PartialLift> _lifts = [];

    public static DateTime Noon(string day) => Day(day).ToDateTime(new TimeOnly(17, 0), DateTimeKind.Utc);

    public static DateOnly Day(string day) => DateOnly.ParseExact(day, "yyyy-MM-dd");

    public static Scope Programs(SetMode mode, params string[] codes) => new() { FundingPrograms = new CodeSet { Mode = mode, Codes = { codes } } };

    public static Scope Kinds(SetMode mode, params TrainingKind[] kinds) => new() { TrainingKinds = new TrainingKindSet { Mode = mode, TrainingKinds = { kinds } } };

    public Guid Restrict(string from, Effect effect, string basis, Scope? scope = null, string? to = null, string? known = null, string? announced = null, WindUp windUp = WindUp.FinishBegun)
    {
        var decision = Guid.CreateVersion7();
        var announcedOn = Day(announced ?? from);
        var knownFrom = Noon(known ?? announced ?? from);
        _versions.Add(new RestrictionVersion
        {
            Id = Guid.CreateVersion7(),
            Version = 1,
            Country = code,
            LegalBasis = basis,
            BasisName = basis,
            Citation = basis,
            Effect = effect,
            Scope = TrainingScope.Of(scope),
            WindUp = windUp,
            EffectiveFrom = Day(from),
            EffectiveTo = to is null ? null : Day(to),
            MadeBy = decision,
            ChangedBy = decision,
            AnnouncedOn = announcedOn,
            KnownFrom = knownFrom,
            BegunBefore = RestrictionVersion.Latest(Day(from), announcedOn, knownFrom),
        });
        return _versions[^1].Id;
    }

    public void Lift(Guid restriction, string from, Scope? scope = null, string? known = null, string? announced = null)
    {
        var announcedOn = Day(announced ?? from);
        var knownFrom = Noon(known ?? announced ?? from);
        if (scope is not null)
        {
            _lifts.Add(new PartialLift { RestrictionId = restriction, Scope = TrainingScope.Of(scope), EffectiveFrom = Day(from), AnnouncedOn = announcedOn, KnownFrom = knownFrom });
            return;
        }
        var current = _versions.Last(version => version.Id == restriction);
        _versions.Add(current with { Version = current.Version + 1, EffectiveTo = Day(from), ChangedBy = Guid.CreateVersion7(), AnnouncedOn = announcedOn, KnownFrom = knownFrom });
    }

    public CountryRecord Record() => new()
    {
        Code = code,
        Name = name,
        Revision = _versions.Count + _lifts.Count,
        Epoch = Guid.Empty.ToString(),
        RecordedAt = Noon("2024-01-01"),
        Restrictions = [.. _versions.OrderBy(version => version.Id).ThenBy(version => version.Version)],
        Lifts = [.. _lifts],
    };

    public Verdict Ask(string on, Action<Question>? facts = null, string? known = null, bool unannounced = true)
    {
        var question = new Question
        {
            Country = code,
            FundingProgram = "IMET",
            TrainingKind = TrainingKind.Classroom,
            ImplementingAgency = ImplementingAgency.Army,
            Place = Place.UnitedStates,
            Stage = Stage.New,
        };
        facts?.Invoke(question);
        var knownAt = Noon(known ?? "2024-06-01");
        return Evaluation.Evaluate(question, Record(), new Viewpoint(Day(on), knownAt, unannounced ? null : Washington.DateOf(knownAt)));
    }
}
