using Imet.CourseCatalog.V1;
using Imet.Enrollment.V1;

namespace Imet.Enrollment;

/// <summary>Numbers are those of imet.enrollment.v1.Hold.Cause.</summary>
public enum HoldCause
{
    RestrictionHold = 1,
    TrainingPaused = 2,
    ArrivalUnknown = 3,
}

/// <summary>Numbers are those of imet.enrollment.v1.TrainingLine.CancelCause.</summary>
public enum CancelCause
{
    Withdrawn = 1,
    Restriction = 2,
    OfferingCancelled = 3,
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
    public required LineState State { get; init; }
    public required CancelCause? CancelCause { get; init; }
    public required IReadOnlyList<LineHold> Holds { get; init; }
    public required DateOnly ReportDate { get; init; }
    public required DateOnly StartDate { get; init; }
    public required DateOnly EndDate { get; init; }
    public required DateOnly? ArrivedOn { get; init; }
    public required DateOnly? StartedOn { get; init; }
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

    public bool HasBegun => State is LineState.Arrived or LineState.InTraining;
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
    public int SeatsFreed => Before is null ? -After.Headcount : After.State == LineState.Cancelled && Before.State != LineState.Cancelled ? After.Headcount : 0;
}

public static class Holds
{
    public static string Text(HoldCause cause) => cause switch
    {
        HoldCause.RestrictionHold => "RESTRICTION_HOLD",
        HoldCause.TrainingPaused => "TRAINING_PAUSED",
        HoldCause.ArrivalUnknown => "ARRIVAL_UNKNOWN",
    };

    public static HoldCause Parse(string text) => text switch
    {
        "RESTRICTION_HOLD" => HoldCause.RestrictionHold,
        "TRAINING_PAUSED" => HoldCause.TrainingPaused,
        "ARRIVAL_UNKNOWN" => HoldCause.ArrivalUnknown,
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
    };

    public static CancelCause Parse(string text) => text switch
    {
        "WITHDRAWN" => CancelCause.Withdrawn,
        "RESTRICTION" => CancelCause.Restriction,
        "OFFERING_CANCELLED" => CancelCause.OfferingCancelled,
        _ => throw new FormatException($"No cause of a cancellation: {text}"),
    };
}
