using Grpc.Core;
using Imet.CourseCatalog.V1;
using Xunit;
using static Imet.CourseCatalog.Tests.Catalog;

namespace Imet.CourseCatalog.Tests;

[Collection(nameof(Catalog))]
public sealed class ListTests(Catalog catalog)
{
    [Fact]
    public async Task Pages_under_concurrent_inserts_give_each_row_that_was_there_throughout_exactly_once()
    {
        var course = await catalog.NewCourseAsync();
        var version = await catalog.NewVersionAsync(course.Id);
        // Few days for many rows, so that pages end within a day.
        Task<Offering> AddAsync(int i) => catalog.NewOfferingAsync(version.Id, o => o.StartDate = o.ReportDate = Day(2031, 1, 1 + i % 5));
        var before = await Task.WhenAll(Enumerable.Range(0, 60).Select(AddAsync));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var meanwhile = Task.Run(async () =>
        {
            for (var i = 0; !stop.IsCancellationRequested; i++)
                await AddAsync(i);
        }, Cancel);

        var seen = await AllAsync(
            token => catalog.At(1).ListOfferingsAsync(new() { CourseId = course.Id, PageSize = 7, PageToken = token }, cancellationToken: Cancel),
            page => (page.Offerings, page.NextPageToken));
        await stop.CancelAsync();
        await meanwhile;

        Assert.Equal(seen.Count, seen.DistinctBy(o => o.Id).Count());
        Assert.Empty(before.Select(o => o.Id).Except(seen.Select(o => o.Id)));
        Assert.Equal(seen.Select(o => (o.StartDate.Day, o.Id)).Order(), seen.Select(o => (o.StartDate.Day, o.Id)));
    }

    [Fact]
    public async Task Schools_are_listed_by_name_and_by_what_a_name_contains_whatever_its_case()
    {
        var word = Unique("Quantico ");
        foreach (var name in new[] { "C", "a", "B", "D" })
            await catalog.NewSchoolAsync(s => s.Name = $"{name} {word}");

        var listed = await AllAsync(
            token => catalog.Writer.ListSchoolsAsync(new() { NameContains = word.ToLowerInvariant(), PageSize = 3, PageToken = token }, cancellationToken: Cancel),
            page => (page.Schools, page.NextPageToken));
        Assert.Equal(["B", "C", "D", "a"], listed.Select(school => school.Name[..1]));
    }

    [Fact]
    public async Task A_name_is_searched_for_as_it_is_written()
    {
        var word = Unique("100%_");
        await catalog.NewSchoolAsync(s => s.Name = word);
        Assert.Single((await catalog.Writer.ListSchoolsAsync(new() { NameContains = word }, cancellationToken: Cancel)).Schools);
        Assert.Empty((await catalog.Writer.ListSchoolsAsync(new() { NameContains = $"1%{word[6..]}" }, cancellationToken: Cancel)).Schools);
    }

    [Fact]
    public async Task Courses_are_listed_by_number_and_by_department()
    {
        var digits = Random.Shared.NextInt64(1_000_000_000, 9_000_000_000);
        var navy = await catalog.NewCourseAsync(c => c.MaslNumber = $"P{digits}");
        var army = await catalog.NewCourseAsync(c => c.MaslNumber = $"B{digits}");
        var listed = await AllAsync(
            token => catalog.Writer.ListCoursesAsync(new() { ImplementingAgency = ImplementingAgency.Navy, PageSize = 2, PageToken = token }, cancellationToken: Cancel),
            page => (page.Courses, page.NextPageToken));

        Assert.Contains(navy, listed);
        Assert.DoesNotContain(army, listed);
        Assert.Equal(listed.Select(c => c.MaslNumber).Order(StringComparer.Ordinal), listed.Select(c => c.MaslNumber));
    }

    [Fact]
    public async Task Versions_of_a_year_are_listed_by_school_kind_and_title()
    {
        var school = await catalog.NewSchoolAsync();
        var word = Unique("Diving ");
        async Task<CourseVersion> AddAsync(string title, TrainingKind kind, int year) => await catalog.NewVersionAsync((await catalog.NewCourseAsync()).Id, v =>
        {
            v.SchoolId = school.Id;
            v.Title = title;
            v.TrainingKind = kind;
            v.FiscalYear = year;
        });
        var second = await AddAsync($"{word} second", TrainingKind.Operational, 2032);
        var first = await AddAsync($"{word} first", TrainingKind.Operational, 2032);
        await AddAsync($"{word} theory", TrainingKind.Classroom, 2032);
        await AddAsync($"{word} first", TrainingKind.Operational, 2033);
        await AddAsync("Law of the sea", TrainingKind.Operational, 2032);

        var request = new ListCourseVersionsRequest { FiscalYear = 2032, SchoolId = school.Id, TrainingKind = TrainingKind.Operational, TitleContains = word };
        Assert.Equal([first, second], (await catalog.Writer.ListCourseVersionsAsync(request, cancellationToken: Cancel)).CourseVersions);
        Assert.Equal(4, (await catalog.Writer.ListCourseVersionsAsync(new() { FiscalYear = 2032, SchoolId = school.Id }, cancellationToken: Cancel)).CourseVersions.Count);
    }

    [Fact]
    public async Task Offerings_are_listed_by_school_state_and_days()
    {
        var school = await catalog.NewSchoolAsync();
        var version = await catalog.NewVersionAsync((await catalog.NewCourseAsync()).Id, v => v.SchoolId = school.Id);
        var offerings = new List<Offering>();
        foreach (var day in new[] { 1, 2, 3 })
            offerings.Add(await catalog.NewOfferingAsync(version.Id, o => o.StartDate = Day(2031, 3, day)));
        await catalog.Writer.CancelOfferingAsync(new() { RequestId = NewId(), OfferingId = offerings[1].Id, Etag = offerings[1].Etag, Reason = "r" }, cancellationToken: Cancel);

        async Task<IEnumerable<int>> DaysAsync(ListOfferingsRequest request)
        {
            request.SchoolId = school.Id;
            return (await catalog.Writer.ListOfferingsAsync(request, cancellationToken: Cancel)).Offerings.Select(o => o.StartDate.Day);
        }
        Assert.Equal([1, 2, 3], await DaysAsync(new()));
        Assert.Equal([2, 3], await DaysAsync(new() { StartFrom = Day(2031, 3, 2) }));
        Assert.Equal([1, 2], await DaysAsync(new() { StartBefore = Day(2031, 3, 3) }));
        Assert.Equal([1, 3], await DaysAsync(new() { State = Offering.Types.State.Open }));
        Assert.Equal([2], await DaysAsync(new() { State = Offering.Types.State.Cancelled, StartFrom = Day(2031, 1, 1), StartBefore = Day(2032, 1, 1) }));
    }

    [Fact]
    public async Task A_page_token_goes_with_its_filter()
    {
        foreach (var _ in Enumerable.Range(0, 2))
            await catalog.NewSchoolAsync();
        var token = (await catalog.Writer.ListSchoolsAsync(new() { PageSize = 1 }, cancellationToken: Cancel)).NextPageToken;
        var refused = await Refused.ByAsync(catalog.Writer.ListSchoolsAsync(new() { PageSize = 1, PageToken = token, NameContains = "x" }, cancellationToken: Cancel));
        Assert.Equal((StatusCode.InvalidArgument, "PAGE_TOKEN_INVALID"), (refused.Code, refused.Reason));
    }

    private static async Task<List<TRow>> AllAsync<TPage, TRow>(Func<string, AsyncUnaryCall<TPage>> list, Func<TPage, (IEnumerable<TRow>, string)> read)
    {
        var rows = new List<TRow>();
        var token = "";
        do
        {
            (var page, token) = read(await list(token));
            rows.AddRange(page);
        }
        while (token.Length > 0);
        return rows;
    }
}
