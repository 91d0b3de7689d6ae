using Imet.Chassis;

namespace Imet.Enrollment.Audit;

/// <summary>Chains what was committed, each second, on whichever replica comes first.</summary>
public sealed partial class Sealer(Database database, AuditStore store, TimeProvider clock, ILogger<Sealer> log) : BackgroundService
{
    private const int BatchSize = 5000;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                while (await database.WriteAsync(tx => store.SealAsync(tx, BatchSize, stoppingToken), stoppingToken) == BatchSize)
                    ;
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                NotSealed(e.GetType().Name);
            }
        }
    }

    [LoggerMessage(LogLevel.Warning, "Entries wait to be sealed: {Fault}")]
    private partial void NotSealed(string fault);
}
