using CsCheck;
using Imet.CountryEligibility.V1;
using Imet.Enrollment.School;
using Imet.Enrollment.V1;
using Xunit;

namespace Imet.Enrollment.Tests;

public sealed class LineStatesTests
{
    private static IEnumerable<Line> EveryLine() =>
        from state in Enum.GetValues<LineState>()
        from line in new[] { Some.Line(state), Some.Line(state) with { StudentId = Some.Restriction, Headcount = 1 }, Some.Line(state) with { Kind = LineKind.Extension }, Some.Line(state) with { Kind = LineKind.Charge } }
        select line;

    [Fact]
    public void Every_impossible_pair_is_refused_naming_all_that_is_possible()
    {
        foreach (var line in EveryLine())
        foreach (var command in Enum.GetValues<LineCommand>())
        {
            var possible = LineStates.Table.Where(transition => transition.From == line.State && transition.IsFor(line)).ToList();
            var found = LineStates.Find(line, command);
            if (possible.Any(transition => transition.Command == command))
            {
                Assert.True(found.IsAccepted);
                continue;
            }
            Assert.Equal("INVALID_TRANSITION", found.Refusal.Reason);
            Assert.Equal(LineStates.Text(line.State), found.Refusal.Metadata["state"]);
            Assert.Equal(string.Join(", ", possible.Select(transition => LineStates.Text(transition.Command))), found.Refusal.Metadata["possible"]);
        }
    }

    [Fact]
    public void No_pair_stands_twice_in_the_table() => Assert.All(EveryLine(), line =>
        Assert.DoesNotContain(LineStates.Table.Where(transition => transition.From == line.State && transition.IsFor(line)).GroupBy(transition => transition.Command), command => command.Count() > 1));

    [Fact]
    public void Every_change_in_the_table_is_told_by_an_event_of_that_name()
    {
        var routes = TrainingLineEnrolled.Descriptor.File.MessageTypes.Select(message => message.GetOptions()?.GetExtension(Imet.Options.V1.OptionsExtensions.Event)?.Change).ToHashSet();
        foreach (var transition in LineStates.Table)
        {
            Assert.Contains(transition.Change, routes);
            var change = LineChange.Of(Some.Line(transition.From), transition, "officer", "", Some.Now);
            Assert.Equal(transition.Change, EnrollmentEvents.Of(change, Some.Offering()).Data.Descriptor.GetOptions()!.GetExtension(Imet.Options.V1.OptionsExtensions.Event).Change);
        }
    }

    [Fact]
    public void Every_state_can_be_reached_and_what_has_ended_holds_nothing()
    {
        HashSet<LineState> reached = [LineState.Nominated, LineState.SeatConfirmed];
        while (LineStates.Table.Where(transition => reached.Contains(transition.From)).Any(transition => reached.Add(transition.To)))
        {
        }
        Assert.Empty(Enum.GetValues<LineState>().Except(reached));
        Assert.All(LineStates.Table.Where(transition => !LineStates.IsOpen(transition.To)), transition =>
            Assert.Empty(LineChange.Of(Some.Line(transition.From) with { Holds = [new LineHold(HoldCause.GateRed, "x", Some.Now)] }, transition, "officer", "", Some.Now).After.Holds));
    }

    [Fact]
    public void Names_and_numbers_are_those_of_the_contract()
    {
        foreach (var state in Enum.GetValues<LineState>())
            Assert.Equal($"{state}", $"{(TrainingLine.Types.State)state}");
        foreach (var kind in Enum.GetValues<LineKind>())
            Assert.Equal($"{kind}", $"{(TrainingLine.Types.Kind)kind}");
        foreach (var cause in Enum.GetValues<CancelCause>())
            Assert.Equal($"{cause}", $"{(TrainingLine.Types.CancelCause)cause}");
        foreach (var cause in Enum.GetValues<HoldCause>())
            Assert.Equal($"{cause}", $"{(Hold.Types.Cause)cause}");
    }

    private enum Step
    {
        Withdraw,
        ReportArrival,
        ReportStart,
        CancelOffering,
        Suspend,
        HoldCountry,
        PauseTraining,
        Lift,
    }

    // The model is what anyone at the office would say: a place in the life cycle, what keeps the line, and how often its seats were given back.
    private sealed class Model
    {
        public LineState State = LineState.SeatConfirmed;
        public HoldCause? Held;
        public int Freed;
        public int Changes;
    }

    [Fact]
    public void Any_sequence_of_commands_keeps_to_the_model()
    {
        Gen.Enum<Step>().List[0, 30].Sample(steps =>
        {
            var model = new Model();
            var line = Some.Line();
            var freed = 0;
            var changes = 0;
            foreach (var step in steps)
            {
                if (Apply(line, step) is { } change)
                {
                    Assert.Equal(line.Version + 1, change.After.Version);
                    freed += change.SeatsFreed;
                    changes++;
                    line = change.After;
                }
                Expect(model, step);
                Assert.Equal(model.State, line.State);
                Assert.Equal(model.Held is { } held ? [held] : [], line.Holds.Select(hold => hold.Cause));
                Assert.Equal(model.Freed * line.Headcount, freed);
                Assert.Equal(model.Changes, changes);
            }
        });
    }

    private static LineChange? Apply(Line line, Step step)
    {
        var outcome = step switch
        {
            Step.Withdraw => EnrollmentDecisions.Withdraw(line, line.Etag, "No longer wanted.", new CancellationCharge(), "officer", Some.Now),
            Step.ReportArrival => SchoolDecisions.ReportArrival(line, Some.Eligible(), Some.Today, Some.Today, "school", Some.Now),
            Step.ReportStart => SchoolDecisions.ReportStart(line, Some.Eligible(), Some.Today, Some.Today, "school", Some.Now),
            _ => default,
        };
        return step switch
        {
            Step.Withdraw or Step.ReportArrival or Step.ReportStart => outcome.IsAccepted ? outcome.Value : null,
            Step.CancelOffering => EnrollmentDecisions.OfferingCancelled(line, Actors.Service, Some.Now),
            // What has begun winds up, so the restriction does not apply to it.
            Step.Suspend => Reexamine(line, Outcome.NotEligible,
                Some.Finding(Effect.Suspend, line.HasBegun ? Finding.Types.Bearing.WindingUp : Finding.Types.Bearing.Applies)),
            Step.HoldCountry => Reexamine(line, Outcome.OnHold, Some.Finding(Effect.Hold)),
            Step.PauseTraining => Reexamine(line, Outcome.Paused, Some.Finding(Effect.PauseTraining)),
            Step.Lift => Reexamine(line, Outcome.Eligible),
        };
    }

    private static LineChange? Reexamine(Line line, Outcome outcome, params Finding[] findings) =>
        EnrollmentDecisions.Reexamine(line, Some.Verdict(outcome, findings), Some.Today, Actors.Service, Some.Now);

    private static void Expect(Model model, Step step)
    {
        var (state, held) = (model.State, model.Held);
        switch (step)
        {
            case Step.Withdraw when state == LineState.SeatConfirmed:
            case Step.Suspend when state == LineState.SeatConfirmed:
            case Step.CancelOffering when state is LineState.SeatConfirmed or LineState.Arrived:
                (model.State, model.Held, model.Freed) = (LineState.Cancelled, null, model.Freed + 1);
                break;
            case Step.ReportArrival when state == LineState.SeatConfirmed && held is null:
                model.State = LineState.Arrived;
                break;
            case Step.ReportStart when state == LineState.Arrived && held is null:
                model.State = LineState.InTraining;
                break;
            case Step.HoldCountry when state == LineState.SeatConfirmed:
                model.Held = HoldCause.RestrictionHold;
                break;
            case Step.PauseTraining when state != LineState.Cancelled:
                model.Held = HoldCause.TrainingPaused;
                break;
            case Step.Suspend or Step.HoldCountry or Step.Lift when state != LineState.Cancelled:
                model.Held = null;
                break;
            case Step.Withdraw or Step.ReportArrival or Step.ReportStart or Step.CancelOffering or Step.Suspend or Step.HoldCountry or Step.PauseTraining or Step.Lift:
                break;
        }
        if ((state, held) != (model.State, model.Held))
            model.Changes++;
    }
}
