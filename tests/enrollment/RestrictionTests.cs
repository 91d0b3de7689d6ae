using CsCheck;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.V1;
using Imet.Testing;
using Xunit;
using State = Imet.Enrollment.V1.TrainingLine.Types.State;

namespace Imet.Enrollment.Tests;

/// <summary>What the record's decisions do to lines, and what can be known of it before and after.</summary>
[Collection(InOneWorld.Name)]
public sealed class RestrictionTests(SharedWorld shared)
{
    private readonly World world = shared.World;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private V1.EnrollmentService.EnrollmentServiceClient Enrollment => world.Officer.Enrollment;

    [Fact]
    public async Task A_void_brings_back_what_has_a_seat_and_lists_the_rest()
    {
        var (roomy, full) = (await world.ScheduleAsync(5), await world.ScheduleAsync(2));
        var (back, lost) = (await world.EnrollAsync(roomy, "BEN", 2), await world.EnrollAsync(full, "BEN", 2));
        var decision = await world.DecideAsync("BEN", Effect.Suspend, World.Today);
        await world.WhenAsync(lost, line => line.State == State.Cancelled, Cancel);
        await world.WhenAsync(back, line => line.State == State.Cancelled, Cancel);
        var other = await world.EnrollAsync(full, "TGO");
        await world.VoidAsync(decision.Id);

        back = await world.WhenAsync(back, line => line.State == State.SeatConfirmed, Cancel);
        Assert.Equal((TrainingLine.Types.CancelCause.Unspecified, "", 2), (back.CancelCause, back.CancelSourceId, (await world.SeatsAsync(roomy)).Taken));
        Assert.Equal(["enrolled", "cancelled", "restored"], (await world.HistoryAsync(back)).Select(entry => entry.Change));
        lost = await world.WhenAsync(lost, line => line.NotRestored, Cancel);
        Assert.Equal(State.Cancelled, lost.State);
        Assert.Equal(lost, Assert.Single((await Enrollment.ListTrainingLinesAsync(new ListTrainingLinesRequest { Country = "BEN", NotRestored = true })).Lines));
        Assert.Contains("1 seats are left", (await world.HistoryAsync(lost))[^1].Cause, StringComparison.Ordinal);
        Assert.Equal(other, await world.GetAsync(other.Id));
    }

    [Fact]
    public async Task A_reinstatement_revives_nothing()
    {
        var line = await world.EnrollAsync(await world.ScheduleAsync(5), "BDI");
        var restriction = await world.RestrictAsync("BDI", Effect.Suspend);
        await world.WhenAsync(line, now => now.State == State.Cancelled, Cancel);
        await world.LiftAsync(restriction);
        var after = await world.EnrollAsync(await world.ScheduleAsync(5), "BDI");
        await ExaminedAsync("BDI");
        Assert.Equal(State.Cancelled, (await world.GetAsync(line.Id)).State);
        Assert.Equal(State.SeatConfirmed, (await world.GetAsync(after.Id)).State);
    }

    [Fact]
    public async Task A_stop_cancels_what_has_not_begun_and_ends_what_has_on_its_day()
    {
        var (now, later) = (await world.ScheduleAsync(5, startsIn: 0, reportsIn: -3), await world.ScheduleAsync(5));
        var (here, seated) = (await world.EnrollAsync(now, "CAF"), await world.EnrollAsync(later, "CAF"));
        await world.ArriveAsync(here, 2);
        here = await world.StartTrainingAsync(here);
        await world.DecideAsync("CAF", Effect.Stop, World.Today.AddDays(20));
        await world.WhenAsync(seated, line => line.State == State.Cancelled, Cancel);
        Assert.Equal(here, await world.GetAsync(here.Id));
        var restriction = await world.RestrictAsync("CAF", Effect.Stop);
        here = await world.WhenAsync(here, line => line.State == State.EarlyReturn, Cancel);
        Assert.Equal((TrainingLine.Types.CancelCause.Restriction, restriction, World.Today), (here.CancelCause, here.CancelSourceId, here.EndedOn.ToDateOnly()));
    }

    [Fact]
    public async Task A_condition_holds_until_it_is_fulfilled_and_a_duty_stops_nothing()
    {
        var line = await world.EnrollAsync(await world.ScheduleAsync(5), "GNB");
        var restriction = World.Decision("GNB", Effect.ConditionBlocking, World.Today);
        restriction.Restrictions[0].Condition = new Condition { Requirement = "Notification of the committees." };
        restriction = await world.ApproveProposedAsync(await world.ProposeAsync(restriction));
        var held = await world.WhenAsync(line, now => now.Holds.Count == 1, Cancel);
        Assert.Equal((State.SeatConfirmed, Hold.Types.Cause.RestrictionHold), (held.State, held.Holds[0].Cause));
        await world.ApproveProposedAsync(await world.ProposeAsync(new Decision
        {
            Document = "Letter", Reason = "They were notified.", Fulfilments = { new Fulfilment { RestrictionId = restriction.Restrictions[0].Id, FulfilledOn = World.Today.ToProto(), Document = "Notification 1" } },
        }));
        await world.WhenAsync(line, now => now.Holds.Count == 0, Cancel);
        var carried = World.Decision("GNB", Effect.ConditionCarried, World.Today);
        carried.Restrictions[0].Condition = new Condition { Requirement = "Pays its own travel.", Duties = { Duty.CountryPaysTravel } };
        await world.ApproveProposedAsync(await world.ProposeAsync(carried));
        var second = await world.EnrollAsync(await world.ScheduleAsync(5), "GNB");
        Assert.Equal((Outcome.EligibleWithConditions, 0), (second.Judgement.Outcome, second.Holds.Count));
    }

    [Fact]
    public async Task Everyone_affected_is_known_in_one_call_by_school_and_state()
    {
        var (now, later) = (await world.ScheduleAsync(9, startsIn: 0, reportsIn: -3), await world.ScheduleAsync(9));
        var here = await world.EnrollAsync(now, "COD", 2);
        await world.ArriveAsync(here, 2);
        var seated = new[] { await world.EnrollAsync(later, "COD", 3), await world.EnrollAsync(later, "COD") };
        var before = await Enrollment.ListAffectedStudentsAsync(new ListAffectedStudentsRequest { Country = "COD" });
        Assert.Equal([(State.SeatConfirmed, 2, 4), (State.Arrived, 1, 2)], before.Groups.Select(group => (group.State, group.Lines, group.People)).Order());
        var restriction = await world.RestrictAsync("COD", Effect.Suspend);
        foreach (var line in seated)
            await world.WhenAsync(line, each => each.State == State.Cancelled, Cancel);
        var after = await Enrollment.ListAffectedStudentsAsync(new ListAffectedStudentsRequest { Country = "COD", RestrictionId = restriction, PageSize = 1 });
        Assert.Equal((1, State.Cancelled, 2, 4), (after.Groups.Count, after.Groups[0].State, after.Groups[0].Lines, after.Groups[0].People));
        Assert.NotEmpty(after.NextPageToken);
        var next = await Enrollment.ListAffectedStudentsAsync(new ListAffectedStudentsRequest { Country = "COD", RestrictionId = restriction, PageSize = 1, PageToken = after.NextPageToken });
        Assert.Equal(seated.Select(line => line.Id).Order(), after.Lines.Concat(next.Lines).Select(line => line.Id).Order());
        Assert.Equal(here.Id, Assert.Single((await Enrollment.ListAffectedStudentsAsync(new ListAffectedStudentsRequest { Country = "COD", States = { State.Arrived } })).Lines).Id);
    }

    [Fact]
    public async Task A_proposal_that_nobody_made_has_no_preview()
    {
        var request = new PreviewRestrictionRequest { DecisionId = World.NewId(), Countries = { "COG" } };
        Assert.Equal("PROPOSAL_UNKNOWN", (await World.RefusedAsync(Enrollment.PreviewRestrictionAsync(request).ResponseAsync)).Reason);
        Assert.Equal("SCOPE_REQUIRED", (await World.RefusedAsync(world.Stack.Caller("clerk", ["enrollment.read"]).Enrollment.PreviewRestrictionAsync(request).ResponseAsync)).Reason);
    }

    private sealed record Given(bool Begun, bool Planned, bool Operational, int Headcount, int Class);

    private sealed record Proposal(Effect Effect, bool OperationalOnly, int InDays, bool VoidsFirst);

    private static readonly Gen<(List<Given> Lines, Proposal Proposal)> Cases = Gen.Select(
        Gen.Select(Gen.Bool, Gen.Bool, Gen.Bool, Gen.Int[1, 3], Gen.Int[0, 1], (begun, planned, operational, headcount, number) => new Given(begun, planned, operational, headcount, number)).List[1, 7],
        Gen.Select(Gen.OneOf(Gen.Const(Effect.Suspend), Gen.Const(Effect.Stop), Gen.Const(Effect.Hold), Gen.Const(Effect.PauseTraining)), Gen.Bool, Gen.OneOf(Gen.Const(0), Gen.Const(0), Gen.Const(10), Gen.Const(45)), Gen.Bool, (effect, narrow, days, voids) => new Proposal(effect, narrow, days, voids)));

    [Fact]
    public async Task The_run_does_what_the_preview_said()
    {
        string[] countries = ["ERI", "GNQ", "LBR", "MRT", "MWI", "SLE", "SSD", "SYC"];
        var next = 0;
        await Cases.SampleAsync(each => PreviewAndRunAsync(countries[Interlocked.Increment(ref next) % countries.Length], each.Lines, each.Proposal), iter: 8, threads: 1);
    }

    private async Task PreviewAndRunAsync(string country, List<Given> given, Proposal proposal)
    {
        // Classes with room for what a void brings back, and without.
        var classes = new Dictionary<(bool, bool, int), Offering>();
        List<TrainingLine> lines = [];
        foreach (var each in given)
        {
            var key = (each.Begun, each.Operational, each.Class);
            if (!classes.TryGetValue(key, out var offering))
                classes[key] = offering = await world.ScheduleAsync(20, startsIn: each.Begun ? 0 : 30, reportsIn: each.Begun ? -3 : null, kind: each.Operational ? TrainingKind.Operational : TrainingKind.Classroom);
            var wish = World.Wish(offering, country, each.Headcount);
            if (each is { Planned: true, Begun: false })
            {
                lines.Add((await Enrollment.NominateStudentAsync(new NominateStudentRequest { RequestId = World.NewId(), Country = country, Headcount = each.Headcount, OfferingId = offering.Id, Funding = wish.Funding })).Line);
                continue;
            }
            var line = await world.EnrollAsync(wish);
            lines.Add(each.Begun ? await world.ArriveAsync(line, 2) : line);
        }
        var scope = proposal.OperationalOnly ? new Scope { TrainingKinds = new TrainingKindSet { Mode = SetMode.Only, TrainingKinds = { TrainingKind.Operational } } } : null;
        var decision = World.Decision(country, proposal.Effect, World.Today.AddDays(proposal.InDays), scope: scope);
        if (proposal.VoidsFirst)
        {
            var erroneous = await world.DecideAsync(country, Effect.Suspend, World.Today);
            await ExaminedAsync(country);
            decision.Voids.Add(new CountryEligibility.V1.Void { DecisionId = erroneous.Id });
        }
        await ExaminedAsync(country);
        var proposed = await world.ProposeAsync(decision);
        var request = new PreviewRestrictionRequest { DecisionId = proposed.Id, Countries = { country }, PageSize = 1000 };
        var preview = await Enrollment.PreviewRestrictionAsync(request);
        Assert.Equal(preview.Etag, (await Enrollment.PreviewRestrictionAsync(request)).Etag);
        var before = await AllAsync(country);
        var taken = await TakenAsync(classes.Values);
        await world.ApproveProposedAsync(proposed);
        await ExaminedAsync(country);

        var after = (await AllAsync(country)).ToDictionary(line => line.Id);
        foreach (var line in before)
        {
            var now = after[line.Id];
            var fate = preview.Fates.SingleOrDefault(each => each.LineId == line.Id);
            if (fate is null)
            {
                Assert.Equal(line, now);
                continue;
            }
            Assert.Equal((line.State, now.State, now.Version), (fate.StateBefore, fate.StateAfter, line.Version + 1));
            Assert.Equal(now.Holds.Select(hold => (hold.Cause, hold.SourceId)).Order(), fate.HoldsAfter.Select(hold => (hold.Cause, hold.SourceId)).Order());
            Assert.Equal((await world.HistoryAsync(now))[^1].Change, fate.Change);
        }
        Assert.Equal(preview.Totals.SeatsReleased - after.Values.Where(line => preview.Fates.Any(fate => fate.LineId == line.Id && fate.Change == "restored" && fate.StateAfter == State.SeatConfirmed)).Sum(line => line.Headcount),
            taken - await TakenAsync(classes.Values));
        Assert.Equal(preview.Fates.Count, preview.Totals.Changed);
    }

    private async Task<List<TrainingLine>> AllAsync(string country)
    {
        List<TrainingLine> all = [];
        var request = new ListTrainingLinesRequest { Country = country, PageSize = 1000 };
        do
        {
            var page = await Enrollment.ListTrainingLinesAsync(request);
            all.AddRange(page.Lines);
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
        return all;
    }

    private async Task<int> TakenAsync(IEnumerable<Offering> offerings)
    {
        var taken = 0;
        foreach (var offering in offerings)
            taken += (await world.SeatsAsync(offering)).Taken;
        return taken;
    }

    private Task ExaminedAsync(string country) => Eventually.TrueAsync(() => world.SqlAsync<bool>("""
        select not exists (select from enrollment.due_work where key = @country)
           and coalesce((select s.revision >= c.revision from enrollment.country_seen s join eligibility.countries c on c.code = s.country where s.country = @country), true)
        """, new { country }), Cancel, $"{country} is examined");
}
