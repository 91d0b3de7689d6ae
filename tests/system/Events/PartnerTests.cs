using System.Text;
using Imet.Cli;
using Imet.Cli.Partners;
using Imet.Testing;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;
using Xunit;

namespace Imet.SystemTests.Events;

/// <summary>What a partner can do at the broker, what not, and what becomes of everybody else when one is slow or dead.</summary>
public sealed class PartnerTests(Servers servers)
{
    private const string Lines = "imet.enrollment.v1";
    private const string Countries = "imet.country-eligibility.v1";
    private const string Catalog = "imet.course-catalog.v1";
    private const string Queue = "partner.embassy-pak";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_partner_reads_its_countries_and_kinds_and_can_do_nothing_else()
    {
        var broker = await servers.NewBrokerVhostAsync(Cancel);
        await AddAsync(broker, "embassy-tha", "--country", "THA");
        var partner = await AddAsync(broker, "embassy-pak", "--country", "PAK", "--events", "training-line", "country.restricted");
        await using var operators = await ConnectAsync(broker);
        await using var connection = await ConnectAsync(partner);

        foreach (var (exchange, key) in new[]
        {
            (Lines, "training-line.enrolled.PAK"), (Lines, "training-line.enrolled.THA"), (Lines, "training-line.held.ALL"), (Lines, "student.created.PAK"), (Lines, "heartbeat.beat.ALL"),
            (Countries, "country.restricted.PAK"), (Countries, "country.created.PAK"), (Countries, "country.restricted.THA"), (Catalog, "course.created.ALL"), (Catalog, "offering.created.PAK"),
        })
            await PublishAsync(operators, exchange, key, key);
        Assert.Equal(["country.restricted.PAK", "heartbeat.beat.ALL", "training-line.enrolled.PAK", "training-line.held.ALL"], (await DrainAsync(connection, Queue)).Order());

        await MayAsync(channel => channel.QueueBindAsync(Queue, Lines, "training-line.cancelled.PAK", cancellationToken: Cancel));
        await MayAsync(channel => channel.QueueBindAsync(Queue, Lines, "training-line.*.PAK", cancellationToken: Cancel));
        await MayAsync(channel => channel.QueuePurgeAsync(Queue, Cancel));

        // To read more than it was given.
        foreach (var key in new[] { "#", "*.*.*", "training-line.#", "training-line.*.*", "training-line.*.THA", "*.*.PAK", "student.*.PAK", "" })
            await MayNotAsync($"bind {key}", channel => channel.QueueBindAsync(Queue, Lines, key, cancellationToken: Cancel));
        await MayNotAsync("bind another event of an aggregate", channel => channel.QueueBindAsync(Queue, Countries, "country.*.PAK", cancellationToken: Cancel));
        await MayNotAsync("bind another exchange", channel => channel.QueueBindAsync(Queue, Catalog, "course.*.ALL", cancellationToken: Cancel));
        await MayNotAsync("bind to all that passes the broker", channel => channel.QueueBindAsync(Queue, "amq.rabbitmq.trace", "#", cancellationToken: Cancel));
        foreach (var other in new[] { "partner.embassy-tha", $"{Queue}.dead", "partner.embassy-tha.dead" })
        {
            await MayNotAsync($"read {other}", channel => channel.BasicGetAsync(other, autoAck: true, Cancel));
            await MayNotAsync($"consume {other}", channel => channel.BasicConsumeAsync(other, autoAck: true, new AsyncDefaultBasicConsumer(channel), Cancel));
            await MayNotAsync($"purge {other}", channel => channel.QueuePurgeAsync(other, Cancel));
            await MayNotAsync($"bind {other}", channel => channel.QueueBindAsync(other, Lines, "training-line.*.PAK", cancellationToken: Cancel));
        }
        // To write, or to break.
        foreach (var (exchange, key) in new[] { (Lines, "training-line.enrolled.PAK"), (Countries, "country.restricted.PAK"), (Catalog, "x"), ("", Queue), ("", "partner.embassy-tha"), ("amq.topic", "x") })
            await MayNotAsync($"publish to '{exchange}' {key}", async channel => await channel.BasicPublishAsync(exchange, key, mandatory: true, "forged"u8.ToArray(), Cancel));
        await MayNotAsync("declare a queue", channel => channel.QueueDeclareAsync("partner.embassy-pak.more", durable: true, exclusive: false, autoDelete: false, cancellationToken: Cancel));
        await MayNotAsync("declare a nameless queue", channel => channel.QueueDeclareAsync("", durable: false, exclusive: true, autoDelete: true, cancellationToken: Cancel));
        await MayNotAsync("declare an exchange", channel => channel.ExchangeDeclareAsync("partner.embassy-pak", ExchangeType.Topic, cancellationToken: Cancel));
        await MayNotAsync("delete an exchange", channel => channel.ExchangeDeleteAsync(Lines, cancellationToken: Cancel));
        await MayNotAsync("delete its queue, and the limits with it", channel => channel.QueueDeleteAsync(Queue, false, false, cancellationToken: Cancel));
        await MayNotAsync("bind exchanges", channel => channel.ExchangeBindAsync(Catalog, Lines, "training-line.*.PAK", cancellationToken: Cancel));

        Assert.Contains(Lines, await ManagedAsync(broker, api => api.ExchangesAsync(Cancel)));
        await PublishAsync(operators, Lines, "training-line.enrolled.PAK", "still here");
        Assert.Equal(["still here"], await DrainAsync(connection, Queue));

        async Task MayAsync(Func<IChannel, Task> what)
        {
            await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
            await what(channel);
        }

        async Task MayNotAsync(string what, Func<IChannel, Task> how)
        {
            var channel = await connection.CreateChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true), Cancel);
            await using (channel)
            {
                var refused = await Record.ExceptionAsync(() => how(channel));
                Assert.True(refused is not null && channel.CloseReason?.ReplyCode == Constants.AccessRefused, $"a partner could {what}: {refused?.Message} {channel.CloseReason}");
            }
        }
    }

    [Fact]
    public async Task A_partner_can_not_take_more_connections_than_it_has_a_use_for()
    {
        var broker = await servers.NewBrokerVhostAsync(Cancel);
        var partner = await AddAsync(broker, "crowd", "--all-countries");
        var open = new List<IConnection>();
        while (open.Count < 30)
        {
            // This client takes the refusal for an end that came right after the beginning.
            open.Add(await ConnectAsync(partner));
            // RabbitMQ counts a connection a moment after it has taken it.
            await Task.Delay(50, Cancel);
        }
        Assert.InRange(open.Count(connection => connection.IsOpen), 10, 15);
        Assert.Contains(open, connection => connection.CloseReason?.ReplyText.Contains("user connection limit (10) is reached", StringComparison.Ordinal) == true);
        foreach (var connection in open)
            await connection.DisposeAsync();
    }

    [Fact]
    public async Task Access_is_changed_in_place_and_taken_away_whole()
    {
        var broker = await servers.NewBrokerVhostAsync(Cancel);
        var partner = await AddAsync(broker, "embassy-ind", "--country", "PAK,IND", "--events", "training-line,country");
        Assert.Contains("as it was", (await RunAsync(broker, ExitCode.Done, "partner", "add", "embassy-ind", "--country", "PAK", "--events", "country")), StringComparison.Ordinal);
        Assert.Equal(
            [(Countries, "country.*.ALL"), (Countries, "country.*.PAK"), (Countries, "heartbeat.beat.ALL")],
            (await ManagedAsync(broker, api => api.BindingsAsync("partner.embassy-ind", Cancel)))!.Order());
        await using var connection = await ConnectAsync(partner);
        foreach (var (exchange, key) in new[] { (Lines, "training-line.*.PAK"), (Countries, "country.*.IND") })
            Assert.IsType<OperationInterruptedException>(await Record.ExceptionAsync(async () =>
            {
                await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
                await channel.QueueBindAsync("partner.embassy-ind", exchange, key, cancellationToken: Cancel);
            }));
        var listed = await RunAsync(broker, ExitCode.Done, "partner", "list");
        Assert.Contains("country.*.PAK", listed, StringComparison.Ordinal);
        Assert.DoesNotContain("IND", listed, StringComparison.Ordinal);

        await RunAsync(broker, ExitCode.Done, "partner", "remove", "embassy-ind");
        await Eventually.TrueAsync(() => !connection.IsOpen, Cancel);
        Assert.IsType<BrokerUnreachableException>(await Record.ExceptionAsync(() => ConnectAsync(partner)));
        Assert.DoesNotContain(await ManagedAsync(broker, api => api.QueuesAsync(Cancel)), queue => queue.StartsWith("partner.", StringComparison.Ordinal));
        Assert.Equal(ExitCode.SomeInError, (await Command.RunAsync(servers, broker, Cancel, "partner", "remove", "embassy-ind")).Code);
    }

    [Theory]
    [InlineData("Pakistan!", "--all-countries")]
    [InlineData("embassy")]
    [InlineData("embassy", "--country", "pakistan")]
    [InlineData("embassy", "--all-countries", "--events", "everything")]
    public async Task A_grant_that_makes_no_sense_grants_nothing(params string[] arguments)
    {
        var broker = await servers.NewBrokerVhostAsync(Cancel);
        await RunAsync(broker, ExitCode.CouldNotRun, ["partner", "add", .. arguments]);
        Assert.Empty(await ManagedAsync(broker, api => api.QueuesAsync(Cancel)));
    }

    [Fact]
    public async Task A_partner_that_is_dead_harms_nobody()
    {
        var broker = await servers.NewBrokerVhostAsync(Cancel);
        await AddAsync(broker, "dead", "--all-countries", "--megabytes", "1");
        await using var other = await Subscriber.StartAsync(broker, "training-line.#", [Lines], Cancel);
        await using var operators = await ConnectAsync(broker);
        await using var channel = await operators.CreateChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true), Cancel);
        var body = Encoding.UTF8.GetBytes($$"""{"id":"{{Guid.NewGuid()}}","type":"t","filler":"{{new string('x', 3000)}}"}""");
        for (var i = 0; i < 2000; i += 100)
            // Each is confirmed, or this throws: a full queue that refused would be the service's trouble.
            await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => channel.BasicPublishAsync(Lines, "training-line.enrolled.PAK", mandatory: true, body, Cancel).AsTask()));
        await other.WaitForAsync(2000, _ => true, Cancel);
        await using var looking = await operators.CreateChannelAsync(cancellationToken: Cancel);
        // 6 MB were sent.
        await Eventually.TrueAsync(async () => (await looking.QueueDeclarePassiveAsync("partner.dead", Cancel)).MessageCount is > 200 and < 500, Cancel);
    }

    [Fact]
    public async Task What_a_partner_can_not_take_is_put_aside_with_the_reason_and_comes_back_when_told()
    {
        const string queue = "partner.clinic";
        var broker = await servers.NewBrokerVhostAsync(Cancel);
        var partner = await AddAsync(broker, "clinic", "--country", "PAK");
        await using var operators = await ConnectAsync(broker);
        var (sick, refused) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        foreach (var id in new[] { sick, refused })
            await PublishAsync(operators, Lines, "training-line.enrolled.PAK", $$"""{"id":"{{id}}","type":"imet.enrollment.v1.TrainingLineEnrolled","subject":"training-line/{{id}}"}""", id.ToString());
        Assert.Equal(ExitCode.Done, (await Command.RunAsync(servers, broker, Cancel, "dead-letters", "list")).Code);

        await using var connection = await ConnectAsync(partner);
        var deliveries = 0;
        await using (var channel = await connection.CreateChannelAsync(cancellationToken: Cancel))
            await Eventually.TrueAsync(async () =>
            {
                if (await channel.BasicGetAsync(queue, autoAck: false, Cancel) is not { } message)
                    return deliveries > 5;
                var isSick = message.BasicProperties.MessageId == sick.ToString();
                deliveries += isSick ? 1 : 0;
                await channel.BasicNackAsync(message.DeliveryTag, multiple: false, requeue: isSick, Cancel);
                return false;
            }, Cancel);
        Assert.Equal(11, deliveries);

        await Eventually.TrueAsync(async () => (await Command.RunAsync(servers, broker, Cancel, "dead-letters", "list")).Code == ExitCode.SomeInError, Cancel);
        var shown = await RunAsync(broker, ExitCode.Done, "dead-letters", "show", queue);
        Assert.Matches($"(?s){sick}  imet.enrollment.v1.TrainingLineEnrolled.*delivery_limit", shown);
        Assert.Matches($"(?s){refused}.*rejected", shown);
        Assert.DoesNotContain("   at ", shown, StringComparison.Ordinal);
        Assert.Equal(shown.Split('\n').Order(), (await RunAsync(broker, ExitCode.Done, "dead-letters", "show", queue)).Split('\n').Order());

        Assert.Contains("1 back in", await RunAsync(broker, ExitCode.Done, "dead-letters", "redrive", queue, "--id", sick.ToString()), StringComparison.Ordinal);
        Assert.Equal([sick.ToString()], (await DrainMessagesAsync(connection, queue)).Select(message => message.BasicProperties.MessageId));
        Assert.Contains("1 back in", await RunAsync(broker, ExitCode.Done, "dead-letters", "redrive", queue), StringComparison.Ordinal);
        var again = Assert.Single(await DrainMessagesAsync(connection, queue));
        Assert.Equal((refused.ToString(), "application/cloudevents+json"), (again.BasicProperties.MessageId, again.BasicProperties.ContentType));
        Assert.DoesNotContain(again.BasicProperties.Headers?.Keys ?? [], header => header.StartsWith("x-death", StringComparison.Ordinal) || header.StartsWith("x-first", StringComparison.Ordinal));
        await RunAsync(broker, ExitCode.CouldNotRun, "dead-letters", "redrive", "nobody");
    }

    /// <summary>The partner's address at the broker.</summary>
    internal async Task<string> AddAsync(string broker, string name, params string[] arguments)
    {
        var said = await RunAsync(broker, ExitCode.Done, ["partner", "add", name, .. arguments]);
        var password = said.Split('\n').Single(line => line.StartsWith("password", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1].Trim();
        var uri = new Uri(broker);
        return $"amqp://partner.{name}:{password}@{uri.Host}:{uri.Port}{uri.AbsolutePath}";
    }

    private async Task<string> RunAsync(string broker, int code, params string[] arguments)
    {
        var (ended, output) = await Command.RunAsync(servers, broker, Cancel, arguments);
        Assert.True(ended == code, $"{ended}: {output}");
        return output;
    }

    private async Task<T> ManagedAsync<T>(string broker, Func<RabbitApi, Task<T>> ask)
    {
        using var api = RabbitApi.Open(Command.Management(servers, broker));
        return await ask(api);
    }

    private static Task<IConnection> ConnectAsync(string uri) => new ConnectionFactory { Uri = new Uri(uri), AutomaticRecoveryEnabled = false }.CreateConnectionAsync(Cancel);

    private static async Task PublishAsync(IConnection connection, string exchange, string key, string body, string? id = null)
    {
        await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true), Cancel);
        var properties = new BasicProperties { Persistent = true, MessageId = id, ContentType = "application/cloudevents+json" };
        await channel.BasicPublishAsync(exchange, key, mandatory: false, properties, Encoding.UTF8.GetBytes(body), Cancel);
    }

    private static async Task<List<string>> DrainAsync(IConnection connection, string queue) =>
        (await DrainMessagesAsync(connection, queue)).ConvertAll(message => Encoding.UTF8.GetString(message.Body.Span));

    private static async Task<List<BasicGetResult>> DrainMessagesAsync(IConnection connection, string queue)
    {
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
        var messages = new List<BasicGetResult>();
        // A confirmed message is in the queue, but it may take a moment until it can be got.
        for (var empty = 0; empty < 10;)
        {
            if (await channel.BasicGetAsync(queue, autoAck: true, Cancel) is { } message)
                messages.Add(message);
            else
            {
                empty++;
                await Task.Delay(30, Cancel);
            }
        }
        return messages;
    }
}
