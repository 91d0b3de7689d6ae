using System.Collections.Concurrent;
using Imet.CourseCatalog.V1;
using static Imet.CourseCatalog.V1.CourseCatalogService;

namespace Imet.Cli.Replay;

/// <summary>Something of the catalogue: its id, or the reason for which there is none.</summary>
public sealed record Placed(string? Id, string Reason)
{
    public static readonly Placed Nowhere = new("", "");

    // What another run, or another year's report, recorded before is what we ask for.
    public static Placed Of<T>(Answer<T> answer, Func<T, string> id) where T : class =>
        answer.Value is not null ? new Placed(id(answer.Value), "")
        : answer.Facts.TryGetValue("id", out var existing) && AlreadyThere.Contains(answer.Reason) ? new Placed(existing, "")
        : new Placed(null, answer.Reason);

    private static readonly HashSet<string> AlreadyThere = ["EXTERNAL_ID_TAKEN", "MASL_NUMBER_TAKEN", "COURSE_VERSION_EXISTS"];
}

/// <summary>Records the schools, courses, versions and classes that a report names, level by level, many at a time.</summary>
public sealed class CatalogLoad(CourseCatalogServiceClient catalog, PatientCalls calls, ReportedCountries countries, int years, int concurrency, Stage progress)
{
    private sealed record VersionKey(CourseKey Course, int FiscalYear);

    public static int Steps(CatalogPlan plan, int years) => plan.Schools.Count + plan.Courses.Count + Versions(plan, years).Count() + plan.Seats.Count;

    public async Task<IReadOnlyDictionary<OfferingKey, Placed>> RunAsync(CatalogPlan plan, CancellationToken cancel)
    {
        // A course does not name its school, its version does: the two can be made at once.
        var makingSchools = EachAsync(plan.Schools, CreateSchoolAsync, cancel);
        var makingCourses = EachAsync(plan.Courses, CreateCourseAsync, cancel);
        var schools = await makingSchools;
        var courses = await makingCourses;
        var versions = await EachAsync(Versions(plan, years), (version, stop) => CreateVersionAsync(version, schools, courses, stop), cancel);
        return await EachAsync(plan.Seats.Keys, (offering, stop) => CreateOfferingAsync(offering, plan.Seats[offering], versions, stop), cancel);
    }

    private static IEnumerable<VersionKey> Versions(CatalogPlan plan, int years) =>
        plan.Seats.Keys.Select(offering => VersionOf(offering, years)).Distinct();

    private static VersionKey VersionOf(OfferingKey offering, int years) => new(offering.Course, offering.Start.Move(years).FiscalYear());

    private async Task<Placed> CreateSchoolAsync(string name, CancellationToken cancel)
    {
        var request = new CreateSchoolRequest { School = new School { Name = name, ExternalIds = { Names.School(name) } } };
        request.RequestId = Names.RequestId(request);
        return Placed.Of(await calls.AskAsync(options => catalog.CreateSchoolAsync(request, options), cancel), made => made.School.Id);
    }

    private async Task<Placed> CreateCourseAsync(CourseKey course, CancellationToken cancel)
    {
        var request = new CreateCourseRequest { Course = new Course { MaslNumber = Names.MaslReference(course), ExternalIds = { Names.Course(course) } } };
        request.RequestId = Names.RequestId(request);
        return Placed.Of(await calls.AskAsync(options => catalog.CreateCourseAsync(request, options), cancel), made => made.Course.Id);
    }

    private async Task<Placed> CreateVersionAsync(
        VersionKey version, IReadOnlyDictionary<string, Placed> schools, IReadOnlyDictionary<CourseKey, Placed> courses, CancellationToken cancel)
    {
        var course = courses[version.Course];
        var school = version.Course.School is { } name ? schools[name] : Placed.Nowhere;
        if (course.Id is null)
            return course;
        if (school.Id is null)
            return school;
        var request = new CreateCourseVersionRequest
        {
            CourseVersion = new CourseVersion
            {
                CourseId = course.Id,
                FiscalYear = version.FiscalYear,
                Title = version.Course.Title,
                SchoolId = school.Id,
                TrainingKind = Spellings.Kind(version.Course.Title),
            },
        };
        request.RequestId = Names.RequestId(request);
        return Placed.Of(await calls.AskAsync(options => catalog.CreateCourseVersionAsync(request, options), cancel), made => made.CourseVersion.Id);
    }

    private async Task<Placed> CreateOfferingAsync(OfferingKey offering, int seats, IReadOnlyDictionary<VersionKey, Placed> versions, CancellationToken cancel)
    {
        var version = versions[VersionOf(offering, years)];
        if (version.Id is null)
            return version;
        var request = new CreateOfferingRequest
        {
            Offering = new Offering
            {
                CourseVersionId = version.Id,
                StartDate = offering.Start.Move(years).ToProto(),
                EndDate = offering.End.Move(years).ToProto(),
                Capacity = seats,
                Location = offering.Place ?? "",
                HostCountry = offering.Place is null ? "" : Spellings.HostCountry(offering.Place, countries) ?? "",
                ExternalIds = { Names.Offering(offering, seats, years) },
            },
        };
        request.RequestId = Names.RequestId(request);
        return Placed.Of(await calls.AskAsync(options => catalog.CreateOfferingAsync(request, options), cancel), made => made.Offering.Id);
    }

    private async Task<IReadOnlyDictionary<TKey, Placed>> EachAsync<TKey>(IEnumerable<TKey> keys, Func<TKey, CancellationToken, Task<Placed>> make, CancellationToken cancel)
        where TKey : notnull
    {
        var made = new ConcurrentDictionary<TKey, Placed>();
        await Parallel.ForEachAsync(keys, new ParallelOptions { MaxDegreeOfParallelism = concurrency, CancellationToken = cancel }, async (key, stop) =>
        {
            made[key] = await make(key, stop);
            progress.Step();
        });
        return made;
    }
}
