using Google.Protobuf;
using Grpc.Core;
using Imet.CourseCatalog.V1;
using Xunit;
using static Imet.CourseCatalog.Tests.Catalog;

namespace Imet.CourseCatalog.Tests;

[Collection(nameof(Catalog))]
public sealed class OfferingChangeTests(Catalog catalog)
{
    [Fact]
    public async Task A_planned_class_is_opened_once()
    {
        var version = await catalog.NewVersionAsync((await catalog.NewCourseAsync()).Id);
        var planned = (await catalog.Writer.CreateOfferingAsync(new() { RequestId = NewId(), Offering = AnOffering(version.Id), Planned = true }, cancellationToken: Cancel)).Offering;
        Assert.Equal(Offering.Types.State.Planned, planned.State);
        var opened = (await catalog.Writer.OpenOfferingAsync(new() { RequestId = NewId(), OfferingId = planned.Id, Etag = planned.Etag }, cancellationToken: Cancel)).Offering;
        Assert.Equal((Offering.Types.State.Open, 2L), (opened.State, opened.Version));
        var again = await Refused.ByAsync(catalog.Writer.OpenOfferingAsync(new() { RequestId = NewId(), OfferingId = planned.Id, Etag = opened.Etag }, cancellationToken: Cancel));
        Assert.Equal(("OFFERING_NOT_PLANNED", "OPEN"), (again.Reason, again.Metadata["state"]));
    }

    [Fact]
    public async Task A_move_tells_where_and_when_the_class_was_and_is()
    {
        var offering = await catalog.NewOfferingAsync(o => o.HostCountry = "KEN");
        var request = Move(offering, Day(2031, 2, 3), Day(2031, 12, 5));
        request.Place = new OfferingPlace { Location = "Lackland AFB, TX" };
        var moved = (await catalog.Writer.MoveOfferingAsync(request, cancellationToken: Cancel)).Offering;

        Assert.Equal((Offering.Types.State.Moved, 2L, "Lackland AFB, TX", ""), (moved.State, moved.Version, moved.Location, moved.HostCountry));
        Assert.Equal((Day(2031, 2, 3), Day(2031, 2, 3), Day(2031, 12, 5)), (moved.ReportDate, moved.StartDate, moved.EndDate));
        Assert.Equal(moved, (await catalog.At(1).MoveOfferingAsync(request, cancellationToken: Cancel)).Offering);
        var events = (await catalog.Outside.WaitForAsync(3, e => e.PartitionKey == offering.Id, Cancel)).DistinctBy(e => e.Id).Skip(1).ToList();
        Assert.Equal(["offering.moved.ALL", "offering.moved.KEN"], events.Select(e => e.RoutingKey).Order());
        var told = JsonParser.Default.Parse<OfferingMoved>(events[0].Data.GetRawText());
        Assert.Equal((moved, offering.StartDate, offering.EndDate, "KEN", "floods"), (told.Offering, told.PreviousStartDate, told.PreviousEndDate, told.PreviousHostCountry, told.Reason));
    }

    [Fact]
    public async Task A_planned_class_stays_planned_wherever_it_goes()
    {
        var version = await catalog.NewVersionAsync((await catalog.NewCourseAsync()).Id);
        var planned = (await catalog.Writer.CreateOfferingAsync(new() { RequestId = NewId(), Offering = AnOffering(version.Id), Planned = true }, cancellationToken: Cancel)).Offering;
        Assert.Equal(Offering.Types.State.Planned, (await catalog.Writer.MoveOfferingAsync(Move(planned, Day(2031, 2, 3), Day(2031, 12, 5)), cancellationToken: Cancel)).Offering.State);
    }

    [Fact]
    public async Task A_move_to_no_days_or_to_the_same_ones_is_refused_with_every_fault()
    {
        var offering = await catalog.NewOfferingAsync();
        var backwards = Move(offering, Day(2031, 2, 3), Day(2031, 2, 2));
        backwards.ReportDate = Day(2031, 2, 4);
        Assert.Equal(["end_date", "report_date"], (await Refused.ByAsync(catalog.Writer.MoveOfferingAsync(backwards, cancellationToken: Cancel))).Fields);
        Assert.Equal(["start_date"], (await Refused.ByAsync(catalog.Writer.MoveOfferingAsync(Move(offering, offering.StartDate, offering.EndDate), cancellationToken: Cancel))).Fields);
    }

    [Fact]
    public async Task Seats_are_cut_and_raised_by_whoever_read_the_class_last()
    {
        var offering = await catalog.NewOfferingAsync();
        var cut = new ChangeOfferingCapacityRequest { RequestId = NewId(), OfferingId = offering.Id, Etag = offering.Etag, Capacity = 10, Reason = "fewer instructors" };
        var changed = (await catalog.Writer.ChangeOfferingCapacityAsync(cut, cancellationToken: Cancel)).Offering;
        Assert.Equal((10, 2L, Offering.Types.State.Open), (changed.Capacity, changed.Version, changed.State));
        var stale = await Refused.ByAsync(catalog.Writer.ChangeOfferingCapacityAsync(new(cut) { RequestId = NewId(), Capacity = 20 }, cancellationToken: Cancel));
        Assert.Equal((StatusCode.Aborted, "ETAG_MISMATCH"), (stale.Code, stale.Reason));
        var told = await catalog.Outside.WaitForAsync(e => e.PartitionKey == offering.Id && e.AggregateVersion == 2, Cancel);
        Assert.Equal("offering.capacity-changed.ALL", told.RoutingKey);
        Assert.Equal(60, JsonParser.Default.Parse<OfferingCapacityChanged>(told.Data.GetRawText()).PreviousCapacity);
    }

    [Fact]
    public async Task Nothing_about_a_cancelled_class_changes_any_more()
    {
        var offering = await catalog.NewOfferingAsync();
        var off = (await catalog.Writer.CancelOfferingAsync(new() { RequestId = NewId(), OfferingId = offering.Id, Etag = offering.Etag, Reason = "r" }, cancellationToken: Cancel)).Offering;
        Assert.Equal("OFFERING_CANCELLED", (await Refused.ByAsync(catalog.Writer.MoveOfferingAsync(Move(off, Day(2031, 2, 3), Day(2031, 12, 5)), cancellationToken: Cancel))).Reason);
        Assert.Equal("OFFERING_CANCELLED", (await Refused.ByAsync(catalog.Writer.ChangeOfferingCapacityAsync(
            new() { RequestId = NewId(), OfferingId = off.Id, Etag = off.Etag, Capacity = 3, Reason = "r" }, cancellationToken: Cancel))).Reason);
        Assert.Equal("OFFERING_CANCELLED", (await Refused.ByAsync(catalog.Writer.AllocateQuotasAsync(
            new() { RequestId = NewId(), OfferingId = off.Id, Etag = off.Etag, Allocations = { new QuotaAllocation { Country = "KEN", Seats = 1 } }, Reason = "r" }, cancellationToken: Cancel))).Reason);
    }

    [Fact]
    public async Task A_caller_of_one_country_moves_its_own_classes_and_takes_them_nowhere_else()
    {
        var kenya = catalog.As("attache", ["catalog.read", "catalog.write"], "KEN");
        var here = await catalog.NewOfferingAsync(o => o.HostCountry = "KEN");
        var there = await catalog.NewOfferingAsync(o => o.HostCountry = "UGA");
        var away = Move(here, Day(2031, 2, 3), Day(2031, 12, 5));
        away.Place = new OfferingPlace { Location = "Kampala", HostCountry = "UGA" };
        Assert.Equal("COUNTRY_NOT_PERMITTED", (await Refused.ByAsync(kenya.MoveOfferingAsync(away, cancellationToken: Cancel))).Reason);
        Assert.Equal("NOT_FOUND", (await Refused.ByAsync(kenya.MoveOfferingAsync(Move(there, Day(2031, 2, 3), Day(2031, 12, 5)), cancellationToken: Cancel))).Reason);
        Assert.Equal("COUNTRY_NOT_PERMITTED", (await Refused.ByAsync(kenya.MoveOfferingAsync(Move(await catalog.NewOfferingAsync(), Day(2031, 2, 3), Day(2031, 12, 5)), cancellationToken: Cancel))).Reason);
        Assert.Equal("KEN", (await kenya.MoveOfferingAsync(Move(here, Day(2031, 2, 3), Day(2031, 12, 5)), cancellationToken: Cancel)).Offering.HostCountry);
    }

    private static MoveOfferingRequest Move(Offering offering, Google.Type.Date start, Google.Type.Date end) =>
        new() { RequestId = NewId(), OfferingId = offering.Id, Etag = offering.Etag, StartDate = start, EndDate = end, Reason = "floods" };
}
