using Google.Type;
using DateTime = System.DateTime;
using Grpc.Core;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.V1;
using Imet.Testing;

namespace Imet.Bench;

/// <summary>A stack with classes to enroll in, and callers that enroll: every reply's status counts, a refusal ends the run.</summary>
internal sealed class Bench(TestStack stack)
{
    private static readonly string[] Countries = ["KEN", "JOR", "COL", "PHL", "MAR", "IDN", "GEO", "PER", "GHA", "BGD"];
    private readonly TestCaller caller = stack.Anybody("bench");
    private List<string> offerings = [];

    public async Task ScheduleAsync(int count, CancellationToken cancel)
    {
        var school = (await caller.CourseCatalog.CreateSchoolAsync(
            new CreateSchoolRequest { RequestId = NewId(), School = new School { Name = "School of the benchmark" } }, cancellationToken: cancel)).School;
        var course = (await caller.CourseCatalog.CreateCourseAsync(
            new CreateCourseRequest { RequestId = NewId(), Course = new Course { MaslNumber = "B171999" } }, cancellationToken: cancel)).Course;
        var start = DateTime.UtcNow.Date.AddMonths(2);
        var version = (await caller.CourseCatalog.CreateCourseVersionAsync(new CreateCourseVersionRequest
        {
            RequestId = NewId(),
            CourseVersion = new CourseVersion
            {
                CourseId = course.Id, SchoolId = school.Id, FiscalYear = start.Month >= 10 ? start.Year + 1 : start.Year, Title = "Captains Career Course", TrainingKind = TrainingKind.Classroom, DurationDays = 178,
            },
        }, cancellationToken: cancel)).CourseVersion;
        var made = new string[count];
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 32, CancellationToken = cancel }, async (i, stop) =>
            made[i] = (await caller.CourseCatalog.CreateOfferingAsync(new CreateOfferingRequest
            {
                RequestId = NewId(),
                Offering = new Offering { CourseVersionId = version.Id, StartDate = Day(start), EndDate = Day(start.AddDays(177)), Capacity = 100_000 },
            }, cancellationToken: stop)).Offering.Id);
        offerings = [.. made];
    }

    public async Task<Guid> EnrollAsync(CancellationToken cancel)
    {
        var response = await caller.Enrollment.EnrollStudentAsync(new EnrollStudentRequest
        {
            RequestId = NewId(),
            Country = Countries[Random.Shared.Next(Countries.Length)],
            Headcount = 1,
            OfferingId = offerings[Random.Shared.Next(offerings.Count)],
            Funding = new Funding { Program = "IMET", Account = "IMET-1", FiscalYear = DateTime.UtcNow.Year },
        }, deadline: DateTime.UtcNow.AddSeconds(10), cancellationToken: cancel);
        return Guid.Parse(response.Line.Id);
    }

    /// <summary>Enrollments per second with so many callers at once, each waiting for its answer.</summary>
    public async Task<double> EnrollForAsync(int callers, TimeSpan time, CancellationToken cancel)
    {
        var done = 0;
        var clock = System.Diagnostics.Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, callers).Select(_ => Task.Run(async () =>
        {
            while (clock.Elapsed < time)
            {
                await EnrollAsync(cancel);
                Interlocked.Increment(ref done);
            }
        }, cancel)));
        return done / clock.Elapsed.TotalSeconds;
    }

    private static string NewId() => Guid.CreateVersion7().ToString();

    private static Date Day(DateTime day) => new() { Year = day.Year, Month = day.Month, Day = day.Day };
}
