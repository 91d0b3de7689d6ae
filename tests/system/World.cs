using Imet.Cli;
using Imet.Cli.Replay;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.V1;
using Imet.Testing;
using Decision = Imet.CountryEligibility.V1.Decision;

namespace Imet.SystemTests;

/// <summary>What tests of the whole need to have in the world before their question: classes, decisions, and seats to ask for.</summary>
public sealed class World(TestStack stack)
{
    private static readonly PatientCalls Patient = new(TimeSpan.FromMinutes(3));
    private int names;

    public TestCaller Office { get; } = stack.Anybody("test.office");
    public TestCaller Desk { get; } = stack.Anybody("test.desk-officer");
    public TestCaller Secretary { get; } = stack.Anybody("test.assistant-secretary");

    public static DateOnly Today => Washington.Today(TimeProvider.System);

    public async Task<Offering> ClassAsync(int capacity, CancellationToken cancel)
    {
        var start = Today.AddDays(30);
        var number = Interlocked.Increment(ref names);
        var course = await Office.CourseCatalog.CreateCourseAsync(new CreateCourseRequest { Course = new() { MaslNumber = $"B99{number:0000}" } }.WithNewRequestId(), cancellationToken: cancel);
        var version = new CourseVersion { CourseId = course.Course.Id, FiscalYear = start.FiscalYear(), Title = $"Course {number}", TrainingKind = TrainingKind.Classroom };
        var made = await Office.CourseCatalog.CreateCourseVersionAsync(new CreateCourseVersionRequest { CourseVersion = version }.WithNewRequestId(), cancellationToken: cancel);
        var offering = new Offering { CourseVersionId = made.CourseVersion.Id, StartDate = start.ToProto(), EndDate = start.AddDays(20).ToProto(), Capacity = capacity };
        return (await Office.CourseCatalog.CreateOfferingAsync(new CreateOfferingRequest { Offering = offering }.WithNewRequestId(), cancellationToken: cancel)).Offering;
    }

    public static EnrollStudentRequest Ask(string country, Offering offering) => new EnrollStudentRequest
    {
        Country = country,
        Headcount = 1,
        OfferingId = offering.Id,
        Funding = new() { Program = "IMET", FiscalYear = offering.Course.FiscalYear },
    }.WithNewRequestId();

    /// <summary>A suspension from today, proposed by one and approved by another.</summary>
    public async Task<ApproveDecisionResponse> SuspendAsync(string country, CancellationToken cancel)
    {
        var restriction = new Restriction { Country = country, LegalBasis = "COUP_7008", Effect = Effect.Suspend, EffectiveFrom = Today.ToProto() };
        var decision = new Decision { Document = "Test", Reason = "Test of a suspension.", Restrictions = { restriction } };
        var proposed = await Desk.CountryEligibility.ProposeDecisionAsync(new ProposeDecisionRequest { Decision = decision }.WithNewRequestId(), cancellationToken: cancel);
        var approval = new ApproveDecisionRequest { DecisionId = proposed.Decision.Id, Etag = proposed.Decision.Etag };
        return await Secretary.CountryEligibility.ApproveDecisionAsync(approval.WithNewRequestId(), cancellationToken: cancel);
    }

    /// <summary>The line, or the refusal; as clients should, it asks again (with the same request id) where an answer could not be had.</summary>
    public static Task<Answer<EnrollStudentResponse>> AskAsync(TestCaller caller, EnrollStudentRequest ask, CancellationToken cancel) =>
        Patient.AskAsync(options => caller.Enrollment.EnrollStudentAsync(ask, options), cancel);

    /// <summary>I1 to I6, as soon as what was committed has been sent.</summary>
    public async Task AssertInvariantsAsync(IReadOnlyCollection<Guid> acknowledged, Func<IReadOnlyList<Delivery>>? delivered, CancellationToken cancel)
    {
        var invariants = new Invariants(stack.Database.Administrator);
        IReadOnlyList<string> breaches = [];
        try
        {
            await Eventually.TrueAsync(async () => (breaches = await invariants.BreachesAsync(acknowledged, delivered?.Invoke(), cancel)).Count == 0, cancel, "I1 to I6 hold");
        }
        catch (TimeoutException)
        {
            Xunit.Assert.Fail($"{breaches.Count} breaches:\n{string.Join('\n', breaches.Take(20))}");
        }
    }
}
