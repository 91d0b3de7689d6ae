using System.Globalization;
using System.Text.Json;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Imet.Testing;

/// <summary>A CloudEvent as it arrived on the wire.</summary>
public sealed record CloudEvent(JsonElement Body, string RoutingKey, string Exchange, string? ContentType, IReadOnlyDictionary<string, object?> Headers, DateTimeOffset ReceivedAt)
{
    public Guid Id => Guid.Parse(Text("id"));
    public string Type => Text("type");
    public string Source => Text("source");
    public string Subject => Text("subject");
    public string PartitionKey => Text("partitionkey");
    public JsonElement Data => Body.GetProperty("data");

    // CloudEvents knows no integers above 32 bits: a version may come as text.
    public long AggregateVersion => Body.GetProperty("aggregateversion") is { ValueKind: JsonValueKind.Number } number
        ? number.GetInt64() : long.Parse(Text("aggregateversion"), CultureInfo.InvariantCulture);

    public bool IsHeartbeat => Type.EndsWith("Heartbeat", StringComparison.Ordinal);

    public Delivery ToDelivery() => new(Source, Id, Type, Subject, AggregateVersion);

    private string Text(string name) => Body.GetProperty(name).GetString()!;
}

/// <summary>
/// Somebody outside who listens with the plain client: a durable queue of its own, bound to exchanges. It outlives a restart of the broker and keeps duplicates.
/// </summary>
public sealed class Subscriber : IAsyncDisposable
{
    private readonly IConnection connection;
    private readonly List<CloudEvent> received = [];

    private Subscriber(IConnection connection) => this.connection = connection;

    /// <summary>What came, in the order of arrival.</summary>
    public IReadOnlyList<CloudEvent> Received
    {
        get
        {
            lock (received)
            {
                return [.. received];
            }
        }
    }

    /// <summary>Listens to everything on the exchanges; those that are not there yet are declared as the services do.</summary>
    public static Task<Subscriber> StartAsync(string broker, CancellationToken cancel, params string[] exchanges) => StartAsync(broker, "#", exchanges, cancel);

    public static async Task<Subscriber> StartAsync(string broker, string routingKey, IEnumerable<string> exchanges, CancellationToken cancel)
    {
        var factory = new ConnectionFactory { Uri = new Uri(broker), NetworkRecoveryInterval = TimeSpan.FromMilliseconds(250) };
        var subscriber = new Subscriber(await factory.CreateConnectionAsync(cancel));
        var channel = await subscriber.connection.CreateChannelAsync(cancellationToken: cancel);
        var queue = $"outside.{Guid.CreateVersion7()}";
        await channel.QueueDeclareAsync(queue, durable: true, exclusive: false, autoDelete: false, cancellationToken: cancel);
        foreach (var exchange in exchanges)
        {
            await channel.ExchangeDeclareAsync(exchange, ExchangeType.Topic, durable: true, cancellationToken: cancel);
            await channel.QueueBindAsync(queue, exchange, routingKey, cancellationToken: cancel);
        }
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += async (_, message) =>
        {
            subscriber.Add(message);
            await channel.BasicAckAsync(message.DeliveryTag, multiple: false);
        };
        await channel.BasicQosAsync(0, 1000, global: false, cancel);
        await channel.BasicConsumeAsync(queue, autoAck: false, consumer, cancel);
        return subscriber;
    }

    /// <summary>The first event that matches, now or soon.</summary>
    public Task<CloudEvent> WaitForAsync(Func<CloudEvent, bool> match, CancellationToken cancel) =>
        Eventually.GetAsync(() => Task.FromResult(Received.FirstOrDefault(match)), cancel, "an event that matches");

    /// <summary>At least so many events that match, now or soon.</summary>
    public async Task<IReadOnlyList<CloudEvent>> WaitForAsync(int count, Func<CloudEvent, bool> match, CancellationToken cancel)
    {
        await Eventually.TrueAsync(() => Received.Count(match) >= count, cancel, $"{count} events that match");
        return [.. Received.Where(match)];
    }

    public async ValueTask DisposeAsync() => await connection.DisposeAsync();

    private void Add(BasicDeliverEventArgs message)
    {
        using var body = JsonDocument.Parse(message.Body);
        var headers = message.BasicProperties.Headers?.ToDictionary() ?? [];
        var arrived = new CloudEvent(body.RootElement.Clone(), message.RoutingKey, message.Exchange, message.BasicProperties.ContentType, headers, DateTimeOffset.UtcNow);
        lock (received)
        {
            received.Add(arrived);
        }
    }
}
