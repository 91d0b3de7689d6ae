using Imet.CourseCatalog.V1;
using Imet.Enrollment.Charges;
using Imet.Enrollment.V1;
using Imet.Enrollment.Waitlist;
using ProgressOf = Imet.Enrollment.V1.TrainingLine.Types.Progress;

namespace Imet.Enrollment;

/// <summary>Numbers are those of imet.enrollment.v1.Hold.Cause.</summary>
public enum HoldCause
{
    RestrictionHold = 1,
    TrainingPaused = 2,
    ArrivalUnknown = 3,
    GateRed = 4,
    DateConflict = 20,
}

/// <summary>Numbers are those of imet.enrollment.v1.TrainingLine.Kind.</summary>
public enum LineKind
{
    Course = 1,
    Extension = 2,
    Charge = 3,
}

/// <summary>Numbers are those of imet.enrollment.v1.TrainingLine.CancelCause.</summary>
public enum CancelCause
{
    Withdrawn = 1,
    Restriction = 2,
    OfferingCancelled = 3,
    PersonRemoved = 4,
    OfferExpired = 20,
    NoSeatInTime = 21,
}

public sealed record LineHold(HoldCause Cause, string SourceId, DateTime Since);

public sealed record Price(string Currency, long Units, int Nanos);

/// <summary>A training line with its track's number and beginning.</summary>
public sealed record Line
{
    public required Guid Id { get; init; }
    public required string Country { get; init; }
    public required Guid TrackId { get; init; }
    public required string Wcn { get; init; }
    public required DateOnly? TrackBegunOn { get; init; }
    public required Guid? StudentId { get; init; }
    public required int Headcount { get; init; }
    public required Guid OfferingId { get; init; }
    public required long OfferingVersion { get; init; }
    public required string FundingProgram { get; init; }
    public required string FundingAccount { get; init; }
    public required int FiscalYear { get; init; }
    public LineKind Kind { get; init; } = LineKind.Course;
    public Guid? OfLineId { get; init; }
    public required LineState State { get; init; }
    public required CancelCause? CancelCause { get; init; }
    /// <summary>The restriction or class that cancelled or ended it.</summary>
    public string? CancelSourceId { get; init; }
    /// <summary>What it was before a restriction cancelled it.</summary>
    public LineState? CancelledFrom { get; init; }
    public bool NotRestored { get; init; }
    public required IReadOnlyList<LineHold> Holds { get; init; }
    /// <summary>While it waits for a seat, or has one offered.</summary>
    public Wait? Waiting { get; init; }
    public required DateOnly ReportDate { get; init; }
    public required DateOnly StartDate { get; init; }
    public required DateOnly EndDate { get; init; }
    public required DateOnly? ArrivedOn { get; init; }
    public required DateOnly? StartedOn { get; init; }
    public DateOnly? EndedOn { get; init; }
    public ProgressOf Progress { get; init; }
    public string? OrdersNumber { get; init; }
    /// <summary>What it costs in place of its price, where it did not run to its end.</summary>
    public CancellationCharge? Charge { get; init; }
    public required string TuitionRate { get; init; }
    public required Price? Price { get; init; }
    public required DateOnly? QuotedOn { get; init; }
    public required Judgement? Judgement { get; init; }
    public required long JudgedIn { get; init; }
    public required IReadOnlyList<ExternalId> ExternalIds { get; init; }
    public required long Version { get; init; }
    public required ReadOnlyMemory<byte> Digest { get; init; }
    public required DateTime RecordedAt { get; init; }
    public required DateTime ChangedAt { get; init; }

    public string Etag => $"\"{Version}\"";

    public bool HasBegun => State is LineState.Arrived or LineState.InTraining or LineState.Extended;

    public bool IsOpen => LineStates.IsOpen(State);

    public int SeatsHeld => Kind == LineKind.Course && LineStates.HoldsSeat(State) ? Headcount : 0;
}

/// <summary>One step of a line: what it was, what it is now, and what its history says of it. Before is null when it is new.</summary>
public sealed record LineChange
{
    public required Line? Before { get; init; }
    public required Line After { get; init; }
    public required string Change { get; init; }
    public required string Actor { get; init; }
    /// <summary>A reason given, or the id of what caused it.</summary>
    public required string Cause { get; init; }
    /// <summary>Id of the restriction or offering that caused it; empty where a person did.</summary>
    public string SourceId { get; init; } = "";
    public Judgement? Judgement { get; init; }

    /// <summary>Seats that the class gains (or, below zero, loses) by the change.</summary>
    public int SeatsFreed => (Before?.SeatsHeld ?? 0) - After.SeatsHeld;

    /// <summary>What the line costs more, or, below zero, less.</summary>
    public decimal CostsMore => Charging.Cost(After) - (Before is null ? 0 : Charging.Cost(Before));

    /// <summary>A line that moves on by a transition. What it ends has no holds any more.</summary>
    public static LineChange Of(Line line, Transition transition, string actor, string cause, DateTime now) => new()
    {
        Before = line,
        After = line with
        {
            State = transition.To,
            Holds = LineStates.IsOpen(transition.To) ? line.Holds : [],
            Waiting = transition.To is LineState.Waitlisted or LineState.Offered ? line.Waiting : null,
            Version = line.Version + 1,
            ChangedAt = now,
        },
        Change = transition.Change,
        Actor = actor,
        Cause = cause,
    };

    /// <summary>The same change, resting on an eligibility answer: the line advances on it.</summary>
    public LineChange On(Judgement judgement) => this with { After = After with { Judgement = judgement, JudgedIn = After.Version }, Judgement = judgement };
}

public static class Holds
{
    public static string Text(HoldCause cause) => cause switch
    {
        HoldCause.RestrictionHold => "RESTRICTION_HOLD",
        HoldCause.TrainingPaused => "TRAINING_PAUSED",
        HoldCause.ArrivalUnknown => "ARRIVAL_UNKNOWN",
        HoldCause.GateRed => "GATE_RED",
        HoldCause.DateConflict => "DATE_CONFLICT",
    };

    public static HoldCause Parse(string text) => text switch
    {
        "RESTRICTION_HOLD" => HoldCause.RestrictionHold,
        "TRAINING_PAUSED" => HoldCause.TrainingPaused,
        "ARRIVAL_UNKNOWN" => HoldCause.ArrivalUnknown,
        "GATE_RED" => HoldCause.GateRed,
        "DATE_CONFLICT" => HoldCause.DateConflict,
        _ => throw new FormatException($"No cause of a hold: {text}"),
    };

    /// <summary>The same set, whatever the order and whenever they began.</summary>
    public static bool Same(IReadOnlyList<LineHold> one, IReadOnlyList<LineHold> other) =>
        one.Count == other.Count && one.All(hold => other.Any(o => o.Cause == hold.Cause && o.SourceId == hold.SourceId));
}

public static class CancelCauses
{
    public static string Text(CancelCause cause) => cause switch
    {
        CancelCause.Withdrawn => "WITHDRAWN",
        CancelCause.Restriction => "RESTRICTION",
        CancelCause.OfferingCancelled => "OFFERING_CANCELLED",
        CancelCause.PersonRemoved => "PERSON_REMOVED",
        CancelCause.OfferExpired => "OFFER_EXPIRED",
        CancelCause.NoSeatInTime => "NO_SEAT_IN_TIME",
    };

    public static CancelCause Parse(string text) => text switch
    {
        "WITHDRAWN" => CancelCause.Withdrawn,
        "RESTRICTION" => CancelCause.Restriction,
        "OFFERING_CANCELLED" => CancelCause.OfferingCancelled,
        "PERSON_REMOVED" => CancelCause.PersonRemoved,
        "OFFER_EXPIRED" => CancelCause.OfferExpired,
        "NO_SEAT_IN_TIME" => CancelCause.NoSeatInTime,
        _ => throw new FormatException($"No cause of a cancellation: {text}"),
    };
}

public static class LineKinds
{
    public static string Text(LineKind kind) => kind switch
    {
        LineKind.Course => "COURSE",
        LineKind.Extension => "EXTENSION",
        LineKind.Charge => "CHARGE",
    };

    public static LineKind Parse(string text) => text switch
    {
        "COURSE" => LineKind.Course,
        "EXTENSION" => LineKind.Extension,
        "CHARGE" => LineKind.Charge,
        _ => throw new FormatException($"No kind of a line: {text}"),
    };
}

public static class Progresses
{
    public static string? TextOrNull(ProgressOf progress) => progress switch
    {
        ProgressOf.Satisfactory => "SATISFACTORY",
        ProgressOf.AtRisk => "AT_RISK",
        ProgressOf.BeforeBoard => "BEFORE_BOARD",
        _ => null,
    };

    public static ProgressOf Parse(string text) => text switch
    {
        "SATISFACTORY" => ProgressOf.Satisfactory,
        "AT_RISK" => ProgressOf.AtRisk,
        "BEFORE_BOARD" => ProgressOf.BeforeBoard,
        _ => throw new FormatException($"No progress: {text}"),
    };
}
