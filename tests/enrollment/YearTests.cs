using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.V1;
using Imet.Testing;
using Xunit;
using Cause = Imet.Enrollment.V1.Hold.Types.Cause;
using Kind = Imet.Enrollment.V1.Gate.Types.Kind;
using State = Imet.Enrollment.V1.TrainingLine.Types.State;

namespace Imet.Enrollment.Tests;

/// <summary>Clocks of running services set forward through a year: week by week, and to each day on which something is due.</summary>
public sealed class YearTests(Servers servers)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private int day;

    [Fact]
    public async Task What_was_announced_for_a_later_day_happens_on_that_day_also_when_the_service_was_down_then()
    {
        var ahead = Path.Combine(servers.Folder, $"{World.NewId()}.ahead");
        await using var world = await World.StartAsync(servers, Cancel, ("Clock__AheadFile", ahead), ("Reconciliation__Interval", "00:00:00.250"));
        DateOnly On(int later) => World.Today.AddDays(later);

        // A long course, whose student comes in the second week; a follow-on of the same track within eight months, and one after them.
        var (course, soon, late) = (await world.ScheduleAsync(9, 10, 8, 280), await world.ScheduleAsync(9, 200), await world.ScheduleAsync(9, 330, days: 10));
        var first = await world.EnrollAsync(course, "PAK");
        var follow = await FollowAsync(world, soon, first);
        var afterwards = await FollowAsync(world, late, first);
        // Orders whose medical examination is good until the day after the report date.
        var student = await world.StudentAsync("PAK");
        var ordered = await world.EnrollStudentAsync(await world.ScheduleAsync(9, 20, 18, 30), student, "PAK");
        await world.ClearAsync(student);
        await world.RecordAsync(Kind.Medical, student, validUntil: On(19));
        ordered = await world.IssueOrdersAsync(ordered);
        // Somebody whose class begins after a suspension that is still to come.
        var due = await world.EnrollAsync(await world.ScheduleAsync(9, 80, 78), "PAK");
        await ReachAsync(world, ahead, 10);
        first = await ArriveAsync(world, first);

        await ReachAsync(world, ahead, 20);
        await HoldsAsync(world, ordered, (Cause.GateRed, "MEDICAL"));
        await world.RecordAsync(Kind.Medical, student);
        await HoldsAsync(world, ordered);

        // A pause announced on day 20 for the days 40 to 69. On its first day nothing of enrollment runs.
        var pause = World.Decision("PAK", Effect.PauseTraining, On(40), On(20));
        pause.Restrictions[0].EffectiveTo = On(70).ToProto();
        pause = await world.ApproveProposedAsync(await world.ProposeAsync(pause));
        await ReachAsync(world, ahead, 39);
        await HoldsAsync(world, first);
        await world.Stack.Enrollment[0].StopAsync(Cancel);
        await World.SetAheadAsync(ahead, 40);
        await world.Stack.Enrollment[0].RestartAsync(Cancel);
        day = 40;
        await HoldsAsync(world, first, (Cause.TrainingPaused, pause.Restrictions[0].Id));
        await ReachAsync(world, ahead, 69);
        await HoldsAsync(world, first, (Cause.TrainingPaused, pause.Restrictions[0].Id));
        await ReachAsync(world, ahead, 70);
        await HoldsAsync(world, first);

        // A suspension announced on day 70 for day 79. Who has begun finishes; what follows within eight months stays, what comes after them does not.
        var suspension = await world.DecideAsync("PAK", Effect.Suspend, On(79), On(70));
        await world.WhenAsync(afterwards, line => line.State == State.Cancelled, Cancel);
        await ReachAsync(world, ahead, 78);
        Assert.Equal(State.Cancelled, (await world.GetAsync(due.Id)).State);
        await ReachAsync(world, ahead, 79);
        await HoldsAsync(world, first);
        await HoldsAsync(world, follow);
        Assert.Equal(State.Arrived, (await world.GetAsync(first.Id)).State);
        await ReachAsync(world, ahead, 200);
        follow = await ArriveAsync(world, follow);
        Assert.Equal(Finding.Types.Bearing.WindingUp, follow.Judgement.Findings.Single(finding => finding.RestrictionId == suspension.Restrictions[0].Id).Bearing);

        await ReachAsync(world, ahead, 365);
        Assert.Equal([State.Arrived, State.Arrived], new[] { (await world.GetAsync(first.Id)).State, (await world.GetAsync(follow.Id)).State });
        Assert.Equal(World.Today.AddDays(365), await world.SqlAsync<DateOnly>("select examined_on from enrollment.country_seen where country = 'PAK'"));
    }

    [Fact]
    public async Task Who_may_only_be_late_is_waited_for_through_five_working_days()
    {
        var ahead = Path.Combine(servers.Folder, $"{World.NewId()}.ahead");
        await using var world = await World.StartAsync(servers, Cancel, ("Clock__AheadFile", ahead), ("Reconciliation__Interval", "00:00:00.250"));
        var offering = await world.ScheduleAsync(9, 20, 3);
        var (late, never) = (await world.EnrollAsync(offering, "UKR"), await world.EnrollAsync(offering, "UKR", 2));
        await ReachAsync(world, ahead, 4);
        var restriction = (await world.DecideAsync("UKR", Effect.Suspend, World.Today.AddDays(4), World.Today.AddDays(4))).Restrictions[0].Id;
        await HoldsAsync(world, late, (Cause.ArrivalUnknown, restriction));
        await HoldsAsync(world, never, (Cause.ArrivalUnknown, restriction));
        // The school reports two days later that one of them had come in time.
        await ReachAsync(world, ahead, 6);
        var arrived = (await world.Officer.Enrollment.ReportArrivalAsync(new ReportArrivalRequest { RequestId = World.NewId(), LineId = late.Id, ArrivedOn = World.Today.AddDays(3).ToProto() })).Line;
        Assert.Equal((State.Arrived, 0), (arrived.State, arrived.Holds.Count));
        while (EffectTable.WorkingDaysAfter(World.Today.AddDays(3), World.Today.AddDays(day)) < 5)
            await ReachAsync(world, ahead, day + 1);
        await HoldsAsync(world, never, (Cause.ArrivalUnknown, restriction));
        while (EffectTable.WorkingDaysAfter(World.Today.AddDays(3), World.Today.AddDays(day)) < 6)
            await ReachAsync(world, ahead, day + 1);
        Assert.Equal(State.Cancelled, (await world.GetAsync(never.Id)).State);
        Assert.Equal(State.Arrived, (await world.GetAsync(late.Id)).State);
        Assert.Equal(1, (await world.SeatsAsync(offering)).Taken);
    }

    private async Task ReachAsync(World world, string ahead, int until)
    {
        while (day < until)
        {
            day = Math.Min(until, day + 7);
            await World.SetAheadAsync(ahead, day);
            await Eventually.TrueAsync(() => world.SqlAsync<bool>("""
                select not exists (select from enrollment.due_work) and not exists (select from enrollment.country_seen where examined_on is distinct from @today)
                """, new { today = World.Today.AddDays(day) }), Cancel, $"day {day} is examined");
        }
    }

    private async Task<TrainingLine> ArriveAsync(World world, TrainingLine line) =>
        (await world.Officer.Enrollment.ReportArrivalAsync(new ReportArrivalRequest { RequestId = World.NewId(), LineId = line.Id, ArrivedOn = World.Today.AddDays(day).ToProto() })).Line;

    private static async Task<TrainingLine> FollowAsync(World world, Offering offering, TrainingLine first)
    {
        var wish = World.Wish(offering, first.Country);
        wish.TrackId = first.TrackId;
        return await world.EnrollAsync(wish);
    }

    private static async Task HoldsAsync(World world, TrainingLine line, params (Cause, string)[] expected)
    {
        var now = await world.WhenAsync(line, each => each.Holds.Count == expected.Length, Cancel);
        Assert.Equal(expected, now.Holds.Select(hold => (hold.Cause, hold.SourceId)));
    }
}
