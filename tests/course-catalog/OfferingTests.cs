using Google.Protobuf;
using Google.Type;
using Grpc.Core;
using Imet.CourseCatalog.V1;
using Xunit;
using static Imet.CourseCatalog.Tests.Catalog;

namespace Imet.CourseCatalog.Tests;

[Collection(nameof(Catalog))]
public sealed class OfferingTests(Catalog catalog)
{
    [Fact]
    public async Task An_offering_carries_every_fact_that_rules_need_of_its_course()
    {
        var school = await catalog.NewSchoolAsync();
        var course = await catalog.NewCourseAsync(c => c.MaslNumber = $"D{Random.Shared.NextInt64(1_000_000_000, long.MaxValue)}");
        var version = await catalog.NewVersionAsync(course.Id, v =>
        {
            v.SchoolId = school.Id;
            v.TrainingKind = TrainingKind.Operational;
            v.Dedicated = true;
            v.Prices.Add(new TuitionPrice { Rate = "FULL", Price = new Money { CurrencyCode = "USD", Units = 31_200 } });
        });
        var offering = await catalog.NewOfferingAsync(version.Id, o => o.AllInternational = true);

        Assert.Equal(
            new CourseFacts
            {
                CourseId = course.Id, MaslNumber = course.MaslNumber, Title = version.Title, SchoolId = school.Id, SchoolName = school.Name, SchoolCode = school.Code,
                TrainingKind = TrainingKind.Operational, ImplementingAgency = ImplementingAgency.AirForce, FiscalYear = 2031, Dedicated = true, Prices = { version.Prices }, DurationDays = 306, EclMinimum = 80,
            }, offering.Course);
        Assert.Equal((Offering.Types.State.Open, 1L, "\"1\"", true), (offering.State, offering.Version, offering.Etag, offering.AllInternational));
        Assert.Equal(offering.StartDate, offering.ReportDate);
        Assert.Equal(offering, (await catalog.Writer.GetOfferingAsync(new() { OfferingId = offering.Id }, cancellationToken: Cancel)).Offering);
    }

    [Fact]
    public async Task An_offering_of_a_course_without_a_school_or_place_is_legal()
    {
        var offering = await catalog.NewOfferingAsync(o => o.Location = "");
        Assert.Equal(("", "", ""), (offering.Course.SchoolId, offering.Course.SchoolName, offering.Location));
    }

    [Fact]
    public async Task Everything_wrong_with_an_offering_is_said_at_once()
    {
        var offering = AnOffering(NewId());
        offering.EndDate = Day(2031, 1, 5);
        offering.ReportDate = Day(2031, 1, 7);
        offering.ExternalIds.Add([new() { Source = "fmtr", Id = "1" }, new() { Source = "fmtr", Id = "1" }]);
        var refused = await Refused.ByAsync(catalog.Writer.CreateOfferingAsync(new() { RequestId = NewId(), Offering = offering }, cancellationToken: Cancel));

        Assert.Equal((StatusCode.InvalidArgument, "INVALID_FIELDS"), (refused.Code, refused.Reason));
        Assert.Equal(["offering.end_date", "offering.report_date", "offering.external_ids[1]"], refused.Fields);
    }

    [Fact]
    public async Task An_offering_of_nothing_is_refused()
    {
        var nobody = NewId();
        var refused = await Refused.ByAsync(catalog.Writer.CreateOfferingAsync(new() { RequestId = NewId(), Offering = AnOffering(nobody) }, cancellationToken: Cancel));
        Assert.Equal((StatusCode.FailedPrecondition, "REFERENCE_NOT_FOUND", "offering.course_version_id", nobody), (refused.Code, refused.Reason, refused.Metadata["field"], refused.Metadata["id"]));
    }

    [Fact]
    public async Task A_cancelled_offering_stays_cancelled()
    {
        var offering = await catalog.NewOfferingAsync();
        var cancelled = await CancelAsync(offering);

        Assert.Equal((Offering.Types.State.Cancelled, 2L, "\"2\""), (cancelled.State, cancelled.Version, cancelled.Etag));
        Assert.True(cancelled.UpdateTime > cancelled.CreateTime);
        var stale = await Refused.ByAsync(catalog.Writer.CancelOfferingAsync(Cancellation(offering), cancellationToken: Cancel));
        var again = await Refused.ByAsync(catalog.Writer.CancelOfferingAsync(Cancellation(cancelled), cancellationToken: Cancel));
        Assert.Equal((StatusCode.Aborted, "ETAG_MISMATCH"), (stale.Code, stale.Reason));
        Assert.Equal((StatusCode.FailedPrecondition, "OFFERING_CANCELLED"), (again.Code, again.Reason));
        Assert.Equal(cancelled, (await catalog.At(1).GetOfferingAsync(new() { OfferingId = offering.Id }, cancellationToken: Cancel)).Offering);
    }

    [Fact]
    public async Task Of_many_who_cancel_an_offering_at_once_one_does()
    {
        var offering = await catalog.NewOfferingAsync();
        var reasons = await Task.WhenAll(Enumerable.Range(0, 12).Select(async i =>
        {
            try
            {
                await catalog.At(i % 2).CancelOfferingAsync(Cancellation(offering), cancellationToken: Cancel);
                return "done";
            }
            catch (RpcException e)
            {
                return Refused.Of(e).Reason;
            }
        }));
        Assert.Single(reasons, "done");
        Assert.All(reasons.Where(reason => reason != "done"), reason => Assert.Equal("ETAG_MISMATCH", reason));
    }

    [Fact]
    public async Task An_offering_that_is_not_there_is_not_found()
    {
        var refused = await Refused.ByAsync(catalog.Writer.CancelOfferingAsync(new() { RequestId = NewId(), OfferingId = NewId(), Etag = "\"1\"", Reason = "r" }, cancellationToken: Cancel));
        Assert.Equal((StatusCode.NotFound, "NOT_FOUND", "offering"), (refused.Code, refused.Reason, refused.Metadata["resource"]));
    }

    [Fact]
    public async Task Versions_of_many_offerings_come_in_one_call_and_unknown_ones_are_left_out()
    {
        var version = await catalog.NewVersionAsync((await catalog.NewCourseAsync()).Id);
        var kept = await catalog.NewOfferingAsync(version.Id);
        var gone = await CancelAsync(await catalog.NewOfferingAsync(version.Id));
        var versions = (await catalog.Writer.BatchGetOfferingVersionsAsync(new() { OfferingIds = { kept.Id, gone.Id, kept.Id, NewId() } }, cancellationToken: Cancel)).OfferingVersions;

        Assert.Equal(new[] { (kept.Id, 1L), (gone.Id, 2L) }.Order(), versions.Select(v => (v.OfferingId, v.Version)).Order());
    }

    [Fact]
    public async Task A_replayed_request_returns_the_first_response_and_does_nothing_twice()
    {
        var offering = await catalog.NewOfferingAsync();
        var create = new CreateOfferingRequest { RequestId = NewId(), Offering = AnOffering(offering.CourseVersionId) };
        var first = await catalog.Writer.CreateOfferingAsync(create, cancellationToken: Cancel);
        var cancel = Cancellation(first.Offering);
        var cancelled = await catalog.Writer.CancelOfferingAsync(cancel, cancellationToken: Cancel);

        Assert.Equal(first.ToByteString(), (await catalog.At(1).CreateOfferingAsync(create, cancellationToken: Cancel)).ToByteString());
        Assert.Equal(cancelled, await catalog.At(1).CancelOfferingAsync(cancel, cancellationToken: Cancel));
        var listed = (await catalog.Writer.ListOfferingsAsync(new() { CourseId = offering.Course.CourseId }, cancellationToken: Cancel)).Offerings;
        Assert.Equal(new[] { offering.Id, first.Offering.Id }.Order(), listed.Select(o => o.Id).Order());
    }

    [Fact]
    public async Task One_request_sent_many_times_at_once_has_one_effect_and_one_answer()
    {
        var school = new CreateSchoolRequest { RequestId = NewId(), School = new() { Name = Unique("School ") } };
        var answers = await Task.WhenAll(Enumerable.Range(0, 16).Select(async i => await catalog.At(i % 2).CreateSchoolAsync(school, cancellationToken: Cancel)));

        Assert.Single(answers.Select(answer => answer.ToByteString()).Distinct());
        Assert.Single((await catalog.Writer.ListSchoolsAsync(new() { NameContains = school.School.Name }, cancellationToken: Cancel)).Schools);
    }

    [Fact]
    public async Task A_request_id_may_not_be_used_for_another_request()
    {
        var request = new CreateSchoolRequest { RequestId = NewId(), School = new() { Name = Unique("School ") } };
        await catalog.Writer.CreateSchoolAsync(request, cancellationToken: Cancel);
        request.School.Location = "Elsewhere";
        var refused = await Refused.ByAsync(catalog.At(1).CreateSchoolAsync(request, cancellationToken: Cancel));
        Assert.Equal((StatusCode.InvalidArgument, "REQUEST_ID_REUSED"), (refused.Code, refused.Reason));
    }

    private static CancelOfferingRequest Cancellation(Offering offering) =>
        new() { RequestId = NewId(), OfferingId = offering.Id, Etag = offering.Etag, Reason = "too few students" };

    private async Task<Offering> CancelAsync(Offering offering) => (await catalog.Writer.CancelOfferingAsync(Cancellation(offering), cancellationToken: Cancel)).Offering;
}
