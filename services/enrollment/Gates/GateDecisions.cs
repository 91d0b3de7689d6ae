using System.Globalization;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.Offerings;
using Imet.Enrollment.V1;
using Imet.Options.V1;
using ErrorReason = Imet.Enrollment.V1.ErrorReason;
using Extent = Imet.Enrollment.V1.EnglishExemption.Types.Extent;
using Kind = Imet.Enrollment.V1.Gate.Types.Kind;

namespace Imet.Enrollment.Gates;

/// <summary>What no text of the law fixes, and what changed before.</summary>
public sealed record GateSettings
{
    /// <summary>How long vetting is good that says no end of its own.</summary>
    public int LeahyValidityDays { get; init; } = 365;
    /// <summary>How long before the report date the data for the security check must be in.</summary>
    public int SecurityLeadDays { get; init; } = 16;
}

/// <summary>The last that was recorded about a person or a unit for one gate.</summary>
public sealed record Evidence
{
    public required Guid Id { get; init; }
    public required Kind Gate { get; init; }
    public required bool Passed { get; init; }
    public required DateOnly DecidedOn { get; init; }
    public required DateOnly? ValidUntil { get; init; }
    public required int EclScore { get; init; }
    public required string OpiLevel { get; init; }
}

/// <summary>Somebody or something that bars a person or flags a unit.</summary>
public sealed record Objection(string SourceId, string Text);

/// <summary>All that the gates of one line are judged by.</summary>
public sealed record GateFacts
{
    public required DateOnly Today { get; init; }
    public required Line Line { get; init; }
    public required OfferingCopy Offering { get; init; }
    public required Guid? UnitId { get; init; }
    public required IReadOnlyList<Objection> Objections { get; init; }
    public required IReadOnlyList<Evidence> Evidence { get; init; }
    public required Extent English { get; init; }
    public required Offering.Types.State OfferingState { get; init; }
    public required GateSettings Settings { get; init; }

    public Evidence? Of(Kind gate) => Evidence.FirstOrDefault(evidence => evidence.Gate == gate);
}

/// <summary>Which gates are green, why, and what is missing at those that are not. Orders go out on this, and nothing else.</summary>
public static class GateDecisions
{
    /// <summary>Every gate of a line. Of a headcount line only those that need no person.</summary>
    public static GateReport Check(GateFacts facts, Verdict verdict)
    {
        List<Gate> gates = [Eligibility(facts, verdict), .. Standing(facts), Seat(facts)];
        gates.Sort((one, other) => one.Kind.CompareTo(other.Kind));
        return new GateReport { Gates = { gates }, AllGreen = gates.TrueForAll(gate => gate.Green), On = facts.Today.ToProto() };
    }

    /// <summary>The gates that must stay green after orders went out. Restrictions are followed by examinations of the country, and a class by its own.</summary>
    public static IEnumerable<Gate> Standing(GateFacts facts) => facts.Line.StudentId is null
        ? []
        : facts.Line.HasBegun
            // Whoever is at the school has been tested and examined; what is found out about the person still counts.
            ? [BarsAndFlags(facts), Leahy(facts, Kind.LeahyPerson), Leahy(facts, Kind.LeahyUnit)]
            : [BarsAndFlags(facts), Leahy(facts, Kind.LeahyPerson), Leahy(facts, Kind.LeahyUnit), Security(facts), English(facts), Medical(facts)];

    /// <summary>What gates that turned red, or green again, do to a line with orders. Null when its holds stay as they are.</summary>
    public static LineChange? Recheck(GateFacts facts, string actor, DateTime now)
    {
        var line = facts.Line;
        var red = Standing(facts).Where(gate => !gate.Green).ToList();
        List<LineHold> holds =
        [
            .. line.Holds.Where(hold => hold.Cause != HoldCause.GateRed),
            .. red.Select(gate => line.Holds.FirstOrDefault(hold => hold.Cause == HoldCause.GateRed && hold.SourceId == Text(gate.Kind)) ?? new LineHold(HoldCause.GateRed, Text(gate.Kind), now)),
        ];
        return Holds.Same(holds, line.Holds) ? null : EnrollmentDecisions.WithHolds(line, holds, string.Join(" ", red.Select(gate => gate.Missing)), null, actor, now);
    }

    /// <summary>All that is recorded against the person or the unit and in force on the day.</summary>
    public static IEnumerable<Objection> Objections(PersonRead person, DateOnly today)
    {
        if (person.RemovedBy is { } document)
            yield return new Objection("REMOVAL", $"The person was removed from training ({document}).");
        foreach (var bar in person.Bars.Where(bar => bar.IsInForceOn(today)))
            yield return new Objection($"{bar.Id}", $"A bar matches the person: {bar.Cause}");
        foreach (var flag in person.Flags.Where(flag => flag.IsInForceOn(today)))
            yield return new Objection($"{flag.Id}", $"The unit is flagged: {flag.Cause}");
    }

    public static Refusal NotGreen(Line line, GateReport report)
    {
        var red = report.Gates.Where(gate => !gate.Green).ToList();
        var refusal = Refusal.Of(ErrorReason.GatesNotGreen, $"Orders go out only when every gate is green; {red.Count} {(red.Count == 1 ? "is" : "are")} not: {string.Join(", ", red.Select(gate => Text(gate.Kind)))}.")
            .With("gates", string.Join(", ", red.Select(gate => Text(gate.Kind))));
        foreach (var gate in red)
            refusal = refusal.Precondition(Text(gate.Kind), $"training-line/{line.Id}", gate.Missing);
        return refusal;
    }

    /// <summary>Which results can be recorded, and about whom.</summary>
    public static Refusal? RefusalOf(GateResult result, DateOnly today)
    {
        var refusal = Refusal.Of(CommonReason.InvalidFields, "The result is not complete or not consistent.");
        if (result.Gate is not (Kind.LeahyPerson or Kind.LeahyUnit or Kind.Security or Kind.English or Kind.Medical))
            refusal = refusal.Field("result.gate", "Must be LEAHY_PERSON, LEAHY_UNIT, SECURITY, ENGLISH or MEDICAL: the others are known without.");
        var (needed, other) = result.Gate == Kind.LeahyUnit ? ("unit_id", result.StudentId) : ("student_id", result.UnitId);
        if ((result.Gate == Kind.LeahyUnit ? result.UnitId : result.StudentId).Length == 0 || other.Length > 0)
            refusal = refusal.Field($"result.{needed}", $"Give {needed}, and it alone.");
        if (result.DecidedOn.ToDateOnly() > today)
            refusal = refusal.Field("result.decided_on", $"Must not be after {today:yyyy-MM-dd}, today in Washington.");
        if (result.ValidUntil?.ToDateOnly() < result.DecidedOn.ToDateOnly())
            refusal = refusal.Field("result.valid_until", "Must not be before decided_on.");
        return refusal.Fields.Count > 0 ? refusal : null;
    }

    public static string Text(Kind gate) => gate switch
    {
        Kind.Eligibility => "ELIGIBILITY",
        Kind.BarsAndFlags => "BARS_AND_FLAGS",
        Kind.LeahyPerson => "LEAHY_PERSON",
        Kind.LeahyUnit => "LEAHY_UNIT",
        Kind.Security => "SECURITY",
        Kind.English => "ENGLISH",
        Kind.Medical => "MEDICAL",
        Kind.Funding => "FUNDING",
        Kind.Seat => "SEAT",
        Kind.Unspecified => throw new ArgumentOutOfRangeException(nameof(gate)),
    };

    private static Gate Eligibility(GateFacts facts, Verdict verdict) => EnrollmentDecisions.RefusalToMoveOn(verdict, facts.Line.Country) is { } refusal
        ? Red(Kind.Eligibility, refusal.Message, verdict.Findings.Where(finding => finding.Bearing is Finding.Types.Bearing.Applies or Finding.Types.Bearing.FactMissing).Select(finding => finding.RestrictionId))
        : Green(Kind.Eligibility, string.Create(CultureInfo.InvariantCulture, $"{verdict.Summary} Revision {verdict.Revision} of the country."), []);

    private static Gate BarsAndFlags(GateFacts facts) => facts.Objections.Count > 0
        ? Red(Kind.BarsAndFlags, string.Join(" ", facts.Objections.Select(objection => objection.Text)), facts.Objections.Select(objection => objection.SourceId))
        : Green(Kind.BarsAndFlags, "Nothing is recorded against the person or the unit.", []);

    private static Gate Leahy(GateFacts facts, Kind gate)
    {
        var who = gate == Kind.LeahyPerson ? "person" : "unit";
        if (gate == Kind.LeahyUnit && facts.UnitId is null)
            return Red(gate, "The student's unit is not known.", []);
        if (facts.Of(gate) is not { } vetting)
            return Red(gate, $"The {who} has not been vetted.", []);
        if (!vetting.Passed)
            return Red(gate, $"The vetting of {vetting.DecidedOn:yyyy-MM-dd} speaks against the {who}.", [$"{vetting.Id}"]);
        var until = vetting.ValidUntil ?? vetting.DecidedOn.AddDays(facts.Settings.LeahyValidityDays);
        // Vetting that ends on the way would be none when training begins; once it has begun, it has served.
        var needed = facts.Line.StartDate < facts.Today ? facts.Today : facts.Line.StartDate;
        return !facts.Line.HasBegun && until < needed
            ? Red(gate, $"The vetting of the {who} is good until {until:yyyy-MM-dd}, not until {needed:yyyy-MM-dd}.", [$"{vetting.Id}"])
            : Green(gate, $"The {who} was vetted on {vetting.DecidedOn:yyyy-MM-dd}.", [$"{vetting.Id}"], until);
    }

    private static Gate Security(GateFacts facts)
    {
        var latest = facts.Line.ReportDate.AddDays(-facts.Settings.SecurityLeadDays);
        return facts.Of(Kind.Security) switch
        {
            null => Red(Kind.Security, $"The data for the security check must be in by {latest:yyyy-MM-dd}.", []),
            { Passed: false } refused => Red(Kind.Security, $"The security check of {refused.DecidedOn:yyyy-MM-dd} speaks against the person.", [$"{refused.Id}"]),
            { } late when late.DecidedOn > latest => Red(Kind.Security, $"The data came in on {late.DecidedOn:yyyy-MM-dd}; the latest day was {latest:yyyy-MM-dd}.", [$"{late.Id}"]),
            { } inTime => Expires(facts, Kind.Security, inTime, $"The data came in on {inTime.DecidedOn:yyyy-MM-dd}."),
        };
    }

    private static Gate English(GateFacts facts)
    {
        var minimum = facts.Offering.Course.EclMinimum;
        if (minimum == 0)
            return Green(Kind.English, "The course asks for none.", []);
        if (facts.English == Extent.Full)
            return Green(Kind.English, string.Create(CultureInfo.InvariantCulture, $"The country is exempt in fiscal year {facts.Offering.Course.FiscalYear}."), []);
        if (facts.English == Extent.InCountry)
            return Green(Kind.English, string.Create(CultureInfo.InvariantCulture, $"The country's students are tested on arrival in fiscal year {facts.Offering.Course.FiscalYear}."), []);
        return facts.Of(Kind.English) switch
        {
            null => Red(Kind.English, $"A test is missing; the course asks for ECL {minimum}.", []),
            { } test when !test.Passed || test.EclScore < minimum => Red(Kind.English, $"The test of {test.DecidedOn:yyyy-MM-dd} gave ECL {test.EclScore}; the course asks for {minimum}.", [$"{test.Id}"]),
            { } test => Expires(facts, Kind.English, test, $"The test of {test.DecidedOn:yyyy-MM-dd} gave ECL {test.EclScore}; the course asks for {minimum}."),
        };
    }

    private static Gate Medical(GateFacts facts) => facts.Of(Kind.Medical) switch
    {
        null => Red(Kind.Medical, "Medical examination and insurance are not recorded.", []),
        { Passed: false } refused => Red(Kind.Medical, $"The examination of {refused.DecidedOn:yyyy-MM-dd} was not passed.", [$"{refused.Id}"]),
        { } passed => Expires(facts, Kind.Medical, passed, $"Examined on {passed.DecidedOn:yyyy-MM-dd}."),
    };

    private static Gate Seat(GateFacts facts) => facts.Line.SeatsHeld == 0
        ? Red(Kind.Seat, "No seat is taken.", [])
        : facts.OfferingState == Offering.Types.State.Cancelled
            ? Red(Kind.Seat, "The class is called off.", [$"{facts.Offering.Id}"])
            : Green(Kind.Seat, $"A seat is taken in the class of {facts.Line.StartDate:yyyy-MM-dd}.", [$"{facts.Offering.Id}"]);

    private static Gate Expires(GateFacts facts, Kind gate, Evidence evidence, string text) =>
        evidence.ValidUntil is { } until && until < (facts.Line.ReportDate > facts.Today ? facts.Line.ReportDate : facts.Today)
            ? Red(gate, $"The result of {evidence.DecidedOn:yyyy-MM-dd} is good until {until:yyyy-MM-dd} only.", [$"{evidence.Id}"])
            : Green(gate, text, [$"{evidence.Id}"], evidence.ValidUntil);

    private static Gate Green(Kind gate, string evidence, IEnumerable<string> sources, DateOnly? until = null) =>
        new() { Kind = gate, Green = true, Evidence = evidence, SourceIds = { sources }, ValidUntil = until?.ToProto() };

    private static Gate Red(Kind gate, string missing, IEnumerable<string> sources) => new() { Kind = gate, Missing = missing, SourceIds = { sources } };
}
