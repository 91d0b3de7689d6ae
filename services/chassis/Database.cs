using System.Data;
using System.Globalization;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using NpgsqlTypes;

namespace Imet.Chassis;

public sealed record DatabaseSettings
{
    public required string Service { get; init; }
    public required string Schema { get; init; }
    public required string ConnectionString { get; init; }
    public int MaximumConnections { get; init; } = 32;
    public TimeSpan StatementTimeout { get; init; } = TimeSpan.FromSeconds(5);
}

public static class DatabaseRegistration
{
    public static IServiceCollection AddDatabase(this IServiceCollection services, DatabaseSettings settings) => services
        .AddSingleton(settings)
        .AddSingleton(provider => Database.CreateSource(settings))
        .AddSingleton<Signals>()
        .AddSingleton<Database>()
        .AddSingleton<Writes>();
}

public sealed class Database(NpgsqlDataSource source, DatabaseSettings settings, Signals signals, TimeProvider clock)
{
    private const int Attempts = 5;

    static Database()
    {
        DefaultTypeMap.MatchNamesWithUnderscores = true;
        SqlMapper.AddTypeHandler(new DateOnlyHandler());
    }

    public async Task<T> ReadAsync<T>(Func<NpgsqlConnection, Task<T>> read, CancellationToken cancel)
    {
        await using var connection = await source.OpenConnectionAsync(cancel);
        return await read(connection);
    }

    public async Task<T> SnapshotAsync<T>(Func<NpgsqlConnection, Task<T>> read, CancellationToken cancel)
    {
        await using var connection = await source.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancel);
        await using (var readOnly = new NpgsqlCommand("set transaction read only", connection, transaction))
            await readOnly.ExecuteNonQueryAsync(cancel);
        var result = await read(connection);
        await transaction.CommitAsync(cancel);
        return result;
    }

    public async Task<T> WriteAsync<T>(Func<Transaction, Task<T>> work, CancellationToken cancel)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await WriteOnceAsync(work, cancel);
            }
            // Only these two promise that nothing was written and that the same work may succeed when it is run again.
            catch (PostgresException e) when (attempt < Attempts && e.SqlState is PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(Random.Shared.Next(5, 20 << attempt)), clock, cancel);
            }
        }
    }

    private async Task<T> WriteOnceAsync<T>(Func<Transaction, Task<T>> work, CancellationToken cancel)
    {
        await using var connection = await source.OpenConnectionAsync(cancel);
        await using var npgsql = await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancel);
        var transaction = new Transaction(npgsql, settings.Service, clock);
        var result = await work(transaction);
        await transaction.CommitAsync(cancel);
        if (transaction.HasEvents)
            signals.Outbox.Set();
        transaction.RunAfterCommit();
        return result;
    }

    internal static NpgsqlDataSource CreateSource(DatabaseSettings settings)
    {
        var connection = new NpgsqlConnectionStringBuilder(settings.ConnectionString)
        {
            ApplicationName = $"imet-{settings.Service}",
            SearchPath = $"{settings.Schema},extensions",
            MaxPoolSize = settings.MaximumConnections,
            Timeout = 5,
            // The server gives up first and says why; the client's own limit is for a server that no longer answers at all.
            CommandTimeout = (int)settings.StatementTimeout.TotalSeconds + 5,
            MaxAutoPrepare = 200,
            AutoPrepareMinUsages = 2,
            // Nothing of ours leaves state in a pooled session, and the reset is work for the server at each use.
            NoResetOnClose = true,
            Options = string.Create(CultureInfo.InvariantCulture,
                $"-c statement_timeout={settings.StatementTimeout.TotalMilliseconds:F0} -c idle_in_transaction_session_timeout=30000 -c jit=off -c plan_cache_mode=force_generic_plan"),
        };
        return new NpgsqlDataSourceBuilder(connection.ConnectionString).Build();
    }

    private sealed class DateOnlyHandler : SqlMapper.TypeHandler<DateOnly>
    {
        public override DateOnly Parse(object value) => value is DateOnly date ? date : DateOnly.FromDateTime((DateTime)value);

        public override void SetValue(IDbDataParameter parameter, DateOnly value)
        {
            parameter.DbType = DbType.Date;
            parameter.Value = value;
        }
    }
}

/// <summary>A business transaction. Reads go through <see cref="Connection"/>; writes are best queued, so that all of them and the commit cost one round trip.</summary>
public sealed class Transaction
{
    private readonly string _service;
    private readonly TimeProvider _clock;
    private readonly List<OutboxRow> _events = [];
    private readonly List<Action> _afterCommit = [];
    private readonly List<NpgsqlBatchCommand> _queue = [];

    internal Transaction(NpgsqlTransaction npgsql, string service, TimeProvider clock) => (Npgsql, _service, _clock) = (npgsql, service, clock);

    public NpgsqlConnection Connection => Npgsql.Connection!;

    public NpgsqlTransaction Npgsql { get; }

    internal bool HasEvents { get; private set; }

    public void Enqueue(string sql, params object?[] values)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var value in values)
            command.Parameters.Add(value as NpgsqlParameter ?? new NpgsqlParameter
            {
                Value = value ?? throw new ArgumentNullException(nameof(values), "A null has no type: use Sql.Null or Sql.Of."),
            });
        _queue.Add(command);
    }

    public void Publish(OutboundEvent e)
    {
        HasEvents = true;
        _events.Add(OutboxRow.Of(e, _service, _clock));
    }

    public void AfterCommit(Action action) => _afterCommit.Add(action);

    public async Task FlushAsync(CancellationToken cancel)
    {
        if (_events.Count > 0)
            OutboxRow.Enqueue(this, _events);
        _events.Clear();
        if (_queue.Count == 0)
            return;
        await using var batch = new NpgsqlBatch(Connection, Npgsql);
        _queue.ForEach(batch.BatchCommands.Add);
        _queue.Clear();
        await batch.ExecuteNonQueryAsync(cancel);
    }

    internal async Task CommitAsync(CancellationToken cancel)
    {
        if (_queue.Count + _events.Count == 0)
        {
            await Npgsql.CommitAsync(cancel);
            return;
        }
        // The commit goes with the writes: row locks are held one round trip less. After an error the server skips what follows it in a batch.
        if (_events.Count > 0)
            OutboxRow.Enqueue(this, _events);
        _events.Clear();
        Enqueue("commit");
        await FlushAsync(cancel);
    }

    internal void RunAfterCommit() => _afterCommit.ForEach(action => action());
}

public static class Sql
{
    public static NpgsqlParameter Null(NpgsqlDbType type) => new() { NpgsqlDbType = type, Value = DBNull.Value };

    public static NpgsqlParameter Of(NpgsqlDbType type, object? value) => new() { NpgsqlDbType = type, Value = value ?? DBNull.Value };

    public static NpgsqlParameter Json(string json) => new() { NpgsqlDbType = NpgsqlDbType.Jsonb, Value = json };
}
