using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.Offerings;
using Imet.Enrollment.Seats;
using Imet.Enrollment.V1;
using Imet.Enrollment.Waitlist;
using ErrorReason = Imet.Enrollment.V1.ErrorReason;

namespace Imet.Enrollment.Tracks;

public static class TrackDecisions
{
    public static Outcome<LineChange> Approve(Line line, string etag, Verdict verdict, string actor, DateTime now)
    {
        if (EnrollmentDecisions.RefusalOfEtag(line, etag) is { } stale)
            return stale;
        var transition = LineStates.Find(line, LineCommand.ApproveNomination);
        if (!transition.IsAccepted)
            return transition.Refusal;
        return EnrollmentDecisions.RefusalToEnroll(verdict, line.Country) is { } refusal ? refusal : LineChange.Of(line, transition.Value, actor, "", now).On(EnrollmentDecisions.JudgementOf(verdict));
    }

    /// <summary>An approved nomination gets its seats in the class as it is now: where the class moved since, its days move with it.</summary>
    public static Outcome<LineChange> ConfirmSeat(
        Line line, string etag, int? waitlistPriority, Verdict verdict, OfferingCopy offering, OfferingSeatsRow seats, StudentRow? student, (DateOnly Report, DateOnly Start, DateOnly End) days, DateOnly today,
        string actor, DateTime now)
    {
        if (EnrollmentDecisions.RefusalOfEtag(line, etag) is { } stale)
            return stale;
        var transition = LineStates.Find(line, LineCommand.ConfirmSeat);
        if (!transition.IsAccepted)
            return transition.Refusal;
        if (EnrollmentDecisions.RefusalOfOffering(offering, seats.State, today) is { } closed)
            return closed;
        if (EnrollmentDecisions.RefusalOfPerson(student, today) is { } barred)
            return barred;
        if (student?.BusyIn is { } busy)
            return EnrollmentDecisions.StudentBusy(busy);
        if (EnrollmentDecisions.RefusalToEnroll(verdict, line.Country) is { } refusal)
            return refusal;
        Wait? waiting = null;
        if (SeatDecisions.RefusalOfSeats(seats, line.Headcount) is { } full)
        {
            if (waitlistPriority is not { } priority)
                return full;
            (transition, waiting) = (LineStates.Find(line, LineCommand.JoinWaitlist), new Wait(priority, now, null));
        }
        var change = LineChange.Of(line, transition.OrThrow(), actor, "", now);
        return (change with { After = change.After with { OfferingVersion = offering.Version, ReportDate = days.Report, StartDate = days.Start, EndDate = days.End, Waiting = waiting } })
            .On(EnrollmentDecisions.JudgementOf(verdict));
    }

    /// <summary>The line's days in a later version of its class: the class's own days where it had them, else its own where they still fit.</summary>
    public static Outcome<(DateOnly Report, DateOnly Start, DateOnly End)> DaysIn(Line line, OfferingCopy judgedBy, OfferingCopy latest)
    {
        if (judgedBy.Version == latest.Version)
            return (line.ReportDate, line.StartDate, line.EndDate);
        var days = EnrollmentDecisions.Days(latest, line.StartDate == judgedBy.StartDate ? null : line.StartDate, line.EndDate == judgedBy.EndDate ? null : line.EndDate);
        return days.IsAccepted ? (days.Value.Start == latest.StartDate ? latest.ReportDate : days.Value.Start, days.Value.Start, days.Value.End) : days.Refusal;
    }

    /// <param name="named">How many are on the roster already.</param>
    /// <param name="students">Of those to be named: the country of each that exists, and whether the person was removed.</param>
    public static Outcome<LineChange> AddToRoster(Line line, string etag, int named, IReadOnlyList<Guid> wanted, IReadOnlyDictionary<Guid, StudentRow> students, DateOnly today, string actor, DateTime now)
    {
        if (EnrollmentDecisions.RefusalOfEtag(line, etag) is { } stale)
            return stale;
        if (line.StudentId is not null)
            return Refusal.Of(ErrorReason.NoHeadcount, "The line is one student's: it has no roster.");
        var transition = LineStates.Find(line, LineCommand.AddToRoster);
        if (!transition.IsAccepted)
            return transition.Refusal;
        foreach (var id in wanted)
        {
            if (!students.TryGetValue(id, out var student) || student.Country != line.Country)
                return Refusal.Of(ErrorReason.StudentUnknown, "The country has no student with this id.").With("student_id", $"{id}");
            if (EnrollmentDecisions.RefusalOfPerson(student, today) is { } barred)
                return barred.With("student_id", $"{id}");
        }
        if (named + wanted.Count > line.Headcount)
            return Refusal.Of(ErrorReason.RosterFull, $"{named} of {line.Headcount} are named; {wanted.Count} more are too many.").With("headcount", $"{line.Headcount}").With("named", $"{named}");
        return LineChange.Of(line, transition.Value, actor, $"{named + wanted.Count} of {line.Headcount} are named.", now);
    }

    /// <summary>A person who was removed from training leaves a roster; the seat stays for another.</summary>
    public static LineChange TakenOffRoster(Line line, string actor, string cause, DateTime now) =>
        LineChange.Of(line, new Transition(line.State, LineCommand.AddToRoster, Guard.None, line.State, "roster-changed"), actor, cause, now);

    public static Outcome<LineChange> Charge(Line line, Funding funding, Price price, string reason, IReadOnlyList<ExternalId> externalIds, Guid chargeId, DateOnly today, string actor, DateTime now) =>
        line.Kind == LineKind.Course
            ? Beside(line, LineKind.Charge, LineState.Completed, funding, price, today, today, externalIds, chargeId, reason, today, actor, now)
            : Refusal.Of(ErrorReason.NotACourseLine, "An extension or a charge belongs to a course line; it has none of its own.");

    /// <summary>A line that belongs to a course line and takes no seat.</summary>
    internal static LineChange Beside(
        Line line, LineKind kind, LineState state, Funding funding, Price? price, DateOnly start, DateOnly end, IReadOnlyList<ExternalId> externalIds, Guid id, string reason, DateOnly today,
        string actor, DateTime now) => new()
        {
            Before = null,
            After = line with
            {
                Id = id,
                Kind = kind,
                OfLineId = line.Id,
                FundingProgram = funding.Program,
                FundingAccount = funding.Account,
                FiscalYear = funding.FiscalYear,
                State = state,
                CancelCause = null,
                CancelSourceId = null,
                NotRestored = false,
                Holds = [],
                ReportDate = start,
                StartDate = start,
                EndDate = end,
                EndedOn = null,
                OrdersNumber = null,
                TuitionRate = "",
                Price = price,
                QuotedOn = price is null ? null : today,
                Judgement = null,
                JudgedIn = 1,
                ExternalIds = externalIds,
                Version = 1,
                Digest = default,
                RecordedAt = now,
                ChangedAt = now,
            },
            Change = kind == LineKind.Extension ? "extension-added" : "charge-added",
            Actor = actor,
            Cause = reason,
        };
}
