using System.Collections.Immutable;
using Google.Protobuf;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using ErrorReason = Imet.CountryEligibility.V1.ErrorReason;

namespace Imet.CountryEligibility;

/// <summary>What the record says about all that a decision builds on or changes.</summary>
public sealed record RecordFacts
{
    public required RecordRow Record { get; init; }
    public required DateOnly Today { get; init; }
    public Func<Guid> NewId { get; init; } = Guid.CreateVersion7;
    public required IReadOnlyDictionary<string, CountryRow> Countries { get; init; }

    /// <summary>Current versions, by id, of what the decision names.</summary>
    public required IReadOnlyDictionary<Guid, RestrictionRow> Restrictions { get; init; }

    /// <summary>Current versions, by id, of what the decision names, and of the conditions met of lifts that it names.</summary>
    public required IReadOnlyDictionary<Guid, ReliefRow> Reliefs { get; init; }

    /// <summary>The decisions to be voided.</summary>
    public required IReadOnlyDictionary<Guid, DecisionRow> ToVoid { get; init; }

    /// <summary>Every version, the oldest first, of all that the decisions to be voided made or changed.</summary>
    public required ILookup<Guid, RestrictionRow> TouchedRestrictions { get; init; }

    /// <summary>The same, and what others built on it.</summary>
    public required ILookup<Guid, ReliefRow> TouchedReliefs { get; init; }
}

/// <summary>What a decision changes in the record. Every row is a new version; one above the first closes the known time of the one before it.</summary>
public sealed record Enactment
{
    public required Guid DecisionId { get; init; }
    public required DateOnly AnnouncedOn { get; init; }
    public required DateTime KnownFrom { get; init; }
    public required DateTime RecordedAt { get; init; }
    public required long RecordRevision { get; init; }
    public required bool IsAnnounced { get; init; }
    public ImmutableArray<RestrictionRow> Restrictions { get; init; } = [];
    public ImmutableArray<ReliefRow> Reliefs { get; init; } = [];
    public ImmutableArray<VoidRow> Voids { get; init; } = [];
    public ImmutableArray<CountryDayRow> Days { get; init; } = [];

    /// <summary>The countries that it is about, in order of their codes.</summary>
    public ImmutableArray<string> Countries =>
        [.. Restrictions.Select(row => row.Country).Concat(Reliefs.Select(row => row.Country)).Distinct().Order(StringComparer.Ordinal)];
}

/// <summary>Turns a decision into versions of the record, or says why the record does not allow it.</summary>
public sealed class Enacting
{
    private readonly DecisionRow _decision;
    private readonly RecordFacts _facts;
    private readonly DateTime _known;
    private readonly List<RestrictionRow> _restrictions = [];
    private readonly List<ReliefRow> _reliefs = [];
    private readonly HashSet<Guid> _changed = [];
    private DateOnly _touchedAnnounced = DateOnly.MinValue;

    private Enacting(DecisionRow decision, RecordFacts facts) =>
        (_decision, _facts, _known) = (decision, facts, decision.StatedKnownFrom ?? facts.Record.RecordedAt);

    public static Outcome<Enactment> Enact(DecisionRow decision, RecordFacts facts) => new Enacting(decision, facts).Run();

    /// <summary>The end of what was made in an emergency and not confirmed: as far as nobody has decided about it since, it ends on the day.</summary>
    public static Enactment Lapse(DecisionRow decision, IEnumerable<RestrictionRow> current, RecordRow record, DateOnly today) => new()
    {
        DecisionId = decision.Id,
        AnnouncedOn = today,
        KnownFrom = record.RecordedAt,
        RecordedAt = record.RecordedAt,
        RecordRevision = record.Revision + 1,
        IsAnnounced = true,
        Restrictions =
        [
            .. current.Where(row => row.Change == Change.Made && row.MadeBy == decision.Id && !(row.EffectiveTo <= today)).Select(row => row with
            {
                Version = row.Version + 1,
                Change = Change.Lapsed,
                EffectiveTo = row.EffectiveFrom > today ? row.EffectiveFrom : today,
                KnownFrom = record.RecordedAt,
                RecordedAt = record.RecordedAt,
                Imported = false,
            }),
        ],
    };

    private Outcome<Enactment> Run()
    {
        var content = _decision.Proposed;
        if ((LiftAll(content) ?? MeetAll(content) ?? CorrectAll(content) ?? VoidAll(content)) is { } refusal)
            return refusal;
        _restrictions.AddRange(content.Restrictions.Select(Made));
        _reliefs.AddRange(content.Waivers.Select(Made));
        _reliefs.AddRange(content.SpecialAuthorities.Select(Made));

        if (_decision.AnnouncedOn < _touchedAnnounced)
            return DecisionRules.Invalid().Field("decision.announced_on", $"Must be {DecisionRules.Iso(_touchedAnnounced)} or later: what it changes is announced no earlier.");
        // What changes something tells of it, so it is announced with it at the earliest.
        var usual = _decision.StatedKnownFrom is { } imported ? Washington.DateOf(imported) : _facts.Today;
        var announced = _decision.AnnouncedOn ?? (usual > _touchedAnnounced ? usual : _touchedAnnounced);
        var voids = content.Voids.Select(one => Guid.Parse(one.DecisionId)).Select(id => new VoidRow(id, _facts.ToVoid[id].AnnouncedOn > Washington.DateOf(_known))).ToImmutableArray();
        if (voids.Any(row => row.Withheld) && (voids.Any(row => !row.Withheld) || DecisionContent.Parts(content) > content.Voids.Count))
            return DecisionRules.Invalid().Field("decision.voids", "Decisions that are not announced yet are voided by a decision of their own, which is never announced either.");

        var enactment = new Enactment
        {
            DecisionId = _decision.Id,
            AnnouncedOn = announced,
            KnownFrom = _known,
            RecordedAt = _facts.Record.RecordedAt,
            RecordRevision = _facts.Record.Revision + 1,
            IsAnnounced = announced <= _facts.Today && !voids.Any(row => row.Withheld),
            Restrictions = [.. _restrictions.Select(row => Stamp(row, announced))],
            Reliefs = [.. _reliefs.Select(row => Stamp(row, announced))],
            Voids = voids,
        };
        return enactment with { Days = voids.Any(row => row.Withheld) ? [] : [.. DaysToCome(enactment).Distinct()] };
    }

    private T Stamp<T>(T row, DateOnly announced) where T : VersionRow => row with
    {
        ChangedBy = _decision.Id,
        AnnouncedOn = announced,
        KnownFrom = _known,
        KnownTo = null,
        RecordedAt = _facts.Record.RecordedAt,
        Imported = _decision.StatedKnownFrom is not null,
    };

    private Refusal? LiftAll(Decision content)
    {
        foreach (var lift in content.Lifts)
        {
            var day = lift.EffectiveFrom.ToDateOnly();
            var restriction = _facts.Restrictions.GetValueOrDefault(Guid.Parse(lift.RestrictionId));
            if (restriction is null or { Change: Change.Voided } || restriction.EffectiveFrom > day || day >= restriction.EffectiveTo)
                return Refusal.Of(ErrorReason.RestrictionNotInForce, restriction is null or { Change: Change.Voided } ? "There is no such restriction." : $"The restriction does not hold on {DecisionRules.Iso(day)}.")
                    .With("restriction_id", lift.RestrictionId)
                    .Precondition("RESTRICTION_NOT_IN_FORCE", lift.RestrictionId, "Lift a restriction on a day on which it holds.");
            if (DecisionRules.IsWhole(lift))
            {
                if (Touch(restriction) is { } refusal)
                    return refusal;
                _restrictions.Add(Next(restriction) with { Change = Change.Lifted, EffectiveTo = day });
                continue;
            }
            if (BuildOn(restriction) is { } early)
                return early;
            var made = new ReliefRow
            {
                Id = Guid.Parse(lift.Id),
                Version = 1,
                Kind = ReliefRow.Lift,
                Country = restriction.Country,
                RestrictionId = restriction.Id,
                Scope = Json(lift.Scope),
                Conditions = lift.Conditions.Count == 0 ? null : JsonFormatter.Default.Format(new Lift { Conditions = { lift.Conditions } }),
                EffectiveFrom = day,
                Change = Change.Made,
                MadeBy = _decision.Id,
            };
            _reliefs.Add(made);
            _reliefs.AddRange(lift.Conditions.Where(condition => condition.MetOn is not null)
                .Select(condition => Met(_facts.NewId(), made, condition.ImplementingAgency, condition.MetOn.ToDateOnly())));
        }
        return null;
    }

    private Refusal? MeetAll(Decision content)
    {
        foreach (var fulfilment in content.Fulfilments)
        {
            var restriction = _facts.Restrictions.GetValueOrDefault(Guid.Parse(fulfilment.RestrictionId));
            if (restriction is not { Effect: "CONDITION_BLOCKING" } or { Change: Change.Voided })
                return Refusal.Of(ErrorReason.ConditionNotOpen, "No restriction with this id waits for a condition.").With("restriction_id", fulfilment.RestrictionId);
            if (BuildOn(restriction) is { } early)
                return early;
            _reliefs.Add(new ReliefRow
            {
                Id = Guid.Parse(fulfilment.Id),
                Version = 1,
                Kind = ReliefRow.Fulfilment,
                Country = restriction.Country,
                RestrictionId = restriction.Id,
                Scope = Json(fulfilment.Scope),
                Document = fulfilment.Document,
                EffectiveFrom = fulfilment.FulfilledOn.ToDateOnly(),
                Change = Change.Made,
                MadeBy = _decision.Id,
            });
        }
        foreach (var met in content.ConditionsMet)
        {
            var lift = _facts.Reliefs.GetValueOrDefault(Guid.Parse(met.LiftId));
            var agency = EligibilityEvents.ToText(met.ImplementingAgency);
            var isOpen = lift is { Kind: ReliefRow.Lift, Conditions: { } conditions, Change: not Change.Voided }
                && EligibilityEvents.Parser.Parse<Lift>(conditions).Conditions.Any(condition => condition.ImplementingAgency == met.ImplementingAgency)
                && !_facts.Reliefs.Values.Concat(_reliefs).Any(row => row.LiftId == lift.Id && row.ImplementingAgency == agency && row.Change != Change.Voided);
            if (!isOpen)
                return Refusal.Of(ErrorReason.ConditionNotOpen, "No lift with this id waits for this department.").With("lift_id", met.LiftId).With("implementing_agency", agency);
            if (BuildOn(lift!) is { } early)
                return early;
            _reliefs.Add(Met(Guid.Parse(met.Id), lift!, met.ImplementingAgency, met.MetOn.ToDateOnly()));
        }
        return null;
    }

    private Refusal? CorrectAll(Decision content)
    {
        foreach (var correction in content.Corrections)
        {
            var id = Guid.Parse(correction.Id);
            VersionRow? current = correction.CorrectedCase == Correction.CorrectedOneofCase.Restriction ? _facts.Restrictions.GetValueOrDefault(id) : _facts.Reliefs.GetValueOrDefault(id);
            var (country, kind) = correction.CorrectedCase switch
            {
                Correction.CorrectedOneofCase.Restriction => (correction.Restriction.Country, null),
                Correction.CorrectedOneofCase.Waiver => (correction.Waiver.Country, ReliefRow.Waiver),
                _ => (correction.SpecialAuthority.Country, ReliefRow.SpecialAuthority),
            };
            if (current is null or { Change: Change.Voided } || current.Country != country || (current as ReliefRow)?.Kind != kind)
                return Refusal.Of(ErrorReason.CorrectionNotPossible, "The record holds nothing of that kind with this id for this country.").With("id", correction.Id);
            if (Touch(current) is { } refusal)
                return refusal;
            if (current is RestrictionRow restriction)
                _restrictions.Add(Made(correction.Restriction) with { Version = restriction.Version + 1, Origin = restriction.Version + 1, Change = Change.Corrected, MadeBy = restriction.MadeBy });
            else
                _reliefs.Add((kind == ReliefRow.Waiver ? Made(correction.Waiver) : Made(correction.SpecialAuthority)) with { Version = current.Version + 1, Change = Change.Corrected, MadeBy = current.MadeBy });
        }
        return null;
    }

    private Refusal? VoidAll(Decision content)
    {
        foreach (var id in content.Voids.Select(one => one.DecisionId))
        {
            if (_facts.ToVoid.GetValueOrDefault(Guid.Parse(id)) is not { State: "APPROVED", VoidedBy: null, Proposed.Voids.Count: 0 })
                return Refusal.Of(ErrorReason.DecisionNotVoidable, "No decision with this id is part of the record, not voided yet, and voids nothing itself.").With("decision_id", id);
        }
        return Unwind(_facts.TouchedRestrictions, _restrictions) ?? Unwind(_facts.TouchedReliefs, _reliefs);
    }

    // Of each thing the versions that voided decisions made fall away from the end. What is left is as it was; where nothing is left there never was any.
    private Refusal? Unwind<T>(ILookup<Guid, T> touched, List<T> into) where T : VersionRow
    {
        foreach (var versions in touched.Select(group => group.ToList()))
        {
            var standing = versions.FindAll(row => row.Change is not (Change.Restored or Change.Voided) && !row.Undone);
            if (standing.Count == 0)
                continue;
            var left = standing.FindLastIndex(row => !_facts.ToVoid.ContainsKey(row.ChangedBy));
            // A later decision stands above one that is voided, or on a thing that falls away.
            if (left == standing.Count - 1 || standing.Take(left).Any(row => _facts.ToVoid.ContainsKey(row.ChangedBy)))
            {
                return Refusal.Of(ErrorReason.DecisionBuiltUpon, "A later decision is built on the one to be voided: void it before, or in the same decision.")
                    .With("decision_id", standing[left].ChangedBy.ToString());
            }
            var current = versions[^1];
            if (Touch(current) is { } refusal)
                return refusal;
            into.Add(left < 0
                ? current with { Version = current.Version + 1, Change = Change.Voided }
                : standing[left] with { Version = current.Version + 1, Change = Change.Restored });
        }
        return null;
    }

    // One decision changes one thing once: two versions of it would hold at the same known time.
    private Refusal? Touch(VersionRow current) => _changed.Add(current.Id)
        ? BuildOn(current)
        : Refusal.Of(ErrorReason.RestrictionOverlaps, "One decision changes one thing once.").With("id", current.Id.ToString());

    private Refusal? BuildOn(VersionRow current)
    {
        if (_known < current.KnownFrom)
            return Refusal.Of(ErrorReason.KnownTimeNotAllowed, "It can't have been known before what it changes.").With("id", current.Id.ToString());
        _touchedAnnounced = current.AnnouncedOn > _touchedAnnounced ? current.AnnouncedOn : _touchedAnnounced;
        return null;
    }

    private static RestrictionRow Next(RestrictionRow current) => current with { Version = current.Version + 1 };

    private RestrictionRow Made(Restriction restriction) => new()
    {
        Id = Guid.Parse(restriction.Id),
        Version = 1,
        Country = restriction.Country,
        LegalBasis = restriction.LegalBasis,
        Effect = restriction.Effect.ToText(),
        Scope = Json(restriction.Scope),
        WindUp = restriction.WindUp.ToText(),
        Condition = restriction.Condition is { } condition ? JsonFormatter.Default.Format(condition) : null,
        Ceiling = restriction.Ceiling is { } ceiling ? JsonFormatter.Default.Format(ceiling) : null,
        EffectiveFrom = restriction.EffectiveFrom.ToDateOnly(),
        EffectiveTo = restriction.EffectiveTo?.ToDateOnly(),
        Change = Change.Made,
        Origin = 1,
        MadeBy = _decision.Id,
    };

    private ReliefRow Made(Waiver waiver) => new()
    {
        Id = Guid.Parse(waiver.Id),
        Version = 1,
        Kind = ReliefRow.Waiver,
        Country = waiver.Country,
        LegalBases = [waiver.LegalBasis],
        Scope = Json(waiver.Scope),
        EffectiveFrom = waiver.EffectiveFrom.ToDateOnly(),
        EffectiveTo = waiver.EffectiveTo?.ToDateOnly(),
        Change = Change.Made,
        MadeBy = _decision.Id,
    };

    private ReliefRow Made(SpecialAuthority authority) => new()
    {
        Id = Guid.Parse(authority.Id),
        Version = 1,
        Kind = ReliefRow.SpecialAuthority,
        Country = authority.Country,
        LegalBases = [.. authority.LegalBases.Distinct()],
        Scope = Json(authority.Scope),
        EffectiveFrom = authority.EffectiveFrom.ToDateOnly(),
        EffectiveTo = authority.EffectiveTo?.ToDateOnly(),
        Change = Change.Made,
        MadeBy = _decision.Id,
    };

    private ReliefRow Met(Guid id, ReliefRow lift, ImplementingAgency agency, DateOnly metOn) => new()
    {
        Id = id,
        Version = 1,
        Kind = ReliefRow.ConditionMet,
        Country = lift.Country,
        RestrictionId = lift.RestrictionId,
        LiftId = lift.Id,
        ImplementingAgency = EligibilityEvents.ToText(agency),
        Scope = "{}",
        EffectiveFrom = metOn > lift.EffectiveFrom ? metOn : lift.EffectiveFrom,
        Change = Change.Made,
        MadeBy = _decision.Id,
    };

    // A day that is told with the announcement needs no event of its own.
    private IEnumerable<CountryDayRow> DaysToCome(Enactment enactment)
    {
        var told = enactment.AnnouncedOn > _facts.Today ? enactment.AnnouncedOn : _facts.Today;
        if (!enactment.IsAnnounced)
        {
            foreach (var country in enactment.Countries)
                yield return new CountryDayRow { Country = country, Day = enactment.AnnouncedOn, DecisionId = _decision.Id, Change = CountryDayRow.Announced };
        }
        var days = enactment.Restrictions.Where(row => row.Change != Change.Voided).SelectMany(row => DaysOf(row).Append(WindUpEnd(row)).Select(day => (row.Country, Day: day)))
            .Concat(enactment.Reliefs.Where(row => row.Change != Change.Voided).SelectMany(row => DaysOf(row).Select(day => (row.Country, Day: day))));
        foreach (var (country, day) in days)
        {
            if (day > told)
                yield return new CountryDayRow { Country = country, Day = day.Value, DecisionId = _decision.Id, Change = CountryDayRow.Changed };
        }
    }

    private static DateOnly?[] DaysOf(VersionRow row) => [row.EffectiveFrom, row.EffectiveTo];

    /// <summary>First day on which later lines of begun tracks may no longer start.</summary>
    internal static DateOnly? WindUpEnd(RestrictionRow row) =>
        row.WindUp == "NONE" || row.Effect == "PAUSE_TRAINING" ? null : row.EffectiveFrom.AddMonths(RestrictionVersion.WindUpMonths).AddDays(1) is var end && end < (row.EffectiveTo ?? DateOnly.MaxValue) ? end : null;

    private static string Json(Scope? scope) => JsonFormatter.Default.Format(scope ?? new Scope());
}
