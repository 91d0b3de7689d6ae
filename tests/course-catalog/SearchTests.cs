using Imet.CourseCatalog.V1;
using Xunit;
using static Imet.CourseCatalog.Tests.Catalog;

namespace Imet.CourseCatalog.Tests;

[Collection(nameof(Catalog))]
public sealed class SearchTests(Catalog catalog)
{
    [Theory]
    [InlineData("Command and General Staff Officer'S Course", "officers staff")]
    [InlineData("Command And General Staff Officer S Course", "STAFF officer's general")]
    [InlineData("Intl Officer Prep (Sev) (1St Part)", "officer prep part")]
    [InlineData("Naval Small Craft Instruction", "instr craft")]
    public async Task Words_are_found_in_any_order_and_form(string title, string asked)
    {
        var (number, offering) = await ClassAsync(title);
        var found = await SearchAsync(new() { Text = $"{asked} {number}" });
        Assert.Equal(offering, Assert.Single(found.Offerings).Offering);
        Assert.False(found.Similar);
    }

    [Theory]
    [InlineData("Maneuver Captains Career Course", "manuever captians")]
    [InlineData("Defense Resources Management", "defence resourses")]
    [InlineData("Sergeants Major Academy", "seargents acadmy")]
    public async Task Where_no_class_has_a_word_those_spelt_alike_are_found_and_it_is_said(string title, string asked)
    {
        var (number, offering) = await ClassAsync(title);
        var found = await SearchAsync(new() { Text = $"{asked} {number}" });
        Assert.True(found.Similar);
        Assert.Equal(offering.Id, Assert.Single(found.Offerings).Offering.Id);
    }

    [Fact]
    public async Task Nothing_a_caller_writes_has_a_meaning_of_its_own()
    {
        var (number, _) = await ClassAsync("Basic Course");
        foreach (var text in new[] { $"!basic {number} & | ( ) :* ''", $"{number} <-> basic'", $"{number}\\" })
            Assert.Single((await SearchAsync(new() { Text = text })).Offerings);
        Assert.Empty((await SearchAsync(new() { Text = "zzyzzyva qqxqq" })).Offerings);
    }

    [Fact]
    public async Task A_class_is_found_by_all_that_is_asked_of_it_together()
    {
        var school = await catalog.NewSchoolAsync();
        var word = Unique("W")[..10].ToLowerInvariant();
        var course = await catalog.NewCourseAsync(c => c.MaslNumber = $"P{Random.Shared.NextInt64(1_000_000_000, long.MaxValue)}");
        var version = await catalog.NewVersionAsync(course.Id, v => (v.Title, v.SchoolId, v.TrainingKind) = ($"Diving {word}", school.Id, TrainingKind.Operational));
        var early = await catalog.NewOfferingAsync(version.Id, o => o.StartDate = Day(2031, 3, 1));
        var late = await catalog.NewOfferingAsync(version.Id, o => (o.StartDate, o.Capacity) = (Day(2031, 5, 1), 4));
        var off = await catalog.NewOfferingAsync(version.Id, o => o.StartDate = Day(2031, 4, 1));
        await catalog.Writer.CancelOfferingAsync(new() { RequestId = NewId(), OfferingId = off.Id, Etag = off.Etag, Reason = "r" }, cancellationToken: Cancel);
        await catalog.Writer.AllocateQuotasAsync(
            new() { RequestId = NewId(), OfferingId = late.Id, Etag = late.Etag, Allocations = { new QuotaAllocation { Country = "GHA", Seats = 3 } }, Reason = "plan" }, cancellationToken: Cancel);

        async Task<IEnumerable<string>> FoundAsync(Action<SearchOfferingsRequest> also)
        {
            var request = new SearchOfferingsRequest { Text = word };
            also(request);
            return (await SearchAsync(request)).Offerings.Select(found => found.Offering.Id);
        }
        Assert.Equal([early.Id, late.Id], await FoundAsync(_ => { }));
        Assert.Equal([early.Id, late.Id], await FoundAsync(r => (r.SchoolId, r.ImplementingAgency, r.TrainingKind) = (school.Id, ImplementingAgency.Navy, TrainingKind.Operational)));
        Assert.Empty(await FoundAsync(r => r.ImplementingAgency = ImplementingAgency.Army));
        Assert.Empty(await FoundAsync(r => r.TrainingKind = TrainingKind.Classroom));
        Assert.Equal([late.Id], await FoundAsync(r => r.StartFrom = Day(2031, 4, 1)));
        Assert.Equal([early.Id], await FoundAsync(r => r.StartBefore = Day(2031, 4, 1)));
        Assert.Equal([off.Id], await FoundAsync(r => r.States.Add(Offering.Types.State.Cancelled)));
        Assert.Equal([early.Id, late.Id], await FoundAsync(r => r.SeatsLeft = 1));
        Assert.Equal([early.Id], await FoundAsync(r => r.SeatsLeft = 2));
        Assert.Equal([early.Id, late.Id], await FoundAsync(r => (r.SeatsLeft, r.Country) = (4, "GHA")));
        Assert.Equal([early.Id], await FoundAsync(r => (r.SeatsLeft, r.Country) = (4, "KEN")));
        Assert.Equal([late.Id], await FoundAsync(r => (r.QuotaOnly, r.Country) = (true, "GHA")));
        Assert.Equal(["country"], (await Refused.ByAsync(catalog.Writer.SearchOfferingsAsync(new() { QuotaOnly = true }, cancellationToken: Cancel))).Fields);
    }

    [Fact]
    public async Task Pages_give_each_class_once_also_those_spelt_alike()
    {
        var word = $"Quintessential{string.Concat(Guid.NewGuid().ToByteArray().Take(6).Select(b => (char)('a' + (b % 26))))}";
        var version = await catalog.NewVersionAsync((await catalog.NewCourseAsync()).Id, v => v.Title = $"{word} studies");
        var ids = new List<string>();
        for (var day = 1; day <= 7; day++)
            ids.Add((await catalog.NewOfferingAsync(version.Id, o => o.StartDate = Day(2031, 1, 1 + (day % 3)))).Id);
        foreach (var text in new[] { word, $"{word[..8]}x{word[8..]}" })
        {
            var seen = new List<string>();
            var request = new SearchOfferingsRequest { Text = text, PageSize = 3 };
            do
            {
                var page = await SearchAsync(request);
                Assert.Equal(text != word, page.Similar);
                seen.AddRange(page.Offerings.Select(found => found.Offering.Id));
                request.PageToken = page.NextPageToken;
            }
            while (request.PageToken.Length > 0);
            Assert.Equal(ids.Order(), seen.Order());
        }
    }

    [Fact]
    public async Task A_class_held_in_a_country_is_found_by_who_may_see_it()
    {
        var (number, offering) = await ClassAsync("Civil Military Relations", o => o.HostCountry = "KEN");
        Assert.Single((await SearchAsync(new() { Text = number })).Offerings);
        Assert.Equal(offering.Id, Assert.Single((await catalog.As("a", ["catalog.read"], "KEN").SearchOfferingsAsync(new() { Text = number }, cancellationToken: Cancel)).Offerings).Offering.Id);
        Assert.Empty((await catalog.As("b", ["catalog.read"], "UGA").SearchOfferingsAsync(new() { Text = number }, cancellationToken: Cancel)).Offerings);
        Assert.Equal("COUNTRY_NOT_PERMITTED", (await Refused.ByAsync(catalog.As("b", ["catalog.read"], "UGA").SearchOfferingsAsync(new() { Country = "KEN" }, cancellationToken: Cancel))).Reason);
    }

    private async Task<SearchOfferingsResponse> SearchAsync(SearchOfferingsRequest request) => await catalog.Writer.SearchOfferingsAsync(request, cancellationToken: Cancel);

    private async Task<(string Number, Offering Offering)> ClassAsync(string title, Action<Offering>? set = null)
    {
        var number = $"B{Random.Shared.NextInt64(1_000_000_000, long.MaxValue)}";
        var version = await catalog.NewVersionAsync((await catalog.NewCourseAsync(c => c.MaslNumber = number)).Id, v => v.Title = title);
        return (number, await catalog.NewOfferingAsync(version.Id, set));
    }
}
