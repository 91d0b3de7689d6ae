using CsCheck;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Xunit;

namespace Imet.CountryEligibility.Tests;

/// <summary>Evaluate against an oracle that knows no cleverness: it asks every restriction on both days, and judges a missing fact by trying every value.</summary>
public sealed class EvaluationModelTests
{
    private static readonly DateOnly Origin = new(2018, 1, 1);
    private static readonly string[] Programs = ["IMET", "FMF", "PKO"];
    private static readonly TrainingKind[] Kinds = [TrainingKind.Classroom, TrainingKind.Operational];
    private static readonly Place[] Places = [Place.UnitedStates, Place.InCountry];

    private sealed record Spec(bool Except, string[]? Programs, TrainingKind[]? Kinds, Place[]? Places)
    {
        public bool Covers(string program, TrainingKind kind, Place place) =>
            (Programs is null || Programs.Contains(program) != Except) && (Kinds is null || Kinds.Contains(kind) != Except) && (Places is null || Places.Contains(place) != Except);

        public TrainingScope ToScope()
        {
            var mode = Except ? SetMode.Except : SetMode.Only;
            var scope = new Scope();
            if (Programs is not null)
                scope.FundingPrograms = new CodeSet { Mode = mode, Codes = { Programs } };
            if (Kinds is not null)
                scope.TrainingKinds = new TrainingKindSet { Mode = mode, TrainingKinds = { Kinds } };
            if (Places is not null)
                scope.Places = new PlaceSet { Mode = mode, Places = { Places } };
            return TrainingScope.Of(scope);
        }
    }

    private sealed record Ban(int Id, Effect Effect, Spec Scope, WindUp WindUp, int From, int? To, int Announced, int Known, (int From, int Announced, int Known)? Ended);

    private sealed record Ease(int Ban, Spec Scope, int From, int Announced, int Known);

    private sealed record Facts(string? Program, TrainingKind? Kind, Place? Place, Stage Stage, int Begun, int? Act, int? Start);

    private sealed record Case(Ban[] Bans, Ease[] Eases, Facts Facts, int On, int KnownAt, bool Unannounced);

    private static readonly Gen<int> Days = Gen.Int[0, 500];

    private static readonly Gen<Spec> Specs = Gen.Select(Gen.Bool, Some(Programs), Some(Kinds), Some(Places), (except, programs, kinds, places) => new Spec(except, programs, kinds, places));

    private static readonly Gen<Ban> Bans =
        from effect in Choose(Effect.PauseTraining, Effect.Hold, Effect.Suspend)
        from scope in Specs
        from windUp in Choose(WindUp.FinishBegun, WindUp.None)
        from begin in Days
        from length in Gen.Int[1, 200].Nullable()
        from announced in Days
        from known in Days
        from ended in Gen.Select(Gen.Int[0, 150], Gen.Int[0, 100], Gen.Int[0, 100]).Nullable()
        select new Ban(0, effect, scope, windUp, begin, begin + length, announced, known,
            ended is var (after, announcedAfter, knownAfter) ? (Math.Min(begin + after, begin + length - 1 ?? int.MaxValue), announced + announcedAfter, known + knownAfter) : null);

    private static readonly Gen<Case> Cases =
        from bans in Bans.Array[0, 4]
        from eases in Gen.Select(Gen.Int[0, 3], Specs, Days, Days, Days, (ban, scope, begin, announced, known) => new Ease(ban, scope, begin, announced, known)).Array[0, 3]
        from program in Choose<string?>([.. Programs, null])
        from kind in Choose<TrainingKind?>(TrainingKind.Classroom, TrainingKind.Operational, null)
        from place in Choose<Place?>(Place.UnitedStates, Place.InCountry, null)
        from stage in Choose(Stage.New, Stage.Continuing, Stage.InTraining)
        from begun in Days
        from act in Days.Nullable()
        from start in Gen.Int[0, 900].Nullable()
        from day in Days
        from knownAt in Days
        from unannounced in Gen.Bool
        select new Case([.. bans.Select((ban, id) => ban with { Id = id + 1 })], eases, new Facts(program, kind, place, stage, begun, act, start), day, knownAt, unannounced);

    [Fact]
    public void A_question_with_all_facts_is_answered_as_the_oracle_does() => Cases.Sample(one =>
    {
        var full = one with { Facts = one.Facts with { Program = one.Facts.Program ?? "IMET", Kind = one.Facts.Kind ?? TrainingKind.Classroom, Place = one.Facts.Place ?? Place.UnitedStates } };
        return Ask(full, full.On).Outcome == Oracle(full, full.On);
    }, iter: 20_000, print: Print);

    [Fact]
    public void Whatever_a_missing_fact_turns_out_to_be_the_answer_holds_or_was_DEPENDS() => Cases.Sample(one =>
    {
        var outcome = Ask(one, one.On).Outcome;
        var worlds = Worlds(one).Select(world => Oracle(world, one.On)).Distinct().ToList();
        var lacks = one.Facts.Program is null || one.Facts.Kind is null || one.Facts.Place is null;
        return outcome == V1.Outcome.Depends ? lacks : worlds is [var only] && only == outcome;
    }, iter: 20_000, print: Print);

    [Fact]
    public void Between_two_dates_of_change_the_answer_stays() => Cases.Sample(one =>
    {
        one = one with { Facts = one.Facts with { Act = null } };
        var first = Ask(one, one.On);
        var changes = first.NextChangeDates.Select(day => day.ToDateOnly()).ToHashSet();
        var last = first.Outcome;
        for (var day = one.On + 1; day < 800; day++)
        {
            var outcome = Ask(one, day).Outcome;
            if (outcome != last && !changes.Contains(Origin.AddDays(day)))
                return false;
            last = outcome;
        }
        return true;
    }, iter: 1_000, print: Print);

    private static Verdict Ask(Case one, int on)
    {
        var question = new Question
        {
            Country = "XXA",
            FundingProgram = one.Facts.Program ?? "",
            TrainingKind = one.Facts.Kind ?? TrainingKind.Unspecified,
            Place = one.Facts.Place ?? Place.Unspecified,
            Stage = one.Facts.Stage,
            TrackBegunOn = Origin.AddDays(one.Facts.Begun).ToProto(),
            ActionDate = one.Facts.Act is { } act ? Origin.AddDays(act).ToProto() : null,
            StartDate = one.Facts.Start is { } start ? Origin.AddDays(start).ToProto() : null,
        };
        var record = new CountryRecord
        {
            Code = "XXA",
            Name = "Ruritania",
            Revision = 1,
            Epoch = "",
            RecordedAt = Noon(0),
            Restrictions = [.. one.Bans.SelectMany(Versions)],
            Lifts = [.. one.Eases.Select(ease => new PartialLift
            {
                RestrictionId = Id(ease.Ban + 1),
                Scope = ease.Scope.ToScope(),
                EffectiveFrom = Origin.AddDays(ease.From),
                AnnouncedOn = Origin.AddDays(ease.Announced),
                KnownFrom = Noon(ease.Known),
            })],
        };
        return Evaluation.Evaluate(question, record, new Viewpoint(Origin.AddDays(on), Noon(one.KnownAt), one.Unannounced ? null : Origin.AddDays(one.KnownAt)));
    }

    private static IEnumerable<RestrictionVersion> Versions(Ban ban)
    {
        var first = new RestrictionVersion
        {
            Id = Id(ban.Id),
            Version = 1,
            Country = "XXA",
            LegalBasis = "COUP_7008",
            Effect = ban.Effect,
            Scope = ban.Scope.ToScope(),
            WindUp = ban.WindUp,
            EffectiveFrom = Origin.AddDays(ban.From),
            EffectiveTo = ban.To is { } to ? Origin.AddDays(to) : null,
            MadeBy = Id(100),
            ChangedBy = Id(100),
            AnnouncedOn = Origin.AddDays(ban.Announced),
            KnownFrom = Noon(ban.Known),
            BegunBefore = RestrictionVersion.Latest(Origin.AddDays(ban.From), Origin.AddDays(ban.Announced), Noon(ban.Known)),
        };
        yield return first;
        if (ban.Ended is var (end, announced, known))
            yield return first with { Version = 2, EffectiveTo = Origin.AddDays(end), ChangedBy = Id(101), AnnouncedOn = Origin.AddDays(announced), KnownFrom = Noon(known) };
    }

    private static V1.Outcome Oracle(Case one, int on)
    {
        var act = one.Facts.Act ?? on;
        var start = one.Facts.Start ?? act;
        var worst = Effect.Unspecified;
        foreach (var ban in one.Bans)
        {
            if (!Visible(one, ban.Announced, ban.Known) || !ban.Scope.Covers(one.Facts.Program!, one.Facts.Kind!.Value, one.Facts.Place!.Value))
                continue;
            var end = ban.Ended is var (ended, announced, known) && Visible(one, announced, known) ? ended : ban.To;
            var eases = one.Eases.Where(ease => ease.Ban + 1 == ban.Id && Visible(one, ease.Announced, ease.Known)
                && ease.Scope.Covers(one.Facts.Program!, one.Facts.Kind!.Value, one.Facts.Place!.Value)).ToList();
            bool Bars(int day) => ban.From <= day && (end is null || day < end) && eases.All(ease => day < ease.From);
            if ((Bars(act) || Bars(start)) && !Finishes(one.Facts, ban, start) && ban.Effect > worst)
                worst = ban.Effect;
        }
        return worst switch
        {
            Effect.Unspecified => V1.Outcome.Eligible,
            Effect.PauseTraining => V1.Outcome.Paused,
            Effect.Hold => V1.Outcome.OnHold,
            Effect.Suspend => V1.Outcome.NotEligible,
            _ => throw new InvalidOperationException($"{worst}"),
        };
    }

    private static bool Finishes(Facts facts, Ban ban, int start)
    {
        if (ban.WindUp == WindUp.None || facts.Stage == Stage.New || ban.Effect == Effect.PauseTraining)
            return false;
        if (ban.Effect == Effect.Hold && facts.Stage == Stage.InTraining)
            return true;
        var came = Math.Max(ban.From, Math.Max(ban.Announced, ban.Known));
        var inTime = start < came || Origin.AddDays(start) <= Origin.AddDays(ban.From).AddMonths(8) || (facts.Stage == Stage.InTraining && facts.Start is null);
        return facts.Begun < came && facts.Place == Place.UnitedStates && inTime;
    }

    private static bool Visible(Case one, int announced, int known) => known <= one.KnownAt && (one.Unannounced || announced <= one.KnownAt);

    private static IEnumerable<Case> Worlds(Case one) =>
        from program in one.Facts.Program is { } p ? [p] : Programs
        from kind in one.Facts.Kind is { } k ? [k] : Kinds
        from place in one.Facts.Place is { } l ? [l] : Places
        select one with { Facts = one.Facts with { Program = program, Kind = kind, Place = place } };

    private static Gen<T> Choose<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(index => values[index]);

    private static Gen<T[]?> Some<T>(T[] values) => Gen.Select(Gen.Bool, Choose(values).Array[1, 2], (set, some) => set ? some : null);

    private static Guid Id(int number) => new(number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

    private static DateTime Noon(int day) => Origin.AddDays(day).ToDateTime(new TimeOnly(17, 0), DateTimeKind.Utc);

    private static string Print(Case one) => $"""
        {string.Join("\n", one.Bans.Select(ban => $"{ban} programs [{string.Join(" ", ban.Scope.Programs ?? [])}] kinds [{string.Join(" ", ban.Scope.Kinds ?? [])}]"))}
        {string.Join("\n", one.Eases.Select(ease => $"{ease}"))}
        {one.Facts} on {one.On} known at {one.KnownAt} unannounced {one.Unannounced}
        """;
}
