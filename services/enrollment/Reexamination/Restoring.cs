using Imet.CountryEligibility.V1;
using Imet.Enrollment.Offerings;

namespace Imet.Enrollment.Reexamination;

/// <summary>What stands in the way of a line that comes back, besides the country's rules.</summary>
/// <param name="Free">Seats left in the class after those that came back before it.</param>
public sealed record RestoreFacts(OfferingCopy Offering, OfferingSeatsRow Seats, int Free, StudentRow? Student);

/// <summary>A void says that a decision never took effect: what it cancelled comes back where a seat remains, the rest is listed. A reinstatement is no void and revives nothing.</summary>
public static class Restoring
{
    /// <param name="line">Cancelled or ended by a restriction that turned out void.</param>
    /// <returns>Null when another rule stands against it now: it is looked at again when that goes.</returns>
    public static LineChange? Decide(Line line, Verdict verdict, RestoreFacts facts, DateOnly today, string actor, DateTime now)
    {
        if (line.NotRestored || line.CancelCause != CancelCause.Restriction)
            return null;
        if (line.State == LineState.EarlyReturn)
            return GiveUp(line, "Training under way was ended; it does not begin again by itself.", actor, now);
        if (line.CancelledFrom is not { } before || EnrollmentDecisions.RefusalToEnroll(verdict, line.Country) is not null)
            return null;
        if (EnrollmentDecisions.RefusalOfOffering(facts.Offering, facts.Seats.State, today) is { } closed)
            return GiveUp(line, closed.Message, actor, now);
        if (EnrollmentDecisions.RefusalOfPerson(facts.Student, today) is { } barred)
            return GiveUp(line, barred.Message, actor, now);
        var seated = LineStates.HoldsSeat(before);
        if (seated && facts.Student is { Funded: false })
            return GiveUp(line, "The country's money for the program and year does not reach any more.", actor, now);
        if (seated && facts.Student?.BusyIn is { } busy)
            return GiveUp(line, $"The student has a line on these days by now: {busy}.", actor, now);
        if (seated && facts.Free < line.Headcount)
            return GiveUp(line, $"{facts.Free} seats are left; {line.Headcount} were taken away.", actor, now);
        // Orders that were revoked stay so: every gate is passed again.
        var change = LineChange.Of(line, LineStates.Find(line, seated ? LineCommand.RestoreSeat : LineCommand.RestoreNomination).OrThrow(), actor, $"Restriction {line.CancelSourceId} never took effect.", now);
        return (change with
        {
            After = change.After with
            {
                CancelCause = null,
                CancelSourceId = null,
                CancelledFrom = null,
                Holds = verdict.Outcome == Outcome.Paused ? EnrollmentDecisions.PausesIn(verdict, now) : [],
            },
            SourceId = line.CancelSourceId ?? "",
        }).On(EnrollmentDecisions.JudgementOf(verdict));
    }

    /// <summary>In the order of the lines, which is that of their enrollment: each takes its seats from what the one before it left.</summary>
    public static IEnumerable<LineChange> DecideAll(
        IReadOnlyList<Line> lines, IReadOnlyList<Verdict> verdicts, IReadOnlyDictionary<Guid, (OfferingCopy Copy, OfferingSeatsRow Seats)> classes, IReadOnlyDictionary<Guid, StudentRow> students,
        Dictionary<Guid, int> taken, DateOnly today, string actor, DateTime now)
    {
        for (var i = 0; i < lines.Count; i++)
        {
            var (line, (copy, seats)) = (lines[i], classes[lines[i].OfferingId]);
            var before = taken.GetValueOrDefault(line.OfferingId);
            var facts = new RestoreFacts(copy, seats, seats.Free - before, students.GetValueOrDefault(line.Id));
            if (Decide(line, verdicts[i], facts, today, actor, now) is not { } change)
                continue;
            taken[line.OfferingId] = before + change.After.SeatsHeld;
            yield return change;
        }
    }

    private static LineChange GiveUp(Line line, string why, string actor, DateTime now)
    {
        var change = LineChange.Of(line, LineStates.Find(line, LineCommand.GiveUpRestoring).OrThrow(), actor, why, now);
        return change with { After = change.After with { NotRestored = true }, SourceId = line.CancelSourceId ?? "" };
    }
}
