using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Imet.Chassis;

public sealed record HousekeepingSettings
{
    /// <summary>How long a repeated request gets its first answer.</summary>
    public TimeSpan RequestsKept { get; init; } = TimeSpan.FromDays(7);
    /// <summary>How long a repeated event is known to be one. A dead letter that is sent in again later than this would count as new.</summary>
    public TimeSpan EventIdsKept { get; init; } = TimeSpan.FromDays(90);
    /// <summary>How long the log of events is kept, at least: what goes is whole months.</summary>
    public TimeSpan EventsKept { get; init; } = TimeSpan.FromDays(400);
    public TimeSpan StartSettles { get; init; } = TimeSpan.FromSeconds(5);
}

public static class HousekeepingRegistration
{
    public static IServiceCollection AddHousekeeping(this IServiceCollection services, HousekeepingSettings settings) => services
        .AddSingleton(settings)
        .AddHostedService<Housekeeping>();
}

/// <summary>Takes away what has served its time, in small steps that no caller feels.</summary>
internal sealed partial class Housekeeping(Database database, HousekeepingSettings settings, TimeProvider clock, ILogger<Housekeeping> log) : BackgroundService
{
    private const int AtOnce = 2000;

    private const string RequestsSql = """
        delete from request_log where (caller, method, request_id) in (
            select caller, method, request_id from request_log where recorded_at < now() - @Kept limit @AtOnce for update skip locked)
        """;

    private const string EventIdsSql = """
        delete from inbox where (consumer, event_id) in (
            select consumer, event_id from inbox where received_at < now() - @Kept limit @AtOnce for update skip locked)
        """;

    private const string PurgeSql = "select outbox_purge(@Kept)";

    protected override async Task ExecuteAsync(CancellationToken stopping)
    {
        await Task.Delay(settings.StartSettles, clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // Most of what an idle service holds is what its start left behind, and an idle service has no reason to collect it by itself.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await RunOnceAsync(stopping);
            }
            catch (Exception e) when (!stopping.IsCancellationRequested)
            {
                LogLater(Faults.Describe(e));
            }
            catch
            {
                return;
            }
            await Task.Delay(TimeSpan.FromHours(1), clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    internal async Task RunOnceAsync(CancellationToken cancel)
    {
        await DeleteAsync(RequestsSql, settings.RequestsKept, cancel);
        await DeleteAsync(EventIdsSql, settings.EventIdsKept, cancel);
        await PurgeAsync(cancel);
    }

    private async Task DeleteAsync(string sql, TimeSpan kept, CancellationToken cancel)
    {
        while (await database.ReadAsync(c => c.ExecuteAsync(new CommandDefinition(sql, new { Kept = kept, AtOnce }, cancellationToken: cancel)), cancel) == AtOnce)
            await Task.Delay(100, cancel);
    }

    private async Task PurgeAsync(CancellationToken cancel)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await database.ReadAsync(c => c.ExecuteAsync(new CommandDefinition(PurgeSql, new { Kept = settings.EventsKept }, cancellationToken: cancel)), cancel);
                return;
            }
            // Somebody was writing events: no matter, this can wait.
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.LockNotAvailable && attempt < 20)
            {
                await Task.Delay(TimeSpan.FromSeconds(0.5), clock, cancel);
            }
        }
    }

    [LoggerMessage(LogLevel.Warning, "Old rows stay until the next round: {Fault}")]
    private partial void LogLater(string fault);
}
