using Imet.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Imet.Chassis.Tests;

/// <summary>The broker is stopped under everybody: these run alone.</summary>
[CollectionDefinition("Broker away", DisableParallelization = true)]
public sealed class BrokerAway;

[Collection("Broker away")]
public sealed class BrokerAwayTests(Servers servers)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Events_of_an_outage_are_numbered_during_it_and_arrive_after_it_in_order()
    {
        var broker = await servers.NewBrokerVhostAsync(Cancel);
        await using var subscriber = await Subscriber.StartAsync(broker, Cancel, Stage.Exchange);
        await using var stage = await Stage.StartAsync(await Stage.NewDatabaseAsync(servers), Stage.Relay(broker));
        var writing = WriteAsync(stage, 400);
        await subscriber.WaitForAsync(50, e => !e.IsHeartbeat, Cancel);
        await servers.StopRabbitMqAsync(Cancel);
        try
        {
            await writing;
            await WriteAsync(stage, 400);
            await Eventually.TrueAsync(async () => await stage.QueryOneAsync<int>("select count(*) from outbox where position is null") == 0, Cancel);
            Assert.NotEqual(0, await stage.QueryOneAsync<int>("select count(*) from outbox where published_at is null"));
        }
        finally
        {
            await servers.StartRabbitMqAsync(Cancel);
        }
        await Eventually.TrueAsync(() => subscriber.Received.Where(e => !e.IsHeartbeat).DistinctBy(e => e.Id).Count() == 800, Cancel);
        RelayTests.AssertInOrder(subscriber.Received);
        await RelayTests.AssertPositionsAsync(stage);
    }

    [Fact]
    public async Task A_service_starts_and_writes_without_a_broker_and_receives_when_it_comes()
    {
        var broker = await servers.NewBrokerVhostAsync(Cancel);
        var notes = new ConsumerTests.Notes();
        var data = await Stage.NewDatabaseAsync(servers);
        await servers.StopRabbitMqAsync(Cancel);
        Stage? stage = null;
        try
        {
            stage = await Stage.StartAsync(data, services =>
            {
                Stage.Relay(broker, "note.#")(services);
                services.AddConsumer<ConsumerTests.Notes>(Stage.Exchange, "note.#").AddConsumers(new ConsumerSettings { Broker = new Uri(broker) }).AddSingleton(notes);
            });
            await stage.Database.WriteAsync(tx =>
            {
                tx.Publish(Stage.NoteEvent("a", 1));
                return Task.FromResult(true);
            }, Cancel);
        }
        finally
        {
            await servers.StartRabbitMqAsync(Cancel);
        }
        await using (stage)
            await Eventually.TrueAsync(() => notes.Received.Count == 1, Cancel);
    }

    private static Task WriteAsync(Stage stage, int events) => Task.WhenAll(Enumerable.Range(0, 4).Select(w => Task.Run(async () =>
    {
        for (var i = 0; i < events / 4; i++)
            await stage.WriteNoteAsync($"w{w}-{i % 9}");
    })));
}
