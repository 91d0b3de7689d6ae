using Imet.Chassis;

namespace Imet.Enrollment.Students;

/// <summary>Purges who has had no open line, and no change of one, for Retention:Years. How long personal data is needed stands in no text we know, so nothing is purged by time unless the setting says so.</summary>
public sealed partial class Retention(Database database, StudentStore students, Purging purging, IConfiguration settings, TimeProvider clock, ILogger<Retention> log) : BackgroundService
{
    private const int BatchSize = 200;

    private readonly int _years = settings.GetValue("Retention:Years", 0);
    private readonly TimeSpan _every = settings.GetValue("Retention:Every", TimeSpan.FromHours(6));

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (_years <= 0)
            return;
        using var timer = new PeriodicTimer(_every, clock);
        do
        {
            try
            {
                await PurgeOutlivedAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                NotPurged(e.GetType().Name);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private async Task PurgeOutlivedAsync(CancellationToken cancel)
    {
        var before = clock.GetUtcNow().UtcDateTime.AddYears(-_years);
        var after = Guid.Empty;
        while (await database.ReadAsync(connection => students.OutlivedAsync(connection, before, after, BatchSize, cancel), cancel) is [.., var last] page)
        {
            foreach (var student in page)
                await database.WriteAsync(tx => purging.PurgeAsync(tx, student, null, null, Actors.Service, $"Kept for {_years} years.", cancel), cancel);
            after = last;
        }
    }

    [LoggerMessage(LogLevel.Warning, "Personal data that is no longer needed stays until the next round: {Fault}")]
    private partial void NotPurged(string fault);
}
