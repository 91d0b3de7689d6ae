using Dapper;
using Grpc.Core;
using Imet.Events.V1;
using Imet.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Imet.Chassis.Tests;

public sealed class EventLogTests(Servers servers)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_log_holds_what_the_exchange_got_with_the_same_ids_and_bytes()
    {
        var broker = await servers.NewBrokerVhostAsync(Cancel);
        await using var subscriber = await Subscriber.StartAsync(broker, "note.#", ["imet.echo.v1"], Cancel);
        await using var log = await StartAsync(settings: ("Broker:Uri", broker));
        for (var i = 0; i < 40; i++)
            await log.Writer.WriteNoteAsync($"n{i % 4}");
        var sent = await subscriber.WaitForAsync(40, _ => true, Cancel);

        var logged = await log.AllAsync(new ListEventsRequest { Aggregates = { "note" }, PageSize = 7 });

        Assert.Equal(sent.Select(e => (e.RoutingKey, e.Body.GetRawText())).Order(), logged.Select(e => (e.RoutingKey, e.CloudEvent)).Order());
        Assert.Equal(logged.Select(e => e.Position).Order(), logged.Select(e => e.Position));
        var one = logged[20];
        var rest = await log.AllAsync(new ListEventsRequest { AfterEventId = Id(one).ToString(), Aggregates = { "note" } });
        Assert.Equal(logged.Skip(21), rest);
        Assert.Equal(rest, await log.AllAsync(new ListEventsRequest { AfterPosition = one.Position, Aggregates = { "note" } }));
    }

    [Fact]
    public async Task A_caller_limited_to_countries_sees_theirs_and_those_of_no_country()
    {
        await using var log = await StartAsync();
        foreach (var (note, country) in new[] { ("a", "PAK"), ("b", "THA"), ("c", null), ("d", "PAK"), ("e", "KEN") })
            await log.WriteAsync(Stage.NoteEvent(note, 1, country));
        await log.NumberedAsync(5);

        Assert.Equal(["a", "c", "d"], (await log.AllAsync(new ListEventsRequest { Aggregates = { "note" } }, "PAK")).Select(Note));
        Assert.Equal(["c"], (await log.AllAsync(new ListEventsRequest { Aggregates = { "note" } }, "FRA")).Select(Note));
        Assert.Equal(["a", "c", "d", "e"], (await log.FollowAsync(new WatchEventsRequest { AfterPosition = 0, Aggregates = { "note" } }, 4, "PAK KEN")).Select(Note));
        var all = await log.AllAsync(new ListEventsRequest { Aggregates = { "note" } });
        var refused = await Refused.ByAsync(() => log.AllAsync(new ListEventsRequest { AfterEventId = Id(all[1]).ToString() }, "PAK"));
        Assert.Equal((StatusCode.NotFound, "EVENT_UNKNOWN"), (refused.Code, refused.Reason));
        var scopeless = await Refused.ByAsync(async () => await new EventService.EventServiceClient(log.House.Channel(log.House.Keys.Token("echo.read"))).ListEventsAsync(new(), cancellationToken: Cancel));
        Assert.Equal((StatusCode.PermissionDenied, "SCOPE_REQUIRED"), (scopeless.Code, scopeless.Reason));
    }

    [Fact]
    public async Task Who_takes_a_snapshot_and_then_follows_misses_nothing_however_often_the_watch_is_cut()
    {
        await using var log = await StartAsync();
        var seed = Environment.TickCount;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var writing = Task.WhenAll(Enumerable.Range(0, 4).Select(w => Task.Run(async () =>
        {
            for (var i = 0; i < 250; i++)
                await log.Writer.WriteNoteAsync($"n{(w * 7 + i) % 20}");
        })));
        await log.NumberedAsync(100);

        // As a partner does: first where the log stands, then what there is, then what comes.
        var begin = await log.Client().ListEventsAsync(new ListEventsRequest { PageSize = 1 }, cancellationToken: Cancel);
        var known = (await log.Writer.QueryAsync<(string Id, long Version)>("select id, version from note")).ToDictionary(note => note.Id, note => note.Version);
        var (position, ids) = (begin.Position, new List<Guid>());
        while (true)
        {
            using var call = log.Client().WatchEvents(new WatchEventsRequest { AfterPosition = position, Epoch = begin.Epoch }, cancellationToken: Cancel);
            for (var read = random.Next(1, 12); read > 0 && await call.ResponseStream.MoveNext(Cancel); read--)
            {
                foreach (var e in call.ResponseStream.Current.Events)
                {
                    ids.Add(Id(e));
                    var (note, version) = (Note(e), Version(e));
                    if (version > known.GetValueOrDefault(note) && !e.RoutingKey.StartsWith("heartbeat", StringComparison.Ordinal))
                        known[note] = known.GetValueOrDefault(note) + 1 == version ? version : throw new InvalidOperationException($"{note} jumps from {known.GetValueOrDefault(note)} to {version}");
                }
                position = call.ResponseStream.Current.Position;
            }
            if (writing.IsCompleted && await log.Writer.QueryOneAsync<long>("select count(*) from outbox where position is null") == 0
                && position >= (await log.Client().ListEventsAsync(new ListEventsRequest { PageSize = 1 }, cancellationToken: Cancel)).Position)
                break;
        }
        await writing;

        Assert.Equal(ids.Count, ids.Distinct().Count());
        Assert.Equal((await log.Writer.QueryAsync<(string Id, long Version)>("select id, version from note")).Order(), known.Select(note => (note.Key, note.Value)).Order());
    }

    [Fact]
    public async Task A_watch_says_at_once_where_it_stands_and_then_that_there_is_nothing()
    {
        await using var log = await StartAsync(new EventLogSettings { HeartbeatEvery = TimeSpan.FromMilliseconds(100) });
        await log.WriteAsync(Stage.NoteEvent("a", 1));
        await log.NumberedAsync(1);
        var state = await log.Client().ListEventsAsync(new(), cancellationToken: Cancel);
        using var call = log.Client().WatchEvents(new WatchEventsRequest { Aggregates = { "note" } }, cancellationToken: Cancel);
        for (var i = 0; i < 4; i++)
        {
            Assert.True(await call.ResponseStream.MoveNext(Cancel));
            var answer = call.ResponseStream.Current;
            Assert.Empty(answer.Events);
            Assert.Equal(state.Epoch, answer.Epoch);
            Assert.True(answer.Position >= state.Position);
        }
    }

    [Fact]
    public async Task A_stop_ends_every_watch_as_unavailable_and_does_not_wait_for_them()
    {
        await using var log = await StartAsync();
        using var call = log.Client().WatchEvents(new WatchEventsRequest(), cancellationToken: Cancel);
        Assert.True(await call.ResponseStream.MoveNext(Cancel));

        var stopping = log.House.Host.App!.StopAsync(Cancel);
        var refused = await Refused.ByAsync(async () =>
        {
            while (await call.ResponseStream.MoveNext(Cancel)) { }
        });

        Assert.Equal((StatusCode.Unavailable, "WATCH_ENDED"), (refused.Code, refused.Reason));
        Assert.NotNull(refused.Status.GetDetail<Google.Rpc.RetryInfo>());
        await stopping.WaitAsync(TimeSpan.FromSeconds(20), Cancel);
    }

    [Fact]
    public async Task A_watch_lasts_only_so_long_and_only_so_many_are_taken()
    {
        await using var log = await StartAsync(new EventLogSettings { LongestWatch = TimeSpan.FromSeconds(2), MostWatches = 1 });
        using var first = log.Client().WatchEvents(new WatchEventsRequest(), cancellationToken: Cancel);
        Assert.True(await first.ResponseStream.MoveNext(Cancel));
        using var second = log.Client().WatchEvents(new WatchEventsRequest(), cancellationToken: Cancel);
        var refused = await Refused.ByAsync(() => second.ResponseStream.MoveNext(Cancel));
        Assert.Equal((StatusCode.ResourceExhausted, "OVERLOADED"), (refused.Code, refused.Reason));
        var ended = await Refused.ByAsync(async () =>
        {
            while (await first.ResponseStream.MoveNext(Cancel)) { }
        });
        Assert.Equal((StatusCode.Unavailable, "WATCH_ENDED"), (ended.Code, ended.Reason));
    }

    [Fact]
    public async Task A_reader_that_does_not_read_is_ended_and_nobody_else_waits_for_it()
    {
        await using var log = await StartAsync(new EventLogSettings { Patience = TimeSpan.FromSeconds(5) });
        var text = new string('x', 40_000);
        using var idle = log.Client().WatchEvents(new WatchEventsRequest { Aggregates = { "note" } }, cancellationToken: Cancel);
        Assert.True(await idle.ResponseStream.MoveNext(Cancel));
        using var reading = log.Client().WatchEvents(new WatchEventsRequest { Aggregates = { "note" } }, cancellationToken: Cancel);
        Assert.True(await reading.ResponseStream.MoveNext(Cancel));

        var writing = Task.Run(async () =>
        {
            for (var i = 0; i < 300; i++)
                await log.WriteAsync(Stage.NoteEvent($"n{i}", 1) with { Data = new NoteWritten { Text = text } });
        }, Cancel);
        var read = 0;
        while (read < 300 && await reading.ResponseStream.MoveNext(Cancel))
            read += reading.ResponseStream.Current.Events.Count;
        await writing;

        Assert.Equal(300, read);
        await Eventually.TrueAsync(() => log.House.Host.App!.Services.GetRequiredService<Watches>().Count == 1, Cancel);
        var held = 0;
        var refused = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await idle.ResponseStream.MoveNext(Cancel))
                held += idle.ResponseStream.Current.Events.Count;
        });
        Assert.True(refused.StatusCode is StatusCode.ResourceExhausted, refused.Status.ToString());
        Assert.Contains("Watch again", refused.Status.Detail, StringComparison.Ordinal);
        // Of the 12 MB that it did not read no more than two messages were ever fetched for it.
        Assert.InRange(held, 0, 75);
    }

    [Fact]
    public async Task A_position_that_can_not_be_followed_is_refused_with_what_to_do()
    {
        await using var log = await StartAsync();
        await log.WriteAsync(Stage.NoteEvent("a", 1));
        await log.NumberedAsync(1);
        var state = await log.Client().ListEventsAsync(new(), cancellationToken: Cancel);

        await RefusedAsync(new() { AfterPosition = 1_000_000 }, StatusCode.OutOfRange, "POSITION_UNKNOWN");
        await RefusedAsync(new() { AfterEventId = Guid.CreateVersion7().ToString() }, StatusCode.NotFound, "EVENT_UNKNOWN");
        await RefusedAsync(new() { AfterPosition = -1 }, StatusCode.InvalidArgument, "INVALID_FIELDS");
        await RefusedAsync(new() { Epoch = Guid.NewGuid().ToString() }, StatusCode.FailedPrecondition, "EPOCH_CHANGED");
        await Stage.AdministerAsync(log.Writer.Data, "update enrollment.outbox_state set purged_position = position, position = position + 10");
        await RefusedAsync(new() { AfterPosition = 1, Epoch = state.Epoch }, state.Position > 1 ? StatusCode.OutOfRange : StatusCode.OK, "EVENTS_PURGED");

        using var call = log.Client().WatchEvents(new WatchEventsRequest(), cancellationToken: Cancel);
        Assert.True(await call.ResponseStream.MoveNext(Cancel));
        await Stage.AdministerAsync(log.Writer.Data, "update enrollment.outbox_state set epoch = gen_random_uuid()");
        var restored = await Refused.ByAsync(async () =>
        {
            while (await call.ResponseStream.MoveNext(Cancel)) { }
        });
        Assert.Equal((StatusCode.FailedPrecondition, "EPOCH_CHANGED"), (restored.Code, restored.Reason));

        async Task RefusedAsync(ListEventsRequest request, StatusCode code, string reason)
        {
            if (code == StatusCode.OK)
                return;
            var refused = await Refused.ByAsync(async () => await log.Client().ListEventsAsync(request, cancellationToken: Cancel));
            Assert.Equal((code, reason), (refused.Code, refused.Reason));
        }
    }

    [Fact]
    public async Task Months_that_are_over_go_with_their_events_unless_one_was_never_sent()
    {
        await using var stage = await Stage.StartAsync(await Stage.NewDatabaseAsync(servers), services => services.AddHousekeeping(new HousekeepingSettings
        {
            EventsKept = TimeSpan.FromDays(30), StartSettles = TimeSpan.FromDays(1),
        }));
        await Stage.AdministerAsync(stage.Data, $"""
            set search_path = enrollment;
            set role imet_enrollment_owner;
            create table outbox_2020_01 partition of outbox for values from (outbox_bound('2020-01-01 00:00Z')) to (outbox_bound('2020-02-01 00:00Z'));
            create table outbox_2020_02 partition of outbox for values from (outbox_bound('2020-02-01 00:00Z')) to (outbox_bound('2020-03-01 00:00Z'));
            create table outbox_2020_03 partition of outbox for values from (outbox_bound('2020-03-01 00:00Z')) to (outbox_bound('2020-04-01 00:00Z'));
            insert into outbox (id, aggregate, aggregate_id, aggregate_version, country, type, routing_key, body, position, published_at) values
                (outbox_bound('2020-01-10 00:00Z'), 'note', 'a', 1, 'ALL', 't', 'k', 'b', 1, now()), (outbox_bound('2020-02-10 00:00Z'), 'note', 'a', 2, 'ALL', 't', 'k', 'b', 2, now()),
                (outbox_bound('2020-02-11 00:00Z'), 'note', 'a', 3, 'ALL', 't', 'k', 'b', 3, null), (outbox_bound('2019-05-05 00:00Z'), 'note', 'a', 4, 'ALL', 't', 'k', 'b', 4, now());
            update outbox_state set position = 4;
            """);
        await stage.WriteNoteAsync("now");
        var housekeeping = stage.Get<IEnumerable<Microsoft.Extensions.Hosting.IHostedService>>().OfType<Housekeeping>().Single();

        await housekeeping.RunOnceAsync(Cancel);

        Assert.Equal(["a 2", "a 3", "now 1"], (await stage.QueryAsync<string>("select aggregate_id || ' ' || aggregate_version from outbox")).Order());
        Assert.Equal(["outbox_2020_02"], await stage.QueryAsync<string>("select relname::text from pg_class where relname ~ '^outbox_2020_..$'"));
        Assert.Equal(4, await stage.QueryOneAsync<long>("select purged_position from outbox_state"));
    }

    private async Task<Log> StartAsync(EventLogSettings? events = null, params (string Key, string Value)[] settings)
    {
        var data = await Stage.NewDatabaseAsync(servers);
        var house = await EchoHouse.StartAsync(
            host =>
            {
                if (events is not null)
                    host.Services.AddSingleton(events);
            },
            [("Database:ConnectionString", data.Runtime(Stage.Schema)), .. settings]);
        return new Log(house, await Stage.StartAsync(data));
    }

    private static Guid Id(LoggedEvent e) => Read(e).Id;

    private static string Note(LoggedEvent e) => Read(e).AggregateId;

    private static long Version(LoggedEvent e) => Read(e).AggregateVersion;

    private static ReceivedEvent Read(LoggedEvent e) => CloudEvents.Read(System.Text.Encoding.UTF8.GetBytes(e.CloudEvent)).Event;

    /// <summary>A service that serves its log and numbers it (no broker is needed for that), and another process that writes.</summary>
    private sealed record Log(EchoHouse House, Stage Writer) : IAsyncDisposable
    {
        public EventService.EventServiceClient Client(string? countries = null) => new(House.Channel(House.Keys.Token("events.read", countries: countries)));

        public Task<bool> WriteAsync(OutboundEvent e) => Writer.Database.WriteAsync(tx =>
        {
            tx.Publish(e);
            return Task.FromResult(true);
        }, Cancel);

        public Task NumberedAsync(int notes) => Eventually.TrueAsync(
            async () => await Writer.QueryOneAsync<long>("select count(*) from outbox where aggregate = 'note' and position is not null") >= notes, Cancel);

        public async Task<List<LoggedEvent>> AllAsync(ListEventsRequest request, string? countries = null)
        {
            var (client, all) = (Client(countries), new List<LoggedEvent>());
            do
            {
                var page = await client.ListEventsAsync(request, cancellationToken: Cancel);
                all.AddRange(page.Events);
                request.PageToken = page.NextPageToken;
            }
            while (request.PageToken.Length > 0);
            return all;
        }

        public async Task<List<LoggedEvent>> FollowAsync(WatchEventsRequest request, int count, string? countries = null)
        {
            var all = new List<LoggedEvent>();
            using var call = Client(countries).WatchEvents(request, cancellationToken: Cancel);
            while (all.Count < count && await call.ResponseStream.MoveNext(Cancel))
                all.AddRange(call.ResponseStream.Current.Events);
            return all;
        }

        public async ValueTask DisposeAsync()
        {
            await House.DisposeAsync();
            await Writer.DisposeAsync();
        }
    }
}
