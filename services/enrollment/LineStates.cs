using Imet.Chassis;
using Imet.Enrollment.V1;

namespace Imet.Enrollment;

/// <summary>Numbers are those of imet.enrollment.v1.TrainingLine.State.</summary>
public enum LineState
{
    Nominated = 1,
    Approved = 2,
    SeatConfirmed = 3,
    OrdersIssued = 4,
    Arrived = 5,
    InTraining = 6,
    Extended = 7,
    Waitlisted = 8,
    Offered = 9,
    Graduated = 10,
    Completed = 11,
    Cancelled = 20,
    Forfeited = 21,
    NoShow = 22,
    AcademicFailure = 23,
    EarlyReturn = 24,
    Disenrolled = 25,
    Absent = 26,
}

public enum LineCommand
{
    ApproveNomination,
    ConfirmSeat,
    JoinWaitlist,
    OfferSeat,
    AcceptSeatOffer,
    ExpireOffer,
    EndWaiting,
    MoveWithClass,
    IssueOrders,
    AmendOrders,
    RevokeOrders,
    AddToRoster,
    Withdraw,
    Forfeit,
    ReverseCharge,
    CancelByRestriction,
    CancelByOffering,
    CancelByRemoval,
    EndByRestriction,
    Hold,
    Release,
    RestoreSeat,
    RestoreNomination,
    GiveUpRestoring,
    ReportArrival,
    ReportNoShow,
    ReportStart,
    ReportProgress,
    ExtendTraining,
    Graduate,
    Complete,
    FailAcademically,
    ReportEarlyReturn,
    ReportAbsence,
    Disenroll,
}

/// <summary>What must be true of a line's holds for a command.</summary>
public enum Guard
{
    None,
    NoHolds,
    /// <summary>A pause of training lets people be nominated and seated, not sent.</summary>
    NoHoldsButPause,
    /// <summary>The arrival answers the question that ARRIVAL_UNKNOWN asks.</summary>
    NoHoldsButArrivalUnknown,
}

/// <summary>Whose line a transition is for.</summary>
public enum Whose
{
    Anybody,
    AStudent,
    /// <summary>People without names get no orders, so none are asked for.</summary>
    AHeadcount,
}

public sealed record Transition(LineState From, LineCommand Command, Guard Guard, LineState To, string Change, Whose For = Whose.Anybody)
{
    public bool IsFor(Line line) => line.Kind switch
    {
        LineKind.Course => For == Whose.Anybody || For == (line.StudentId is null ? Whose.AHeadcount : Whose.AStudent),
        // An extension ends with the line that it extends; by itself it can only be stopped.
        LineKind.Extension => Command is LineCommand.Hold or LineCommand.Release or LineCommand.EndByRestriction or LineCommand.Disenroll,
        LineKind.Charge => false,
    };
}

/// <summary>The life cycle of a training line: what is not in the table is impossible.</summary>
public static class LineStates
{
    public static IReadOnlyList<Transition> Table { get; } =
    [
        new(LineState.Nominated, LineCommand.ApproveNomination, Guard.NoHoldsButPause, LineState.Approved, "approved"),
        new(LineState.Nominated, LineCommand.Withdraw, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.Nominated, LineCommand.CancelByRestriction, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.Nominated, LineCommand.CancelByOffering, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.Nominated, LineCommand.CancelByRemoval, Guard.None, LineState.Cancelled, "cancelled", Whose.AStudent),
        new(LineState.Nominated, LineCommand.Hold, Guard.None, LineState.Nominated, "held"),
        new(LineState.Nominated, LineCommand.Release, Guard.None, LineState.Nominated, "released"),

        new(LineState.Approved, LineCommand.ConfirmSeat, Guard.NoHoldsButPause, LineState.SeatConfirmed, "seat-confirmed"),
        new(LineState.Approved, LineCommand.JoinWaitlist, Guard.NoHoldsButPause, LineState.Waitlisted, "waitlisted"),
        new(LineState.Approved, LineCommand.Withdraw, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.Approved, LineCommand.CancelByRestriction, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.Approved, LineCommand.CancelByOffering, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.Approved, LineCommand.CancelByRemoval, Guard.None, LineState.Cancelled, "cancelled", Whose.AStudent),
        new(LineState.Approved, LineCommand.Hold, Guard.None, LineState.Approved, "held"),
        new(LineState.Approved, LineCommand.Release, Guard.None, LineState.Approved, "released"),

        new(LineState.SeatConfirmed, LineCommand.IssueOrders, Guard.NoHolds, LineState.OrdersIssued, "orders-issued", Whose.AStudent),
        new(LineState.SeatConfirmed, LineCommand.AddToRoster, Guard.None, LineState.SeatConfirmed, "roster-changed", Whose.AHeadcount),
        new(LineState.SeatConfirmed, LineCommand.Withdraw, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.SeatConfirmed, LineCommand.Forfeit, Guard.None, LineState.Forfeited, "forfeited"),
        new(LineState.SeatConfirmed, LineCommand.CancelByRestriction, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.SeatConfirmed, LineCommand.CancelByOffering, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.SeatConfirmed, LineCommand.CancelByRemoval, Guard.None, LineState.Cancelled, "cancelled", Whose.AStudent),
        new(LineState.SeatConfirmed, LineCommand.Hold, Guard.None, LineState.SeatConfirmed, "held"),
        new(LineState.SeatConfirmed, LineCommand.Release, Guard.None, LineState.SeatConfirmed, "released"),
        new(LineState.SeatConfirmed, LineCommand.ReportArrival, Guard.NoHoldsButArrivalUnknown, LineState.Arrived, "arrived", Whose.AHeadcount),
        new(LineState.SeatConfirmed, LineCommand.ReportNoShow, Guard.None, LineState.NoShow, "no-show", Whose.AHeadcount),

        new(LineState.OrdersIssued, LineCommand.AmendOrders, Guard.None, LineState.OrdersIssued, "orders-amended"),
        new(LineState.OrdersIssued, LineCommand.RevokeOrders, Guard.None, LineState.SeatConfirmed, "orders-revoked"),
        new(LineState.OrdersIssued, LineCommand.Withdraw, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.OrdersIssued, LineCommand.Forfeit, Guard.None, LineState.Forfeited, "forfeited"),
        new(LineState.OrdersIssued, LineCommand.CancelByRestriction, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.OrdersIssued, LineCommand.CancelByOffering, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.OrdersIssued, LineCommand.CancelByRemoval, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.OrdersIssued, LineCommand.Hold, Guard.None, LineState.OrdersIssued, "held"),
        new(LineState.OrdersIssued, LineCommand.Release, Guard.None, LineState.OrdersIssued, "released"),
        new(LineState.OrdersIssued, LineCommand.ReportArrival, Guard.NoHoldsButArrivalUnknown, LineState.Arrived, "arrived"),
        new(LineState.OrdersIssued, LineCommand.ReportNoShow, Guard.None, LineState.NoShow, "no-show"),

        // Who has arrived is no longer withdrawn or cancelled by a restriction (what has begun may finish), but a class that is called off can't begin.
        new(LineState.Arrived, LineCommand.ReportStart, Guard.NoHolds, LineState.InTraining, "started"),
        new(LineState.Arrived, LineCommand.AmendOrders, Guard.None, LineState.Arrived, "orders-amended", Whose.AStudent),
        new(LineState.Arrived, LineCommand.AddToRoster, Guard.None, LineState.Arrived, "roster-changed", Whose.AHeadcount),
        new(LineState.Arrived, LineCommand.CancelByOffering, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.Arrived, LineCommand.EndByRestriction, Guard.None, LineState.EarlyReturn, "returned-early"),
        new(LineState.Arrived, LineCommand.Hold, Guard.None, LineState.Arrived, "held"),
        new(LineState.Arrived, LineCommand.Release, Guard.None, LineState.Arrived, "released"),
        new(LineState.Arrived, LineCommand.ReportEarlyReturn, Guard.None, LineState.EarlyReturn, "returned-early"),
        new(LineState.Arrived, LineCommand.ReportAbsence, Guard.None, LineState.Absent, "absent"),
        new(LineState.Arrived, LineCommand.Disenroll, Guard.None, LineState.Disenrolled, "disenrolled", Whose.AStudent),

        new(LineState.Waitlisted, LineCommand.OfferSeat, Guard.NoHolds, LineState.Offered, "offered"),
        new(LineState.Waitlisted, LineCommand.EndWaiting, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.Waitlisted, LineCommand.Withdraw, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.Waitlisted, LineCommand.CancelByRestriction, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.Waitlisted, LineCommand.CancelByOffering, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.Waitlisted, LineCommand.CancelByRemoval, Guard.None, LineState.Cancelled, "cancelled", Whose.AStudent),
        new(LineState.Waitlisted, LineCommand.Hold, Guard.None, LineState.Waitlisted, "held"),
        new(LineState.Waitlisted, LineCommand.Release, Guard.None, LineState.Waitlisted, "released"),

        new(LineState.Offered, LineCommand.AcceptSeatOffer, Guard.NoHolds, LineState.SeatConfirmed, "seat-confirmed"),
        new(LineState.Offered, LineCommand.ExpireOffer, Guard.NoHolds, LineState.Cancelled, "cancelled"),
        new(LineState.Offered, LineCommand.Withdraw, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.Offered, LineCommand.CancelByRestriction, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.Offered, LineCommand.CancelByOffering, Guard.None, LineState.Cancelled, "cancelled"),
        new(LineState.Offered, LineCommand.CancelByRemoval, Guard.None, LineState.Cancelled, "cancelled", Whose.AStudent),
        new(LineState.Offered, LineCommand.Hold, Guard.None, LineState.Offered, "held"),
        new(LineState.Offered, LineCommand.Release, Guard.None, LineState.Offered, "released"),

        .. Training(LineState.InTraining),
        .. Training(LineState.Extended),

        // Whoever is found again goes home; the record of the absence stays.
        new(LineState.Absent, LineCommand.Disenroll, Guard.None, LineState.Disenrolled, "disenrolled", Whose.AStudent),

        .. Enum.GetValues<LineState>().Where(IsOpen).Select(state => new Transition(state, LineCommand.MoveWithClass, Guard.None, state, "moved")),
        new(LineState.Forfeited, LineCommand.ReverseCharge, Guard.None, LineState.Forfeited, "charge-reversed"),

        // Only where the restriction turns out void: a reinstatement revives nothing.
        new(LineState.Cancelled, LineCommand.RestoreSeat, Guard.None, LineState.SeatConfirmed, "restored"),
        new(LineState.Cancelled, LineCommand.RestoreNomination, Guard.None, LineState.Nominated, "restored"),
        new(LineState.Cancelled, LineCommand.GiveUpRestoring, Guard.None, LineState.Cancelled, "not-restored"),
        new(LineState.EarlyReturn, LineCommand.GiveUpRestoring, Guard.None, LineState.EarlyReturn, "not-restored"),
    ];

    private static IEnumerable<Transition> Training(LineState state) =>
    [
        new(state, LineCommand.ReportProgress, Guard.None, state, "progressed"),
        new(state, LineCommand.ExtendTraining, Guard.None, LineState.Extended, "extended"),
        new(state, LineCommand.AmendOrders, Guard.None, state, "orders-amended", Whose.AStudent),
        new(state, LineCommand.AddToRoster, Guard.None, state, "roster-changed", Whose.AHeadcount),
        new(state, LineCommand.Hold, Guard.None, state, "held"),
        new(state, LineCommand.Release, Guard.None, state, "released"),
        new(state, LineCommand.Graduate, Guard.None, LineState.Graduated, "graduated"),
        new(state, LineCommand.Complete, Guard.None, LineState.Completed, "completed"),
        new(state, LineCommand.FailAcademically, Guard.None, LineState.AcademicFailure, "academically-failed"),
        new(state, LineCommand.ReportEarlyReturn, Guard.None, LineState.EarlyReturn, "returned-early"),
        new(state, LineCommand.ReportAbsence, Guard.None, LineState.Absent, "absent"),
        new(state, LineCommand.EndByRestriction, Guard.None, LineState.EarlyReturn, "returned-early"),
        new(state, LineCommand.Disenroll, Guard.None, LineState.Disenrolled, "disenrolled", Whose.AStudent),
    ];

    /// <summary>Whether a line in the state may still change by its own course: what has ended is examined no more.</summary>
    public static bool IsOpen(LineState state) => state is LineState.Nominated or LineState.Approved or LineState.SeatConfirmed or LineState.OrdersIssued or LineState.Arrived
        or LineState.InTraining or LineState.Extended or LineState.Waitlisted or LineState.Offered;

    /// <summary>Whether a line in the state counts in its class. A seat that was used stays counted; one that nobody came for, or that was given up, does not.</summary>
    public static bool HoldsSeat(LineState state) => state is not (LineState.Nominated or LineState.Approved or LineState.Waitlisted
        or LineState.Cancelled or LineState.Forfeited or LineState.NoShow);

    public static Outcome<Transition> Find(Line line, LineCommand command)
    {
        foreach (var transition in Table)
        {
            if (transition.From == line.State && transition.Command == command && transition.IsFor(line))
                return HoldsAgainst(transition.Guard, line.Holds) is { Count: > 0 } holds ? OnHold(holds) : transition;
        }
        return Impossible(line, command);
    }

    public static string Text(LineState state) => state switch
    {
        LineState.Nominated => "NOMINATED",
        LineState.Approved => "APPROVED",
        LineState.SeatConfirmed => "SEAT_CONFIRMED",
        LineState.OrdersIssued => "ORDERS_ISSUED",
        LineState.Arrived => "ARRIVED",
        LineState.InTraining => "IN_TRAINING",
        LineState.Extended => "EXTENDED",
        LineState.Waitlisted => "WAITLISTED",
        LineState.Offered => "OFFERED",
        LineState.Graduated => "GRADUATED",
        LineState.Completed => "COMPLETED",
        LineState.Cancelled => "CANCELLED",
        LineState.Forfeited => "FORFEITED",
        LineState.NoShow => "NO_SHOW",
        LineState.AcademicFailure => "ACADEMIC_FAILURE",
        LineState.EarlyReturn => "EARLY_RETURN",
        LineState.Disenrolled => "DISENROLLED",
        LineState.Absent => "ABSENT",
    };

    private static readonly Dictionary<string, LineState> Parsed = Enum.GetValues<LineState>().ToDictionary(Text);

    public static LineState Parse(string text) => Parsed.TryGetValue(text, out var state) ? state : throw new FormatException($"No state of a line: {text}");

    /// <summary>The name of a command as callers know it: the method that gives it, or what the service does by itself.</summary>
    public static string Text(LineCommand command) => command switch
    {
        LineCommand.Withdraw => "WithdrawTrainingLine",
        LineCommand.Forfeit => "WithdrawTrainingLine, charged",
        LineCommand.ReverseCharge => "reverse the charge",
        LineCommand.CancelByRestriction => "cancel by restriction",
        LineCommand.CancelByOffering => "cancel by offering",
        LineCommand.CancelByRemoval => "cancel by removal of the person",
        LineCommand.EndByRestriction => "end by restriction",
        LineCommand.Hold => "hold",
        LineCommand.Release => "release",
        LineCommand.RestoreSeat => "restore the seat",
        LineCommand.RestoreNomination => "restore the nomination",
        LineCommand.GiveUpRestoring => "give up restoring",
        LineCommand.JoinWaitlist => "ConfirmSeat with waitlist_if_full",
        LineCommand.OfferSeat => "offer a seat",
        LineCommand.ExpireOffer => "expire the offer",
        LineCommand.EndWaiting => "end the wait",
        LineCommand.MoveWithClass => "move with the class",
        LineCommand.Graduate => "ReportEnd GRADUATED",
        LineCommand.Complete => "ReportEnd COMPLETED",
        LineCommand.FailAcademically => "ReportEnd ACADEMIC_FAILURE",
        LineCommand.Disenroll => "DisenrollStudent",
        LineCommand.ApproveNomination or LineCommand.ConfirmSeat or LineCommand.AcceptSeatOffer or LineCommand.IssueOrders or LineCommand.AmendOrders or LineCommand.RevokeOrders or LineCommand.AddToRoster
            or LineCommand.ReportArrival or LineCommand.ReportNoShow or LineCommand.ReportStart or LineCommand.ReportProgress or LineCommand.ExtendTraining
            or LineCommand.ReportEarlyReturn or LineCommand.ReportAbsence => $"{command}",
    };

    private static List<LineHold> HoldsAgainst(Guard guard, IReadOnlyList<LineHold> holds) => guard switch
    {
        Guard.None => [],
        Guard.NoHolds => [.. holds],
        Guard.NoHoldsButPause => [.. holds.Where(hold => hold.Cause != HoldCause.TrainingPaused)],
        Guard.NoHoldsButArrivalUnknown => [.. holds.Where(hold => hold.Cause != HoldCause.ArrivalUnknown)],
    };

    private static Refusal OnHold(List<LineHold> holds)
    {
        var causes = string.Join(", ", holds.Select(hold => Holds.Text(hold.Cause)).Distinct());
        return Refusal.Of(ErrorReason.LineOnHold, $"The line is on hold ({causes}); it moves on when all its holds are gone.").With("causes", causes);
    }

    private static Refusal Impossible(Line line, LineCommand command)
    {
        var possible = string.Join(", ", Table.Where(transition => transition.From == line.State && transition.IsFor(line)).Select(transition => Text(transition.Command)));
        var kind = line.Kind == LineKind.Course ? "" : $" of kind {LineKinds.Text(line.Kind)}";
        return Refusal.Of(ErrorReason.InvalidTransition,
                $"A line{kind} in state {Text(line.State)} does not take {Text(command)}; possible: {(possible.Length == 0 ? "nothing, it has ended" : possible)}.")
            .With("state", Text(line.State))
            .With("possible", possible);
    }
}
