using System.Collections.Immutable;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;

namespace Imet.CountryEligibility;

/// <summary>All that the record holds about one country, at one revision of it, made ready to be asked.</summary>
public sealed record CountryRecord
{
    public required string Code { get; init; }
    public required string Name { get; init; }
    public DateOnly? ValidFrom { get; init; }
    public DateOnly? ValidTo { get; init; }
    public required long Revision { get; init; }
    public required string Epoch { get; init; }
    public required DateTime RecordedAt { get; init; }

    /// <summary>By the strength of what each says last, so that findings come in order without being sorted.</summary>
    public ImmutableArray<History<RestrictionVersion>> Restrictions { get; init; } = [];

    public string Clear => field ??= $"Nothing in the record stands against this training for {Name}.";

    public bool IsValidOn(DateOnly day) => !(day < ValidFrom) && !(day >= ValidTo);

    /// <summary>Rows in any order; those of one thing are told apart by their version.</summary>
    public static CountryRecord Of(CountryRow country, IEnumerable<RestrictionRow> restrictions, IEnumerable<ReliefRow> reliefs, string epoch, IReadOnlyDictionary<string, LegalBasisRow> bases)
    {
        var histories = reliefs.GroupBy(row => row.Id).Select(versions => versions.OrderBy(row => row.Version).ToList()).ToList();
        var met = histories.Where(versions => versions[0].Kind == ReliefRow.ConditionMet)
            .ToLookup(versions => versions[0].LiftId!.Value, versions => new History<ReliefVersion>([.. versions.Select(row => ReliefVersion.Of(row, []))]));
        var acting = histories.Where(versions => versions[0].Kind != ReliefRow.ConditionMet)
            .Select(versions => new History<ReliefVersion>([.. versions.Select(row => ReliefVersion.Of(row, [.. met[row.Id]]))])).ToList();
        return new CountryRecord
        {
            Code = country.Code,
            Name = country.Name,
            ValidFrom = country.ValidFrom,
            ValidTo = country.ValidTo,
            Revision = country.Revision,
            Epoch = epoch,
            RecordedAt = country.RecordedAt,
            Restrictions =
            [
                .. restrictions.GroupBy(row => row.Id).Select(versions => versions.OrderBy(row => row.Version).ToList())
                    .Select(versions => new History<RestrictionVersion>([.. versions.Select(row => RestrictionVersion.Of(row, versions[row.Origin - 1], bases[row.LegalBasis], Concerning(row)))]))
                    .OrderBy(history => history.Last, RestrictionVersion.StrongestFirst),
            ],
        };

        ImmutableArray<History<ReliefVersion>> Concerning(RestrictionRow row) => [.. acting.Where(relief => relief.Any(version => version.Concerns(row)))];
    }
}

/// <summary>The versions of one thing, the oldest first.</summary>
public sealed class History<T>(ImmutableArray<T> versions) where T : RecordVersion
{
    public T Last => versions[^1];

    public bool Any(Func<T, bool> test) => versions.Any(test);

    public IEnumerable<T> All => versions;

    /// <summary>Of the versions that the viewer sees the last counts; null where none is seen, or where the last says that there never was anything.</summary>
    public T? AsSeen(in Viewpoint view)
    {
        for (var i = versions.Length - 1; i >= 0; i--)
        {
            if (view.Sees(versions[i].AnnouncedOn, versions[i].KnownFrom))
                return versions[i].IsVoid ? null : versions[i];
        }
        return null;
    }
}

/// <summary>What every version of anything in the record has in common, ready to be asked.</summary>
public abstract class RecordVersion(VersionRow row)
{
    public Guid Id { get; } = row.Id;
    public Guid MadeBy { get; } = row.MadeBy;
    public string Change { get; } = row.Change;
    public bool IsVoid { get; } = row.Change == CountryEligibility.Change.Voided;
    public DateOnly AnnouncedOn { get; } = row.AnnouncedOn;
    public DateTime KnownFrom { get; } = row.KnownFrom;
    public DateOnly EffectiveFrom { get; } = row.EffectiveFrom;
    public DateOnly? EffectiveTo { get; } = row.EffectiveTo;
    public TrainingScope Scope { get; } = TrainingScope.Of(DecisionEvents.ToScope(row.Scope));
}

public sealed class RestrictionVersion : RecordVersion
{
    public const int WindUpMonths = 8;

    public static readonly IComparer<RestrictionVersion> StrongestFirst = Comparer<RestrictionVersion>.Create((a, b) =>
    {
        var order = Precedence.Of(b.Effect).CompareTo(Precedence.Of(a.Effect));
        if (order == 0)
            order = a.EffectiveFrom.CompareTo(b.EffectiveFrom);
        return order == 0 ? a.Id.CompareTo(b.Id) : order;
    });

    private RestrictionVersion(RestrictionRow row, RestrictionRow origin, LegalBasisRow basis, ImmutableArray<History<ReliefVersion>> reliefs) : base(row)
    {
        LegalBasis = row.LegalBasis;
        BasisName = basis.Name;
        Citation = basis.Citation;
        Effect = EligibilityEvents.ToEffect(row.Effect);
        WindUp = EligibilityEvents.ToWindUp(row.WindUp);
        Condition = row.Condition is null ? null : EligibilityEvents.Parser.Parse<Condition>(row.Condition);
        Ceiling = row.Ceiling is null ? null : EligibilityEvents.Parser.Parse<Ceiling>(row.Ceiling);
        Reliefs = reliefs;
        BegunBefore = Latest(row.EffectiveFrom, origin.AnnouncedOn, Washington.DateOf(origin.KnownFrom));
        // Of what is stopped nothing new starts from the announcement on.
        NewFrom = Effect == Effect.Stop && origin.AnnouncedOn < row.EffectiveFrom ? origin.AnnouncedOn : row.EffectiveFrom;
        Prepared = new PreparedFindings(this);
    }

    public string LegalBasis { get; }
    public string BasisName { get; }
    public string Citation { get; }
    public Effect Effect { get; }
    public WindUp WindUp { get; }
    public Condition? Condition { get; }
    public Ceiling? Ceiling { get; }

    /// <summary>All that might do away with it.</summary>
    public ImmutableArray<History<ReliefVersion>> Reliefs { get; }

    /// <summary>Training that began before this day had begun when the restriction came: the latest of effective, announced and known, of the version that set what it covers.</summary>
    public DateOnly BegunBefore { get; }

    /// <summary>First day on which it holds for what has not begun.</summary>
    public DateOnly NewFrom { get; }

    /// <summary>Whether it lets finish what has begun (FAA 617).</summary>
    public bool Winds => WindUp != WindUp.None && Effect is not (Effect.PauseTraining or Effect.Stop);

    /// <summary>Last day on which a later line of a begun track may start (FAA 617).</summary>
    public DateOnly WindUpLast => EffectiveFrom.AddMonths(WindUpMonths);

    public PreparedFindings Prepared { get; }

    public static RestrictionVersion Of(RestrictionRow row, RestrictionRow origin, LegalBasisRow basis, ImmutableArray<History<ReliefVersion>> reliefs) => new(row, origin, basis, reliefs);

    private static DateOnly Latest(DateOnly a, DateOnly b, DateOnly c) => a > b ? a > c ? a : c : b > c ? b : c;
}

/// <summary>What does away with restrictions, or would.</summary>
public sealed class ReliefVersion : RecordVersion
{
    private readonly Guid? _restriction;
    private readonly ImmutableArray<string> _bases;

    private ReliefVersion(ReliefRow row, ImmutableArray<History<ReliefVersion>> met) : base(row)
    {
        _restriction = row.RestrictionId;
        _bases = [.. row.LegalBases ?? []];
        Kind = row.Kind switch
        {
            ReliefRow.Waiver => Relief.Types.Kind.Waiver,
            ReliefRow.SpecialAuthority => Relief.Types.Kind.SpecialAuthority,
            ReliefRow.Fulfilment => Relief.Types.Kind.Fulfilment,
            _ => Relief.Types.Kind.Lift,
        };
        Agency = row.ImplementingAgency is null ? ImplementingAgency.Unspecified : EligibilityEvents.ToAgency(row.ImplementingAgency);
        Conditions = row.Conditions is null ? [] : [.. EligibilityEvents.Parser.Parse<Lift>(row.Conditions).Conditions];
        Met = met;
        Text = Id.ToString();
        Decision = MadeBy.ToString();
    }

    public Relief.Types.Kind Kind { get; }
    public string Text { get; }
    public string Decision { get; }

    /// <summary>Of a condition met: whose.</summary>
    public ImplementingAgency Agency { get; }

    /// <summary>Of a lift: what departments must meet before it acts for them. Empty = it acts for all.</summary>
    public ImmutableArray<LiftCondition> Conditions { get; }

    public ImmutableArray<History<ReliefVersion>> Met { get; }

    public static ReliefVersion Of(ReliefRow row, ImmutableArray<History<ReliefVersion>> met) => new(row, met);

    public bool Concerns(RestrictionRow restriction) => _restriction is { } id ? id == restriction.Id : Waives(restriction.LegalBasis);

    public bool Concerns(RestrictionVersion restriction) => (Kind != Relief.Types.Kind.Fulfilment || restriction.Effect == Effect.ConditionBlocking)
        && (_restriction is { } id ? id == restriction.Id : Waives(restriction.LegalBasis));

    private bool Waives(string legalBasis) => _bases.Contains(legalBasis);
}

/// <summary>From where the record is looked at. AnnouncedBy is the last day of announcement that the caller may see; null = also what is not announced yet.</summary>
public readonly record struct Viewpoint(DateOnly On, DateTime KnownAt, DateOnly? AnnouncedBy)
{
    public bool Sees(DateOnly announcedOn, DateTime knownFrom) => knownFrom <= KnownAt && !(announcedOn > AnnouncedBy);
}

/// <summary>Which of several effects is the stronger. The contract's numbers are no order: values were added to it.</summary>
public static class Precedence
{
    public static int Of(Effect effect) => effect switch
    {
        Effect.Stop => 6,
        Effect.Suspend => 5,
        Effect.ConditionBlocking => 4,
        Effect.Hold => 3,
        Effect.PauseTraining => 2,
        Effect.ConditionCarried or Effect.Ceiling => 1,
        Effect.Unspecified => 0,
    };

    /// <summary>What it makes of the answer in one word.</summary>
    public static Outcome Outcome(Effect effect) => effect switch
    {
        Effect.Stop or Effect.Suspend or Effect.ConditionBlocking => V1.Outcome.NotEligible,
        Effect.Hold => V1.Outcome.OnHold,
        Effect.PauseTraining => V1.Outcome.Paused,
        Effect.ConditionCarried or Effect.Ceiling => V1.Outcome.EligibleWithConditions,
        Effect.Unspecified => V1.Outcome.Eligible,
    };
}
