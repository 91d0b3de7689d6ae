using Imet.Enrollment.Offerings;

namespace Imet.Enrollment.Reexamination;

/// <summary>What a class that is held on other days, or elsewhere, does to its lines: seats are kept, days follow.</summary>
public static class MoveDecisions
{
    /// <param name="judgedBy">The version of the class that the line's days are of.</param>
    /// <param name="latest">The class as it is now.</param>
    /// <param name="conflict">Another line of the student on the new days.</param>
    /// <returns>Null when nothing about the line changes.</returns>
    public static LineChange? Move(Line line, OfferingCopy judgedBy, OfferingCopy latest, Guid? conflict, string actor, DateTime now)
    {
        var (report, start, end) = Days(line, judgedBy, latest);
        List<LineHold> holds = [.. line.Holds.Where(hold => hold.Cause != HoldCause.DateConflict)];
        if (conflict is { } other)
            holds.Add(line.Holds.FirstOrDefault(hold => hold.Cause == HoldCause.DateConflict && hold.SourceId == $"{other}") ?? new LineHold(HoldCause.DateConflict, $"{other}", now));
        var stays = (report, start, end) == (line.ReportDate, line.StartDate, line.EndDate) && latest.HostCountry == judgedBy.HostCountry;
        if (stays || LineStates.Find(line, LineCommand.MoveWithClass) is not { IsAccepted: true } transition)
            return null;
        var change = LineChange.Of(line, transition.Value, actor, conflict is null ? "" : $"The student has line {conflict} on these days.", now);
        return change with
        {
            After = change.After with { OfferingVersion = latest.Version, ReportDate = report, StartDate = start, EndDate = end, Holds = holds },
            SourceId = line.OfferingId.ToString(),
        };
    }

    /// <summary>The class's own days where the line had them; else the line's moved as far as the class, within its days. What has happened stays when it happened.</summary>
    public static (DateOnly Report, DateOnly Start, DateOnly End) Days(Line line, OfferingCopy judgedBy, OfferingCopy latest)
    {
        if (line.StartedOn is not null)
            return (line.ReportDate, line.StartDate, line.EndDate == judgedBy.EndDate && latest.EndDate >= line.StartDate ? latest.EndDate : line.EndDate);
        var start = line.StartDate == judgedBy.StartDate
            ? latest.StartDate
            : Within(line.StartDate.AddDays(latest.StartDate.DayNumber - judgedBy.StartDate.DayNumber), latest.StartDate, latest.EndDate);
        var end = line.EndDate == judgedBy.EndDate ? latest.EndDate : Within(start.AddDays(line.EndDate.DayNumber - line.StartDate.DayNumber), start, latest.EndDate);
        return (line.ArrivedOn is not null ? line.ReportDate : start == latest.StartDate ? latest.ReportDate : start, start, end);
    }

    /// <summary>Takes the hold away that another line of the student was the reason for. Null when that line still is on these days.</summary>
    public static LineChange? LetGo(Line line, Line other, string actor, DateTime now)
    {
        var still = other.IsOpen && other.SeatsHeld > 0 && other.StartDate <= line.EndDate && other.EndDate >= line.StartDate;
        List<LineHold> holds = [.. line.Holds.Where(hold => hold.Cause != HoldCause.DateConflict || hold.SourceId != $"{other.Id}")];
        return still || !line.IsOpen || holds.Count == line.Holds.Count
            ? null
            : EnrollmentDecisions.WithHolds(line, holds, $"Line {other.Id} is not on these days any more.", null, actor, now);
    }

    private static DateOnly Within(DateOnly day, DateOnly first, DateOnly last) => day < first ? first : day > last ? last : day;
}
