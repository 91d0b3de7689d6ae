using Imet.Chassis;
using Imet.Enrollment.V1;

namespace Imet.Enrollment;

/// <summary>Numbers are those of imet.enrollment.v1.TrainingLine.State.</summary>
public enum LineState
{
    SeatConfirmed = 3,
    Arrived = 5,
    InTraining = 6,
    Cancelled = 20,
}

public enum LineCommand
{
    Withdraw,
    CancelByRestriction,
    CancelByOffering,
    Hold,
    Release,
    ReportArrival,
    ReportStart,
}

/// <summary>What must be true of a line's holds for a command.</summary>
public enum Guard
{
    None,
    NoHolds,
    /// <summary>The arrival answers the question that ARRIVAL_UNKNOWN asks.</summary>
    NoHoldsButArrivalUnknown,
}

public sealed record Transition(LineState From, LineCommand Command, Guard Guard, LineState To, string Change);

/// <summary>The life cycle of a training line: what is not in the table is impossible.</summary>
public static class LineStates
{
    public static IReadOnlyList<Transition> Table { get; } =
    [
        new(LineState.SeatConfirmed, LineCommand.Withdraw, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.SeatConfirmed, LineCommand.CancelByRestriction, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.SeatConfirmed, LineCommand.CancelByOffering, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.SeatConfirmed, LineCommand.Hold, Guard.None, LineState.SeatConfirmed, "held"),
        new(LineState.SeatConfirmed, LineCommand.Release, Guard.None, LineState.SeatConfirmed, "released"),
        new(LineState.SeatConfirmed, LineCommand.ReportArrival, Guard.NoHoldsButArrivalUnknown, LineState.Arrived, "arrived"),

        // Who has arrived is no longer withdrawn or cancelled by a restriction (what has begun may finish), but a class that is called off can't begin.
        new(LineState.Arrived, LineCommand.CancelByOffering, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.Arrived, LineCommand.Hold, Guard.None, LineState.Arrived, "held"),
        new(LineState.Arrived, LineCommand.Release, Guard.None, LineState.Arrived, "released"),
        new(LineState.Arrived, LineCommand.ReportStart, Guard.NoHolds, LineState.InTraining, "started"),

        new(LineState.InTraining, LineCommand.Hold, Guard.None, LineState.InTraining, "held"),
        new(LineState.InTraining, LineCommand.Release, Guard.None, LineState.InTraining, "released"),
    ];

    public static Outcome<Transition> Find(Line line, LineCommand command)
    {
        foreach (var transition in Table)
        {
            if (transition.From == line.State && transition.Command == command)
                return HoldsAgainst(transition.Guard, line.Holds) is { Count: > 0 } holds ? OnHold(holds) : transition;
        }
        return Impossible(line.State, command);
    }

    public static string Text(LineState state) => state switch
    {
        LineState.SeatConfirmed => "SEAT_CONFIRMED",
        LineState.Arrived => "ARRIVED",
        LineState.InTraining => "IN_TRAINING",
        LineState.Cancelled => "CANCELLED",
    };

    public static LineState Parse(string text) => text switch
    {
        "SEAT_CONFIRMED" => LineState.SeatConfirmed,
        "ARRIVED" => LineState.Arrived,
        "IN_TRAINING" => LineState.InTraining,
        "CANCELLED" => LineState.Cancelled,
        _ => throw new FormatException($"No state of a line: {text}"),
    };

    /// <summary>The name of a command as callers know it: the method that gives it, or what the service does by itself.</summary>
    public static string Text(LineCommand command) => command switch
    {
        LineCommand.Withdraw => "WithdrawTrainingLine",
        LineCommand.CancelByRestriction => "cancel by restriction",
        LineCommand.CancelByOffering => "cancel by offering",
        LineCommand.Hold => "hold",
        LineCommand.Release => "release",
        LineCommand.ReportArrival => "ReportArrival",
        LineCommand.ReportStart => "ReportStart",
    };

    private static List<LineHold> HoldsAgainst(Guard guard, IReadOnlyList<LineHold> holds) => guard switch
    {
        Guard.None => [],
        Guard.NoHolds => [.. holds],
        Guard.NoHoldsButArrivalUnknown => [.. holds.Where(hold => hold.Cause != HoldCause.ArrivalUnknown)],
    };

    private static Refusal OnHold(List<LineHold> holds)
    {
        var causes = string.Join(", ", holds.Select(hold => Holds.Text(hold.Cause)).Distinct());
        return Refusal.Of(ErrorReason.LineOnHold, $"The line is on hold ({causes}); it moves on when all its holds are gone.").With("causes", causes);
    }

    private static Refusal Impossible(LineState state, LineCommand command)
    {
        var possible = string.Join(", ", Table.Where(transition => transition.From == state).Select(transition => Text(transition.Command)));
        return Refusal.Of(ErrorReason.InvalidTransition,
                $"A line in state {Text(state)} does not take {Text(command)}; possible: {(possible.Length == 0 ? "nothing, it has ended" : possible)}.")
            .With("state", Text(state))
            .With("possible", possible);
    }
}
