using Google.Protobuf;
using Imet.CourseCatalog.V1;
using Imet.Testing;
using Xunit;
using static Imet.CourseCatalog.Tests.Catalog;

namespace Imet.CourseCatalog.Tests;

[Collection(nameof(Catalog))]
public sealed class EventTests(Catalog catalog)
{
    [Fact]
    public async Task Somebody_outside_sees_every_change_of_a_course_in_the_order_in_which_it_was_made()
    {
        var course = await catalog.NewCourseAsync();
        await Task.WhenAll(Enumerable.Range(2000, 30).Select(async year => await catalog.At(year % 2).CreateCourseVersionAsync(
            new() { RequestId = NewId(), CourseVersion = new() { CourseId = course.Id, FiscalYear = year, Title = "T" } }, cancellationToken: Cancel)));

        var events = await catalog.Outside.WaitForAsync(31, e => e.PartitionKey == course.Id, Cancel);
        // An event may come twice; what counts is the first time.
        var firsts = events.DistinctBy(e => e.Id).ToList();
        Assert.Equal(Enumerable.Range(1, 31).Select(version => (long)version), firsts.Select(e => e.AggregateVersion));
        Assert.Equal(("course.created.ALL", "imet.coursecatalog.v1.CourseCreated", $"course/{course.Id}"), (firsts[0].RoutingKey, firsts[0].Type, firsts[0].Subject));
        Assert.All(firsts.Skip(1), e => Assert.Equal(("course.version-created.ALL", "imet.coursecatalog.v1.CourseVersionCreated"), (e.RoutingKey, e.Type)));
        Assert.Equal(Enumerable.Range(2000, 30), firsts.Skip(1).Select(e => Read<CourseVersionCreated>(e).CourseVersion.FiscalYear).Order());
    }

    [Fact]
    public async Task An_event_holds_the_resource_as_its_creator_was_told()
    {
        var school = await catalog.NewSchoolAsync(s => s.ExternalIds.Add(new ExternalId { Source = "san", Id = Unique("s-") }));
        var e = await catalog.Outside.WaitForAsync(e => e.PartitionKey == school.Id, Cancel);
        Assert.Equal(("school.created.ALL", "/imet/course-catalog"), (e.RoutingKey, e.Source));
        Assert.Equal(school, Read<SchoolCreated>(e).School);
    }

    [Fact]
    public async Task An_offering_held_in_a_country_is_told_under_that_country_and_any_other_under_ALL()
    {
        var everywhere = await catalog.NewOfferingAsync();
        var hosted = await catalog.NewOfferingAsync(everywhere.CourseVersionId, o => o.HostCountry = "KEN");
        var cancelled = (await catalog.Writer.CancelOfferingAsync(
            new() { RequestId = NewId(), OfferingId = hosted.Id, Etag = hosted.Etag, Reason = "floods" }, cancellationToken: Cancel)).Offering;

        Assert.Equal("offering.created.ALL", (await catalog.Outside.WaitForAsync(e => e.PartitionKey == everywhere.Id, Cancel)).RoutingKey);
        var events = (await catalog.Outside.WaitForAsync(2, e => e.PartitionKey == hosted.Id, Cancel)).DistinctBy(e => e.Id).ToList();
        Assert.Equal([("offering.created.KEN", 1L), ("offering.cancelled.KEN", 2L)], events.Select(e => (e.RoutingKey, e.AggregateVersion)));
        Assert.Equal(hosted, Read<OfferingCreated>(events[0]).Offering);
        var told = Read<OfferingCancelled>(events[1]);
        Assert.Equal((cancelled, "floods"), (told.Offering, told.Reason));
        Assert.NotNull(told.CancelledOn);
    }

    [Fact]
    public async Task A_refused_change_is_no_event()
    {
        var course = await catalog.NewCourseAsync();
        await Refused.ByAsync(catalog.Writer.CreateCourseAsync(new() { RequestId = NewId(), Course = new() { MaslNumber = course.MaslNumber } }, cancellationToken: Cancel));
        var later = await catalog.NewCourseAsync();
        await catalog.Outside.WaitForAsync(e => e.PartitionKey == later.Id, Cancel);
        Assert.Single(catalog.Outside.Received.DistinctBy(e => e.Id), e => e.Type.EndsWith("CourseCreated", StringComparison.Ordinal) && Read<CourseCreated>(e).Course.MaslNumber == course.MaslNumber);
    }

    private static T Read<T>(CloudEvent e) where T : IMessage<T>, new() => JsonParser.Default.Parse<T>(e.Data.GetRawText());
}
