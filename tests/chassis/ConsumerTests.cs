using System.Collections.Concurrent;
using System.Text;
using Imet.Testing;
using Microsoft.Extensions.DependencyInjection;
using RabbitMQ.Client;

namespace Imet.Chassis.Tests;

public sealed class ConsumerTests(Servers servers)
{
    private const string Queue = "enrollment.imet.enrollment.v1";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_event_takes_effect_once_however_often_it_is_delivered()
    {
        var (stage, wire) = await StartAsync(new Notes());
        await using (stage)
        await using (wire)
        {
            var body = Body("a", 1);
            for (var i = 0; i < 5; i++)
                await wire.SendAsync(body);
            await wire.SendAsync(Body("b", 1));
            await Eventually.TrueAsync(async () => await stage.QueryOneAsync<int>("select count(*) from note") == 2, Cancel);
            await Eventually.TrueAsync(async () => await wire.CountAsync(Queue) == 0, Cancel);
            Assert.Equal(1, await stage.QueryOneAsync<long>("select version from note where id = 'a'"));
            Assert.Equal(2, await stage.QueryOneAsync<int>("select count(*) from inbox"));
        }
    }

    [Fact]
    public async Task Relay_and_consumer_speak_the_same_language()
    {
        var data = await Stage.NewDatabaseAsync(servers);
        var broker = await servers.NewBrokerVhostAsync(Cancel);
        var notes = new Notes();
        await using var stage = await Stage.StartAsync(data, services =>
        {
            Stage.Relay(broker, "note.#")(services);
            services.AddConsumer<Notes>(Stage.Exchange, "note.#").AddConsumers(new ConsumerSettings { Broker = new Uri(broker) }).AddSingleton(notes);
        });
        await stage.Database.WriteAsync(tx =>
        {
            tx.Publish(Stage.NoteEvent("x", 3, "FRA"));
            return Task.FromResult(true);
        }, Cancel);
        await Eventually.TrueAsync(() => notes.Received.Count == 1, Cancel);
        Assert.True(notes.Received.TryPeek(out var e));
        Assert.Equal(("x", 3L, "FRA", "/imet/enrollment", "imet.chassis.tests.NoteWritten"), (e.AggregateId, e.AggregateVersion, e.Country, e.Source, e.Type));
        Assert.Equal(new NoteWritten { Text = "x", Number = 3 }, e.Data<NoteWritten>());
    }

    [Theory]
    [InlineData("this is no JSON")]
    [InlineData("""{"some":"other thing"}""")]
    [InlineData("""{"specversion":"1.0","id":"0198a000-0000-7000-8000-000000000001","source":"/x","type":"x","partitionkey":"p","aggregateversion":1,"data":{"number":"many"}}""")]
    public async Task What_cant_be_read_is_put_aside_by_the_broker_with_its_body_unchanged(string poison)
    {
        var (stage, wire) = await StartAsync(new Notes());
        await using (stage)
        await using (wire)
        {
            await wire.SendAsync(Encoding.UTF8.GetBytes(poison));
            await wire.SendAsync(Body("a", 1));
            await Eventually.TrueAsync(async () => await stage.QueryOneAsync<int>("select count(*) from note") == 1, Cancel);
            await Eventually.TrueAsync(async () => await wire.CountAsync($"{Queue}.dead") == 1, Cancel);
            var dead = (await wire.GetAsync($"{Queue}.dead"))!;
            Assert.Equal(poison, Encoding.UTF8.GetString(dead.Body.Span));
            Assert.Contains("x-death", dead.BasicProperties.Headers!.Keys);
            Assert.DoesNotContain(dead.BasicProperties.Headers.Keys, key => key.StartsWith("MT-", StringComparison.Ordinal));
            Assert.Null(await wire.CountAsync($"{Queue}_error"));
            Assert.Null(await wire.CountAsync($"{Queue}_skipped"));
        }
    }

    [Fact]
    public async Task Our_own_trouble_puts_nothing_aside()
    {
        var (stage, wire) = await StartAsync(new Notes { Troubles = 4 }, deliveryLimit: 1);
        await using (stage)
        await using (wire)
        {
            await wire.SendAsync(Body("a", 1));
            await Eventually.TrueAsync(async () => await stage.QueryOneAsync<int>("select count(*) from note") == 1, Cancel);
            Assert.Equal(0u, await wire.CountAsync($"{Queue}.dead"));
        }
    }

    [Fact]
    public async Task A_stop_in_the_middle_of_trouble_leaves_the_event_to_the_next_process()
    {
        var (stage, wire) = await StartAsync(new Notes { Troubles = int.MaxValue });
        await using (wire)
        {
            await using (stage)
            {
                await wire.SendAsync(Body("a", 1));
                await Eventually.TrueAsync(async () => await wire.CountAsync(Queue) == 0, Cancel);
            }
            await using var next = await Stage.StartAsync(stage.Data, Consuming(new Notes(), wire.Broker, 3));
            await Eventually.TrueAsync(async () => await next.QueryOneAsync<int>("select count(*) from note") == 1, Cancel);
        }
    }

    private async Task<(Stage Stage, Wire Wire)> StartAsync(Notes notes, int deliveryLimit = 3)
    {
        var broker = await servers.NewBrokerVhostAsync(Cancel);
        var stage = await Stage.StartAsync(await Stage.NewDatabaseAsync(servers), Consuming(notes, broker, deliveryLimit));
        var wire = await Wire.OpenAsync(broker);
        await Eventually.TrueAsync(async () => await wire.CountAsync(Queue) is not null, Cancel);
        await wire.ReadyAsync(Queue);
        return (stage, wire);
    }

    private static Action<IServiceCollection> Consuming(Notes notes, string broker, int deliveryLimit) => services => services
        .AddConsumer<Notes>(Stage.Exchange, "note.#")
        .AddConsumers(new ConsumerSettings { Broker = new Uri(broker), DeliveryLimit = deliveryLimit })
        .AddSingleton(notes);

    private static byte[] Body(string note, long version) =>
        Encoding.UTF8.GetBytes(CloudEvents.Write(Stage.NoteEvent(note, version), Guid.CreateVersion7(), "tests", TimeProvider.System.GetUtcNow()));

    internal sealed class Notes : IEventConsumer
    {
        public int Troubles { get; set; }

        public ConcurrentQueue<ReceivedEvent> Received { get; } = new();

        public Task ReceiveAsync(Transaction tx, ReceivedEvent e, CancellationToken cancel)
        {
            var data = e.Data<NoteWritten>();
            tx.Enqueue("insert into note as n (id, version) values ($1, 1) on conflict (id) do update set version = n.version + 1", data.Text);
            if (Troubles-- > 0)
                throw new TimeoutException("The database is away.");
            Received.Enqueue(e);
            return Task.CompletedTask;
        }
    }

    /// <summary>The broker as seen by the plain client.</summary>
    private sealed class Wire(IConnection connection, string broker) : IAsyncDisposable
    {
        public string Broker => broker;

        public static async Task<Wire> OpenAsync(string broker) => new(await new ConnectionFactory { Uri = new Uri(broker) }.CreateConnectionAsync(Cancel), broker);

        public async Task SendAsync(byte[] body)
        {
            await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true), Cancel);
            await channel.BasicPublishAsync(Stage.Exchange, "note.written.ALL", mandatory: true, body, Cancel);
        }

        /// <summary>Messages ready in the queue; null when there is no such queue.</summary>
        public async Task<uint?> CountAsync(string queue)
        {
            try
            {
                await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
                return (await channel.QueueDeclarePassiveAsync(queue, Cancel)).MessageCount;
            }
            catch (RabbitMQ.Client.Exceptions.OperationInterruptedException)
            {
                return null;
            }
        }

        public Task ReadyAsync(string queue) => Eventually.TrueAsync(async () =>
        {
            await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
            return (await channel.QueueDeclarePassiveAsync(queue, Cancel)).ConsumerCount == 1;
        }, Cancel);

        public async Task<BasicGetResult?> GetAsync(string queue)
        {
            await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
            return await channel.BasicGetAsync(queue, autoAck: true, Cancel);
        }

        public ValueTask DisposeAsync() => connection.DisposeAsync();
    }
}
