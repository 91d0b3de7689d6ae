using System.Diagnostics;
using Dapper;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;

namespace Imet.Chassis;

public sealed record ConsumerSettings
{
    public required Uri Broker { get; init; }
    /// <summary>Deliveries after the first that a message gets before the broker puts it aside. Only what can't be read ever uses them up.</summary>
    public int DeliveryLimit { get; init; } = 20;
}

public sealed record Subscription(Type Consumer, string Exchange, string[] RoutingKeys);

public static class ConsumerRegistration
{
    /// <summary>Once for each exchange; its queue is "&lt;service&gt;.&lt;exchange&gt;", its dead letters go to "&lt;service&gt;.&lt;exchange&gt;.dead".</summary>
    public static IServiceCollection AddConsumer<TConsumer>(this IServiceCollection services, string exchange, params string[] routingKeys)
        where TConsumer : class, IEventConsumer => services
        .AddSingleton<TConsumer>()
        .AddSingleton(new Subscription(typeof(TConsumer), exchange, routingKeys));

    /// <summary>Once: starts receiving for all that <see cref="AddConsumer"/> named.</summary>
    public static IServiceCollection AddConsumers(this IServiceCollection services, ConsumerSettings settings) => services
        .AddSingleton(settings)
        .AddHostedService<Consumers>();
}

/// <summary>
/// Receives through MassTransit, of which nothing is seen outside this file. A message that can't be read is handed back until the broker itself moves it to
/// the dead letters, body unchanged; anything else that goes wrong is our own trouble and is tried again in place, for as long as it takes.
/// </summary>
internal sealed partial class Consumers(
    Database database, DatabaseSettings service, ConsumerSettings settings, IEnumerable<Subscription> subscriptions, IServiceProvider provider, ILogger<Consumers> log)
    : BackgroundService
{
    private const string InboxSql = "insert into inbox (consumer, event_id) values (@queue, @Id) on conflict do nothing";

    private static readonly TimeSpan MostPatience = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stopping)
    {
        if (!subscriptions.Any())
            return;
        var bus = Bus.Factory.CreateUsingRabbitMq(bus =>
        {
            Connect(bus);
            foreach (var subscription in subscriptions)
                Receive(bus, subscription, stopping);
        });
        bus.ConnectReceiveEndpointObserver(new Observer(log));
        // Returns when the broker is there, however long that takes; until then the service serves.
        await ((Task)bus.StartAsync(stopping)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.Delay(Timeout.Infinite, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        await bus.StopAsync(limit.Token);
    }

    private void Connect(IRabbitMqBusFactoryConfigurator bus)
    {
        var broker = new ConnectionFactory { Uri = settings.Broker };
        bus.Host(broker.HostName, (ushort)broker.Endpoint.Port, broker.VirtualHost, $"imet-{service.Service}-consumers", host =>
        {
            host.Username(broker.UserName);
            host.Password(broker.Password);
            host.Heartbeat(TimeSpan.FromSeconds(10));
            if (broker.Ssl.Enabled)
                host.UseSsl(ssl => ssl.ServerName = broker.Ssl.ServerName);
        });
    }

    private void Receive(IRabbitMqBusFactoryConfigurator bus, Subscription subscription, CancellationToken stopping)
    {
        var consumer = (IEventConsumer)provider.GetRequiredService(subscription.Consumer);
        var queue = $"{service.Service}.{subscription.Exchange}";
        bus.ReceiveEndpoint(queue, endpoint =>
        {
            endpoint.ConfigureConsumeTopology = false;
            endpoint.PublishFaults = false;
            endpoint.PrefetchCount = 32;
            endpoint.ConcurrentMessageLimit = 8;
            // All that RabbitMQ 3 and 4 do differently when nothing is said.
            endpoint.SetQuorumQueue();
            endpoint.SetQueueArgument("x-delivery-limit", settings.DeliveryLimit);
            endpoint.SetQueueArgument("x-dead-letter-strategy", "at-least-once");
            endpoint.SetQueueArgument("x-overflow", "reject-publish");
            endpoint.BindDeadLetterQueue($"{queue}.dead", $"{queue}.dead", dead => dead.SetQueueArgument("x-queue-type", "quorum"));
            endpoint.RethrowFaultedMessages();
            endpoint.ThrowOnSkippedMessages();
            foreach (var key in subscription.RoutingKeys)
                endpoint.Bind(subscription.Exchange, binding =>
                {
                    binding.ExchangeType = RabbitMQ.Client.ExchangeType.Topic;
                    binding.RoutingKey = key;
                });
            endpoint.UseRawJsonDeserializer(RawSerializerOptions.AnyMessageType, isDefault: true);
            endpoint.Handler<AnyEvent>(context => ReceiveAsync(queue, consumer, context.ReceiveContext.GetBody(), stopping));
        });
    }

    private async Task ReceiveAsync(string queue, IEventConsumer consumer, byte[] body, CancellationToken stopping)
    {
        var (e, parent) = CloudEvents.Read(body);
        using var activity = Telemetry.Source.StartActivity($"receive {e.Type}", ActivityKind.Consumer, parent);
        for (var failures = 1; ; failures++)
        {
            try
            {
                await database.WriteAsync(async tx =>
                {
                    var isNew = await tx.Connection.ExecuteAsync(new CommandDefinition(InboxSql, new { queue, e.Id }, tx.Npgsql, cancellationToken: stopping)) == 1;
                    if (isNew)
                        await consumer.ReceiveAsync(tx, e, stopping);
                    return isNew;
                }, stopping);
                return;
            }
            catch (Exception trouble) when (trouble is not UnreadableEventException && !stopping.IsCancellationRequested)
            {
                LogWaiting(e.Id, e.Type, failures, Faults.Describe(trouble));
                await Task.Delay(BackOff.After(failures, MostPatience), stopping);
            }
        }
    }

    [LoggerMessage(LogLevel.Warning, "Event {EventId} ({Type}) waits after attempt {Attempt}: {Fault}")]
    private partial void LogWaiting(Guid eventId, string type, int attempt, string fault);

    // Its content is read from the bytes: MassTransit needs a type to deliver.
    private sealed record AnyEvent;

    private sealed partial class Observer(ILogger log) : IReceiveEndpointObserver
    {
        public Task Ready(ReceiveEndpointReady ready)
        {
            LogReady(log, ready.InputAddress);
            return Task.CompletedTask;
        }

        public Task Faulted(ReceiveEndpointFaulted faulted)
        {
            LogFaulted(log, faulted.InputAddress, faulted.Exception?.GetBaseException().Message);
            return Task.CompletedTask;
        }

        public Task Stopping(ReceiveEndpointStopping stopping) => Task.CompletedTask;

        public Task Completed(ReceiveEndpointCompleted completed) => Task.CompletedTask;

        [LoggerMessage(LogLevel.Information, "Receiving from {Queue}")]
        private static partial void LogReady(ILogger log, Uri queue);

        [LoggerMessage(LogLevel.Warning, "Nothing can be received from {Queue}, trying again: {Reason}")]
        private static partial void LogFaulted(ILogger log, Uri queue, string? reason);
    }
}
