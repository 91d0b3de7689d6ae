using System.Text.RegularExpressions;
using Imet.Cli;
using Imet.Cli.Partners;
using Imet.Events.V1;
using Imet.Testing;
using RabbitMQ.Client;
using Xunit;

namespace Imet.SystemTests.Events;

/// <summary>The document, the schemas and the running broker say the same.</summary>
public sealed partial class EventContractTests(Servers servers)
{
    private static readonly string Folder = Path.Combine(Repository.Root, "docs", "events");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public void Every_example_is_an_event_that_was_sent_and_every_event_has_one()
    {
        var examples = Directory.EnumerateFiles(Path.Combine(Folder, "examples"), "*.json").Select(Path.GetFileNameWithoutExtension).ToArray();
        var types = EventKinds.All.Select(kind => kind.Type).Distinct().ToArray();
        Assert.Empty(examples.Except(types));
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(Folder, "examples"), "*.json").SelectMany(file => EventContract.Breaches(File.ReadAllText(file), KeyOf(file))));
        if (types.Except(examples).ToArray() is { Length: > 0 } missing)
            Assert.Skip($"{missing.Length} of {types.Length} events have no example yet: IMET_WRITE=1 ./dev test keeps one of each that the tests send. Missing: {string.Join(", ", missing)}.");

        static string KeyOf(string file)
        {
            using var json = System.Text.Json.JsonDocument.Parse(File.ReadAllText(file));
            var kind = EventKinds.All.First(kind => kind.Type == Path.GetFileNameWithoutExtension(file));
            return $"{kind.Aggregate}.{kind.Change}.{(json.RootElement.TryGetProperty("country", out var country) ? country.GetString() : "ALL")}";
        }
    }

    [Fact]
    public async Task What_the_broker_has_and_what_is_sent_is_what_is_documented_and_a_replay_reaches_one_queue()
    {
        await using var stack = await TestStack.StartAsync(servers, new(), Cancel);
        await using var outside = await Subscriber.StartAsync(stack.Broker, Cancel, TestStack.Exchanges);
        foreach (var verb in new[] { "seed", "tour" })
        {
            var (code, output) = await Command.RunAsync(servers, stack, Cancel, verb);
            Assert.True(code == ExitCode.Done, output);
        }
        using var api = RabbitApi.Open(Command.Management(servers, stack.Broker));
        var document = await File.ReadAllTextAsync(Path.Combine(Folder, "asyncapi.yaml"), Cancel);

        // The exchanges are the documented ones; besides them there are only RabbitMQ's own and those of the services' own queues.
        var exchanges = await api.ExchangesAsync(Cancel);
        Assert.Equal(TestStack.Exchanges.Order(), Exchange().Matches(document).Select(match => match.Groups[1].Value).Distinct().Order());
        Assert.DoesNotContain(exchanges.Except(TestStack.Exchanges), name => name.Length > 0 && !name.StartsWith("amq.", StringComparison.Ordinal) && !IsOfAService(name));
        // What our own consumers are bound for can come.
        var addresses = Address().Matches(document).Select(match => match.Groups[1].Value.Replace("{country}", "PAK", StringComparison.Ordinal)).ToArray();
        foreach (var queue in (await api.QueuesAsync(Cancel)).Where(queue => IsOfAService(queue) && !queue.EndsWith(".dead", StringComparison.Ordinal)))
            Assert.All((await api.BindingsAsync(queue, Cancel))!.Where(binding => TestStack.Exchanges.Contains(binding.Exchange)),
                binding => Assert.Contains(addresses, address => address.StartsWith(binding.RoutingKey.Split(".#")[0] + ".", StringComparison.Ordinal)));

        var received = outside.Received;
        Assert.Empty(received.SelectMany(e => EventContract.Breaches(e.Body.GetRawText(), e.RoutingKey)).Distinct());
        Assert.All(received, e => Assert.Equal(("application/cloudevents+json", 0), (e.ContentType, e.Headers.Count)));
        Assert.Empty(received.Where(e => !EventKinds.All.Any(kind => kind.Exchange == e.Exchange && kind.Type == e.Type)).Select(e => $"{e.Type} on {e.Exchange}"));
        Assert.All(received, e => Assert.True(File.Exists(Path.Combine(Folder, "schemas", $"{e.Type}.json")), e.Type));
        Assert.True(received.DistinctBy(e => e.Type).Count() > 8);

        await ReplayAsync(stack, api, outside);
    }

    private static bool IsOfAService(string name) => EventKinds.Services.Any(service => name.StartsWith($"{service}.", StringComparison.Ordinal));

    private async Task ReplayAsync(TestStack stack, RabbitApi api, Subscriber outside)
    {
        const string queue = "partner.late";
        var added = await Command.RunAsync(servers, stack, Cancel, "partner", "add", "late", "--country", "THA", "--events", "training-line");
        Assert.True(added.Code == ExitCode.Done, added.Output);
        var log = new EventService.EventServiceClient(stack.Enrollment[0].Invoker(stack.Caller("test.late", ["events.read"], "THA").Token));
        var logged = (await log.ListEventsAsync(new ListEventsRequest { Aggregates = { "training-line" }, PageSize = 1000 }, cancellationToken: Cancel)).Events;
        Assert.NotEmpty(logged);
        // The tour's own subscriber heard the same.
        Assert.Equal(logged.Select(e => e.CloudEvent), outside.Received.Where(e => e.RoutingKey.StartsWith("training-line.", StringComparison.Ordinal) && e.RoutingKey.EndsWith(".THA", StringComparison.Ordinal))
            .DistinctBy(e => e.Id).OrderBy(e => logged.Select(one => one.CloudEvent).ToList().IndexOf(e.Body.GetRawText())).Select(e => e.Body.GetRawText()));

        var lines = outside.Received.Count(e => !e.IsHeartbeat);
        var replayed = await Command.RunAsync(servers, stack, Cancel, "events", "replay", "--service", "enrollment", "--from", "1", "--queue", queue);
        Assert.True(replayed.Code == ExitCode.Done, replayed.Output);
        await using var connection = await new ConnectionFactory { Uri = new Uri(stack.Broker) }.CreateConnectionAsync(Cancel);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
        var got = new List<BasicGetResult>();
        await Eventually.TrueAsync(async () =>
        {
            while (await channel.BasicGetAsync(queue, autoAck: true, Cancel) is { } message)
                got.Add(message);
            return got.Count(message => message.BasicProperties.Type != "imet.options.v1.Heartbeat") >= logged.Count;
        }, Cancel);
        Assert.Equal(logged.Select(e => e.CloudEvent), got.Where(message => message.BasicProperties.Type != "imet.options.v1.Heartbeat").Select(message => System.Text.Encoding.UTF8.GetString(message.Body.Span)));
        Assert.Equal(lines, outside.Received.Count(e => !e.IsHeartbeat));

        var nowhere = await Command.RunAsync(servers, stack, Cancel, "events", "replay", "--service", "course-catalog", "--queue", queue);
        Assert.True(nowhere.Code == ExitCode.CouldNotRun && nowhere.Output.Contains("not bound", StringComparison.Ordinal), nowhere.Output);
        var listed = await Command.RunAsync(servers, stack, Cancel, "events", "list", "--service", "enrollment", "--from", "2", "--to", "4");
        Assert.Equal(["2", "3", "4"], listed.Output.Trim().Split('\n').Select(line => line.Split('\t')[0]));
        Assert.NotNull(await api.BindingsAsync(queue, Cancel));
    }

    [GeneratedRegex("""name: "(imet\.[a-z-]+\.v1)"$""", RegexOptions.Multiline)]
    private static partial Regex Exchange();

    [GeneratedRegex("""address: "([^"]+)"$""", RegexOptions.Multiline)]
    private static partial Regex Address();
}
