using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.Bars;
using Imet.Enrollment.Charges;
using Imet.Enrollment.Offerings;
using Imet.Enrollment.Seats;
using Imet.Enrollment.V1;
using Imet.Enrollment.Waitlist;
using Imet.Options.V1;
using ErrorReason = Imet.Enrollment.V1.ErrorReason;

namespace Imet.Enrollment;

/// <summary>All that an enrollment is decided by, read under locks or answered by the owners.</summary>
public sealed record EnrollFacts
{
    public required DateOnly Today { get; init; }
    public required DateTime Now { get; init; }
    public required string Actor { get; init; }
    public required Guid LineId { get; init; }
    public required Guid TrackId { get; init; }
    public required string Wcn { get; init; }
    public required Wish Wish { get; init; }
    public required OfferingCopy Offering { get; init; }
    public required DateOnly Start { get; init; }
    public required DateOnly End { get; init; }
    public required OfferingSeatsRow Seats { get; init; }
    public required StudentRow? Student { get; init; }
    public required TrackRow? Track { get; init; }
    public required Verdict Verdict { get; init; }
}

/// <summary>What the caller asks for, in values.</summary>
public sealed record Wish
{
    public required string Country { get; init; }
    public required Guid? StudentId { get; init; }
    public required int Headcount { get; init; }
    public required Guid OfferingId { get; init; }
    public required Funding Funding { get; init; }
    public required Guid? TrackId { get; init; }
    public required Price? QuotedPrice { get; init; }
    public required IReadOnlyList<ExternalId> ExternalIds { get; init; }
    public required DateOnly? StartDate { get; init; }
    public required DateOnly? EndDate { get; init; }
    /// <summary>The place on the waiting list when the class is full; null = it is refused then.</summary>
    public int? WaitlistPriority { get; init; }
}

/// <summary>The student, if the caller's country has one of that id, with a line on the same dates, if there is one.</summary>
public sealed record StudentRow(string Country, Guid? BusyIn, bool Removed)
{
    /// <summary>Bars that match the person, in force or not.</summary>
    public IReadOnlyList<Restraint> Bars { get; init; } = [];

    /// <summary>Whether the country's money reaches for the line that is to come back.</summary>
    public bool Funded { get; init; } = true;
}

public sealed record TrackRow(string Country, Guid? StudentId, string Wcn, DateOnly? BegunOn);

public static class EnrollmentDecisions
{
    private const int NanosPerUnit = 1_000_000_000;

    /// <summary>The line's own days: the class's, unless it is known to be shorter.</summary>
    public static Outcome<(DateOnly Start, DateOnly End)> Days(OfferingCopy offering, DateOnly? start, DateOnly? end)
    {
        var first = start ?? offering.StartDate;
        var last = end ?? offering.EndDate;
        if (first >= offering.StartDate && last <= offering.EndDate && first <= last)
            return (first, last);
        var refusal = Refusal.Of(CommonReason.InvalidFields, "The line's days must lie within the class's.");
        if (first < offering.StartDate || first > offering.EndDate)
            refusal = refusal.Field("start_date", $"Must be from {offering.StartDate:yyyy-MM-dd} to {offering.EndDate:yyyy-MM-dd}, the days of the class.");
        if (last > offering.EndDate || last < offering.StartDate)
            refusal = refusal.Field("end_date", $"Must be from {offering.StartDate:yyyy-MM-dd} to {offering.EndDate:yyyy-MM-dd}, the days of the class.");
        else if (first > last)
            refusal = refusal.Field("end_date", "Must not be before the first day.");
        return refusal;
    }

    /// <summary>Nominated, approved and seated in one step.</summary>
    public static Outcome<LineChange> Enroll(EnrollFacts facts)
    {
        if (RefusalToNominate(facts) is { } refusal)
            return refusal;
        if (facts.Student?.BusyIn is { } busy)
            return StudentBusy(busy);
        return SeatDecisions.RefusalOfSeats(facts.Seats, facts.Wish.Headcount) is not { } full ? New(facts, LineState.SeatConfirmed, "enrolled")
            : facts.Wish.WaitlistPriority is { } priority ? New(facts, LineState.Waitlisted, "waitlisted", new Wait(priority, facts.Now, null))
            : full;
    }

    /// <summary>Named for a class, without a seat: who is nominated twice for the same days has not yet been seated twice.</summary>
    public static Outcome<LineChange> Nominate(EnrollFacts facts) => RefusalToNominate(facts) is { } refusal ? refusal : New(facts, LineState.Nominated, "nominated");

    /// <summary>Cancelled, or forfeited where it is charged.</summary>
    public static Outcome<LineChange> Withdraw(Line line, string etag, string reason, CancellationCharge charge, string actor, DateTime now)
    {
        if (RefusalOfEtag(line, etag) is { } stale)
            return stale;
        var charged = Amounts.Of(charge.Amount) > 0;
        var transition = LineStates.Find(line, charged ? LineCommand.Forfeit : LineCommand.Withdraw);
        if (!transition.IsAccepted)
            return transition.Refusal;
        var change = Cancelled(line, transition.Value, CancelCause.Withdrawn, actor, reason, "", now);
        return charged ? change with { After = change.After with { Charge = charge } } : change;
    }

    /// <summary>What the country's rules, as they are now, do to a line that exists. Null when they leave it as it is; asked again, the answer is null.</summary>
    public static LineChange? Reexamine(Line line, Verdict verdict, DateOnly today, string actor, DateTime now)
    {
        if (!line.IsOpen)
            return null;
        var standing = EffectTable.StandingOf(line, today);
        List<LineHold> holds = [.. line.Holds.Where(hold => hold.Cause is HoldCause.GateRed or HoldCause.DateConflict)];
        foreach (var finding in verdict.Findings)
        {
            var action = finding.Bearing switch
            {
                Finding.Types.Bearing.Applies => EffectTable.Of(finding.Effect, standing),
                Finding.Types.Bearing.FactMissing when verdict.Outcome == Outcome.Depends => EffectTable.OfMissingFact(standing),
                _ => LineAction.GoOn,
            };
            if (action == LineAction.Cancel)
            {
                var cancelled = Cancelled(line, LineStates.Find(line, LineCommand.CancelByRestriction).OrThrow(), CancelCause.Restriction, actor, Cite(finding), finding.RestrictionId, now);
                return (cancelled with { After = cancelled.After with { CancelledFrom = line.State } }).On(JudgementOf(verdict));
            }
            if (action == LineAction.End)
            {
                var ended = Cancelled(line, LineStates.Find(line, LineCommand.EndByRestriction).OrThrow(), CancelCause.Restriction, actor, Cite(finding), finding.RestrictionId, now);
                return (ended with { After = ended.After with { EndedOn = today < line.ArrivedOn ? line.ArrivedOn : today, OrdersNumber = line.OrdersNumber } }).On(JudgementOf(verdict));
            }
            if (HoldOf(action) is { } cause && !holds.Exists(hold => hold.Cause == cause && hold.SourceId == finding.RestrictionId))
                holds.Add(line.Holds.FirstOrDefault(hold => hold.Cause == cause && hold.SourceId == finding.RestrictionId) ?? new LineHold(cause, finding.RestrictionId, now));
        }
        return Holds.Same(holds, line.Holds) ? null : WithHolds(
            line, holds, string.Join(", ", holds.Select(hold => $"{Holds.Text(hold.Cause)} {hold.SourceId}")), JudgementOf(verdict), actor, now);
    }

    /// <summary>What a called-off class does to one of its lines. Null when the line is over, or in training already.</summary>
    public static LineChange? OfferingCancelled(Line line, string actor, DateTime now) =>
        LineStates.Find(line, LineCommand.CancelByOffering) is { IsAccepted: true } transition
            ? Cancelled(line, transition.Value, CancelCause.OfferingCancelled, actor, "The class was called off.", line.OfferingId.ToString(), now)
            : null;

    public static Judgement JudgementOf(Verdict verdict) => new()
    {
        Outcome = verdict.Outcome,
        Revision = verdict.Revision,
        Epoch = verdict.Epoch,
        KnownTime = verdict.KnownTime,
        Findings = { verdict.Findings },
    };

    /// <summary>Grant-funded programs pay the additional cost only, sales the full cost. What the catalogue has no price for stays without one: nothing is guessed.</summary>
    public static (string Rate, Price? Price) Quote(string program, IReadOnlyList<TuitionPrice> prices, int headcount)
    {
        var (first, second) = program switch
        {
            "IMET" => ("GRANT", null),
            "FMS" => ("FULL", null),
            _ => ("GRANT", "FULL"),
        };
        return PriceAt(first, prices, headcount) ?? PriceAt(second, prices, headcount) ?? ("", null);
    }

    private static (string, Price?)? PriceAt(string? rate, IReadOnlyList<TuitionPrice> prices, int headcount)
    {
        foreach (var offered in prices)
        {
            if (offered.Rate != rate)
                continue;
            var nanos = (((Int128)offered.Price.Units * NanosPerUnit) + offered.Price.Nanos) * headcount;
            return (rate, new Price(offered.Price.CurrencyCode, (long)(nanos / NanosPerUnit), (int)(nanos % NanosPerUnit)));
        }
        return null;
    }

    /// <summary>What stands against a seat for the person or the class, whatever the country's rules say.</summary>
    internal static Refusal? RefusalOfOffering(OfferingCopy offering, Offering.Types.State state, DateOnly today)
    {
        if (state is not (Offering.Types.State.Open or Offering.Types.State.Moved))
            return Refusal.Of(ErrorReason.OfferingNotOpen, $"The class is {OfferingCopy.Text(state)}, not OPEN.").With("state", OfferingCopy.Text(state));
        return offering.StartDate < today || offering.EndDate < today
            ? Refusal.Of(ErrorReason.OfferingBegun, $"The class began on {offering.StartDate:yyyy-MM-dd}.").With("start_date", $"{offering.StartDate:yyyy-MM-dd}")
            : null;
    }

    internal static Refusal StudentBusy(Guid lineId) => Refusal.Of(ErrorReason.StudentBusy, "The student has a line on these days already.").With("line_id", lineId.ToString());

    /// <summary>What is recorded against the person, under whichever program.</summary>
    internal static Refusal? RefusalOfPerson(StudentRow? student, DateOnly today) =>
        student is null ? null : student.Removed ? PersonRemoved() : BarDecisions.RefusalOf(student.Bars, today);

    public static Refusal PersonRemoved() => Refusal.Of(ErrorReason.PersonRemoved, "The person was removed from training for cause, and is refused under every program.");

    internal static Refusal? RefusalOfEtag(Line line, string etag) => etag == line.Etag
        ? null
        : Refusal.Of(CommonReason.EtagMismatch, $"The line has changed since it was read: it is now {line.Etag}. Read it again, decide again.");

    private static Refusal? RefusalToNominate(EnrollFacts facts)
    {
        var wish = facts.Wish;
        if (RefusalOfOffering(facts.Offering, facts.Seats.State, facts.Today) is { } closed)
            return closed;
        if (wish.StudentId is not null && facts.Student?.Country != wish.Country)
            return Refusal.Of(ErrorReason.StudentUnknown, "The country has no student with this id.");
        if (RefusalOfPerson(facts.Student, facts.Today) is { } barred)
            return barred;
        if (wish.TrackId is not null && (facts.Track?.Country != wish.Country || facts.Track.StudentId != wish.StudentId))
            return Refusal.Of(ErrorReason.TrackUnknown, "The student has no track with this id.");
        return RefusalToEnroll(facts.Verdict, wish.Country);
    }

    private static LineChange New(EnrollFacts facts, LineState state, string change, Wait? waiting = null)
    {
        var (wish, offering) = (facts.Wish, facts.Offering);
        var (rate, price) = wish.QuotedPrice is { } quoted ? ("", quoted) : Quote(wish.Funding.Program, offering.Course.Prices, wish.Headcount);
        var judgement = JudgementOf(facts.Verdict);
        var line = new Line
        {
            Id = facts.LineId,
            Country = wish.Country,
            TrackId = facts.TrackId,
            Wcn = facts.Wcn,
            TrackBegunOn = facts.Track?.BegunOn,
            StudentId = wish.StudentId,
            Headcount = wish.Headcount,
            OfferingId = offering.Id,
            OfferingVersion = offering.Version,
            FundingProgram = wish.Funding.Program,
            FundingAccount = wish.Funding.Account,
            FiscalYear = wish.Funding.FiscalYear,
            State = state,
            CancelCause = null,
            Holds = facts.Verdict.Outcome == Outcome.Paused ? PausesIn(facts.Verdict, facts.Now) : [],
            Waiting = waiting,
            // Who joins later than the class begins reports on the first day of the line.
            ReportDate = facts.Start == offering.StartDate ? offering.ReportDate : facts.Start,
            StartDate = facts.Start,
            EndDate = facts.End,
            ArrivedOn = null,
            StartedOn = null,
            TuitionRate = rate,
            Price = price,
            QuotedOn = price is null ? null : facts.Today,
            Judgement = judgement,
            JudgedIn = 1,
            ExternalIds = wish.ExternalIds,
            Version = 1,
            Digest = default,
            RecordedAt = facts.Now,
            ChangedAt = facts.Now,
        };
        return new LineChange { Before = null, After = line, Change = change, Actor = facts.Actor, Cause = "", Judgement = judgement };
    }

    internal static LineChange Cancelled(Line line, Transition transition, CancelCause cause, string actor, string reason, string sourceId, DateTime now)
    {
        var change = LineChange.Of(line, transition, actor, reason, now);
        return change with
        {
            After = change.After with { CancelCause = cause, CancelSourceId = sourceId.Length == 0 ? null : sourceId, OrdersNumber = null },
            SourceId = sourceId,
        };
    }

    internal static LineChange WithHolds(Line line, List<LineHold> holds, string cause, Judgement? judgement, string actor, DateTime now)
    {
        var transition = LineStates.Find(line, holds.Count == 0 ? LineCommand.Release : LineCommand.Hold).OrThrow();
        var change = LineChange.Of(line, transition, actor, cause, now);
        return change with { After = change.After with { Holds = holds }, SourceId = holds.Count == 0 ? "" : holds[0].SourceId, Judgement = judgement };
    }

    private static HoldCause? HoldOf(LineAction action) => action switch
    {
        LineAction.Hold => HoldCause.RestrictionHold,
        LineAction.PauseTraining => HoldCause.TrainingPaused,
        LineAction.AwaitArrival => HoldCause.ArrivalUnknown,
        LineAction.GoOn or LineAction.Cancel or LineAction.End => null,
    };

    internal static List<LineHold> PausesIn(Verdict verdict, DateTime now) =>
        [.. Applying(verdict).Where(finding => finding.Effect == Effect.PauseTraining).Select(finding => new LineHold(HoldCause.TrainingPaused, finding.RestrictionId, now)).Distinct()];

    internal static Refusal? RefusalToEnroll(Verdict verdict, string country) =>
        // A pause lets people be nominated, not start.
        verdict.Outcome == Outcome.Paused ? null : RefusalToMoveOn(verdict, country);

    internal static Refusal? RefusalToMoveOn(Verdict verdict, string country) => verdict.Outcome switch
    {
        Outcome.Eligible or Outcome.EligibleWithConditions => null,
        Outcome.Paused or Outcome.OnHold => Citing(ErrorReason.CountryOnHold, verdict, country, Finding.Types.Bearing.Applies),
        Outcome.NotEligible => Citing(ErrorReason.CountryNotEligible, verdict, country, Finding.Types.Bearing.Applies),
        Outcome.Depends => Citing(ErrorReason.EligibilityDepends, verdict, country, Finding.Types.Bearing.FactMissing),
        // An answer from a later release that this one can't weigh is no permission.
        _ => Citing(ErrorReason.CountryNotEligible, verdict, country, Finding.Types.Bearing.Applies),
    };

    private static Refusal Citing(ErrorReason reason, Verdict verdict, string country, Finding.Types.Bearing bearing)
    {
        var refusal = Refusal.Of(reason, verdict.Summary).With("country", country);
        foreach (var finding in verdict.Findings)
        {
            if (finding.Bearing == bearing)
                refusal = refusal.Precondition(finding.LegalBasis, country, Cite(finding));
        }
        return refusal;
    }

    private static string Cite(Finding finding) =>
        finding.Citation.Length == 0 || finding.Explanation.Contains(finding.Citation, StringComparison.Ordinal) ? finding.Explanation : $"{finding.Explanation} ({finding.Citation})";

    private static IEnumerable<Finding> Applying(Verdict verdict) => verdict.Findings.Where(finding => finding.Bearing == Finding.Types.Bearing.Applies);
}
