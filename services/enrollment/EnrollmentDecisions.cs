using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.Offerings;
using Imet.Enrollment.V1;
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
}

/// <summary>The student, if the caller's country has one of that id, with a line on the same dates, if there is one.</summary>
public sealed record StudentRow(string Country, Guid? BusyIn);

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

    public static Outcome<LineChange> Enroll(EnrollFacts facts)
    {
        var (wish, offering, seats) = (facts.Wish, facts.Offering, facts.Seats);
        if (seats.State != Offering.Types.State.Open)
            return Refusal.Of(ErrorReason.OfferingNotOpen, $"The class is {OfferingCopy.Text(seats.State)}, not OPEN.").With("state", OfferingCopy.Text(seats.State));
        if (offering.StartDate < facts.Today || offering.EndDate < facts.Today)
            return Refusal.Of(ErrorReason.OfferingBegun, $"The class began on {offering.StartDate:yyyy-MM-dd}.").With("start_date", $"{offering.StartDate:yyyy-MM-dd}");
        if (wish.StudentId is not null && facts.Student?.Country != wish.Country)
            return Refusal.Of(ErrorReason.StudentUnknown, "The country has no student with this id.");
        if (wish.TrackId is not null && (facts.Track?.Country != wish.Country || facts.Track.StudentId != wish.StudentId))
            return Refusal.Of(ErrorReason.TrackUnknown, "The student has no track with this id.");
        if (facts.Student?.BusyIn is { } busy)
            return Refusal.Of(ErrorReason.StudentBusy, "The student has a line on these days already.").With("line_id", busy.ToString());
        if (RefusalToEnroll(facts.Verdict, wish.Country) is { } ineligible)
            return ineligible;
        if (seats.Taken + wish.Headcount > seats.Capacity)
        {
            return Refusal.Of(ErrorReason.OfferingFull, $"{seats.Taken} of {seats.Capacity} seats are taken; {wish.Headcount} asked for.")
                .With("capacity", $"{seats.Capacity}").With("taken", $"{seats.Taken}");
        }
        return Enrolled(facts);
    }

    public static Outcome<LineChange> Withdraw(Line line, string etag, string reason, string actor, DateTime now)
    {
        if (etag != line.Etag)
            return EtagMismatch(line);
        var transition = LineStates.Find(line, LineCommand.Withdraw);
        return transition.IsAccepted ? Cancelled(line, transition.Value, CancelCause.Withdrawn, actor, reason, "", null, now) : transition.Refusal;
    }

    public static Outcome<LineChange> ReportArrival(Line line, Verdict verdict, DateOnly arrivedOn, DateOnly today, string actor, DateTime now)
    {
        var transition = LineStates.Find(line, LineCommand.ReportArrival);
        if (!transition.IsAccepted)
            return transition.Refusal;
        if (arrivedOn > today)
            return InTheFuture("arrived_on", today);
        if (RefusalToMoveOn(verdict, line.Country) is { } refusal)
            return refusal;
        var judgement = JudgementOf(verdict);
        var after = line with
        {
            State = transition.Value.To,
            Holds = [],
            ArrivedOn = arrivedOn,
            TrackBegunOn = Earlier(line.TrackBegunOn, arrivedOn),
            Judgement = judgement,
            JudgedIn = line.Version + 1,
            Version = line.Version + 1,
            ChangedAt = now,
        };
        return new LineChange { Before = line, After = after, Change = transition.Value.Change, Actor = actor, Cause = "", Judgement = judgement };
    }

    public static Outcome<LineChange> ReportStart(Line line, Verdict verdict, DateOnly startedOn, DateOnly today, string actor, DateTime now)
    {
        var transition = LineStates.Find(line, LineCommand.ReportStart);
        if (!transition.IsAccepted)
            return transition.Refusal;
        if (startedOn > today)
            return InTheFuture("started_on", today);
        if (startedOn < line.ArrivedOn)
            return Refusal.Of(CommonReason.InvalidFields, "Training can't begin before the arrival.").Field("started_on", $"Must be {line.ArrivedOn:yyyy-MM-dd}, the day of arrival, or later.");
        if (RefusalToMoveOn(verdict, line.Country) is { } refusal)
            return refusal;
        var judgement = JudgementOf(verdict);
        var after = line with
        {
            State = transition.Value.To,
            StartedOn = startedOn,
            TrackBegunOn = Earlier(line.TrackBegunOn, startedOn),
            Judgement = judgement,
            JudgedIn = line.Version + 1,
            Version = line.Version + 1,
            ChangedAt = now,
        };
        return new LineChange { Before = line, After = after, Change = transition.Value.Change, Actor = actor, Cause = "", Judgement = judgement };
    }

    /// <summary>What the country's rules, as they are now, do to a line that exists. Null when they leave it as it is; asked again, the answer is null.</summary>
    public static LineChange? Reexamine(Line line, Verdict verdict, DateOnly today, string actor, DateTime now)
    {
        if (line.State == LineState.Cancelled)
            return null;
        var standing = EffectTable.StandingOf(line, today);
        List<LineHold> holds = [];
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
                var transition = LineStates.Find(line, LineCommand.CancelByRestriction).OrThrow();
                return Cancelled(line, transition, CancelCause.Restriction, actor, Cite(finding), finding.RestrictionId, JudgementOf(verdict), now);
            }
            if (HoldOf(action) is { } cause && !holds.Exists(hold => hold.Cause == cause && hold.SourceId == finding.RestrictionId))
                holds.Add(line.Holds.FirstOrDefault(hold => hold.Cause == cause && hold.SourceId == finding.RestrictionId) ?? new LineHold(cause, finding.RestrictionId, now));
        }
        return Holds.Same(holds, line.Holds) ? null : WithHolds(line, holds, verdict, actor, now);
    }

    /// <summary>What a called-off class does to one of its lines. Null when the line is over, or in training already.</summary>
    public static LineChange? OfferingCancelled(Line line, string actor, DateTime now) =>
        line.State is LineState.Cancelled or LineState.InTraining
            ? null
            : Cancelled(line, LineStates.Find(line, LineCommand.CancelByOffering).OrThrow(), CancelCause.OfferingCancelled, actor,
                "The class was called off.", line.OfferingId.ToString(), null, now);

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

    private static LineChange Enrolled(EnrollFacts facts)
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
            State = LineState.SeatConfirmed,
            CancelCause = null,
            Holds = facts.Verdict.Outcome == Outcome.Paused ? PausesIn(facts.Verdict, facts.Now) : [],
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
        return new LineChange { Before = null, After = line, Change = "enrolled", Actor = facts.Actor, Cause = "", Judgement = judgement };
    }

    private static LineChange Cancelled(
        Line line, Transition transition, CancelCause cause, string actor, string reason, string sourceId, Judgement? judgement, DateTime now) => new()
        {
            Before = line,
            After = line with { State = transition.To, CancelCause = cause, Holds = [], Version = line.Version + 1, ChangedAt = now },
            Change = transition.Change,
            Actor = actor,
            Cause = reason,
            SourceId = sourceId,
            Judgement = judgement,
        };

    private static LineChange WithHolds(Line line, List<LineHold> holds, Verdict verdict, string actor, DateTime now)
    {
        var transition = LineStates.Find(line, holds.Count == 0 ? LineCommand.Release : LineCommand.Hold).OrThrow();
        return new LineChange
        {
            Before = line,
            After = line with { State = transition.To, Holds = holds, Version = line.Version + 1, ChangedAt = now },
            Change = transition.Change,
            Actor = actor,
            Cause = string.Join(", ", holds.Select(hold => $"{Holds.Text(hold.Cause)} {hold.SourceId}")),
            SourceId = holds.Count == 0 ? "" : holds[0].SourceId,
            Judgement = JudgementOf(verdict),
        };
    }

    private static HoldCause? HoldOf(LineAction action) => action switch
    {
        LineAction.Hold => HoldCause.RestrictionHold,
        LineAction.PauseTraining => HoldCause.TrainingPaused,
        LineAction.AwaitArrival => HoldCause.ArrivalUnknown,
        LineAction.GoOn or LineAction.Cancel => null,
    };

    private static List<LineHold> PausesIn(Verdict verdict, DateTime now) =>
        [.. Applying(verdict).Where(finding => finding.Effect == Effect.PauseTraining).Select(finding => new LineHold(HoldCause.TrainingPaused, finding.RestrictionId, now)).Distinct()];

    private static Refusal? RefusalToEnroll(Verdict verdict, string country) =>
        // A pause lets people be nominated, not start.
        verdict.Outcome == Outcome.Paused ? null : RefusalToMoveOn(verdict, country);

    private static Refusal? RefusalToMoveOn(Verdict verdict, string country) => verdict.Outcome switch
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

    private static Refusal EtagMismatch(Line line) =>
        Refusal.Of(CommonReason.EtagMismatch, $"The line has changed since it was read: it is now {line.Etag}. Read it again, decide again.");

    private static Refusal InTheFuture(string field, DateOnly today) =>
        Refusal.Of(CommonReason.InvalidFields, "What is reported must have happened.").Field(field, $"Must not be after {today:yyyy-MM-dd}, today in Washington.");

    private static DateOnly Earlier(DateOnly? one, DateOnly other) => one is { } begun && begun < other ? begun : other;
}
