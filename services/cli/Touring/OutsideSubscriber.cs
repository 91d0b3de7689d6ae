using System.Globalization;
using System.Text.Json;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace Imet.Cli.Touring;

/// <summary>An event as somebody outside gets it: a routing key and a CloudEvent in JSON, nothing of ours needed to read it.</summary>
public sealed record Arrived(string RoutingKey, string Id, string Type, string Subject, long AggregateVersion, DateTimeOffset Time, JsonElement Data, string Body, DateTimeOffset At);

/// <summary>A partner's program: an AMQP connection, a queue of its own, and whatever is published while it listens.</summary>
public sealed class OutsideSubscriber : IAsyncDisposable
{
    private static readonly string[] Exchanges = ["imet.country-eligibility.v1", "imet.course-catalog.v1", "imet.enrollment.v1"];
    private readonly IConnection connection;
    private readonly IChannel channel;
    private readonly List<Arrived> arrived = [];

    private OutsideSubscriber(IConnection connection, IChannel channel) => (this.connection, this.channel) = (connection, channel);

    public static async Task<OutsideSubscriber> StartAsync(Uri broker, CancellationToken cancel)
    {
        IConnection connection;
        try
        {
            connection = await new ConnectionFactory { Uri = broker, ClientProvidedName = "outside subscriber of the tour" }.CreateConnectionAsync(cancel);
        }
        catch (BrokerUnreachableException e)
        {
            throw new CouldNotRunException($"No RabbitMQ answers at {broker.Host}:{broker.Port} ({e.InnerException?.Message ?? e.Message}). Start the local stack with ./dev up, or give --amqp.");
        }
        var subscriber = new OutsideSubscriber(connection, await connection.CreateChannelAsync(cancellationToken: cancel));
        await subscriber.ListenAsync(Uri.UnescapeDataString(broker.UserInfo.Split(':')[0]), cancel);
        return subscriber;
    }

    public IReadOnlyList<Arrived> Arrived
    {
        get
        {
            lock (arrived)
                return [.. arrived];
        }
    }

    public async ValueTask DisposeAsync()
    {
        await channel.DisposeAsync();
        await connection.DisposeAsync();
    }

    private async Task ListenAsync(string partner, CancellationToken cancel)
    {
        // A partner may declare what begins with its own name, and nothing else.
        var queue = $"{partner}.tour-{Guid.CreateVersion7()}";
        await channel.QueueDeclareAsync(queue, durable: false, exclusive: true, autoDelete: true, cancellationToken: cancel);
        foreach (var exchange in Exchanges)
            await channel.QueueBindAsync(queue, exchange, "#", cancellationToken: cancel);
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += (_, message) =>
        {
            Keep(message);
            return Task.CompletedTask;
        };
        await channel.BasicConsumeAsync(queue, autoAck: true, consumer, cancel);
    }

    private void Keep(BasicDeliverEventArgs message)
    {
        var at = DateTimeOffset.UtcNow;
        using var json = JsonDocument.Parse(message.Body);
        var e = json.RootElement;
        // The heartbeat tells that the service lives; it is about no aggregate.
        if (!e.TryGetProperty("aggregateversion", out var version))
            return;
        var number = version.ValueKind == JsonValueKind.Number ? version.GetInt64() : long.Parse(version.GetString()!, CultureInfo.InvariantCulture);
        var one = new Arrived(
            message.RoutingKey, Text(e, "id"), Text(e, "type"), Text(e, "subject"), number, e.GetProperty("time").GetDateTimeOffset(),
            e.GetProperty("data").Clone(), e.GetRawText(), at);
        lock (arrived)
            arrived.Add(one);
    }

    private static string Text(JsonElement e, string name) => e.GetProperty(name).GetString()!;
}
