using Grpc.Core;
using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.V1;
using Imet.Testing;
using Xunit;

namespace Imet.Enrollment.Tests.Seats;

[Collection(InOneWorld.Name)]
public sealed class SeatTests(SharedWorld shared)
{
    private readonly World world = shared.World;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_quota_serves_its_country_first_and_nobody_else()
    {
        var offering = await world.ScheduleAsync(10);
        await world.AllocateAsync(offering, ("KEN", 4, null), ("GHA", 2, null));
        var others = await world.EnrollAsync(offering, "SEN", 4);
        var (code, reason, e) = await World.RefusedAsync(world.EnrollAsync(offering, "SEN"));
        Assert.Equal((StatusCode.FailedPrecondition, "OFFERING_FULL"), (code, reason));
        Assert.Contains("6 are set aside", e.Status.Detail, StringComparison.Ordinal);
        await world.EnrollAsync(offering, "KEN", 3);
        Assert.Equal("OFFERING_FULL", (await World.RefusedAsync(world.EnrollAsync(offering, "KEN", 2))).Reason);
        await world.EnrollAsync(offering, "KEN");
        await world.WithdrawAsync(others);
        await world.EnrollAsync(offering, "KEN", 4);

        var seats = await world.SeatsAsync(offering);
        Assert.Equal((8, 0), (seats.Taken, seats.Open));
        Assert.Equal([("GHA", 2, 0), ("KEN", 4, 8)], seats.Countries.Select(country => (country.Country, country.Held, country.Taken)));
        var kenya = world.Stack.Caller("attache", ["enrollment.read"], "KEN");
        Assert.Equal("KEN", Assert.Single((await kenya.Enrollment.GetOfferingSeatsAsync(new GetOfferingSeatsRequest { OfferingId = offering.Id })).Seats.Countries).Country);
    }

    [Fact]
    public async Task Unused_seats_are_returned_and_swapped_and_the_catalogue_shows_whose_each_was()
    {
        var offering = await world.ScheduleAsync(10);
        await world.AllocateAsync(offering, ("KEN", 5, null), ("GHA", 2, null));
        await world.EnrollAsync(offering, "KEN", 2);
        var etag = (await world.SeatsAsync(offering)).Etag;

        var give = new ReturnQuotaSeatsRequest { RequestId = World.NewId(), OfferingId = offering.Id, Etag = etag, Country = "KEN", Seats = 4, Reason = "Fewer officers" };
        var (code, reason, _) = await World.RefusedAsync(world.Officer.Enrollment.ReturnQuotaSeatsAsync(give).ResponseAsync);
        Assert.Equal((StatusCode.FailedPrecondition, "QUOTA_IN_USE"), (code, reason));
        give.Seats = 1;
        var returned = (await world.Officer.Enrollment.ReturnQuotaSeatsAsync(give)).Seats;
        Assert.Equal((4, 4), (returned.Countries.Single(country => country.Country == "KEN").Held, returned.Open));
        Assert.Equal(returned, (await world.Officer.Enrollment.ReturnQuotaSeatsAsync(give)).Seats);
        Assert.Equal("ETAG_MISMATCH", (await World.RefusedAsync(world.Officer.Enrollment.ReturnQuotaSeatsAsync(new ReturnQuotaSeatsRequest(give) { RequestId = World.NewId() }).ResponseAsync)).Reason);

        var swap = new SwapQuotaSeatsRequest
        {
            RequestId = World.NewId(), Country = "KEN", OtherCountry = "UGA", Reason = "Agreed",
            Gives = new QuotaTransfer { OfferingId = offering.Id, Etag = returned.Etag, Seats = 2 },
        };
        var swapped = Assert.Single((await world.Officer.Enrollment.SwapQuotaSeatsAsync(swap)).Seats);
        Assert.Equal([("GHA", 2), ("KEN", 2), ("UGA", 2)], swapped.Countries.Select(country => (country.Country, country.Held)));
        await world.EnrollAsync(offering, "UGA", 2);
        var kenya = world.Stack.Caller("attache", ["enrollment.write"], "KEN");
        Assert.Equal("COUNTRY_NOT_PERMITTED", (await World.RefusedAsync(kenya.Enrollment.SwapQuotaSeatsAsync(new SwapQuotaSeatsRequest(swap) { RequestId = World.NewId() }).ResponseAsync)).Reason);

        var shown = await Eventually.GetAsync(async () =>
        {
            var read = await world.Officer.CourseCatalog.GetOfferingAsync(new GetOfferingRequest { OfferingId = offering.Id });
            return read.Seats.Taken == 4 && read.Quotas.Count == 3 ? read : null;
        }, Cancel);
        Assert.Equal([("GHA", 2, 2, 0), ("KEN", 5, 2, 2), ("UGA", 0, 2, 2)], shown.Quotas.Select(quota => (quota.Country, quota.Nominal, quota.Held, quota.Taken)));
        Assert.Equal((4, 6, 4), (shown.Seats.Taken, shown.Seats.Left, shown.Seats.Open));
        Assert.InRange((DateTime.UtcNow - shown.Seats.AsOfTime.ToDateTime()).TotalMinutes, -1, 5);
        var history = (await world.Officer.CourseCatalog.ListQuotaEntriesAsync(new ListQuotaEntriesRequest { OfferingId = offering.Id, Country = "KEN" })).Entries;
        Assert.Equal([(QuotaEntry.Types.Cause.Allocated, 5, 5), (QuotaEntry.Types.Cause.Returned, -1, 4), (QuotaEntry.Types.Cause.Swapped, -2, 2)], history.Select(entry => (entry.Cause, entry.Change, entry.Held)));
    }

    [Fact]
    public async Task An_exchange_over_two_classes_is_made_whole_or_not_at_all()
    {
        var (one, two) = (await world.ScheduleAsync(10), await world.ScheduleAsync(10));
        await world.AllocateAsync(one, ("KEN", 3, null));
        await world.AllocateAsync(two, ("UGA", 1, null));
        await world.EnrollAsync(one, "SEN");
        await world.EnrollAsync(two, "SEN");
        async Task<SwapQuotaSeatsRequest> AskAsync(int gives, int gets) => new()
        {
            RequestId = World.NewId(), Country = "KEN", OtherCountry = "UGA", Reason = "Agreed",
            Gives = new QuotaTransfer { OfferingId = one.Id, Etag = (await world.SeatsAsync(one)).Etag, Seats = gives },
            Gets = new QuotaTransfer { OfferingId = two.Id, Etag = (await world.SeatsAsync(two)).Etag, Seats = gets },
        };
        Assert.Equal("QUOTA_IN_USE", (await World.RefusedAsync(world.Officer.Enrollment.SwapQuotaSeatsAsync(await AskAsync(2, 2)).ResponseAsync)).Reason);
        Assert.Equal(3, (await world.SeatsAsync(one)).Countries.Single().Held);
        var swapped = (await world.Officer.Enrollment.SwapQuotaSeatsAsync(await AskAsync(2, 1))).Seats;
        Assert.Equal([one.Id, two.Id], swapped.Select(seats => seats.OfferingId));
        Assert.Equal([("KEN", 1), ("UGA", 2)], swapped[0].Countries.Select(country => (country.Country, country.Held)));
        Assert.Equal([("KEN", 1), ("UGA", 0)], swapped[1].Countries.Select(country => (country.Country, country.Held)));
    }

    [Fact]
    public async Task At_its_deadline_what_is_unused_opens_to_all()
    {
        var offering = await world.ScheduleAsync(6);
        await world.EnrollAsync(offering, "KEN");
        await world.AllocateAsync(offering, ("KEN", 4, World.Today), ("GHA", 2, World.Today.AddDays(20)));
        var seats = await world.WhenSeatsAsync(offering, now => now.Open == 3, Cancel);
        Assert.Equal([("GHA", 2, false), ("KEN", 1, true)], seats.Countries.Select(country => (country.Country, country.Held, country.Opened)));
        await world.EnrollAsync(offering, "SEN", 3);
        var entry = await Eventually.GetAsync(async () => (await world.Officer.CourseCatalog.ListQuotaEntriesAsync(new ListQuotaEntriesRequest { OfferingId = offering.Id, Country = "KEN" }))
            .Entries.LastOrDefault(entry => entry.Cause == QuotaEntry.Types.Cause.Opened), Cancel);
        Assert.Equal((-3, 1), (entry.Change, entry.Held));
    }

    [Fact]
    public async Task A_cut_below_what_is_taken_drops_nobody_and_is_reported()
    {
        await using var outside = await Subscriber.StartAsync(world.Stack.Broker, Cancel, "imet.enrollment.v1");
        var offering = await world.ScheduleAsync(5);
        var line = await world.EnrollAsync(offering, "KEN", 4);
        await world.ResizeAsync(offering, 3);
        var seats = await world.WhenSeatsAsync(offering, now => now.Overbooked, Cancel);
        Assert.Equal((3, 4, 0, 2L), (seats.Capacity, seats.Taken, seats.Open, seats.OfferingVersion));
        Assert.Equal(line, await world.GetAsync(line.Id));
        Assert.Equal("OFFERING_FULL", (await World.RefusedAsync(world.EnrollAsync(offering, "KEN"))).Reason);
        var told = await outside.WaitForAsync(e => e.RoutingKey == "offering-seats.overbooked.ALL" && e.PartitionKey == offering.Id, Cancel);
        Assert.Equal((3, 4), (told.Data.GetProperty("capacity").GetInt32(), told.Data.GetProperty("taken").GetInt32()));
        Assert.Contains(offering.Id, (await world.Officer.Enrollment.ListOverbookedOfferingsAsync(new ListOverbookedOfferingsRequest())).Offerings.Select(o => o.OfferingId));
        await world.ResizeAsync(offering, 5);
        await world.WhenSeatsAsync(offering, now => !now.Overbooked, Cancel);
        Assert.DoesNotContain(offering.Id, (await world.Officer.Enrollment.ListOverbookedOfferingsAsync(new ListOverbookedOfferingsRequest())).Offerings.Select(o => o.OfferingId));
    }

    [Fact]
    public async Task Seats_and_quotas_that_change_on_all_sides_at_once_are_neither_created_nor_lost()
    {
        string[] countries = ["KEN", "GHA", "UGA", "SEN"];
        var seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        const int capacity = 24;
        var offering = await world.ScheduleAsync(capacity);
        await world.AllocateAsync(offering, ("KEN", 5, null), ("GHA", 5, null), ("UGA", 5, null));
        await world.EnrollAsync(offering, "SEN");
        await Task.WhenAll(Enumerable.Range(0, 6).Select(async worker =>
        {
            var random = new Random(seed + worker);
            List<TrainingLine> mine = [];
            for (var i = 0; i < 25; i++)
            {
                var (country, other, seats) = (countries[random.Next(4)], countries[random.Next(4)], random.Next(1, 4));
                try
                {
                    switch (random.Next(6))
                    {
                        case 0 when mine.Count > 0:
                            await world.WithdrawAsync(mine[^1]);
                            mine.RemoveAt(mine.Count - 1);
                            break;
                        case 1:
                            await world.Officer.Enrollment.ReturnQuotaSeatsAsync(new ReturnQuotaSeatsRequest
                            {
                                RequestId = World.NewId(), OfferingId = offering.Id, Etag = (await world.SeatsAsync(offering)).Etag, Country = country, Seats = seats, Reason = "Random",
                            });
                            break;
                        case 2 when country != other:
                            await world.Officer.Enrollment.SwapQuotaSeatsAsync(new SwapQuotaSeatsRequest
                            {
                                RequestId = World.NewId(), Country = country, OtherCountry = other, Reason = "Random",
                                Gives = new QuotaTransfer { OfferingId = offering.Id, Etag = (await world.SeatsAsync(offering)).Etag, Seats = seats },
                            });
                            break;
                        case 3:
                            await world.AllocateAsync(offering, (country, random.Next(0, 6), null));
                            break;
                        default:
                            mine.Add(await world.EnrollAsync(offering, country, seats));
                            break;
                    }
                }
                catch (RpcException e)
                {
                    // Everything else a caller could not have avoided would be a fault.
                    Assert.Contains(e.StatusCode, new[] { StatusCode.FailedPrecondition, StatusCode.Aborted, StatusCode.InvalidArgument });
                }
            }
        }));
        var known = await world.NowAsync(offering);
        var last = await world.WhenSeatsAsync(offering, now => now.OfferingVersion == known.Version, Cancel);
        Assert.InRange(last.Taken, 1, capacity);
        Assert.InRange(last.Countries.Sum(country => country.Held), 0, capacity);
        Assert.Empty(await new Invariants(world.Stack.Database.Administrator).BreachesAsync([], null, Cancel));
        // What the catalogue shows adds up to the same.
        await Eventually.TrueAsync(async () =>
        {
            var shown = await world.Officer.CourseCatalog.GetOfferingAsync(new GetOfferingRequest { OfferingId = offering.Id });
            return shown.Seats.Taken == last.Taken && shown.Seats.Open == last.Open
                && shown.Quotas.Select(q => (q.Country, q.Held, q.Taken)).SequenceEqual(last.Countries.Select(c => (c.Country, c.Held, c.Taken)));
        }, Cancel);
    }
}
