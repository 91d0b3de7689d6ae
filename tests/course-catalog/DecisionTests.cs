using Imet.CourseCatalog.V1;
using Xunit;

namespace Imet.CourseCatalog.Tests;

public sealed class DecisionTests
{
    [Theory]
    [InlineData("B171400", ImplementingAgency.Army)]
    [InlineData("D121001", ImplementingAgency.AirForce)]
    [InlineData("P306010", ImplementingAgency.Navy)]
    [InlineData("A171400", ImplementingAgency.Unspecified)]
    [InlineData("B", ImplementingAgency.Unspecified)]
    [InlineData("B17-1400", ImplementingAgency.Unspecified)]
    [InlineData("PILOT", ImplementingAgency.Unspecified)]
    [InlineData("D1A2B3C", ImplementingAgency.Unspecified)]
    [InlineData("", ImplementingAgency.Unspecified)]
    public void The_agency_is_told_by_a_number_that_looks_like_one(string maslNumber, ImplementingAgency agency) =>
        Assert.Equal(agency, CatalogDecisions.AgencyOf(maslNumber));

    [Fact]
    public void Cancelling_needs_the_offering_as_it_was_last_read_before_anything_else_is_said_of_it()
    {
        var open = new OfferingRow
        {
            Id = Guid.CreateVersion7(), CourseVersionId = Guid.CreateVersion7(), Capacity = 1, Location = "", State = "OPEN", AllInternational = false, Sources = [], Names = [], Version = 3,
            ReportDate = new(2031, 1, 6), StartDate = new(2031, 1, 6), EndDate = new(2031, 2, 6),
        };
        var cancelled = OfferingDecisions.Cancel(open, "\"3\"", "no instructors", new(2030, 12, 1)).Value;

        Assert.Equal(("CANCELLED", 4, "no instructors", new DateOnly(2030, 12, 1)), (cancelled.State, cancelled.Version, cancelled.CancelledBecause, cancelled.CancelledOn));
        Assert.Equal("NOT_FOUND", OfferingDecisions.Cancel(null, "\"3\"", "r", new(2030, 12, 1)).Refusal.Reason);
        Assert.Equal("ETAG_MISMATCH", OfferingDecisions.Cancel(open, "\"2\"", "r", new(2030, 12, 1)).Refusal.Reason);
        Assert.Equal("ETAG_MISMATCH", OfferingDecisions.Cancel(cancelled, "\"3\"", "r", new(2030, 12, 1)).Refusal.Reason);
        Assert.Equal("OFFERING_CANCELLED", OfferingDecisions.Cancel(cancelled, "\"4\"", "r", new(2030, 12, 1)).Refusal.Reason);
    }

    [Theory]
    [InlineData("", "", 0, "course_version_id,course_id")]
    [InlineData("v", "c", 2031, "course_version_id,course_id")]
    [InlineData("", "c", 0, "fiscal_year")]
    [InlineData("v", "", 2031, "fiscal_year")]
    [InlineData("v", "", 0, "")]
    [InlineData("", "c", 2031, "")]
    public void A_version_is_named_by_its_id_or_by_course_and_year(string id, string courseId, int year, string wrong) =>
        Assert.Equal(wrong, string.Join(',', CatalogDecisions.VersionKey(new() { CourseVersionId = id, CourseId = courseId, FiscalYear = year })?.Fields.Select(f => f.Field) ?? []));
}
