using Google.Protobuf;
using Imet.Chassis;
using Imet.CountryEligibility;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;

namespace Imet.CountryEligibility.Tests;

/// <summary>A country's record by hand, for the pure tests: the rows as the tables hold them.</summary>
internal sealed class Given(string code, string name)
{
    private readonly List<RestrictionRow> _restrictions = [];
    private readonly List<ReliefRow> _reliefs = [];

    public static DateTime Noon(string day) => Day(day).ToDateTime(new TimeOnly(17, 0), DateTimeKind.Utc);

    public static DateOnly Day(string day) => DateOnly.ParseExact(day, "yyyy-MM-dd");

    public static Scope Programs(SetMode mode, params string[] codes) => new() { FundingPrograms = new CodeSet { Mode = mode, Codes = { codes } } };

    public static Scope Kinds(SetMode mode, params TrainingKind[] kinds) => new() { TrainingKinds = new TrainingKindSet { Mode = mode, TrainingKinds = { kinds } } };

    public Guid Restrict(string from, Effect effect, string basis, Scope? scope = null, string? to = null, string? known = null, string? announced = null, WindUp windUp = WindUp.FinishBegun,
        string? requirement = null, Ceiling? ceiling = null)
    {
        var decision = Guid.CreateVersion7();
        _restrictions.Add(new RestrictionRow
        {
            Id = Guid.CreateVersion7(),
            Version = 1,
            Country = code,
            LegalBasis = basis,
            Effect = effect.ToText(),
            Scope = Json(scope),
            WindUp = (effect == Effect.Stop ? WindUp.None : windUp).ToText(),
            Condition = requirement is null ? null : JsonFormatter.Default.Format(new Condition { Requirement = requirement }),
            Ceiling = ceiling is null ? null : JsonFormatter.Default.Format(ceiling),
            EffectiveFrom = Day(from),
            EffectiveTo = to is null ? null : Day(to),
            Change = Change.Made,
            Origin = 1,
            MadeBy = decision,
            ChangedBy = decision,
            AnnouncedOn = Day(announced ?? from),
            KnownFrom = Noon(known ?? announced ?? from),
        });
        return _restrictions[^1].Id;
    }

    public Guid Lift(Guid restriction, string from, Scope? scope = null, string? known = null, string? announced = null, params LiftCondition[] conditions)
    {
        if (scope is null && conditions.Length == 0)
        {
            Version(restriction, Change.Lifted, announced ?? from, known ?? announced ?? from, row => row with { EffectiveTo = Day(from) });
            return restriction;
        }
        return Relieve(ReliefRow.Lift, from, null, known, announced, row => row with
        {
            RestrictionId = restriction,
            Scope = Json(scope),
            Conditions = conditions.Length == 0 ? null : JsonFormatter.Default.Format(new Lift { Conditions = { conditions } }),
        });
    }

    public void Meet(Guid lift, ImplementingAgency agency, string on, string? known = null) => Relieve(ReliefRow.ConditionMet, on, null, known, null, row => row with
    {
        LiftId = lift,
        RestrictionId = _reliefs.First(one => one.Id == lift).RestrictionId,
        ImplementingAgency = EligibilityEvents.ToText(agency),
    });

    public Guid Waive(string basis, string from, string? to = null, Scope? scope = null, string? known = null, string? announced = null) =>
        Relieve(ReliefRow.Waiver, from, to, known, announced, row => row with { LegalBases = [basis], Scope = Json(scope) });

    public Guid Override(string[] bases, string from, string? to = null, Scope? scope = null) =>
        Relieve(ReliefRow.SpecialAuthority, from, to, null, null, row => row with { LegalBases = bases, Scope = Json(scope) });

    public Guid Fulfil(Guid restriction, string on, Scope? scope = null) =>
        Relieve(ReliefRow.Fulfilment, on, null, null, null, row => row with { RestrictionId = restriction, Document = "CN 21-101", Scope = Json(scope) });

    public void Void(Guid restriction, string known) => Version(restriction, Change.Voided, known, known, row => row);

    public void Correct(Guid restriction, string known, Func<RestrictionRow, RestrictionRow> change) =>
        Version(restriction, Change.Corrected, known, known, row => change(row) with { Origin = row.Version });

    public IReadOnlyList<DayChange> Days(string day) => DayChanges.On(Day(day), _restrictions, _reliefs);

    public CountryRecord Record() => CountryRecord.Of(new CountryRow
    {
        Code = code,
        Name = name,
        SystemOfRecordSince = Noon("2024-01-01"),
        Revision = _restrictions.Count + _reliefs.Count,
        RecordedAt = Noon("2024-01-01"),
    }, _restrictions, _reliefs, Guid.Empty.ToString(), Bases(_restrictions));

    public Verdict Ask(string on, Action<Question>? facts = null, string? known = null, bool unannounced = true)
    {
        var knownAt = Noon(known ?? "2024-06-01");
        return Evaluation.Evaluate(QuestionWith(facts), Record(), new Viewpoint(Day(on), knownAt, unannounced ? null : Washington.DateOf(knownAt)));
    }

    public Question QuestionWith(Action<Question>? facts = null)
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
        return question;
    }

    public static Dictionary<string, LegalBasisRow> Bases(IEnumerable<RestrictionRow> rows) => rows.Select(row => row.LegalBasis).Distinct().ToDictionary(basis => basis, basis => new LegalBasisRow
    {
        Code = basis,
        Name = basis,
        Citation = basis,
        SetOffBy = "",
        Waiver = "",
        Authority = "",
        DefaultWindUp = "FINISH_BEGUN",
    });

    public static string Json(Scope? scope) => JsonFormatter.Default.Format(scope ?? new Scope());

    private void Version(Guid id, string change, string announced, string known, Func<RestrictionRow, RestrictionRow> with)
    {
        var current = _restrictions.Last(row => row.Id == id);
        _restrictions.Add(with(current with { Version = current.Version + 1, Change = change, ChangedBy = Guid.CreateVersion7(), AnnouncedOn = Day(announced), KnownFrom = Noon(known) }));
    }

    private Guid Relieve(string kind, string from, string? to, string? known, string? announced, Func<ReliefRow, ReliefRow> with)
    {
        var decision = Guid.CreateVersion7();
        _reliefs.Add(with(new ReliefRow
        {
            Id = Guid.CreateVersion7(),
            Version = 1,
            Kind = kind,
            Country = code,
            Scope = "{}",
            EffectiveFrom = Day(from),
            EffectiveTo = to is null ? null : Day(to),
            Change = Change.Made,
            MadeBy = decision,
            ChangedBy = decision,
            AnnouncedOn = Day(announced ?? from),
            KnownFrom = Noon(known ?? announced ?? from),
        }));
        return _reliefs[^1].Id;
    }
}
