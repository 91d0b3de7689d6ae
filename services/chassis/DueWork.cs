using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Diagnostics.Metrics;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Imet.Chassis;

public interface IDueWorkHandler
{
    static abstract string Kind { get; }

    /// <summary>Does what is due for the key, asking anew what is true now. Whatever it throws, it is called again later, for ever.</summary>
    Task HandleAsync(string key, CancellationToken cancel);
}

public sealed class DueWork(Signals signals)
{
    // The earliest time wins. While a worker has the row its own request is served by it, and what comes meanwhile makes it run again.
    private const string AddSql = """
        insert into due_work as w (kind, key, due_at) values ($1, $2, coalesce($3, '-infinity'))
        on conflict (kind, key) do update set
            due_at = case when w.leased_until is null then least(w.due_at, excluded.due_at) else w.due_at end,
            next_due_at = case when w.leased_until is not null then least(w.next_due_at, excluded.due_at) end
        """;

    public void Add(Transaction tx, string kind, string key, DateTimeOffset? notBefore = null)
    {
        tx.Enqueue(AddSql, kind, key, Sql.Of(NpgsqlTypes.NpgsqlDbType.TimestampTz, notBefore?.UtcDateTime));
        tx.AfterCommit(Signal);
    }

    /// <summary>Adds the work only where a condition in SQL holds at that moment; its own values are $4 and on.</summary>
    public void AddWhere(Transaction tx, string kind, string key, string condition, params ReadOnlySpan<object> values)
    {
        tx.Enqueue(AddSql.Replace("values ($1, $2, coalesce($3, '-infinity'))", $"select $1, $2, coalesce($3, '-infinity') where {condition}", StringComparison.Ordinal),
            [kind, key, Sql.Null(NpgsqlTypes.NpgsqlDbType.TimestampTz), .. values]);
        tx.AfterCommit(Signal);
    }

    public void Signal() => signals.DueWork.Set();
}

public sealed record DueWorkSettings
{
    public int Parallel { get; init; } = 4;
}

public static class DueWorkRegistration
{
    public static IServiceCollection AddDueWorkHandler<THandler>(this IServiceCollection services) where THandler : class, IDueWorkHandler => services
        .AddSingleton<THandler>()
        .AddSingleton(provider => new DueWorkKind(THandler.Kind, (key, cancel) => provider.GetRequiredService<THandler>().HandleAsync(key, cancel)));

    /// <summary>Once: registers <see cref="DueWork"/> and starts working for all that <see cref="AddDueWorkHandler"/> named.</summary>
    public static IServiceCollection AddDueWork(this IServiceCollection services, DueWorkSettings settings) => services
        .AddSingleton(settings)
        .AddSingleton<DueWork>()
        .AddHostedService<DueWorker>();
}

internal sealed record DueWorkKind(string Name, Func<string, CancellationToken, Task> HandleAsync);

/// <summary>Takes what is due under a lease, works outside of any transaction, and takes the row away unless it was asked for again meanwhile.</summary>
internal sealed partial class DueWorker(
    Database database, DueWorkSettings settings, Signals signals, IEnumerable<DueWorkKind> kinds, TimeProvider clock, IMeterFactory meters, ILogger<DueWorker> log)
    : BackgroundService
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan MostPatience = TimeSpan.FromSeconds(30);
    // Short, so that the work of a process that died waits seconds; kept alive while the handler runs.
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(15);

    private const string ClaimSql = """
        with free as materialized (
            select kind, key from due_work
            where due_at <= @Now and (leased_until is null or leased_until <= now()) and kind = any(@Kinds)
            order by due_at limit @Free for update skip locked
        )
        update due_work w set leased_until = now() + @Lease, lease = w.lease + 1, attempts = w.attempts + 1
        from free where w.kind = free.kind and w.key = free.key
        returning w.kind, w.key, w.lease, w.attempts
        """;

    private const string RenewSql = """
        update due_work set leased_until = now() + @Lease
        from unnest(@Kinds, @Keys, @Leases) as mine (kind, key, lease)
        where due_work.kind = mine.kind and due_work.key = mine.key and due_work.lease = mine.lease
        """;

    private const string DoneSql = "delete from due_work where kind = $1 and key = $2 and lease = $3 and next_due_at is null";

    private const string AgainSql = """
        update due_work set due_at = next_due_at, next_due_at = null, leased_until = null, attempts = 0, last_error = null, added_at = now()
        where kind = $1 and key = $2 and lease = $3 and next_due_at is not null
        """;

    // The lease stands for the waiting time too: nobody takes the row before it ends.
    private const string FailedSql = "update due_work set leased_until = now() + $4, last_error = $5 where kind = $1 and key = $2 and lease = $3";

    private const string MeasureSql = """
        select kind, count(*) as pending, extract(epoch from now() - min(greatest(added_at, due_at)))::float8 as oldest
        from due_work where due_at <= @Now group by kind
        """;

    private readonly ConcurrentDictionary<Claim, Task> _running = new();
    private readonly FrozenDictionary<string, DueWorkKind> _kinds = kinds.ToFrozenDictionary(kind => kind.Name);
    private List<Measure> _measures = [];

    protected override async Task ExecuteAsync(CancellationToken stopping)
    {
        if (_kinds.Count == 0)
            return;
        using var meter = meters.Create("Imet");
        meter.CreateObservableGauge("imet.due_work.oldest_age", () => _measures.Select(m => new Measurement<double>(m.Oldest, Tag(m.Kind))), "s", "Age of the oldest work that is due");
        meter.CreateObservableGauge("imet.due_work.pending", () => _measures.Select(m => new Measurement<long>(m.Pending, Tag(m.Kind))), description: "Work that is due");

        // A stop takes no new work and lets what runs end; only what outlives the grace is cut off, and will be run again.
        using var working = new CancellationTokenSource();
        var renewing = RepeatAsync(Lease / 4, RenewAsync, working.Token);
        var measuring = RepeatAsync(TimeSpan.FromSeconds(5), MeasureAsync, stopping);
        await RepeatAsync(TimeSpan.Zero, async _ => await TakeAsync(stopping, working.Token), stopping);
        working.CancelAfter(Grace);
        await Task.WhenAll(_running.Values).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await working.CancelAsync();
        await Task.WhenAll(renewing, measuring);
    }

    private async Task TakeAsync(CancellationToken stopping, CancellationToken working)
    {
        var free = settings.Parallel - _running.Count;
        var claims = free == 0 ? [] : await ClaimAsync(free, stopping);
        foreach (var claim in claims)
            _running[claim] = RunAsync(claim, working);
        if (claims.Count < free || free == 0)
            await signals.DueWork.WaitAsync(Poll, stopping);
    }

    private async Task RunAsync(Claim claim, CancellationToken working)
    {
        await Task.Yield();
        try
        {
            await _kinds[claim.Kind].HandleAsync(claim.Key, working);
            await WriteAsync(tx =>
            {
                tx.Enqueue(DoneSql, claim.Kind, claim.Key, claim.Lease);
                tx.Enqueue(AgainSql, claim.Kind, claim.Key, claim.Lease);
            });
        }
        catch (Exception e)
        {
            var patience = working.IsCancellationRequested ? TimeSpan.Zero : BackOff.After(claim.Attempts, MostPatience);
            LogFailed(claim.Kind, claim.Key, claim.Attempts, patience, Faults.Describe(e));
            // If even this can't be written, the lease ends by itself.
            await ((Task)WriteAsync(tx => tx.Enqueue(FailedSql, claim.Kind, claim.Key, claim.Lease, patience, e.GetType().Name)))
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        finally
        {
            _running.TryRemove(claim, out _);
            signals.DueWork.Set();
        }
    }

    private Task<List<Claim>> ClaimAsync(int free, CancellationToken cancel) => database.ReadAsync(async connection =>
        (await connection.QueryAsync<Claim>(new CommandDefinition(ClaimSql, new { Lease, Now = clock.GetUtcNow().UtcDateTime, Kinds = _kinds.Keys.ToArray(), Free = free }, cancellationToken: cancel))).AsList(), cancel);

    private async Task RenewAsync(CancellationToken cancel)
    {
        var mine = _running.Keys.ToList();
        if (mine.Count > 0)
            await database.ReadAsync(connection => connection.ExecuteAsync(new CommandDefinition(RenewSql,
                new { Lease, Kinds = mine.ConvertAll(c => c.Kind), Keys = mine.ConvertAll(c => c.Key), Leases = mine.ConvertAll(c => c.Lease) }, cancellationToken: cancel)), cancel);
    }

    private async Task MeasureAsync(CancellationToken cancel) => _measures = await database.ReadAsync(async connection =>
        (await connection.QueryAsync<Measure>(new CommandDefinition(MeasureSql, new { Now = clock.GetUtcNow().UtcDateTime }, cancellationToken: cancel))).AsList(), cancel);

    private Task<bool> WriteAsync(Action<Transaction> write) => database.WriteAsync(tx =>
    {
        write(tx);
        return Task.FromResult(true);
    }, CancellationToken.None);

    private async Task RepeatAsync(TimeSpan every, Func<CancellationToken, Task> action, CancellationToken until)
    {
        while (!until.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(every, until);
                await action(until);
            }
            catch (Exception e) when (!until.IsCancellationRequested)
            {
                LogDatabaseAway(Faults.Describe(e));
                await Task.Delay(4 * Poll, until).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch
            {
                return;
            }
        }
    }

    private static KeyValuePair<string, object?> Tag(string kind) => new("kind", kind);

    [LoggerMessage(LogLevel.Warning, "Due work {Kind} of {Key} failed at attempt {Attempt}, again in {Patience}: {Fault}")]
    private partial void LogFailed(string kind, string key, int attempt, TimeSpan patience, string fault);

    [LoggerMessage(LogLevel.Warning, "Due work waits: {Fault}")]
    private partial void LogDatabaseAway(string fault);

    private sealed record Claim
    {
        public required string Kind { get; init; }
        public required string Key { get; init; }
        public required long Lease { get; init; }
        public required int Attempts { get; init; }
    }

    private sealed record Measure
    {
        public required string Kind { get; init; }
        public required long Pending { get; init; }
        public required double Oldest { get; init; }
    }
}
