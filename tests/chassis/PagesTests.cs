using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Imet.Chassis.Tests;

public sealed class PagesTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static readonly string[] Things = [.. Enumerable.Range(0, 1234).Select(number => $"{number:D4}")];

    [Theory]
    [InlineData(0, 50)]
    [InlineData(7, 7)]
    [InlineData(5000, 1000)]
    public async Task Page_after_page_shows_everything_once(int asked, int got)
    {
        await using var house = await EchoHouse.StartAsync();
        house.Behavior.Things = Things;
        var client = house.Anybody();
        List<string> seen = [];
        var request = new ListThingsRequest { PageSize = asked };
        do
        {
            var page = await client.ListThingsAsync(request, cancellationToken: Cancel);
            Assert.True(page.Things.Count == got || page.NextPageToken.Length == 0);
            Assert.Matches("^[A-Za-z0-9_-]*$", page.NextPageToken);
            seen.AddRange(page.Things);
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
        Assert.Equal(Things, seen);
    }

    [Fact]
    public async Task A_token_is_good_for_its_caller_method_and_filter_only_and_for_a_week()
    {
        var clock = new Clock();
        await using var house = await EchoHouse.StartAsync(host => host.Services.AddSingleton<TimeProvider>(clock));
        house.Behavior.Things = Things;
        var client = house.Anybody();
        var token = (await client.ListThingsAsync(new ListThingsRequest { Colour = "red" }, cancellationToken: Cancel)).NextPageToken;

        // Another size is no other filter.
        Assert.Equal("0050", (await client.ListThingsAsync(new ListThingsRequest { Colour = "red", PageToken = token, PageSize = 1 }, cancellationToken: Cancel)).Things[0]);

        async Task RefusedAsync(EchoService.EchoServiceClient by, string colour, string with)
        {
            var refused = await Refused.ByAsync(() => by.ListThingsAsync(new ListThingsRequest { Colour = colour, PageToken = with }, cancellationToken: Cancel).ResponseAsync);
            Assert.Equal((StatusCode.InvalidArgument, "PAGE_TOKEN_INVALID"), (refused.Code, refused.Reason));
        }

        await RefusedAsync(client, "blue", token);
        await RefusedAsync(client, "", token);
        await RefusedAsync(house.Client(house.Keys.Token(subject: "another")), "red", token);
        for (var i = 0; i < token.Length; i += 5)
            await RefusedAsync(client, "red", token[..i] + (token[i] == 'A' ? 'B' : 'A') + token[(i + 1)..]);
        foreach (var nonsense in new[] { "A", "AAAA", "not base64!", token + "AAAA", token[..^4], new string('A', 1000) })
            await RefusedAsync(client, "red", nonsense);

        await using var stranger = await EchoHouse.StartAsync();
        stranger.Behavior.Things = Things;
        await RefusedAsync(stranger.Anybody(), "red", token);

        clock.Advance(TimeSpan.FromDays(8));
        await RefusedAsync(client, "red", token);
    }
}

/// <summary>The real clock, moved.</summary>
internal sealed class Clock : TimeProvider
{
    private TimeSpan _moved;

    public void Advance(TimeSpan by) => _moved += by;

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + _moved;

    public override long GetTimestamp() => base.GetTimestamp() + (long)(_moved.TotalSeconds * TimestampFrequency);
}
