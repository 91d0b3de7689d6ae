using System.Globalization;
using CsCheck;
using Google.Rpc;
using Grpc.Core;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.V1;
using Imet.Testing;
using Xunit;
using Result = Imet.Enrollment.V1.ReportEndRequest.Types.Result;

namespace Imet.Enrollment.Tests;

/// <summary>
/// Random commands, decisions, lifts, voids and steps of the clock over two replicas, held against a model that is no more than a place for each line, what holds it, and who is restricted since when.
/// A failure prints its seed; the environment variable CsCheck_Seed replays it, CsCheck_Iter asks for more.
/// </summary>
public sealed class StateMachineTests(Servers servers, ITestOutputHelper output)
{
    private enum Verb
    {
        Nominate, Enroll, Approve, Confirm, Withdraw, Arrive, Start, End, Suspend, Stop, Hold, Pause, Lift, Void, Clock,
    }

    /// <param name="Pick">Which class, line or restriction, modulo how many there are.</param>
    private sealed record Step(Verb Verb, int Pick, int Size);

    private static readonly Gen<Step> Steps = Gen.Select(
        Gen.Frequency(
            (3, Gen.Const(Verb.Nominate)), (5, Gen.Const(Verb.Enroll)), (3, Gen.Const(Verb.Approve)), (3, Gen.Const(Verb.Confirm)), (1, Gen.Const(Verb.Withdraw)), (3, Gen.Const(Verb.Arrive)),
            (3, Gen.Const(Verb.Start)), (1, Gen.Const(Verb.End)), (2, Gen.Const(Verb.Suspend)), (1, Gen.Const(Verb.Stop)), (1, Gen.Const(Verb.Hold)), (1, Gen.Const(Verb.Pause)),
            (2, Gen.Const(Verb.Lift)), (2, Gen.Const(Verb.Void)), (3, Gen.Const(Verb.Clock))),
        Gen.Int[0, 99], Gen.Int[1, 4], (verb, pick, size) => new Step(verb, pick, size));

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Any_sequence_of_commands_decisions_lifts_voids_and_days_keeps_to_the_model()
    {
        var ahead = Path.Combine(servers.Folder, $"{World.NewId()}.ahead");
        await using var world = await World.StartAsync(servers, 2, [("Clock__AheadFile", ahead), ("Reconciliation__Interval", "00:00:00.250")], Cancel);
        // A country for each sequence, also for those that make a failing one shorter.
        var countries = (await world.Officer.CountryEligibility.ListCountriesAsync(new ListCountriesRequest { PageSize = 1000 })).Countries.Where(country => country.ValidTo is null).Select(country => country.Code).ToList();
        var (sample, days, steps) = (0, 0, 0);
        await Steps.List[8, 20].SampleAsync(async sequence =>
        {
            var run = new Run(world, ahead, days, countries[sample++]);
            await run.ScheduleAsync();
            foreach (var step in sequence)
            {
                await run.DoAsync(step);
                steps++;
            }
            days = run.Days;
        }, iter: long.Parse(Environment.GetEnvironmentVariable("CsCheck_Iter") ?? "4", CultureInfo.InvariantCulture), threads: 1, seed: Environment.GetEnvironmentVariable("CsCheck_Seed"));
        output.WriteLine($"{sample} sequences, {steps} steps, {days} days.");
        Assert.Empty(await new Invariants(world.Stack.Database.Administrator).BreachesAsync([], null, Cancel));
    }

    private sealed class ModelRestriction
    {
        public required string Id, DecisionId;
        public required Effect Effect;
        public required DateOnly Announced, From;
        public DateOnly? Lifted;
        public bool Void;

        public bool InForce(DateOnly day) => day >= From && !(day >= Lifted);

        /// <summary>Whether it stands against training that has begun (on the day given) or not (null), whichever of the two days is worse.</summary>
        public bool Stands(DateOnly today, DateOnly start, DateOnly? begun, bool here)
        {
            if (Void)
                return false;
            var since = Effect == Effect.Stop && begun is null ? Announced : From;
            bool Holds(DateOnly day) => day >= since && !(day >= Lifted);
            if (!Holds(today) && !Holds(start))
                return false;
            var finishes = Effect is Effect.Suspend or Effect.Hold && begun < Later(From, Announced);
            return !(finishes || (Effect == Effect.Hold && here));
        }

        private static DateOnly Later(DateOnly one, DateOnly other) => one > other ? one : other;
    }

    private sealed class ModelLine
    {
        public required string Id;
        public required int Class, Headcount;
        public required LineState State;
        public SortedSet<string> Holds = [];
        public DateOnly? Begun;
        public LineState? CancelledFrom;
        public ModelRestriction? Source;
        public bool NotRestored;

        public bool Open => State is LineState.Nominated or LineState.Approved or LineState.SeatConfirmed or LineState.Arrived or LineState.InTraining;
        public int Seats => State is LineState.Nominated or LineState.Approved or LineState.Cancelled ? 0 : Headcount;
    }

    private sealed class Run(World world, string ahead, int days, string country)
    {
        private const int Capacity = 5;
        private readonly List<(Offering Offering, DateOnly Report, DateOnly Start, DateOnly End)> classes = [];
        private readonly List<ModelLine> lines = [];
        private readonly List<ModelRestriction> restrictions = [];
        private readonly List<string> done = [];
        private int calls;

        public int Days { get; private set; } = days;

        private DateOnly Today => World.Today.AddDays(Days);

        private V1.EnrollmentService.EnrollmentServiceClient Replica => world.Officer.At(calls++ % 2).Enrollment;

        public async Task ScheduleAsync()
        {
            foreach (var (report, start, length) in new[] { (1, 3, 20), (6, 8, 30), (0, 12, 4) })
            {
                var offering = await world.ScheduleAsync(Capacity, Days + start, Days + report, length);
                classes.Add((offering, Today.AddDays(report), Today.AddDays(start), Today.AddDays(start + length)));
            }
        }

        public async Task DoAsync(Step step)
        {
            done.Add($"{Today:MM-dd} {step.Verb} {step.Pick} {step.Size}");
            switch (step.Verb)
            {
                case Verb.Nominate or Verb.Enroll:
                    await NewAsync(step.Verb == Verb.Enroll, step.Pick % classes.Count, Math.Min(step.Size, 3));
                    break;
                case Verb.Suspend or Verb.Stop or Verb.Hold or Verb.Pause when restrictions.Count(each => !each.Void && each.Lifted is null) < 3:
                    await RestrictAsync(step.Verb switch { Verb.Suspend => Effect.Suspend, Verb.Stop => Effect.Stop, Verb.Hold => Effect.Hold, _ => Effect.PauseTraining }, step.Size == 4 ? 3 : 0);
                    break;
                case Verb.Lift when Pick(restrictions.Where(each => !each.Void && each.Lifted is null && each.From <= Today), step) is { } lifted:
                    await world.LiftAsync(lifted.Id, Today);
                    lifted.Lifted = Today;
                    break;
                case Verb.Void when Pick(restrictions.Where(each => !each.Void && each.Lifted is null), step) is { } erroneous:
                    await world.VoidAsync(erroneous.DecisionId);
                    erroneous.Void = true;
                    break;
                case Verb.Clock:
                    Days += step.Size;
                    await World.SetAheadAsync(ahead, Days);
                    break;
                case Verb.Approve or Verb.Confirm or Verb.Withdraw or Verb.Arrive or Verb.Start or Verb.End when Pick(lines, step) is { } line:
                    await CommandAsync(step.Verb, line);
                    break;
                default:
                    return;
            }
            Examine();
            await SettleAsync();
            await CompareAsync();
        }

        private static T? Pick<T>(IEnumerable<T> all, Step step) where T : class => all.ToList() is { Count: > 0 } some ? some[step.Pick % some.Count] : null;

        private async Task NewAsync(bool enroll, int number, int headcount)
        {
            var (offering, _, start, _) = classes[number];
            var wish = World.Wish(offering, country, headcount);
            var verdict = Verdict(start, null, false);
            var expected = start < Today ? "OFFERING_BEGUN" : RefusalToPlan(verdict) ?? (enroll && Taken(number) + headcount > Capacity ? "OFFERING_FULL" : null);
            TrainingLine? made = null;
            Expect(expected, await ReasonAsync(async () => made = enroll
                ? (await Replica.EnrollStudentAsync(wish)).Line
                : (await Replica.NominateStudentAsync(new NominateStudentRequest { RequestId = wish.RequestId, Country = country, Headcount = headcount, OfferingId = offering.Id, Funding = wish.Funding })).Line));
            if (made is not null)
                lines.Add(new ModelLine { Id = made.Id, Class = number, Headcount = headcount, State = enroll ? LineState.SeatConfirmed : LineState.Nominated, Holds = Pauses(verdict) });
        }

        private async Task CommandAsync(Verb verb, ModelLine line)
        {
            var now = await world.GetAsync(line.Id);
            var (_, report, start, _) = classes[line.Class];
            var arrivedOn = report < Today ? report : Today;
            var (from, to) = verb switch
            {
                Verb.Approve => (LineState.Nominated, LineState.Approved),
                Verb.Confirm => (LineState.Approved, LineState.SeatConfirmed),
                Verb.Arrive => (LineState.SeatConfirmed, LineState.Arrived),
                Verb.Start => (LineState.Arrived, LineState.InTraining),
                Verb.End => (LineState.InTraining, LineState.Graduated),
                _ => (line.State, LineState.Cancelled),
            };
            var verdict = verb is Verb.Arrive ? Verdict(start, arrivedOn, false) : Verdict(start, line.Begun, line.Begun is not null);
            string? expected = null;
            if (line.State != from || (verb == Verb.Withdraw && (line.Begun is not null || !line.Open)))
                expected = "INVALID_TRANSITION";
            else if (verb is not (Verb.Withdraw or Verb.End) && line.Holds.Any(hold => !Passes(verb, hold)))
                expected = "LINE_ON_HOLD";
            else if (verb == Verb.Confirm && start < Today)
                expected = "OFFERING_BEGUN";
            else if (verb is Verb.Approve or Verb.Confirm)
                expected = RefusalToPlan(verdict) ?? (verb == Verb.Confirm && Taken(line.Class) + line.Headcount > Capacity ? "OFFERING_FULL" : null);
            else if (verb is Verb.Arrive or Verb.Start)
                expected = RefusalToGo(verdict);
            var id = World.NewId();
            Expect(expected, await ReasonAsync(async () => _ = verb switch
            {
                Verb.Approve => (await Replica.ApproveNominationAsync(new ApproveNominationRequest { RequestId = id, LineId = line.Id, Etag = now.Etag })).Line,
                Verb.Confirm => (await Replica.ConfirmSeatAsync(new ConfirmSeatRequest { RequestId = id, LineId = line.Id, Etag = now.Etag })).Line,
                Verb.Arrive => (await Replica.ReportArrivalAsync(new ReportArrivalRequest { RequestId = id, LineId = line.Id, ArrivedOn = arrivedOn.ToProto() })).Line,
                Verb.Start => (await Replica.ReportStartAsync(new ReportStartRequest { RequestId = id, LineId = line.Id, StartedOn = Today.ToProto() })).Line,
                Verb.End => (await Replica.ReportEndAsync(new ReportEndRequest { RequestId = id, LineId = line.Id, Result = Result.Graduated, EndedOn = Today.ToProto() })).Line,
                _ => (await Replica.WithdrawTrainingLineAsync(new WithdrawTrainingLineRequest { RequestId = id, LineId = line.Id, Etag = now.Etag, Reason = "No longer wanted." })).Line,
            }));
            if (expected is not null)
                return;
            line.State = to;
            if (verb == Verb.Arrive)
                (line.Begun, line.Holds) = (arrivedOn, []);
            if (!line.Open)
                line.Holds = [];
        }

        private static bool Passes(Verb verb, string hold) => verb switch
        {
            Verb.Approve or Verb.Confirm => hold.StartsWith("TrainingPaused", StringComparison.Ordinal),
            Verb.Arrive => hold.StartsWith("ArrivalUnknown", StringComparison.Ordinal),
            _ => false,
        };

        private async Task RestrictAsync(Effect effect, int delay)
        {
            var decision = await world.DecideAsync(country, effect, Today.AddDays(delay), Today);
            restrictions.Add(new ModelRestriction { Id = decision.Restrictions[0].Id, DecisionId = decision.Id, Effect = effect, Announced = Today, From = Today.AddDays(delay) });
        }

        private List<ModelRestriction> Verdict(DateOnly start, DateOnly? begun, bool here) => [.. restrictions.Where(each => each.Stands(Today, start, begun, here))];

        private static string? RefusalToPlan(List<ModelRestriction> verdict) => verdict.Exists(each => each.Effect is Effect.Suspend or Effect.Stop) ? "COUNTRY_NOT_ELIGIBLE"
            : verdict.Exists(each => each.Effect == Effect.Hold) ? "COUNTRY_ON_HOLD" : null;

        private static string? RefusalToGo(List<ModelRestriction> verdict) => RefusalToPlan(verdict) ?? (verdict.Count > 0 ? "COUNTRY_ON_HOLD" : null);

        private static SortedSet<string> Pauses(List<ModelRestriction> verdict) => [.. verdict.Where(each => each.Effect == Effect.PauseTraining).Select(each => $"TrainingPaused {each.Id}")];

        private int Taken(int number) => lines.Where(line => line.Class == number).Sum(line => line.Seats);

        // What the service does by itself: first to what is open, then for what a void brings back.
        private void Examine()
        {
            foreach (var line in lines.Where(line => line.Open))
            {
                var (_, report, start, _) = classes[line.Class];
                var verdict = Verdict(start, line.Begun, line.Begun is not null);
                var planned = line.State is LineState.Nominated or LineState.Approved;
                var overdue = line.State == LineState.SeatConfirmed && report < Today && WorkingDays(report) <= 5;
                SortedSet<string> holds = [];
                foreach (var each in verdict)
                {
                    var what = (each.Effect, line.Begun is not null) switch
                    {
                        (Effect.PauseTraining, _) => "TrainingPaused",
                        (Effect.Hold, true) => "",
                        (Effect.Hold, false) => "RestrictionHold",
                        (Effect.Suspend, true) => "RestrictionHold",
                        (Effect.Stop, true) => "End",
                        (Effect.Suspend, false) when planned => "RestrictionHold",
                        _ => overdue ? "ArrivalUnknown" : "Cancel",
                    };
                    if (what is "End" or "Cancel")
                    {
                        (line.CancelledFrom, line.Source) = (line.State, each);
                        line.State = what == "End" ? LineState.EarlyReturn : LineState.Cancelled;
                        break;
                    }
                    if (what.Length > 0)
                        holds.Add($"{what} {each.Id}");
                }
                line.Holds = line.Open ? holds : [];
            }
            foreach (var line in lines.Where(line => line is { Open: false, Source: not null, NotRestored: false }).OrderBy(line => line.Id, StringComparer.Ordinal))
            {
                // Of several that stood against it the record cites one, whichever; the model asks for it when it compares.
                if (!line.Source!.Void || classes[line.Class].End < Today)
                    continue;
                var (_, _, start, _) = classes[line.Class];
                var verdict = Verdict(start, null, false);
                if (line.State == LineState.EarlyReturn)
                    line.NotRestored = true;
                else if (RefusalToPlan(verdict) is not null)
                    continue;
                else if (start < Today || (line.CancelledFrom == LineState.SeatConfirmed && Taken(line.Class) + line.Headcount > Capacity))
                    line.NotRestored = true;
                else
                    (line.State, line.Holds, line.Source) = (line.CancelledFrom == LineState.SeatConfirmed ? LineState.SeatConfirmed : LineState.Nominated, Pauses(verdict), null);
            }
        }

        private int WorkingDays(DateOnly report) => Enumerable.Range(1, Today.DayNumber - report.DayNumber).Count(i => report.AddDays(i).DayOfWeek is not (DayOfWeek.Saturday or DayOfWeek.Sunday));

        private const string SettledSql = """
            select not exists (select from enrollment.due_work where key = @country)
               and not exists (select from enrollment.country_seen s where s.country = @country and (s.examined_on is distinct from @today
                               or s.revision < (select c.revision from eligibility.countries c where c.code = @country)))
            """;

        // No line, no examination: a country nobody ever asked for is settled.
        private Task SettleAsync() => Eventually.TrueAsync(async () => lines.Count == 0 || await world.SqlAsync<bool>(SettledSql, new { country, today = Today }), Cancel, $"{country} is examined. {string.Join("; ", done)}");

        private async Task CompareAsync()
        {
            foreach (var line in lines)
            {
                var now = await world.GetAsync(line.Id);
                var holds = new SortedSet<string>(now.Holds.Select(hold => $"{hold.Cause} {hold.SourceId}"));
                Assert.True(line.State == (LineState)now.State && line.Holds.SetEquals(holds) && line.NotRestored == now.NotRestored,
                    $"line {lines.IndexOf(line)}: expected {line.State} [{string.Join(", ", line.Holds)}] {(line.NotRestored ? "not restored" : "")}, found {now.State} [{string.Join(", ", holds)}] {(now.NotRestored ? "not restored" : "")} after {string.Join("; ", done)}");
                if (line.Source is not null)
                    line.Source = restrictions.Single(each => each.Id == now.CancelSourceId);
            }
            for (var number = 0; number < classes.Count; number++)
                Assert.Equal(Taken(number), await world.SqlAsync<int>("select coalesce((select taken from enrollment.offerings where offering_id = @id), 0)", new { id = Guid.Parse(classes[number].Offering.Id) }));
        }

        private void Expect(string? expected, string? reason) => Assert.True(expected == reason, $"expected {expected ?? "acceptance"}, got {reason ?? "acceptance"} after {string.Join("; ", done)}");

        private static async Task<string?> ReasonAsync(Func<Task> call)
        {
            try
            {
                await call();
                return null;
            }
            catch (RpcException e)
            {
                return e.GetRpcStatus()?.GetDetail<ErrorInfo>()?.Reason ?? e.Message;
            }
        }
    }
}
