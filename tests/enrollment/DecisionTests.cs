using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.Offerings;
using Imet.Enrollment.School;
using Imet.Enrollment.History;
using Imet.Enrollment.V1;
using Xunit;

namespace Imet.Enrollment.Tests;

public sealed class DecisionTests
{
    private static LineChange Enroll(EnrollFacts facts) => EnrollmentDecisions.Enroll(facts).Value;

    private static Refusal RefusalOf(EnrollFacts facts) => EnrollmentDecisions.Enroll(facts).Refusal;

    [Fact]
    public void A_headcount_takes_that_many_seats()
    {
        var change = Enroll(Some.Facts());
        Assert.Equal((LineState.SeatConfirmed, 3, -3), (change.After.State, change.After.Headcount, change.SeatsFreed));
        Assert.Empty(change.After.Holds);
    }

    [Fact]
    public void The_last_seats_are_given_and_not_one_more()
    {
        Assert.True(EnrollmentDecisions.Enroll(Some.Facts() with { Seats = Some.Facts().Seats with { Taken = 7 } }).IsAccepted);
        var refusal = RefusalOf(Some.Facts() with { Seats = Some.Facts().Seats with { Taken = 8 } });
        Assert.Equal("OFFERING_FULL", refusal.Reason);
        Assert.Equal(("10", "8"), (refusal.Metadata["capacity"], refusal.Metadata["taken"]));
    }

    [Theory]
    [InlineData(Outcome.NotEligible, Effect.Suspend, "COUNTRY_NOT_ELIGIBLE")]
    [InlineData(Outcome.OnHold, Effect.Hold, "COUNTRY_ON_HOLD")]
    public void A_refusal_cites_each_restriction_that_applies_with_its_legal_basis(Outcome outcome, Effect effect, string reason)
    {
        var verdict = Some.Verdict(outcome, Some.Finding(effect), Some.Finding(effect, Finding.Types.Bearing.OutOfScope));
        var refusal = RefusalOf(Some.Facts() with { Verdict = verdict });
        Assert.Equal(reason, refusal.Reason);
        var violation = Assert.Single(refusal.Preconditions);
        Assert.Equal(("COUP_7008", "THA", "A coup. (section 7008)"), (violation.Type, violation.Subject, violation.Description));
    }

    [Fact]
    public void A_missing_fact_is_named()
    {
        var verdict = Some.Verdict(Outcome.Depends, Some.Finding(Effect.Suspend, Finding.Types.Bearing.FactMissing));
        var refusal = RefusalOf(Some.Facts() with { Verdict = verdict });
        Assert.Equal("ELIGIBILITY_DEPENDS", refusal.Reason);
        Assert.Single(refusal.Preconditions);
    }

    [Fact]
    public void Under_a_pause_of_training_a_student_is_enrolled_on_hold()
    {
        var change = Enroll(Some.Facts() with { Verdict = Some.Verdict(Outcome.Paused, Some.Finding(Effect.PauseTraining)) });
        var hold = Assert.Single(change.After.Holds);
        Assert.Equal((HoldCause.TrainingPaused, Some.Restriction.ToString()), (hold.Cause, hold.SourceId));
    }

    [Fact]
    public void A_class_that_has_begun_takes_nobody()
    {
        var begun = Some.Offering() with { StartDate = Some.Today.AddDays(-1) };
        Assert.Equal("OFFERING_BEGUN", RefusalOf(Some.Facts() with { Offering = begun }).Reason);
        Assert.True(EnrollmentDecisions.Enroll(Some.Facts() with { Offering = begun with { StartDate = Some.Today } }).IsAccepted);
    }

    [Fact]
    public void A_class_that_is_not_open_takes_nobody()
    {
        var refusal = RefusalOf(Some.Facts() with { Seats = Some.Facts().Seats with { State = Offering.Types.State.Cancelled } });
        Assert.Equal(("OFFERING_NOT_OPEN", "CANCELLED"), (refusal.Reason, refusal.Metadata["state"]));
    }

    [Fact]
    public void Another_countrys_student_is_as_unknown_as_none()
    {
        var facts = Some.Facts() with { Wish = Some.Wish() with { StudentId = Some.Restriction, Headcount = 1 } };
        var none = RefusalOf(facts);
        var anothers = RefusalOf(facts with { Student = new StudentRow("FRA", null, false) });
        Assert.Equal(("STUDENT_UNKNOWN", none.Message), (anothers.Reason, anothers.Message));
        Assert.Equal(none.Metadata, anothers.Metadata);
        Assert.True(EnrollmentDecisions.Enroll(facts with { Student = new StudentRow("THA", null, false) }).IsAccepted);
    }

    [Fact]
    public void A_student_is_in_one_place_at_a_time()
    {
        var facts = Some.Facts() with { Wish = Some.Wish() with { StudentId = Some.Restriction, Headcount = 1 }, Student = new StudentRow("THA", Some.Line().Id, false) };
        var refusal = RefusalOf(facts);
        Assert.Equal(("STUDENT_BUSY", Some.Line().Id.ToString()), (refusal.Reason, refusal.Metadata["line_id"]));
    }

    [Fact]
    public void A_line_shorter_than_its_class_lies_within_it()
    {
        var (start, end) = (Some.Offering().StartDate, Some.Offering().EndDate);
        Assert.Equal((start, end), EnrollmentDecisions.Days(Some.Offering(), null, null).Value);
        Assert.Equal((start.AddDays(1), end.AddDays(-1)), EnrollmentDecisions.Days(Some.Offering(), start.AddDays(1), end.AddDays(-1)).Value);
        var refusal = EnrollmentDecisions.Days(Some.Offering(), start.AddDays(-1), end.AddDays(1)).Refusal;
        Assert.Equal(["start_date", "end_date"], refusal.Fields.Select(field => field.Field));
    }

    [Theory]
    [InlineData("IMET", "GRANT", 100_000, 500_000_000)]
    [InlineData("FMS", "FULL", 300_000, 0)]
    [InlineData("CTFP", "GRANT", 100_000, 500_000_000)]
    public void The_price_is_the_programs_rate_times_the_headcount_to_the_cent(string program, string rate, long units, int nanos)
    {
        var line = Enroll(Some.Facts() with { Wish = Some.Wish() with { Funding = new Funding { Program = program, FiscalYear = 2026 } } }).After;
        Assert.Equal((rate, new Price("USD", units, nanos), (DateOnly?)Some.Today), (line.TuitionRate, line.Price, line.QuotedOn));
    }

    [Fact]
    public void A_quoted_price_stands_as_it_was_quoted_and_no_price_is_no_price()
    {
        var quoted = Enroll(Some.Facts() with { Wish = Some.Wish() with { QuotedPrice = new Price("USD", 12, 340_000_000) } }).After;
        Assert.Equal(new Price("USD", 12, 340_000_000), quoted.Price);
        var unpriced = Enroll(Some.Facts() with { Offering = Some.Offering() with { Course = new CourseFacts() } }).After;
        Assert.Equal(("", null, null), (unpriced.TuitionRate, unpriced.Price, unpriced.QuotedOn));
    }

    [Fact]
    public void A_suspension_cancels_what_has_not_begun_and_leaves_what_winds_up()
    {
        var cancelled = EnrollmentDecisions.Reexamine(Some.Line(), Some.Verdict(Outcome.NotEligible, Some.Finding(Effect.Suspend)), Some.Today, Actors.Service, Some.Now);
        Assert.Equal((LineState.Cancelled, CancelCause.Restriction, 2), (cancelled!.After.State, cancelled.After.CancelCause, cancelled.SeatsFreed));
        Assert.Equal(Some.Restriction.ToString(), cancelled.SourceId);
        var windingUp = Some.Eligible(Some.Finding(Effect.Suspend, Finding.Types.Bearing.WindingUp));
        Assert.Null(EnrollmentDecisions.Reexamine(Some.Line(LineState.InTraining), windingUp, Some.Today, Actors.Service, Some.Now));
    }

    [Theory]
    [InlineData(0, LineState.Cancelled)]
    [InlineData(1, LineState.SeatConfirmed)]
    [InlineData(7, LineState.SeatConfirmed)]
    [InlineData(8, LineState.Cancelled)]
    public void Who_may_just_be_reported_late_is_held_for_five_working_days(int daysPast, LineState expected)
    {
        var line = Some.Line() with { ReportDate = Some.Today.AddDays(-daysPast) };
        var change = EnrollmentDecisions.Reexamine(line, Some.Verdict(Outcome.NotEligible, Some.Finding(Effect.Suspend)), Some.Today, Actors.Service, Some.Now)!;
        Assert.Equal(expected, change.After.State);
        if (expected == LineState.SeatConfirmed)
            Assert.Equal(HoldCause.ArrivalUnknown, Assert.Single(change.After.Holds).Cause);
    }

    [Fact]
    public void The_own_arrival_resolves_the_hold_that_waits_for_it_and_no_other()
    {
        var unknown = Some.Line() with { Holds = [new LineHold(HoldCause.ArrivalUnknown, "r", Some.Now)] };
        Assert.Empty(SchoolDecisions.ReportArrival(unknown, Some.Eligible(), Some.Today, Some.Today, "school", Some.Now).Value.After.Holds);
        var paused = Some.Line() with { Holds = [new LineHold(HoldCause.TrainingPaused, "r", Some.Now)] };
        var refusal = SchoolDecisions.ReportArrival(paused, Some.Eligible(), Some.Today, Some.Today, "school", Some.Now).Refusal;
        Assert.Equal(("LINE_ON_HOLD", "TRAINING_PAUSED"), (refusal.Reason, refusal.Metadata["causes"]));
    }

    [Theory]
    [InlineData(Effect.Stop, "Cancel Cancel Cancel AwaitArrival End")]
    [InlineData(Effect.Suspend, "Hold Cancel Cancel AwaitArrival Hold")]
    [InlineData(Effect.ConditionBlocking, "Hold Hold Hold Hold GoOn")]
    [InlineData(Effect.Hold, "Hold Hold Hold Hold GoOn")]
    [InlineData(Effect.PauseTraining, "PauseTraining PauseTraining PauseTraining PauseTraining PauseTraining")]
    [InlineData(Effect.ConditionCarried, "GoOn GoOn GoOn GoOn GoOn")]
    [InlineData(Effect.Ceiling, "GoOn GoOn GoOn GoOn GoOn")]
    public void What_an_effect_does_to_what_is_planned_seated_ordered_overdue_or_begun(Effect effect, string expected) =>
        Assert.Equal(expected, string.Join(' ', Enum.GetValues<Standing>().Select(standing => EffectTable.Of(effect, standing))));

    [Fact]
    public void Every_effect_of_the_contract_has_its_row()
    {
        foreach (var effect in Enum.GetValues<Effect>().Where(effect => effect != Effect.Unspecified))
            Assert.Contains(effect, typeof(DecisionTests).GetMethod(nameof(What_an_effect_does_to_what_is_planned_seated_ordered_overdue_or_begun))!.GetCustomAttributes(typeof(InlineDataAttribute), false).Cast<InlineDataAttribute>().Select(row => (Effect)row.Data[0]!));
    }

    [Fact]
    public void A_reinstatement_releases_holds_and_revives_nothing()
    {
        var held = Some.Line() with { Holds = [new LineHold(HoldCause.RestrictionHold, "r", Some.Now)] };
        var released = EnrollmentDecisions.Reexamine(held, Some.Eligible(), Some.Today, Actors.Service, Some.Now)!;
        Assert.Equal(("released", 0), (released.Change, released.After.Holds.Count));
        Assert.Null(EnrollmentDecisions.Reexamine(Some.Line(LineState.Cancelled), Some.Eligible(), Some.Today, Actors.Service, Some.Now));
    }

    [Fact]
    public void Examined_again_nothing_more_happens()
    {
        foreach (var state in Enum.GetValues<LineState>().Where(LineStates.IsOpen).Except([LineState.Waitlisted, LineState.Offered]))
        foreach (var (outcome, effect) in new[] { (Outcome.NotEligible, Effect.Suspend), (Outcome.OnHold, Effect.Hold), (Outcome.Paused, Effect.PauseTraining) })
        {
            var verdict = Some.Verdict(outcome, Some.Finding(effect));
            var line = EnrollmentDecisions.Reexamine(Some.Line(state), verdict, Some.Today, Actors.Service, Some.Now)?.After ?? Some.Line(state);
            Assert.Null(EnrollmentDecisions.Reexamine(line, verdict, Some.Today.AddDays(1), Actors.Service, Some.Now));
        }
    }

    [Fact]
    public void The_track_begins_with_the_first_that_arrives()
    {
        var arrived = SchoolDecisions.ReportArrival(Some.Line(), Some.Eligible(), Some.Today.AddDays(-1), Some.Today, "school", Some.Now).Value.After;
        Assert.Equal(Some.Today.AddDays(-1), arrived.TrackBegunOn);
        Assert.Equal(Some.Today.AddDays(-1), SchoolDecisions.ReportStart(arrived, Some.Eligible(), Some.Today, Some.Today, "school", Some.Now).Value.After.TrackBegunOn);
    }

    [Fact]
    public void Only_what_has_happened_is_reported()
    {
        Assert.Equal("arrived_on", SchoolDecisions.ReportArrival(Some.Line(), Some.Eligible(), Some.Today.AddDays(1), Some.Today, "school", Some.Now).Refusal.Fields.Single().Field);
        var arrived = Some.Line(LineState.Arrived);
        Assert.Equal("started_on", SchoolDecisions.ReportStart(arrived, Some.Eligible(), arrived.ArrivedOn!.Value.AddDays(-1), Some.Today, "school", Some.Now).Refusal.Fields.Single().Field);
    }

    [Theory]
    [InlineData("2026-03-06", "2026-03-07", 0)] // Friday to Saturday
    [InlineData("2026-03-06", "2026-03-09", 1)]
    [InlineData("2026-03-02", "2026-03-09", 5)]
    [InlineData("2026-03-01", "2026-03-15", 10)]
    public void Working_days_leave_out_the_weekend(string first, string last, int expected) =>
        Assert.Equal(expected, EffectTable.WorkingDaysAfter(DateOnly.Parse(first, null), DateOnly.Parse(last, null)));

    [Fact]
    public void A_chain_of_history_shows_any_change_to_it()
    {
        var line = Some.Line();
        var enrolled = Chain(new LineChange { Before = null, After = line, Change = "enrolled", Actor = "officer", Cause = "", Judgement = EnrollmentDecisions.JudgementOf(Some.Eligible()) });
        line = line with { Digest = Convert.FromHexString(enrolled.Digest) };
        var withdrawn = Chain(EnrollmentDecisions.Withdraw(line, line.Etag, "No longer wanted.", new CancellationCharge(), "officer", Some.Now).Value);
        Assert.Null(LineHistory.FirstBroken(line.Id, [enrolled, withdrawn]));
        Assert.Equal(1, LineHistory.FirstBroken(line.Id, [withdrawn]));
        Assert.Equal(2, LineHistory.FirstBroken(line.Id, [enrolled, new LineHistoryEntry(withdrawn) { Actor = "another" }]));
        Assert.Equal(1, LineHistory.FirstBroken(Some.Restriction, [enrolled]));
    }

    private static LineHistoryEntry Chain(LineChange change) => LineHistory.Entry(change, out _);
}
