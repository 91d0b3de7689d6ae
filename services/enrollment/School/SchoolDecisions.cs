using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.Enrollment.Tracks;
using Imet.Enrollment.V1;
using Imet.Options.V1;
using ErrorReason = Imet.Enrollment.V1.ErrorReason;
using Result = Imet.Enrollment.V1.ReportEndRequest.Types.Result;

namespace Imet.Enrollment.School;

/// <summary>What schools report. A report tells what has happened: only what sets money in motion (an arrival, a start, an extension) asks the country's rules.</summary>
public static class SchoolDecisions
{
    public static Outcome<LineChange> ReportArrival(Line line, Verdict verdict, DateOnly arrivedOn, DateOnly today, string actor, DateTime now)
    {
        var transition = LineStates.Find(line, LineCommand.ReportArrival);
        if (!transition.IsAccepted)
            return transition.Refusal;
        if (arrivedOn > today)
            return InTheFuture("arrived_on", today);
        if (EnrollmentDecisions.RefusalToMoveOn(verdict, line.Country) is { } refusal)
            return refusal;
        var change = LineChange.Of(line, transition.Value, actor, "", now);
        return (change with { After = change.After with { Holds = [], ArrivedOn = arrivedOn, TrackBegunOn = Earlier(line.TrackBegunOn, arrivedOn) } }).On(EnrollmentDecisions.JudgementOf(verdict));
    }

    public static Outcome<LineChange> ReportStart(Line line, Verdict verdict, DateOnly startedOn, DateOnly today, string actor, DateTime now)
    {
        var transition = LineStates.Find(line, LineCommand.ReportStart);
        if (!transition.IsAccepted)
            return transition.Refusal;
        if (startedOn > today)
            return InTheFuture("started_on", today);
        if (startedOn < line.ArrivedOn)
            return BeforeArrival("started_on", line);
        if (EnrollmentDecisions.RefusalToMoveOn(verdict, line.Country) is { } refusal)
            return refusal;
        var change = LineChange.Of(line, transition.Value, actor, "", now);
        return (change with { After = change.After with { StartedOn = startedOn, TrackBegunOn = Earlier(line.TrackBegunOn, startedOn) } }).On(EnrollmentDecisions.JudgementOf(verdict));
    }

    public static Outcome<LineChange> ReportProgress(Line line, TrainingLine.Types.Progress progress, string note, string actor, DateTime now)
    {
        var transition = LineStates.Find(line, LineCommand.ReportProgress);
        if (!transition.IsAccepted)
            return transition.Refusal;
        if (Progresses.TextOrNull(progress) is not { } known)
            return Refusal.Of(CommonReason.InvalidFields, "How training goes is not told.").Field("progress", "Must be SATISFACTORY, AT_RISK or BEFORE_BOARD.");
        var change = LineChange.Of(line, transition.Value, actor, note.Length == 0 ? known : $"{known}: {note}", now);
        return change with { After = change.After with { Progress = progress } };
    }

    /// <summary>The course line with its new last day, and the extension that holds the days and the money. A pause does not stand against it: it is what makes training last longer.</summary>
    public static Outcome<(LineChange Line, LineChange Extension)> Extend(
        Line line, Verdict verdict, string etag, DateOnly endDate, Funding funding, Price? price, string reason, Guid extensionId, DateOnly today, string actor, DateTime now)
    {
        if (EnrollmentDecisions.RefusalOfEtag(line, etag) is { } stale)
            return stale;
        var transition = LineStates.Find(line, LineCommand.ExtendTraining);
        if (!transition.IsAccepted)
            return transition.Refusal;
        if (endDate <= line.EndDate)
            return Refusal.Of(CommonReason.InvalidFields, "An extension makes training longer.").Field("end_date", $"Must be after {line.EndDate:yyyy-MM-dd}, the present last day.");
        if (EnrollmentDecisions.RefusalToEnroll(verdict, line.Country) is { } refusal)
            return refusal;
        var judgement = EnrollmentDecisions.JudgementOf(verdict);
        var change = LineChange.Of(line, transition.Value, actor, reason, now);
        var extended = (change with { After = change.After with { EndDate = endDate } }).On(judgement);
        var beside = TrackDecisions.Beside(line, LineKind.Extension, LineState.InTraining, funding, price, line.EndDate.AddDays(1), endDate, [], extensionId, reason, today, actor, now);
        return (extended, beside.On(judgement));
    }

    public static Outcome<LineChange> ReportEnd(Line line, Result result, DateOnly endedOn, string note, DateOnly today, string actor, DateTime now)
    {
        LineCommand? command = result switch
        {
            Result.Graduated => LineCommand.Graduate,
            Result.Completed => LineCommand.Complete,
            Result.AcademicFailure => LineCommand.FailAcademically,
            _ => null,
        };
        if (command is null)
            return Refusal.Of(CommonReason.InvalidFields, "The result is not told.").Field("result", "Must be GRADUATED, COMPLETED or ACADEMIC_FAILURE.");
        return Ended(line, command.Value, "ended_on", endedOn, line.StartedOn, note, today, actor, now);
    }

    public static Outcome<LineChange> ReportEarlyReturn(Line line, DateOnly endedOn, string reason, DateOnly today, string actor, DateTime now) =>
        Ended(line, LineCommand.ReportEarlyReturn, "ended_on", endedOn, line.ArrivedOn, reason, today, actor, now);

    public static Outcome<LineChange> ReportAbsence(Line line, DateOnly absentSince, string note, DateOnly today, string actor, DateTime now) =>
        Ended(line, LineCommand.ReportAbsence, "absent_since", absentSince, line.ArrivedOn, note, today, actor, now);

    public static Outcome<LineChange> ReportNoShow(Line line, DateOnly today, string actor, DateTime now)
    {
        var transition = LineStates.Find(line, LineCommand.ReportNoShow);
        if (!transition.IsAccepted)
            return transition.Refusal;
        if (today <= line.ReportDate)
            return Refusal.Of(ErrorReason.InvalidTransition, $"Who is to report on {line.ReportDate:yyyy-MM-dd} may still come.").With("state", LineStates.Text(line.State)).With("possible", "ReportArrival");
        return LineChange.Of(line, transition.Value, actor, "", now);
    }

    /// <summary>What the removal of a person does to one of the person's lines. Null when it has ended already.</summary>
    public static LineChange? Disenroll(Line line, DateOnly endedOn, string cause, string actor, DateTime now)
    {
        if (LineStates.Find(line, LineCommand.CancelByRemoval) is { IsAccepted: true } cancel)
            return EnrollmentDecisions.Cancelled(line, cancel.Value, CancelCause.PersonRemoved, actor, cause, "", now);
        if (LineStates.Find(line, LineCommand.Disenroll) is not { IsAccepted: true } end)
            return null;
        var change = LineChange.Of(line, end.Value, actor, cause, now);
        // Training does not end before it was arrived for; an absence keeps the day it began.
        var last = line.EndedOn ?? (line.ArrivedOn > endedOn ? line.ArrivedOn : endedOn);
        return change with { After = change.After with { EndedOn = last } };
    }

    /// <summary>An extension ends with the line that it extends, in the same way.</summary>
    public static LineChange Follow(Line extension, LineChange ended) => new()
    {
        Before = extension,
        After = extension with
        {
            State = ended.After.State, Holds = [], EndedOn = ended.After.EndedOn, CancelCause = ended.After.CancelCause, CancelSourceId = ended.After.CancelSourceId,
            Version = extension.Version + 1, ChangedAt = ended.After.ChangedAt,
        },
        Change = ended.Change,
        Actor = ended.Actor,
        Cause = ended.Cause,
        SourceId = ended.SourceId,
    };

    private static Outcome<LineChange> Ended(Line line, LineCommand command, string field, DateOnly day, DateOnly? first, string cause, DateOnly today, string actor, DateTime now)
    {
        var transition = LineStates.Find(line, command);
        if (!transition.IsAccepted)
            return transition.Refusal;
        if (day > today)
            return InTheFuture(field, today);
        if (day < first)
            return Refusal.Of(CommonReason.InvalidFields, "Training can't end before it began.").Field(field, $"Must be {first:yyyy-MM-dd} or later.");
        var change = LineChange.Of(line, transition.Value, actor, cause, now);
        return change with { After = change.After with { EndedOn = day } };
    }

    private static Refusal BeforeArrival(string field, Line line) =>
        Refusal.Of(CommonReason.InvalidFields, "Training can't begin before the arrival.").Field(field, $"Must be {line.ArrivedOn:yyyy-MM-dd}, the day of arrival, or later.");

    private static Refusal InTheFuture(string field, DateOnly today) =>
        Refusal.Of(CommonReason.InvalidFields, "What is reported must have happened.").Field(field, $"Must not be after {today:yyyy-MM-dd}, today in Washington.");

    private static DateOnly Earlier(DateOnly? one, DateOnly other) => one is { } begun && begun < other ? begun : other;
}
