using Imet.CountryEligibility.V1;

namespace Imet.Enrollment;

/// <summary>How far a line has come, as far as a restriction cares. Later lines of a begun track are not set apart here: the question says that their track has begun, so the answer already knows.</summary>
public enum Standing
{
    /// <summary>Nominated or approved: no seat, no money.</summary>
    Planned,
    /// <summary>A seat is taken, or offered.</summary>
    Seated,
    /// <summary>Travel orders are out.</summary>
    OrdersOut,
    /// <summary>Not reported as arrived, and the report date is past by so little that the school may just be late.</summary>
    ReportOverdue,
    /// <summary>Arrived or in training.</summary>
    Begun,
}

public enum LineAction
{
    GoOn,
    Hold,
    PauseTraining,
    AwaitArrival,
    /// <summary>The seat is free again, orders are revoked, nothing is charged.</summary>
    Cancel,
    /// <summary>Training under way ends.</summary>
    End,
}

/// <summary>What a restriction that applies does to a line.</summary>
public static class EffectTable
{
    /// <summary>Schools report within three working days by rule, and late in practice.</summary>
    private const int WorkingDaysOfGrace = 5;

    public static LineAction Of(Effect effect, Standing standing) => (effect, standing) switch
    {
        // From the announcement on it stands against what has not begun; against what has begun only from the effective date, as the answer says.
        (Effect.Stop, Standing.Planned) => LineAction.Cancel,
        (Effect.Stop, Standing.Seated) => LineAction.Cancel,
        (Effect.Stop, Standing.OrdersOut) => LineAction.Cancel,
        (Effect.Stop, Standing.ReportOverdue) => LineAction.AwaitArrival,
        (Effect.Stop, Standing.Begun) => LineAction.End,

        // Refused until it is met: what has a seat keeps it meanwhile.
        (Effect.ConditionBlocking, Standing.Begun) => LineAction.GoOn,
        (Effect.ConditionBlocking, _) => LineAction.Hold,

        // Duties and limits go with the training; they stop nothing.
        (Effect.ConditionCarried, _) => LineAction.GoOn,
        (Effect.Ceiling, _) => LineAction.GoOn,

        // A pause: it may be planned; who has a seat keeps it, orders and training under way wait.
        (Effect.PauseTraining, _) => LineAction.PauseTraining,

        (Effect.Hold, Standing.Planned) => LineAction.Hold,
        (Effect.Hold, Standing.Seated) => LineAction.Hold,
        (Effect.Hold, Standing.OrdersOut) => LineAction.Hold,
        (Effect.Hold, Standing.ReportOverdue) => LineAction.Hold,
        (Effect.Hold, Standing.Begun) => LineAction.GoOn,

        // What has neither seat nor money stops where it is, and its record is kept.
        (Effect.Suspend, Standing.Planned) => LineAction.Hold,
        (Effect.Suspend, Standing.Seated) => LineAction.Cancel,
        (Effect.Suspend, Standing.OrdersOut) => LineAction.Cancel,
        (Effect.Suspend, Standing.ReportOverdue) => LineAction.AwaitArrival,
        // What may finish under FAA 617 comes as winding up and not as applying. What may not stands still, for all to see, until its end is recorded.
        (Effect.Suspend, Standing.Begun) => LineAction.Hold,

        // An effect from a later release of country-eligibility: nothing moves on under a rule that this release can't weigh.
        (_, Standing.Begun) => LineAction.GoOn,
        (_, _) => LineAction.Hold,
    };

    /// <summary>A rule that lacks a fact may apply or not: what has not begun waits for the fact.</summary>
    public static LineAction OfMissingFact(Standing standing) => standing == Standing.Begun ? LineAction.GoOn : LineAction.Hold;

    public static Standing StandingOf(Line line, DateOnly today) => line switch
    {
        { HasBegun: true } => Standing.Begun,
        // Who has no orders has not travelled; a headcount travels without.
        { State: LineState.OrdersIssued } or { State: LineState.SeatConfirmed, StudentId: null } when line.ReportDate < today && WorkingDaysAfter(line.ReportDate, today) <= WorkingDaysOfGrace => Standing.ReportOverdue,
        { State: LineState.Nominated or LineState.Approved or LineState.Waitlisted } => Standing.Planned,
        { State: LineState.OrdersIssued } => Standing.OrdersOut,
        _ => Standing.Seated,
    };

    /// <summary>Days from Monday to Friday after the first day, up to and with the last. Federal holidays are not known here; each one missed gives a day less of grace.</summary>
    public static int WorkingDaysAfter(DateOnly first, DateOnly last)
    {
        var days = last.DayNumber - first.DayNumber;
        var working = days / 7 * 5;
        for (var day = first.AddDays(days - (days % 7) + 1); day <= last; day = day.AddDays(1))
            working += day.DayOfWeek is DayOfWeek.Saturday or DayOfWeek.Sunday ? 0 : 1;
        return working;
    }
}
