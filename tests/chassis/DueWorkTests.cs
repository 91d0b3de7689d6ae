using System.Collections.Concurrent;
using Imet.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Imet.Chassis.Tests;

public sealed class DueWorkTests(Servers servers)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Work_asked_for_a_hundred_times_before_it_runs_runs_once()
    {
        var data = await Stage.NewDatabaseAsync(servers);
        var work = new Work();
        await using (var asking = await Stage.StartAsync(data, services => services.AddSingleton<DueWork>()))
            await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => AddAsync(asking, "a")));
        await using var stage = await StartAsync(data, work);
        await Eventually.TrueAsync(() => IsEmptyAsync(stage), Cancel);
        Assert.Equal(["a"], work.Done);
    }

    [Fact]
    public async Task Work_asked_for_while_it_runs_runs_again()
    {
        var gate = new TaskCompletionSource();
        var work = new Work { During = _ => gate.Task };
        await using var stage = await StartAsync(await Stage.NewDatabaseAsync(servers), work);
        await AddAsync(stage, "a");
        await Eventually.TrueAsync(() => work.Begun == 1, Cancel);
        await AddAsync(stage, "a");
        await AddAsync(stage, "a");
        gate.SetResult();
        await Eventually.TrueAsync(() => IsEmptyAsync(stage), Cancel);
        Assert.Equal(["a", "a"], work.Done);
    }

    [Fact]
    public async Task Work_that_is_asked_for_on_a_condition_is_there_only_where_it_holds()
    {
        var work = new Work();
        await using var stage = await StartAsync(await Stage.NewDatabaseAsync(servers), work);
        await stage.Database.WriteAsync(tx =>
        {
            stage.Get<DueWork>().AddWhere(tx, Work.Kind, "no", "$4 > $5", 1, 2);
            stage.Get<DueWork>().AddWhere(tx, Work.Kind, "yes", "$4 < $5", 1, 2);
            return Task.FromResult(true);
        }, Cancel);
        await Eventually.TrueAsync(() => Task.FromResult(!work.Done.IsEmpty), Cancel);
        await Eventually.TrueAsync(() => IsEmptyAsync(stage), Cancel);
        Assert.Equal(["yes"], work.Done);
    }

    [Fact]
    public async Task Work_that_fails_is_repeated_until_it_does_not()
    {
        var work = new Work { During = n => n < 4 ? throw new InvalidOperationException("not yet") : Task.CompletedTask };
        await using var stage = await StartAsync(await Stage.NewDatabaseAsync(servers), work);
        await AddAsync(stage, "a");
        await Eventually.TrueAsync(async () => await stage.QueryOneAsync<int>("select count(*) from due_work where last_error = 'InvalidOperationException'") == 1, Cancel);
        await Eventually.TrueAsync(() => IsEmptyAsync(stage), Cancel);
        Assert.Equal((4, 1), (work.Begun, work.Done.Count));
    }

    [Fact]
    public async Task Two_replicas_share_the_work_and_do_each_once()
    {
        var data = await Stage.NewDatabaseAsync(servers);
        var (one, two) = (new Work { During = _ => Task.Delay(20) }, new Work { During = _ => Task.Delay(20) });
        await using var first = await StartAsync(data, one);
        await using var second = await StartAsync(data, two);
        await first.Database.WriteAsync(tx =>
        {
            for (var i = 0; i < 60; i++)
                first.Get<DueWork>().Add(tx, Work.Kind, $"k{i}");
            return Task.FromResult(true);
        }, Cancel);
        await Eventually.TrueAsync(() => IsEmptyAsync(first), Cancel);
        Assert.Equal(60, one.Done.Concat(two.Done).Distinct().Count());
        Assert.Equal(60, one.Done.Count + two.Done.Count);
        Assert.NotEmpty(two.Done);
    }

    [Fact]
    public async Task What_a_process_left_when_it_died_is_taken_up_after_its_lease()
    {
        var data = await Stage.NewDatabaseAsync(servers);
        await Stage.AdministerAsync(data, $"insert into enrollment.due_work (kind, key, due_at, leased_until, lease) values ('{Work.Kind}', 'a', '-infinity', now() + interval '1 second', 5)");
        var work = new Work();
        await using var stage = await StartAsync(data, work);
        await Eventually.TrueAsync(() => IsEmptyAsync(stage), Cancel);
        Assert.Equal(["a"], work.Done);
    }

    [Fact]
    public async Task A_handler_that_outlives_its_lease_keeps_it()
    {
        var data = await Stage.NewDatabaseAsync(servers);
        var gate = new TaskCompletionSource();
        var work = new Work { During = _ => gate.Task };
        await using var stage = await StartAsync(data, work);
        await AddAsync(stage, "a");
        await Eventually.TrueAsync(() => work.Begun == 1, Cancel);
        await Stage.AdministerAsync(data, "update enrollment.due_work set leased_until = now() + interval '4 seconds'");
        await Eventually.TrueAsync(async () => await stage.QueryOneAsync<bool>("select leased_until > now() + interval '5 seconds' from due_work"), Cancel);
        gate.SetResult();
        await Eventually.TrueAsync(() => IsEmptyAsync(stage), Cancel);
        Assert.Equal(1, work.Begun);
    }

    [Fact]
    public async Task Work_waits_for_its_time_and_the_earlier_of_two_times_wins()
    {
        var work = new Work();
        await using var stage = await StartAsync(await Stage.NewDatabaseAsync(servers), work);
        await AddAsync(stage, "later", DateTimeOffset.UtcNow.AddHours(1));
        await AddAsync(stage, "sooner", DateTimeOffset.UtcNow.AddHours(1));
        await AddAsync(stage, "sooner", DateTimeOffset.UtcNow.AddMilliseconds(300));
        await Eventually.TrueAsync(() => work.Done.Contains("sooner"), Cancel);
        Assert.Equal(["sooner"], work.Done);
        await Eventually.TrueAsync(async () => await stage.QueryOneAsync<string>("select string_agg(key, ',') from due_work") == "later", Cancel);
    }

    [Fact]
    public async Task Work_that_asks_for_itself_later_is_kept_for_then()
    {
        var data = await Stage.NewDatabaseAsync(servers);
        Stage? stage = null;
        var work = new Work { During = _ => AddAsync(stage!, "a", DateTimeOffset.UtcNow.AddHours(1)) };
        await using (stage = await StartAsync(data, work))
        {
            await AddAsync(stage, "a");
            await Eventually.TrueAsync(async () => await stage.QueryOneAsync<int>("select count(*) from due_work where due_at > now() and leased_until is null and next_due_at is null") == 1, Cancel);
            Assert.Equal(1, work.Begun);
        }
    }

    [Fact]
    public async Task A_stop_lets_the_work_end()
    {
        var data = await Stage.NewDatabaseAsync(servers);
        var work = new Work { During = _ => Task.Delay(700) };
        var stage = await StartAsync(data, work);
        await AddAsync(stage, "a");
        await Eventually.TrueAsync(() => work.Begun == 1, Cancel);
        await stage.DisposeAsync();
        Assert.Equal(["a"], work.Done);
        await using var look = await Stage.StartAsync(data);
        Assert.True(await IsEmptyAsync(look));
    }

    private static Task<Stage> StartAsync(TestDatabase data, Work work) =>
        Stage.StartAsync(data, services => services.AddDueWorkHandler<Work>().AddDueWork(new DueWorkSettings()).AddSingleton(work));

    private static Task<bool> AddAsync(Stage stage, string key, DateTimeOffset? notBefore = null) => stage.Database.WriteAsync(tx =>
    {
        stage.Get<DueWork>().Add(tx, Work.Kind, key, notBefore);
        return Task.FromResult(true);
    }, Cancel);

    private static async Task<bool> IsEmptyAsync(Stage stage) => await stage.QueryOneAsync<int>("select count(*) from due_work") == 0;

    private sealed class Work : IDueWorkHandler
    {
        private int _begun;

        public static string Kind => "test";

        public int Begun => _begun;

        public Func<int, Task> During { get; init; } = _ => Task.CompletedTask;

        public ConcurrentQueue<string> Done { get; } = new();

        public async Task HandleAsync(string key, CancellationToken cancel)
        {
            await During(Interlocked.Increment(ref _begun));
            Done.Enqueue(key);
        }
    }
}
