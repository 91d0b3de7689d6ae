using Imet.Chassis;
using Imet.Enrollment.Countries;
using Npgsql;

namespace Imet.Enrollment.Reexamination;

/// <summary>An operator has halted all mass acting. What was due is tried again until somebody lets it go on.</summary>
public sealed class MassActingHaltedException(string reason) : Exception($"Mass acting is halted: {reason}");

public sealed record MassActingRow(bool Halted, string Actor, string Reason, DateTime? Since, int Waiting);

/// <summary>The one switch for everything that the service does to many lines by itself.</summary>
public sealed class MassActingSwitch(Database database)
{
    // No country's number.
    private static readonly string LockSharedSql = $"select pg_advisory_xact_lock_shared({CountryStore.LockSpace}, -1)";

    private static readonly string LockAloneSql = $"select pg_advisory_xact_lock({CountryStore.LockSpace}, -1)";

    private const string LastSql = "select halted, reason from mass_acting order by entry desc limit 1";

    private const string ReadSql = """
        select coalesce(m.halted, false), coalesce(m.actor, ''), coalesce(m.reason, ''), m.recorded_at, (select count(*)::int from due_work)
        from (values (1)) as one(one) left join lateral (select * from mass_acting order by entry desc limit 1) m on true
        """;

    private const string SaySql = "insert into mass_acting (halted, actor, reason) values ($1, $2, $3)";

    /// <summary>For each batch, in its transaction: whoever halts waits for it, and whoever comes after the halt does nothing.</summary>
    public async Task RequireAsync(Transaction tx, CancellationToken cancel)
    {
        await using var batch = new NpgsqlBatch(tx.Connection, tx.Npgsql) { BatchCommands = { new NpgsqlBatchCommand(LockSharedSql), new NpgsqlBatchCommand(LastSql) } };
        await using var reader = await batch.ExecuteReaderAsync(cancel);
        await reader.NextResultAsync(cancel);
        if (await reader.ReadAsync(cancel) && reader.GetBoolean(0))
            throw new MassActingHaltedException(reader.GetString(1));
    }

    public async Task SayAsync(Transaction tx, bool halted, string actor, string reason, CancellationToken cancel)
    {
        await using var batch = new NpgsqlBatch(tx.Connection, tx.Npgsql)
        {
            BatchCommands =
            {
                new NpgsqlBatchCommand(LockAloneSql),
                new NpgsqlBatchCommand(SaySql) { Parameters = { new NpgsqlParameter<bool> { TypedValue = halted }, new NpgsqlParameter<string> { TypedValue = actor }, new NpgsqlParameter<string> { TypedValue = reason } } },
            },
        };
        await batch.ExecuteNonQueryAsync(cancel);
    }

    public Task<MassActingRow> ReadAsync(CancellationToken cancel) => database.ReadAsync(connection => ReadAsync(connection, null, cancel), cancel);

    public async Task<MassActingRow> ReadAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(ReadSql, connection, transaction);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        await reader.ReadAsync(cancel);
        return new MassActingRow(reader.GetBoolean(0), reader.GetString(1), reader.GetString(2), reader.IsDBNull(3) ? null : reader.GetDateTime(3), reader.GetInt32(4));
    }
}

/// <summary>Shows on every replica, as a metric, that mass acting is halted: an alert stands for as long as it is.</summary>
public sealed class MassActingWatch : BackgroundService
{
    private readonly MassActingSwitch _acting;
    private readonly TimeProvider _clock;
    private volatile bool _halted;

    public MassActingWatch(MassActingSwitch acting, TimeProvider clock)
    {
        (_acting, _clock) = (acting, clock);
        Telemetry.Meter.CreateObservableGauge("imet.enrollment.mass_acting_halted", () => _halted ? 1 : 0, description: "1 while an operator has halted mass acting");
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(2), _clock);
        do
        {
            try
            {
                _halted = (await _acting.ReadAsync(stoppingToken)).Halted;
            }
            catch (Exception) when (!stoppingToken.IsCancellationRequested)
            {
                // The database is away, which others report: the last that was known stands.
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }
}
