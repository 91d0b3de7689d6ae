using System.Reflection;
using System.Security.Cryptography;
using Dapper;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Imet.Chassis;

internal sealed record HealthSettings
{
    public required Assembly House { get; init; }

    /// <summary>How long a stopping service, already unready, still takes calls: the time that balancers need to notice.</summary>
    public required TimeSpan DrainDelay { get; init; }
}

/// <summary>Whether the service should get calls: asked for often, so worked out in the background. The broker has no say, since the outbox holds while it is away.</summary>
internal sealed partial class Readiness(HealthCheckService checks, IHostApplicationLifetime lifetime, HealthSettings settings, TimeProvider clock, ILogger<Readiness> log)
    : BackgroundService, IHostedLifecycleService, IHealthCheck
{
    public const string Deep = "deep";
    public const string Ready = "ready";
    public const string Live = "live";
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan EveryUntilReady = TimeSpan.FromMilliseconds(100);

    private volatile string _why = "starting";
    private volatile bool _stopping;

    /// <summary>Why not; empty = ready.</summary>
    public string Why => _stopping || lifetime.ApplicationStopping.IsCancellationRequested ? "stopping" : _why;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(Why is { Length: > 0 } why ? HealthCheckResult.Unhealthy(why) : HealthCheckResult.Healthy());

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    // Runs before anything stops.
    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        _stopping = true;
        return settings.DrainDelay > TimeSpan.Zero ? Task.Delay(settings.DrainDelay, clock, cancellationToken) : Task.CompletedTask;
    }

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var why = await LookAsync(stoppingToken);
            if (why != _why)
                Changed(why.Length == 0 ? "ready" : why);
            _why = why;
            await Task.Delay(why.Length == 0 ? Every : EveryUntilReady, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<string> LookAsync(CancellationToken cancel)
    {
        try
        {
            var report = await checks.CheckHealthAsync(check => check.Tags.Contains(Deep), cancel);
            return string.Join("; ", report.Entries.Where(entry => entry.Value.Status == HealthStatus.Unhealthy).Select(entry => $"{entry.Key}: {entry.Value.Description ?? "no"}"));
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            return "stopping";
        }
    }

    [LoggerMessage(20, LogLevel.Information, "Readiness: {State}")]
    private partial void Changed(string state);
}

/// <summary>The database answers, has every script of this binary, and the key of page tokens is known.</summary>
internal sealed class DatabaseReadiness(Database database, HealthSettings settings, PageKey pageKey, TimeProvider clock) : IHealthCheck
{
    // A later release may contract the schema while we run.
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(30);

    private long? _met;

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            if ((_met is not { } met || clock.GetElapsedTime(met) > LookEvery) && await MeetAsync(cancellationToken) is { } wrong)
                return HealthCheckResult.Unhealthy(wrong);
            await database.ReadAsync(connection => connection.ExecuteScalarAsync<int>(new CommandDefinition("select 1", commandTimeout: 3, cancellationToken: cancellationToken)), cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (Exception e) when (e is System.Data.Common.DbException or TimeoutException or InvalidOperationException)
        {
            return HealthCheckResult.Unhealthy("can't be reached");
        }
    }

    /// <summary>What is wrong with the schema, in words for an operator; null = nothing.</summary>
    public async Task<string?> MeetAsync(CancellationToken cancel)
    {
        if (await Migrator.MismatchAsync(database, settings.House, cancel) is { } mismatch)
        {
            _met = null;
            return mismatch;
        }
        if (!pageKey.IsKnown)
            pageKey.Bytes = await PageKeyAsync(cancel);
        _met = clock.GetTimestamp();
        return null;
    }

    private Task<byte[]> PageKeyAsync(CancellationToken cancel)
    {
        const string make = "insert into settings (name, value) values ('page-key', @key) on conflict (name) do nothing";
        const string read = "select value from settings where name = 'page-key'";
        return database.ReadAsync(async connection =>
        {
            await connection.ExecuteAsync(new CommandDefinition(make, new { key = RandomNumberGenerator.GetBytes(32) }, cancellationToken: cancel));
            return await connection.QuerySingleAsync<byte[]>(new CommandDefinition(read, cancellationToken: cancel));
        }, cancel);
    }
}

internal static class HealthRegistration
{
    public static IServiceCollection AddHealth(this IServiceCollection services, HealthSettings settings)
    {
        services.AddSingleton(settings);
        services.AddSingleton<DatabaseReadiness>();
        services.AddSingleton<Readiness>();
        services.AddHostedService(provider => provider.GetRequiredService<Readiness>());
        services.AddHealthChecks()
            .Add(new HealthCheckRegistration("database", provider => provider.GetRequiredService<DatabaseReadiness>(), HealthStatus.Unhealthy, [Readiness.Deep], TimeSpan.FromSeconds(5)))
            .AddCheck(Readiness.Live, static () => HealthCheckResult.Healthy(), [Readiness.Live])
            .Add(new HealthCheckRegistration(Readiness.Ready, provider => provider.GetRequiredService<Readiness>(), HealthStatus.Unhealthy, [Readiness.Ready]));
        services.AddGrpcHealthChecks(options =>
        {
            options.Services.Clear();
            options.Services.Map("", context => context.Tags.Contains(Readiness.Ready));
            options.Services.Map("ready", context => context.Tags.Contains(Readiness.Ready));
            options.Services.Map("live", context => context.Tags.Contains(Readiness.Live));
        });
        // Tells those who watch; the check itself looks at a field.
        services.Configure<HealthCheckPublisherOptions>(options =>
        {
            options.Delay = TimeSpan.FromSeconds(1);
            options.Period = TimeSpan.FromSeconds(1);
            options.Predicate = check => check.Tags.Contains(Readiness.Ready) || check.Tags.Contains(Readiness.Live);
        });
        return services;
    }
}

internal static class Health
{
    public static Task AnswerAsync(HttpContext context)
    {
        switch (context.Request.Path.Value)
        {
            // Nothing is asked: a process that can answer lives, whatever is wrong around it.
            case "/health/live":
                return context.Response.WriteAsync("live\n");
            case "/health/ready":
                var why = context.RequestServices.GetRequiredService<Readiness>().Why;
                context.Response.StatusCode = why.Length == 0 ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
                return context.Response.WriteAsync(why.Length == 0 ? "ready\n" : $"not ready: {why}\n");
            default:
                context.Response.StatusCode = StatusCodes.Status404NotFound;
                return context.Response.WriteAsync("There are /health/live, /health/ready and /metrics.\n");
        }
    }
}
