using Imet.CourseCatalog.V1;
using Imet.Testing;
using Xunit;
using static Imet.CourseCatalog.Tests.Catalog;

namespace Imet.CourseCatalog.Tests;

[Collection(nameof(Catalog))]
public sealed class CertificateTests(Catalog catalog)
{
    [Theory]
    [InlineData("2026-01-28", 100, "2031-01-28")]
    [InlineData("2026-01-28", 99, "2029-01-28")]
    [InlineData("2026-01-29", 100, "2031-01-29")]
    [InlineData("2026-01-29", 40, "2031-01-29")]
    [InlineData("2020-02-29", 40, "2023-02-28")]
    public async Task A_certificate_holds_as_long_as_the_rule_of_its_day_says(string certified, int percent, string until)
    {
        var certificate = await CertifyAsync(await catalog.NewCourseAsync(), DateOnly.Parse(certified), percent);
        Assert.Equal(DateOnly.Parse(until), new DateOnly(certificate.ValidTo.Year, certificate.ValidTo.Month, certificate.ValidTo.Day));
    }

    [Fact]
    public async Task A_course_is_E_IMET_on_a_day_and_never_as_such()
    {
        var course = await catalog.NewCourseAsync();
        await CertifyAsync(course, new(2020, 6, 1), 60);
        await CertifyAsync(course, new(2023, 3, 1), 100);
        (DateOnly Day, int Percent)[] expected =
            [(new(2020, 5, 31), 0), (new(2020, 6, 1), 60), (new(2023, 2, 28), 60), (new(2023, 3, 1), 100), (new(2028, 2, 29), 100), (new(2028, 3, 1), 0)];
        foreach (var (day, percent) in expected)
        {
            var answer = await catalog.Writer.CheckEImetAsync(new() { MaslNumber = course.MaslNumber, On = Day(day.Year, day.Month, day.Day) }, cancellationToken: Cancel);
            Assert.Equal((day, percent > 0, percent), (day, answer.EImet, answer.Certificate?.Percent ?? 0));
        }
        Assert.Equal("NOT_FOUND", (await Refused.ByAsync(catalog.Writer.CheckEImetAsync(new() { MaslNumber = "T-NO-SUCH", On = Day(2026, 1, 1) }, cancellationToken: Cancel))).Reason);
    }

    [Fact]
    public async Task A_class_knows_whether_its_course_is_E_IMET_on_its_first_day_and_hears_of_a_change()
    {
        var course = await catalog.NewCourseAsync();
        var certificate = await CertifyAsync(course, new(2026, 6, 1), 80);
        var version = await catalog.NewVersionAsync(course.Id);
        var (within, after) = (await catalog.NewOfferingAsync(version.Id), await catalog.NewOfferingAsync(version.Id, o => (o.StartDate, o.EndDate) = (Day(2031, 6, 1), Day(2031, 7, 1))));
        Assert.Equal((true, 80, false, 0), (within.Course.EImet, within.Course.EImetPercent, after.Course.EImet, after.Course.EImetPercent));

        var revoked = (await catalog.Writer.RevokeEImetCertificateAsync(
            new() { RequestId = NewId(), CertificateId = certificate.Id, Etag = certificate.Etag, Reason = "Content dropped" }, cancellationToken: Cancel)).Certificate;
        Assert.NotNull(revoked.RevokedOn);
        var now = await Eventually.GetAsync(async () => (await catalog.Writer.GetOfferingAsync(new() { OfferingId = within.Id }, cancellationToken: Cancel)).Offering is { Course.EImet: false } offering ? offering : null, Cancel);
        Assert.Equal(within.Version + 1, now.Version);
        Assert.Equal(after.Version, (await catalog.Writer.GetOfferingAsync(new() { OfferingId = after.Id }, cancellationToken: Cancel)).Offering.Version);
        await Eventually.TrueAsync(() => catalog.Outside.Received.Any(e => e.RoutingKey == "course.e-imet-revoked.ALL" && e.Body.GetRawText().Contains(course.Id, StringComparison.Ordinal)), Cancel);
        Assert.Equal("ETAG_MISMATCH", (await Refused.ByAsync(catalog.Writer.RevokeEImetCertificateAsync(
            new() { RequestId = NewId(), CertificateId = certificate.Id, Etag = certificate.Etag, Reason = "Again" }, cancellationToken: Cancel))).Reason);
    }

    [Fact]
    public async Task Only_one_certificate_is_given_on_a_day_and_none_before_there_was_a_rule()
    {
        var course = await catalog.NewCourseAsync();
        var first = await CertifyAsync(course, new(2024, 5, 1), 50);
        var again = await Refused.ByAsync(() => CertifyAsync(course, new(2024, 5, 1), 60));
        Assert.Equal(("CERTIFICATE_EXISTS", first.Id), (again.Reason, again.Metadata["id"]));
        Assert.Equal("INVALID_FIELDS", (await Refused.ByAsync(() => CertifyAsync(course, new(1985, 5, 1), 60))).Reason);
    }

    [Fact]
    public async Task Classes_are_found_by_E_IMET_on_a_day()
    {
        var course = await catalog.NewCourseAsync();
        await CertifyAsync(course, new(2026, 6, 1), 80);
        var school = await catalog.NewSchoolAsync();
        var offering = await catalog.NewOfferingAsync((await catalog.NewVersionAsync(course.Id, v => v.SchoolId = school.Id)).Id);
        await catalog.NewOfferingAsync((await catalog.NewVersionAsync((await catalog.NewCourseAsync()).Id, v => v.SchoolId = school.Id)).Id);
        Assert.Equal(offering.Id, (await catalog.Writer.SearchOfferingsAsync(new() { SchoolId = school.Id, EImetOn = Day(2031, 5, 31) }, cancellationToken: Cancel)).Offerings.Single().Offering.Id);
        Assert.Empty((await catalog.Writer.SearchOfferingsAsync(new() { SchoolId = school.Id, EImetOn = Day(2031, 6, 1) }, cancellationToken: Cancel)).Offerings);
    }

    private async Task<EImetCertificate> CertifyAsync(Course course, DateOnly on, int percent) => (await catalog.Writer.CreateEImetCertificateAsync(
        new() { RequestId = NewId(), Certificate = new() { CourseId = course.Id, CertifiedOn = Day(on.Year, on.Month, on.Day), Percent = percent, Document = "DSCA list of certified courses" } },
        cancellationToken: Cancel)).Certificate;
}
