using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.Enrollment.History;
using Imet.Enrollment.V1;
using Imet.Testing;
using Xunit;
using Progress = Imet.Enrollment.V1.TrainingLine.Types.Progress;
using Result = Imet.Enrollment.V1.ReportEndRequest.Types.Result;
using State = Imet.Enrollment.V1.TrainingLine.Types.State;

namespace Imet.Enrollment.Tests;

[Collection(InOneWorld.Name)]
public sealed class LifeCycleTests(SharedWorld shared)
{
    private readonly World world = shared.World;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private V1.EnrollmentService.EnrollmentServiceClient Enrollment => world.Officer.Enrollment;

    [Fact]
    public async Task From_nomination_to_a_seat_each_step_is_one_act()
    {
        var offering = await world.ScheduleAsync(2);
        var line = await NominateAsync(offering, "KOR", 2);
        Assert.Equal((State.Nominated, 0), (line.State, await TakenAsync(offering)));
        var early = await World.RefusedAsync(Enrollment.ConfirmSeatAsync(new ConfirmSeatRequest { RequestId = World.NewId(), LineId = line.Id, Etag = line.Etag }).ResponseAsync);
        Assert.Equal("INVALID_TRANSITION", early.Reason);
        line = (await Enrollment.ApproveNominationAsync(new ApproveNominationRequest { RequestId = World.NewId(), LineId = line.Id, Etag = line.Etag })).Line;
        Assert.Equal((State.Approved, 0), (line.State, await TakenAsync(offering)));
        line = (await Enrollment.ConfirmSeatAsync(new ConfirmSeatRequest { RequestId = World.NewId(), LineId = line.Id, Etag = line.Etag })).Line;
        Assert.Equal((State.SeatConfirmed, 2), (line.State, await TakenAsync(offering)));
        Assert.Equal(["nominated", "approved", "seat-confirmed"], (await world.HistoryAsync(line)).Select(entry => entry.Change));
        Assert.All(await world.HistoryAsync(line), entry => Assert.Equal(Outcome.Eligible, entry.Judgement.Outcome));

        var late = await NominateAsync(offering, "KOR");
        late = (await Enrollment.ApproveNominationAsync(new ApproveNominationRequest { RequestId = World.NewId(), LineId = late.Id, Etag = late.Etag })).Line;
        Assert.Equal("OFFERING_FULL", (await World.RefusedAsync(Enrollment.ConfirmSeatAsync(new ConfirmSeatRequest { RequestId = World.NewId(), LineId = late.Id, Etag = late.Etag }).ResponseAsync)).Reason);
    }

    [Fact]
    public async Task What_is_suspended_is_neither_nominated_nor_seated_and_a_nomination_waits()
    {
        var offering = await world.ScheduleAsync(5);
        var line = await NominateAsync(offering, "PRT");
        var restriction = await world.RestrictAsync("PRT", Effect.Suspend);
        var held = await world.WhenAsync(line, now => now.Holds.Count == 1, Cancel);
        Assert.Equal((State.Nominated, Hold.Types.Cause.RestrictionHold, restriction), (held.State, held.Holds[0].Cause, held.Holds[0].SourceId));
        Assert.Equal("LINE_ON_HOLD", (await World.RefusedAsync(Enrollment.ApproveNominationAsync(
            new ApproveNominationRequest { RequestId = World.NewId(), LineId = held.Id, Etag = held.Etag }).ResponseAsync)).Reason);
        Assert.Equal("COUNTRY_NOT_ELIGIBLE", (await World.RefusedAsync(NominateAsync(offering, "PRT"))).Reason);
        await world.LiftAsync(restriction);
        await world.WhenAsync(line, now => now.Holds.Count == 0, Cancel);
    }

    [Fact]
    public async Task The_school_reports_how_training_goes_longer_than_planned_and_ends()
    {
        var offering = await world.ScheduleAsync(5, startsIn: 0, reportsIn: -3);
        var line = await world.EnrollAsync(offering, "DOM");
        await world.ArriveAsync(line, 2);
        line = await world.StartTrainingAsync(line);
        line = (await Enrollment.ReportProgressAsync(new ReportProgressRequest { RequestId = World.NewId(), LineId = line.Id, Progress = Progress.AtRisk, Note = "English." })).Line;
        Assert.Equal(Progress.AtRisk, line.Progress);
        var longer = line.EndDate.ToDateOnly().AddDays(20);
        var answer = await Enrollment.ExtendTrainingAsync(new ExtendTrainingRequest
        {
            RequestId = World.NewId(), LineId = line.Id, Etag = line.Etag, EndDate = longer.ToProto(), Reason = "A flu.", Price = new Google.Type.Money { CurrencyCode = "USD", Units = 900 },
            Funding = new Funding { Program = "IMET", Account = "IMET-2", FiscalYear = 2027 },
        });
        Assert.Equal((State.Extended, longer), (answer.Line.State, answer.Line.EndDate.ToDateOnly()));
        var extension = answer.Extension;
        Assert.Equal((TrainingLine.Types.Kind.Extension, line.Id, State.InTraining, 900, "IMET-2"), (extension.Kind, extension.OfLineId, extension.State, extension.Price.Units, extension.Funding.Account));
        Assert.Equal(line.EndDate.ToDateOnly().AddDays(1), extension.StartDate.ToDateOnly());
        Assert.Equal(1, await TakenAsync(offering));
        Assert.Equal("INVALID_TRANSITION", (await World.RefusedAsync(EndAsync(extension, Result.Graduated))).Reason);

        var ended = await EndAsync(line, Result.Graduated);
        Assert.Equal((State.Graduated, World.Today), (ended.State, ended.EndedOn.ToDateOnly()));
        Assert.Equal((State.Graduated, World.Today), await StateAsync(extension));
        Assert.Equal("INVALID_TRANSITION", (await World.RefusedAsync(EndAsync(line, Result.Completed))).Reason);
        Assert.Equal(["enrolled", "arrived", "started", "progressed", "extended", "graduated"], (await world.HistoryAsync(line)).Select(entry => entry.Change));
        Assert.Null(LineHistory.FirstBroken(Guid.Parse(line.Id), await world.HistoryAsync(line)));
    }

    [Fact]
    public async Task A_charge_is_a_line_that_takes_no_seat()
    {
        var offering = await world.ScheduleAsync(1);
        var line = await world.EnrollAsync(offering, "SLV");
        var charge = (await Enrollment.AddChargeAsync(new AddChargeRequest { RequestId = World.NewId(), OfLineId = line.Id, Price = new Google.Type.Money { CurrencyCode = "USD", Units = 90 }, Reason = "Insurance review." })).Line;
        Assert.Equal((TrainingLine.Types.Kind.Charge, State.Completed, line.Id, line.Funding), (charge.Kind, charge.State, charge.OfLineId, charge.Funding));
        Assert.Equal(charge, await world.GetAsync(charge.Id));
        Assert.Equal("NOT_A_COURSE_LINE", (await World.RefusedAsync(Enrollment.AddChargeAsync(new AddChargeRequest
            { RequestId = World.NewId(), OfLineId = charge.Id, Price = charge.Price, Reason = "Once more." }).ResponseAsync)).Reason);
        Assert.Equal(1, await TakenAsync(offering));
    }

    [Fact]
    public async Task Who_does_not_come_gives_the_seat_back_and_only_after_the_report_date()
    {
        var (due, ahead) = (await world.ScheduleAsync(5, startsIn: 0, reportsIn: -1), await world.ScheduleAsync(5));
        var (late, early) = (await world.EnrollAsync(due, "SWZ"), await world.EnrollAsync(ahead, "SWZ"));
        Assert.Equal(State.NoShow, (await Enrollment.ReportNoShowAsync(new ReportNoShowRequest { RequestId = World.NewId(), LineId = late.Id })).Line.State);
        Assert.Equal(0, await TakenAsync(due));
        Assert.Equal("INVALID_TRANSITION", (await World.RefusedAsync(Enrollment.ReportNoShowAsync(new ReportNoShowRequest { RequestId = World.NewId(), LineId = early.Id }).ResponseAsync)).Reason);
    }

    [Fact]
    public async Task An_absence_is_told_to_all_who_must_know_and_counted_for_the_alert()
    {
        await using var subscriber = await Subscriber.StartAsync(world.Stack.Broker, Cancel, "imet.enrollment.v1");
        var line = await world.EnrollAsync(await world.ScheduleAsync(5, startsIn: 0, reportsIn: -3), "LSO");
        await world.ArriveAsync(line, 2);
        var absent = (await Enrollment.ReportAbsenceAsync(new ReportAbsenceRequest { RequestId = World.NewId(), LineId = line.Id, AbsentSince = World.Today.AddDays(-1).ToProto() })).Line;
        Assert.Equal(State.Absent, absent.State);
        var told = await subscriber.WaitForAsync(e => e.RoutingKey == "training-line.absent.LSO", Cancel);
        Assert.Equal("ROLE_OFFICE", told.Data.GetProperty("addressees")[0].GetProperty("role").GetString());
        Assert.Matches("imet_enrollment_absences_total.* [1-9]", await world.Stack.Enrollment[0].MetricsAsync(Cancel));
    }

    [Fact]
    public async Task Who_is_removed_from_training_loses_every_line_and_is_refused_under_every_program()
    {
        var student = await world.StudentAsync("SAU");
        var (now, later) = (await world.ScheduleAsync(5, startsIn: 0, reportsIn: -3, days: 10), await world.ScheduleAsync(5));
        var (here, ahead, roster) = (await world.EnrollStudentAsync(now, student, "SAU"), await world.EnrollStudentAsync(later, student, "SAU"), await world.EnrollAsync(later, "SAU", 3));
        roster = (await Enrollment.AddToRosterAsync(new AddToRosterRequest { RequestId = World.NewId(), LineId = roster.Id, Etag = roster.Etag, StudentIds = { student } })).Line;
        await world.ClearAsync(student);
        await world.IssueOrdersAsync(here);
        await world.ArriveAsync(here, 0);
        var answer = await Enrollment.DisenrollStudentAsync(new DisenrollStudentRequest
        {
            RequestId = World.NewId(), StudentId = student, EndedOn = World.Today.ToProto(), Cause = "A security review.", Document = "Memorandum of 13 January",
        });
        Assert.Equal(3, answer.Lines.Count);
        Assert.Equal(State.Disenrolled, (await world.GetAsync(here.Id)).State);
        var cancelled = await world.GetAsync(ahead.Id);
        Assert.Equal((State.Cancelled, TrainingLine.Types.CancelCause.PersonRemoved), (cancelled.State, cancelled.CancelCause));
        Assert.Equal(3, await TakenAsync(later));
        Assert.Empty((await Enrollment.ListRosterAsync(new ListRosterRequest { LineId = roster.Id })).StudentIds);
        foreach (var program in new[] { "IMET", "FMS" })
        {
            var wish = World.Wish(later, "SAU");
            (wish.StudentId, wish.Funding.Program) = (student, program);
            Assert.Equal("PERSON_REMOVED", (await World.RefusedAsync(world.EnrollAsync(wish))).Reason);
        }
        Assert.Equal("PERSON_REMOVED", (await World.RefusedAsync(Enrollment.AddToRosterAsync(
            new AddToRosterRequest { RequestId = World.NewId(), LineId = roster.Id, Etag = (await world.GetAsync(roster.Id)).Etag, StudentIds = { student } }).ResponseAsync)).Reason);
    }

    [Fact]
    public async Task A_headcount_line_gets_its_names_as_they_become_known()
    {
        var line = await world.EnrollAsync(await world.ScheduleAsync(5, host: "BLZ"), "BLZ", 2);
        string[] students = [await world.StudentAsync("BLZ"), await world.StudentAsync("BLZ"), await world.StudentAsync("BLZ")];
        line = (await AddAsync(line, students[0])).Line;
        Assert.Equal("ROSTER_FULL", (await World.RefusedAsync(AddAsync(line, students[1], students[2]))).Reason);
        Assert.Equal("INVALID_FIELDS", (await World.RefusedAsync(AddAsync(line, students[0]))).Reason);
        Assert.Equal("STUDENT_UNKNOWN", (await World.RefusedAsync(AddAsync(line, await world.StudentAsync("GTM")))).Reason);
        await AddAsync(line, students[1]);
        Assert.Equal(students[..2].Order(StringComparer.Ordinal), (await Enrollment.ListRosterAsync(new ListRosterRequest { LineId = line.Id })).StudentIds);
        var one = await world.EnrollStudentAsync(await world.ScheduleAsync(5), students[2], "BLZ");
        Assert.Equal("NO_HEADCOUNT", (await World.RefusedAsync(AddAsync(one, students[2]))).Reason);
    }

    private async Task<AddToRosterResponse> AddAsync(TrainingLine line, params string[] students) =>
        await Enrollment.AddToRosterAsync(new AddToRosterRequest { RequestId = World.NewId(), LineId = line.Id, Etag = line.Etag, StudentIds = { students } });

    private async Task<TrainingLine> NominateAsync(CourseCatalog.V1.Offering offering, string country, int headcount = 1)
    {
        var wish = World.Wish(offering, country, headcount);
        return (await Enrollment.NominateStudentAsync(new NominateStudentRequest
            { RequestId = World.NewId(), Country = country, Headcount = headcount, OfferingId = offering.Id, Funding = wish.Funding })).Line;
    }

    private async Task<TrainingLine> EndAsync(TrainingLine line, Result result) =>
        (await Enrollment.ReportEndAsync(new ReportEndRequest { RequestId = World.NewId(), LineId = line.Id, Result = result, EndedOn = World.Today.ToProto() })).Line;

    private async Task<(State, DateOnly)> StateAsync(TrainingLine line) => await world.GetAsync(line.Id) is var now ? (now.State, now.EndedOn.ToDateOnly()) : default;

    private async Task<int> TakenAsync(CourseCatalog.V1.Offering offering) => (await world.SeatsAsync(offering)).Taken;
}
