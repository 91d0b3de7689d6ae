using Google.Protobuf;
using Grpc.Core;
using Imet.CourseCatalog.V1;
using Xunit;
using static Imet.CourseCatalog.Tests.Catalog;

namespace Imet.CourseCatalog.Tests;

[Collection(nameof(Catalog))]
public sealed class QuotaTests(Catalog catalog)
{
    private static readonly string[] Countries = ["COL", "GHA", "JOR", "KEN", "PHL"];

    [Fact]
    public async Task Seats_are_set_aside_for_countries_and_each_is_told_of_its_own_alone()
    {
        var offering = await catalog.NewOfferingAsync(o => o.Capacity = 10);
        var allocated = await catalog.Writer.AllocateQuotasAsync(Allocation(offering, ("KEN", 4), ("JOR", 3)), cancellationToken: Cancel);

        Assert.Equal((2L, "\"2\""), (allocated.Offering.Version, allocated.Offering.Etag));
        Assert.Equal([("JOR", 3, 3), ("KEN", 4, 4)], allocated.Quotas.Select(quota => (quota.Country, quota.Nominal, quota.Held)));
        var read = await catalog.At(1).GetOfferingAsync(new() { OfferingId = offering.Id }, cancellationToken: Cancel);
        Assert.Equal(allocated.Quotas, read.Quotas);
        Assert.Equal((0, 10, 3), (read.Seats.Taken, read.Seats.Left, read.Seats.Open));
        Assert.Null(read.Seats.AsOfTime);

        var events = (await catalog.Outside.WaitForAsync(3, e => e.PartitionKey == offering.Id, Cancel)).DistinctBy(e => e.Id).Skip(1).ToList();
        Assert.Equal(["offering.quota-allocated.JOR", "offering.quota-allocated.KEN"], events.Select(e => e.RoutingKey).Order());
        foreach (var e in events)
        {
            var told = JsonParser.Default.Parse<QuotaAllocated>(e.Data.GetRawText());
            var other = told.Country == "KEN" ? "JOR" : "KEN";
            Assert.DoesNotContain(other, e.Data.GetRawText(), StringComparison.Ordinal);
            Assert.Equal((told.Country == "KEN" ? 4 : 3, 0, 2L), (told.Nominal, told.PreviousNominal, told.OfferingVersion));
        }
    }

    [Fact]
    public async Task A_caller_of_one_country_sees_its_own_quota_and_allocates_none()
    {
        var offering = await catalog.NewOfferingAsync(o => o.Capacity = 10);
        var allocated = await catalog.Writer.AllocateQuotasAsync(Allocation(offering, ("KEN", 4), ("JOR", 3)), cancellationToken: Cancel);
        var kenya = catalog.As("attache", ["catalog.read", "catalog.write"], "KEN");

        var quota = Assert.Single((await kenya.GetOfferingAsync(new() { OfferingId = offering.Id }, cancellationToken: Cancel)).Quotas);
        Assert.Equal("KEN", quota.Country);
        Assert.Equal("KEN", Assert.Single((await kenya.ListQuotaEntriesAsync(new() { OfferingId = offering.Id }, cancellationToken: Cancel)).Entries).Country);
        Assert.Equal("COUNTRY_NOT_PERMITTED", (await Refused.ByAsync(kenya.ListQuotaEntriesAsync(new() { OfferingId = offering.Id, Country = "JOR" }, cancellationToken: Cancel))).Reason);
        Assert.Equal("COUNTRY_NOT_PERMITTED", (await Refused.ByAsync(kenya.AllocateQuotasAsync(Allocation(allocated.Offering, ("KEN", 5)), cancellationToken: Cancel))).Reason);
    }

    [Fact]
    public async Task No_more_seats_are_set_aside_than_there_are()
    {
        var offering = await catalog.NewOfferingAsync(o => o.Capacity = 10);
        var refused = await Refused.ByAsync(catalog.Writer.AllocateQuotasAsync(Allocation(offering, ("KEN", 8), ("JOR", 3)), cancellationToken: Cancel));
        Assert.Equal((StatusCode.FailedPrecondition, "QUOTAS_EXCEED_CAPACITY", "10", "11"), (refused.Code, refused.Reason, refused.Metadata["capacity"], refused.Metadata["quotas"]));

        var allocated = await catalog.Writer.AllocateQuotasAsync(Allocation(offering, ("KEN", 8)), cancellationToken: Cancel);
        var cut = new ChangeOfferingCapacityRequest { RequestId = NewId(), OfferingId = offering.Id, Etag = allocated.Offering.Etag, Capacity = 7, Reason = "fewer instructors" };
        Assert.Equal("QUOTAS_EXCEED_CAPACITY", (await Refused.ByAsync(catalog.Writer.ChangeOfferingCapacityAsync(cut, cancellationToken: Cancel))).Reason);
    }

    [Fact]
    public async Task Everything_wrong_with_an_allocation_is_said_at_once()
    {
        var offering = await catalog.NewOfferingAsync(o => o.Capacity = 10);
        var twice = await Refused.ByAsync(catalog.Writer.AllocateQuotasAsync(Allocation(offering, ("KEN", 1), ("KEN", 2), ("KEN", 3)), cancellationToken: Cancel));
        Assert.Equal(["allocations[1].country", "allocations[2].country"], twice.Fields);
        var nothing = await Refused.ByAsync(catalog.Writer.AllocateQuotasAsync(Allocation(offering, ("KEN", 0)), cancellationToken: Cancel));
        Assert.Equal(["allocations"], nothing.Fields);
    }

    [Fact]
    public async Task Concurrent_allocations_on_two_replicas_neither_create_nor_lose_a_seat()
    {
        const int capacity = 20;
        var seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var offering = await catalog.NewOfferingAsync(o => o.Capacity = capacity);
        var accepted = 0;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async worker =>
        {
            var random = new Random(seed + worker);
            for (var i = 0; i < 12; i++)
            {
                var now = (await catalog.At(worker % 2).GetOfferingAsync(new() { OfferingId = offering.Id }, cancellationToken: Cancel)).Offering;
                var some = Countries.OrderBy(_ => random.Next()).Take(random.Next(1, 4)).Select(country => (country, random.Next(0, 9))).ToArray();
                try
                {
                    await catalog.At(worker % 2).AllocateQuotasAsync(Allocation(now, some), cancellationToken: Cancel);
                    Interlocked.Increment(ref accepted);
                }
                catch (RpcException e)
                {
                    Assert.Contains(Refused.Of(e).Reason, (string[])["ETAG_MISMATCH", "QUOTAS_EXCEED_CAPACITY", "INVALID_FIELDS"]);
                }
            }
        }));

        var read = await catalog.Writer.GetOfferingAsync(new() { OfferingId = offering.Id }, cancellationToken: Cancel);
        Assert.Equal(1 + accepted, read.Offering.Version);
        Assert.InRange(read.Quotas.Sum(quota => quota.Nominal), 0, capacity);
        Assert.Equal(capacity - read.Quotas.Sum(quota => quota.Nominal), read.Seats.Open);
        var entries = (await catalog.Writer.ListQuotaEntriesAsync(new() { OfferingId = offering.Id, PageSize = 1000 }, cancellationToken: Cancel)).Entries;
        foreach (var quota in read.Quotas)
        {
            var own = entries.Where(entry => entry.Country == quota.Country).ToList();
            Assert.Equal(quota.Nominal, own.Sum(entry => entry.Change));
            Assert.Equal(own.Select(entry => entry.Held), own.Select((_, i) => own.Take(i + 1).Sum(entry => entry.Change)));
        }

        // As partners were told it, version by version.
        var told = new Dictionary<string, int>();
        var events = await catalog.Outside.WaitForAsync(1, e => e.PartitionKey == offering.Id && e.AggregateVersion == read.Offering.Version, Cancel);
        Assert.NotEmpty(events);
        var all = catalog.Outside.Received.Where(e => e.PartitionKey == offering.Id && e.RoutingKey.StartsWith("offering.quota-allocated", StringComparison.Ordinal)).DistinctBy(e => e.Id);
        foreach (var version in all.GroupBy(e => e.AggregateVersion).OrderBy(version => version.Key))
        {
            foreach (var change in version.Select(e => JsonParser.Default.Parse<QuotaAllocated>(e.Data.GetRawText())))
            {
                Assert.Equal(told.GetValueOrDefault(change.Country), change.PreviousNominal);
                told[change.Country] = change.Nominal;
            }
            Assert.InRange(told.Values.Sum(), 0, capacity);
        }
    }

    private static AllocateQuotasRequest Allocation(Offering offering, params (string Country, int Seats)[] seats) => new()
    {
        RequestId = NewId(), OfferingId = offering.Id, Etag = offering.Etag, Reason = "the yearly plan",
        Allocations = { seats.Select(allocation => new QuotaAllocation { Country = allocation.Country, Seats = allocation.Seats }) },
    };
}
