using System.Collections.Concurrent;
using Imet.Testing;
using RabbitMQ.Client;

namespace Imet.Chassis.Tests;

public sealed class RelayTests(Servers servers)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_event_arrives_as_a_CloudEvent_that_tells_nothing_of_us()
    {
        var broker = await servers.NewBrokerVhostAsync(Cancel);
        await using var subscriber = await Subscriber.StartAsync(broker, Cancel, Stage.Exchange);
        await using var stage = await Stage.StartAsync(await Stage.NewDatabaseAsync(servers), Stage.Relay(broker));
        await stage.Database.WriteAsync(tx =>
        {
            tx.Publish(Stage.NoteEvent("n1", 7, "FRA") with { TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" });
            return Task.FromResult(true);
        }, Cancel);
        var e = await subscriber.WaitForAsync(e => !e.IsHeartbeat, Cancel);
        Assert.Equal(("note.written.FRA", "application/cloudevents+json"), (e.RoutingKey, e.ContentType));
        Assert.Empty(e.Headers);
        Assert.Equal(
            ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "partitionkey", "aggregateversion", "country", "traceparent", "data"],
            e.Body.EnumerateObject().Select(property => property.Name));
        Assert.Equal(("/imet/enrollment", "imet.chassis.tests.NoteWritten", "note/n1", "n1", 7L), (e.Source, e.Type, e.Subject, e.PartitionKey, e.AggregateVersion));
        Assert.Equal("""{"text":"n1","number":"7"}""", e.Data.GetRawText().Replace(" ", "", StringComparison.Ordinal));
        Assert.Equal(e.Id, await stage.QueryOneAsync<Guid>("select id from outbox where aggregate = 'note'"));
    }

    [Fact]
    public async Task A_heart_beats_through_the_whole_path()
    {
        var broker = await servers.NewBrokerVhostAsync(Cancel);
        await using var subscriber = await Subscriber.StartAsync(broker, Cancel, Stage.Exchange);
        await using var stage = await Stage.StartAsync(await Stage.NewDatabaseAsync(servers), services => services
            .AddRelay(new RelaySettings { Broker = new Uri(broker), Exchange = Stage.Exchange, HeartbeatEvery = TimeSpan.FromMilliseconds(100) }));
        var beats = await subscriber.WaitForAsync(3, e => e.IsHeartbeat, Cancel);
        Assert.Equal([1, 2, 3], beats.Take(3).Select(e => e.AggregateVersion));
        Assert.Equal(("heartbeat.beat.ALL", "enrollment"), (beats[0].RoutingKey, beats[0].PartitionKey));
    }

    [Fact]
    public async Task Of_two_relays_one_sends_and_the_others_commits_reach_it()
    {
        var broker = await servers.NewBrokerVhostAsync(Cancel);
        await using var subscriber = await Subscriber.StartAsync(broker, Cancel, Stage.Exchange);
        var data = await Stage.NewDatabaseAsync(servers);
        await using var one = await Stage.StartAsync(data, Stage.Relay(broker));
        await using var two = await Stage.StartAsync(data, Stage.Relay(broker));
        await Eventually.TrueAsync(async () => await HoldersAsync(one) == 1, Cancel);
        for (var i = 0; i < 100; i++)
            await (i % 2 == 0 ? one : two).WriteNoteAsync($"n{i % 10}");
        var events = await subscriber.WaitForAsync(100, e => !e.IsHeartbeat, Cancel);
        Assert.Equal(100, events.DistinctBy(e => e.Id).Count());
        Assert.Equal(100, events.Count);
        Assert.True(new[] { one, two }.Count(stage => stage.Get<RelayMeasures>().Active) == 1);
        AssertInOrder(events);
    }

    [Fact]
    public async Task When_the_active_relay_loses_its_session_another_takes_over_and_nothing_is_lost()
    {
        var broker = await servers.NewBrokerVhostAsync(Cancel);
        await using var subscriber = await Subscriber.StartAsync(broker, Cancel, Stage.Exchange);
        var data = await Stage.NewDatabaseAsync(servers);
        await using var one = await Stage.StartAsync(data, Stage.Relay(broker));
        await using var two = await Stage.StartAsync(data, Stage.Relay(broker));
        await using var writer = await Stage.StartAsync(data);
        var writing = Task.WhenAll(Enumerable.Range(0, 4).Select(w => Task.Run(async () =>
        {
            for (var i = 0; i < 250; i++)
                await writer.WriteNoteAsync($"w{w}-{i % 7}");
        })));
        for (var kill = 0; kill < 4; kill++)
        {
            await Eventually.TrueAsync(async () => await HoldersAsync(one) == 1, Cancel);
            await Stage.AdministerAsync(data, $"select pg_terminate_backend(pid) from ({Holders}) as holder");
            await Task.Delay(300, Cancel);
        }
        await writing;
        await Eventually.TrueAsync(() => subscriber.Received.Where(e => !e.IsHeartbeat).DistinctBy(e => e.Id).Count() == 1000, Cancel);
        AssertInOrder(subscriber.Received);
        await AssertPositionsAsync(one);
    }

    [Fact]
    public async Task A_transaction_that_commits_late_leaves_no_gap_and_loses_no_event()
    {
        var broker = await servers.NewBrokerVhostAsync(Cancel);
        await using var subscriber = await Subscriber.StartAsync(broker, Cancel, Stage.Exchange);
        await using var stage = await Stage.StartAsync(await Stage.NewDatabaseAsync(servers), Stage.Relay(broker));
        // It has drawn its seq and holds it while two hundred others, in other aggregates and waiting for its own, commit.
        var late = stage.WriteNoteAsync("late", beforeCommit: () =>
            Eventually.TrueAsync(async () => await stage.QueryOneAsync<int>("select count(*) from outbox where published_at is not null and aggregate = 'note'") >= 200, Cancel));
        var waiting = Enumerable.Range(0, 3).Select(_ => stage.WriteNoteAsync("late")).ToList();
        await Task.WhenAll(Enumerable.Range(0, 4).Select(w => Task.Run(async () =>
        {
            for (var i = 0; i < 50; i++)
                await stage.WriteNoteAsync($"w{w}-{i % 5}");
        })));
        await late;
        await Task.WhenAll(waiting);
        var events = await subscriber.WaitForAsync(204, e => !e.IsHeartbeat, Cancel);
        Assert.Equal([1, 2, 3, 4], events.Where(e => e.PartitionKey == "late").Select(e => e.AggregateVersion));
        AssertInOrder(events);
        await AssertPositionsAsync(stage);
    }

    [Fact]
    public async Task An_event_that_one_of_ours_must_get_waits_for_its_queue_and_holds_back_its_aggregate_only()
    {
        var broker = await servers.NewBrokerVhostAsync(Cancel);
        var data = await Stage.NewDatabaseAsync(servers);
        await using var stage = await Stage.StartAsync(data, Stage.Relay(broker, "note.#"));
        await stage.WriteNoteAsync("a");
        await stage.WriteNoteAsync("a");
        await Eventually.TrueAsync(async () => await stage.QueryOneAsync<int>("select count(*) from outbox where aggregate_id = 'a' and aggregate_version = 1 and attempts >= 2") == 1, Cancel);
        Assert.Equal(0, await stage.QueryOneAsync<int>("select count(*) from outbox where aggregate = 'note' and (published_at is not null or aggregate_version = 2 and attempts > 0)"));
        Assert.Contains("no queue of ours is bound for note.written.ALL", await stage.QueryOneAsync<string>("select last_error from outbox where attempts > 0 and aggregate = 'note'"), StringComparison.Ordinal);
        Assert.Equal(1, stage.Get<RelayMeasures>().Stopped);
        // The heartbeat must reach nobody: it went, and is marked.
        Assert.True(await stage.QueryOneAsync<bool>("select unrouted from outbox where aggregate = 'heartbeat'"));

        await using var subscriber = await Subscriber.StartAsync(broker, Cancel, Stage.Exchange);
        var events = await subscriber.WaitForAsync(2, e => !e.IsHeartbeat, Cancel);
        Assert.Equal([1, 2], events.Select(e => e.AggregateVersion));
        await Eventually.TrueAsync(async () => await stage.QueryOneAsync<int>("select count(*) from outbox where published_at is null") == 0, Cancel);
        Assert.Equal(0, await stage.QueryOneAsync<int>("select count(*) from outbox where aggregate = 'note' and unrouted"));
    }

    [Fact]
    public async Task An_exchange_that_vanished_is_declared_again_and_what_was_under_way_is_sent_again()
    {
        var broker = await servers.NewBrokerVhostAsync(Cancel);
        await using var stage = await Stage.StartAsync(await Stage.NewDatabaseAsync(servers), Stage.Relay(broker));
        await using var connection = await new ConnectionFactory { Uri = new Uri(broker) }.CreateConnectionAsync(Cancel);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
        await Eventually.TrueAsync(async () => await stage.QueryOneAsync<int>("select count(*) from outbox where published_at is not null") == 1, Cancel);
        await channel.ExchangeDeleteAsync(Stage.Exchange, cancellationToken: Cancel);
        for (var i = 0; i < 20; i++)
            await stage.WriteNoteAsync("a");
        await Eventually.TrueAsync(async () => await stage.QueryOneAsync<int>("select count(*) from outbox where published_at is null") == 0, Cancel);
        await channel.ExchangeDeclarePassiveAsync(Stage.Exchange, Cancel);
    }

    [Fact]
    public async Task Two_events_of_one_version_are_refused()
    {
        await using var stage = await Stage.StartAsync(await Stage.NewDatabaseAsync(servers));
        await stage.WriteNoteAsync("a");
        await Assert.ThrowsAsync<Npgsql.PostgresException>(() => stage.Database.WriteAsync(tx =>
        {
            tx.Publish(Stage.NoteEvent("a", 1));
            return Task.FromResult(true);
        }, Cancel));
        // Of a change that concerns several countries each gets an event of its own.
        await stage.Database.WriteAsync(tx =>
        {
            tx.Publish(Stage.NoteEvent("a", 2, "FRA"));
            tx.Publish(Stage.NoteEvent("a", 2, "KEN"));
            return Task.FromResult(true);
        }, Cancel);
    }

    [Theory]
    [InlineData("note.#", "note.written.FRA", true)]
    [InlineData("note.*", "note.written.FRA", false)]
    [InlineData("*.written.*", "note.written.FRA", true)]
    [InlineData("#", "note.written.FRA", true)]
    [InlineData("#.FRA", "note.written.FRA", true)]
    [InlineData("note.written.KEN", "note.written.FRA", false)]
    [InlineData("note.#.FRA", "note.FRA", true)]
    public void A_pattern_matches_as_the_broker_matches(string pattern, string routingKey, bool matches) => Assert.Equal(matches, Topic.Matches(pattern, routingKey));

    internal const string Holders = "select pid from pg_locks where locktype = 'advisory' and classid = 1380273241 and granted and database = (select oid from pg_database where datname = current_database())";

    internal static Task<int> HoldersAsync(Stage stage) => stage.QueryOneAsync<int>($"select count(*) from ({Holders}) as holder");

    /// <summary>First deliveries of an aggregate come in the order of its versions, beginning with the first.</summary>
    internal static void AssertInOrder(IEnumerable<CloudEvent> received)
    {
        var last = new ConcurrentDictionary<string, long>();
        foreach (var e in received.DistinctBy(e => e.Id))
            Assert.Equal(e.AggregateVersion, last.AddOrUpdate(e.Subject, 1, (_, version) => version + 1));
    }

    internal static async Task AssertPositionsAsync(Stage stage)
    {
        var positions = await stage.QueryAsync<long>("select position from outbox order by position");
        Assert.Equal(Enumerable.Range(1, positions.Count).Select(i => (long)i), positions);
        Assert.Equal(0, await stage.QueryOneAsync<int>("""
            select count(*) from outbox a join outbox b using (aggregate, aggregate_id)
            where a.aggregate_version < b.aggregate_version and a.position > b.position
            """));
    }
}
