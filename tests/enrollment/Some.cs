using Google.Protobuf.WellKnownTypes;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.Offerings;
using Imet.Enrollment.V1;

namespace Imet.Enrollment.Tests;

/// <summary>Values to decide by, as plain as they come; a test says what matters with "with".</summary>
internal static class Some
{
    public static readonly DateOnly Today = new(2026, 3, 2);
    public static readonly System.DateTime Now = new(2026, 3, 2, 15, 0, 0, DateTimeKind.Utc);
    public static readonly Guid Restriction = Guid.Parse("019c0000-0000-7000-8000-000000000001");

    public static Line Line(LineState state = LineState.SeatConfirmed) => new()
    {
        Id = Guid.Parse("019c0000-0000-7000-8000-0000000000aa"),
        Country = "THA",
        TrackId = Guid.Parse("019c0000-0000-7000-8000-0000000000ab"),
        Wcn = "0000001",
        TrackBegunOn = Came(state) ? Today.AddDays(-3) : null,
        StudentId = null,
        Headcount = 2,
        OfferingId = Guid.Parse("019c0000-0000-7000-8000-0000000000ac"),
        OfferingVersion = 1,
        FundingProgram = "IMET",
        FundingAccount = "IMET-1",
        FiscalYear = 2026,
        State = state,
        CancelCause = state == LineState.Cancelled ? CancelCause.Withdrawn : null,
        Holds = [],
        ReportDate = Today.AddDays(10),
        StartDate = Today.AddDays(12),
        EndDate = Today.AddDays(100),
        ArrivedOn = Came(state) ? Today.AddDays(-3) : null,
        StartedOn = Came(state) && state != LineState.Arrived ? Today.AddDays(-2) : null,
        TuitionRate = "",
        Price = null,
        QuotedOn = null,
        Judgement = null,
        JudgedIn = 1,
        ExternalIds = [],
        Version = 1,
        Digest = new byte[32],
        RecordedAt = Now.AddDays(-30),
        ChangedAt = Now.AddDays(-30),
    };

    private static bool Came(LineState state) => state is LineState.Arrived or LineState.InTraining or LineState.Extended or LineState.Graduated or LineState.Completed
        or LineState.AcademicFailure or LineState.EarlyReturn or LineState.Disenrolled or LineState.Absent;

    public static OfferingCopy Offering(int capacity = 10) => new()
    {
        Id = Line().OfferingId,
        Version = 1,
        State = CourseCatalog.V1.Offering.Types.State.Open,
        ReportDate = Today.AddDays(10),
        StartDate = Today.AddDays(12),
        EndDate = Today.AddDays(100),
        Capacity = capacity,
        HostCountry = null,
        Course = new CourseFacts
        {
            MaslNumber = "B171450",
            Title = "Command and General Staff Officer Course",
            TrainingKind = TrainingKind.Classroom,
            Prices =
            {
                new TuitionPrice { Rate = "FULL", Price = new Google.Type.Money { CurrencyCode = "USD", Units = 100_000 } },
                new TuitionPrice { Rate = "GRANT", Price = new Google.Type.Money { CurrencyCode = "USD", Units = 33_333, Nanos = 500_000_000 } },
            },
        },
    };

    public static Wish Wish() => new()
    {
        Country = "THA",
        StudentId = null,
        Headcount = 3,
        OfferingId = Line().OfferingId,
        Funding = new Funding { Program = "IMET", Account = "IMET-1", FiscalYear = 2026 },
        TrackId = null,
        QuotedPrice = null,
        ExternalIds = [],
        StartDate = null,
        EndDate = null,
    };

    public static EnrollFacts Facts() => new()
    {
        Today = Today,
        Now = Now,
        Actor = "officer",
        LineId = Line().Id,
        TrackId = Line().TrackId,
        Wcn = "0000001",
        Wish = Wish(),
        Offering = Offering(),
        Start = Offering().StartDate,
        End = Offering().EndDate,
        Seats = new OfferingSeatsRow(1, CourseCatalog.V1.Offering.Types.State.Open, 10, 0),
        Student = null,
        Track = null,
        Verdict = Eligible(),
    };

    public static Verdict Eligible(params Finding[] findings) => Verdict(Outcome.Eligible, findings);

    public static Verdict Verdict(Outcome outcome, params Finding[] findings) => new()
    {
        Outcome = outcome,
        Summary = "Because.",
        Revision = 7,
        Epoch = "one",
        KnownTime = Timestamp.FromDateTime(Now),
        Findings = { findings },
    };

    public static Finding Finding(Effect effect, Finding.Types.Bearing bearing = CountryEligibility.V1.Finding.Types.Bearing.Applies) => new()
    {
        RestrictionId = Restriction.ToString(),
        LegalBasis = "COUP_7008",
        Citation = "section 7008",
        Effect = effect,
        Bearing = bearing,
        Explanation = "A coup.",
    };
}
