using Google.Type;
using Imet.Cli.Importing;
using Imet.Cli.Sample;
using Imet.CourseCatalog.V1;

namespace Imet.Cli.Seeding;

/// <summary>How many of a kind the sample has, and how many of them were not there yet.</summary>
public sealed record Loaded(string What, int Total, int New);

/// <summary>
/// Brings the sample data in through the public APIs. What is there already, by its natural key, is left as it is;
/// request ids come from the requests, so that a load killed half-way, or two at once, end as one.
/// </summary>
public sealed class SampleLoad(Clients catalogOffice, Clients referenceOffice, Clients proposer, Clients approver, SampleData sample, TimeProvider clock)
{
    private const int AtOnce = 8;
    private const int PageSize = 1000;

    public async Task<IReadOnlyList<Loaded>> RunAsync(CancellationToken cancel)
    {
        var thisYear = Washington.Today(clock).FiscalYear();
        int[] years = [thisYear, thisYear + 1];
        var loaded = new List<Loaded>();

        var schools = await SchoolsAsync(loaded, cancel);
        var courses = await CoursesAsync(loaded, cancel);
        var versions = await VersionsAsync(schools, courses, years, loaded, cancel);
        await OfferingsAsync(versions, years, loaded, cancel);
        await DesignationsAsync(loaded, cancel);
        await DecisionsAsync(loaded, cancel);
        return loaded;
    }

    private async Task<Dictionary<string, string>> SchoolsAsync(List<Loaded> loaded, CancellationToken cancel)
    {
        var ids = new Dictionary<string, string>();
        for (var page = ""; ;)
        {
            var answer = await catalogOffice.CourseCatalog.ListSchoolsAsync(new() { PageSize = PageSize, PageToken = page }, cancellationToken: cancel);
            foreach (var school in answer.Schools.Where(school => school.Code.Length > 0))
                ids[school.Code] = school.Id;
            if ((page = answer.NextPageToken).Length == 0)
                break;
        }
        var missing = sample.Schools.Where(school => !ids.ContainsKey(school.Code)).ToList();
        await EachAsync(missing, async row =>
        {
            var request = new CreateSchoolRequest
            {
                School = new() { Code = row.Code, Name = row.Name, Location = row.Location, ImplementingAgency = row.Agency, ExternalIds = { Named(row.Code) } },
            };
            var answer = await catalogOffice.CourseCatalog.CreateSchoolAsync(request.WithRequestId(), cancellationToken: cancel);
            lock (ids)
                ids[row.Code] = answer.School.Id;
        });
        loaded.Add(new("schools", sample.Schools.Count, missing.Count));
        return ids;
    }

    private async Task<Dictionary<string, string>> CoursesAsync(List<Loaded> loaded, CancellationToken cancel)
    {
        var ids = new Dictionary<string, string>();
        for (var page = ""; ;)
        {
            var answer = await catalogOffice.CourseCatalog.ListCoursesAsync(new() { PageSize = PageSize, PageToken = page }, cancellationToken: cancel);
            foreach (var course in answer.Courses)
                ids[course.MaslNumber] = course.Id;
            if ((page = answer.NextPageToken).Length == 0)
                break;
        }
        var missing = sample.Courses.Where(course => !ids.ContainsKey(course.MaslNumber)).ToList();
        await EachAsync(missing, async row =>
        {
            var request = new CreateCourseRequest { Course = new() { MaslNumber = row.MaslNumber, ExternalIds = { Named(row.MaslNumber) } } };
            var answer = await catalogOffice.CourseCatalog.CreateCourseAsync(request.WithRequestId(), cancellationToken: cancel);
            lock (ids)
                ids[row.MaslNumber] = answer.Course.Id;
        });
        loaded.Add(new("courses", sample.Courses.Count, missing.Count));
        return ids;
    }

    private async Task<Dictionary<(string Masl, int Year), string>> VersionsAsync(
        Dictionary<string, string> schools, Dictionary<string, string> courses, int[] years, List<Loaded> loaded, CancellationToken cancel)
    {
        var ids = new Dictionary<(string Masl, int Year), string>();
        foreach (var year in years)
        {
            for (var page = ""; ;)
            {
                var request = new ListCourseVersionsRequest { FiscalYear = year, PageSize = PageSize, PageToken = page };
                var answer = await catalogOffice.CourseCatalog.ListCourseVersionsAsync(request, cancellationToken: cancel);
                foreach (var version in answer.CourseVersions)
                    ids[(version.MaslNumber, year)] = version.Id;
                if ((page = answer.NextPageToken).Length == 0)
                    break;
            }
        }
        var missing = years.SelectMany(year => sample.Courses.Select(course => (course, year))).Where(each => !ids.ContainsKey((each.course.MaslNumber, each.year))).ToList();
        await EachAsync(missing, async each =>
        {
            var (row, year) = each;
            var version = new CourseVersion
            {
                CourseId = courses[row.MaslNumber],
                FiscalYear = year,
                Title = row.Title,
                SchoolId = row.School.Length == 0 ? "" : schools[row.School],
                TrainingKind = row.Kind,
                DurationDays = row.Days,
                EclMinimum = row.EclMinimum,
                Dedicated = row.Dedicated,
            };
            if (row.GrantPrice is { } price)
                version.Prices.Add(new TuitionPrice { Rate = "GRANT", Price = new Money { CurrencyCode = "USD", Units = price } });
            var request = new CreateCourseVersionRequest { CourseVersion = version };
            var answer = await catalogOffice.CourseCatalog.CreateCourseVersionAsync(request.WithRequestId(), cancellationToken: cancel);
            lock (ids)
                ids[(row.MaslNumber, year)] = answer.CourseVersion.Id;
        });
        loaded.Add(new($"versions of courses for FY{years[0]} and FY{years[1]}", years.Length * sample.Courses.Count, missing.Count));
        return ids;
    }

    private async Task OfferingsAsync(Dictionary<(string Masl, int Year), string> versions, int[] years, List<Loaded> loaded, CancellationToken cancel)
    {
        var known = new HashSet<string>();
        for (var page = ""; ;)
        {
            var request = new ListOfferingsRequest
            {
                StartFrom = new DateOnly(years[0] - 1, 10, 1).ToProto(),
                StartBefore = new DateOnly(years[^1], 10, 8).ToProto(),
                PageSize = PageSize,
                PageToken = page,
            };
            var answer = await catalogOffice.CourseCatalog.ListOfferingsAsync(request, cancellationToken: cancel);
            known.UnionWith(answer.Offerings.SelectMany(offering => offering.ExternalIds).Where(id => id.Source == SampleData.Source).Select(id => id.Id));
            if ((page = answer.NextPageToken).Length == 0)
                break;
        }
        var classes =
            (from year in years
             from course in sample.Courses
             from start in SampleData.StartDays(course, year)
             select (Course: course, Year: year, Start: start, Name: $"{course.MaslNumber}/{start:yyyy-MM-dd}")).ToList();
        var missing = classes.Where(each => !known.Contains(each.Name)).ToList();
        await EachAsync(missing, each => catalogOffice.CourseCatalog.CreateOfferingAsync(new CreateOfferingRequest
        {
            Offering = new()
            {
                CourseVersionId = versions[(each.Course.MaslNumber, each.Year)],
                // Students come on the Friday before.
                ReportDate = each.Start.AddDays(-3).ToProto(),
                StartDate = each.Start.ToProto(),
                EndDate = each.Start.AddDays(each.Course.Days - 1).ToProto(),
                Capacity = each.Course.Capacity,
                AllInternational = each.Course.Dedicated,
                ExternalIds = { Named(each.Name) },
            },
        }.WithRequestId(), cancellationToken: cancel).ResponseAsync);
        loaded.Add(new("classes", classes.Count, missing.Count));
    }

    private async Task DesignationsAsync(List<Loaded> loaded, CancellationToken cancel)
    {
        var (said, faults) = CountryTables.Read(sample.Designations);
        var import = new CountryImport(referenceOffice.CountryEligibility, dryRun: false, cancel);
        await import.RunAsync(said);
        if (faults.Concat(import.Faults).FirstOrDefault() is { } fault)
            throw new CouldNotRunException($"{fault}");
        loaded.Add(new("designations of countries", sample.Designations.Rows.Count, import.Designations.New));
    }

    private async Task DecisionsAsync(List<Loaded> loaded, CancellationToken cancel) =>
        loaded.Add(new("decisions of the past", sample.Decisions.Count, await new HistoryLoad(proposer.CountryEligibility, approver.CountryEligibility, cancel).RunAsync(sample.Decisions)));

    private static Task EachAsync<T>(IEnumerable<T> rows, Func<T, Task> work) =>
        Parallel.ForEachAsync(rows, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (row, _) => await work(row));

    private static ExternalId Named(string id) => new() { Source = SampleData.Source, Id = id };
}
