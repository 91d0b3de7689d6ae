using Npgsql;

namespace Imet.Chassis;

/// <summary>An event as it is stored: complete, so that whoever sends it only copies bytes.</summary>
internal sealed record OutboxRow
{
    private const string InsertSql = """
        insert into outbox (id, aggregate, aggregate_id, aggregate_version, country, type, routing_key, body)
        select e.id, e.aggregate, e.aggregate_id, e.aggregate_version, e.country, e.type, e.routing_key, e.body
        from unnest($1, $2, $3, $4, $5, $6, $7, $8) as e (id, aggregate, aggregate_id, aggregate_version, country, type, routing_key, body)
        """;

    public required Guid Id { get; init; }
    public required string Aggregate { get; init; }
    public required string AggregateId { get; init; }
    public required long AggregateVersion { get; init; }
    public required string Country { get; init; }
    public required string Type { get; init; }
    public required string RoutingKey { get; init; }
    public required string Body { get; init; }

    public static OutboxRow Of(OutboundEvent e, string service, TimeProvider clock)
    {
        var time = clock.GetUtcNow();
        var id = Guid.CreateVersion7(time);
        var route = CloudEvents.Route(e.Data.Descriptor);
        var country = e.Country ?? CloudEvents.AllCountries;
        return new OutboxRow
        {
            Id = id,
            Aggregate = route.Aggregate,
            AggregateId = e.AggregateId,
            AggregateVersion = e.AggregateVersion,
            Country = country,
            Type = e.Data.Descriptor.FullName,
            RoutingKey = $"{route.Aggregate}.{route.Change}.{country}",
            Body = CloudEvents.Write(e, id, service, time),
        };
    }

    /// <summary>One statement for all rows; each draws its seq in the order of the list.</summary>
    public static void Enqueue(Transaction tx, List<OutboxRow> rows) => tx.Enqueue(InsertSql,
        rows.ConvertAll(r => r.Id),
        rows.ConvertAll(r => r.Aggregate),
        rows.ConvertAll(r => r.AggregateId),
        rows.ConvertAll(r => r.AggregateVersion),
        rows.ConvertAll(r => r.Country),
        rows.ConvertAll(r => r.Type),
        rows.ConvertAll(r => r.RoutingKey),
        rows.ConvertAll(r => r.Body));
}

/// <summary>An event on its way out.</summary>
internal sealed record Outgoing
{
    public required Guid Id { get; init; }
    /// <summary>Aggregate and its id: what order is kept within.</summary>
    public required string Key { get; init; }
    public required string Type { get; init; }
    public required string RoutingKey { get; init; }
    public required byte[] Body { get; init; }
    public required TimeSpan Age { get; init; }
}

/// <summary>What became of events that were sent, to be written down.</summary>
internal sealed class Settlement
{
    public List<Guid> Published { get; } = [];
    public List<Guid> Unrouted { get; } = [];
    public List<(Guid Id, string Error)> Failed { get; } = [];
    public bool IsEmpty => Published.Count + Failed.Count == 0;
}

/// <summary>
/// The relay's own session. It holds the lock that makes this relay the active one, and every statement of the relay runs in it: a relay that lost
/// its session, and with it the lock, can no longer number or mark anything.
/// </summary>
internal sealed class OutboxSession(NpgsqlConnection connection, string schema) : IAsyncDisposable
{
    private const int LockClass = 0x52454c59; // "RELY"
    private const int NumberAtOnce = 2000;

    private const string MarkSql = "update outbox set published_at = now(), unrouted = id = any($2), attempts = attempts + 1 where id = any($1)";

    private const string FailSql = """
        update outbox set attempts = attempts + 1, last_error = f.error
        from unnest($1, $2) as f (id, error)
        where outbox.id = f.id
        """;

    // What has no position yet, never "what is above the last": a transaction may commit after another that drew a higher seq.
    private const string NumberSql = """
        with fresh as materialized (
            select id, row_number() over (order by seq) as n
            from (select id, seq from outbox where published_at is null and position is null order by position, seq limit $1) as unnumbered
        ), state as (
            update outbox_state set position = position + (select count(*) from fresh)
            where (select count(*) from fresh) > 0
            returning position - (select count(*) from fresh) as last
        )
        update outbox set position = state.last + fresh.n
        from fresh, state
        where outbox.id = fresh.id
        """;

    private const string NextSql = """
        select id, aggregate || '/' || aggregate_id, type, routing_key, body, extract(epoch from clock_timestamp() - recorded_at)::float8
        from outbox
        where published_at is null and position is not null and aggregate || '/' || aggregate_id <> all($1)
        order by position limit $2
        """;

    private const string BacklogSql = """
        select count(*), coalesce(extract(epoch from clock_timestamp() - min(recorded_at)), 0)::float8 from outbox where published_at is null
        """;

    private const string BeatSql = "update outbox_state set beat = beat + 1 returning beat, epoch, position";

    private string Channel => $"imet_outbox_{schema}";

    public static async Task<OutboxSession> OpenAsync(DatabaseSettings settings, CancellationToken cancel)
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(settings.ConnectionString)
        {
            ApplicationName = $"imet-{settings.Service}-relay",
            SearchPath = $"{settings.Schema},extensions",
            Pooling = false,
            Timeout = 5,
            CommandTimeout = 10,
            KeepAlive = 0,
            MaxAutoPrepare = 20,
            AutoPrepareMinUsages = 2,
            // A holder that hangs, or whose machine is gone, loses the lock after ten seconds. A plan made while the table was empty must not scan it when it is full.
            Options = "-c idle_session_timeout=10000 -c tcp_keepalives_idle=4 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c statement_timeout=8000 "
                + "-c jit=off -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off",
        }.ConnectionString);
        await connection.OpenAsync(cancel);
        return new OutboxSession(connection, settings.Schema);
    }

    public async Task<bool> TryLockAsync(CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand("select pg_try_advisory_lock($1, hashtext($2))", connection) { Parameters = { new() { Value = LockClass }, new() { Value = schema } } };
        return (bool)(await command.ExecuteScalarAsync(cancel))!;
    }

    public Task NotifyAsync(CancellationToken cancel) => ExecuteAsync($"notify {Channel}", cancel);

    public Task ListenAsync(CancellationToken cancel) => ExecuteAsync($"set idle_session_timeout = 0; listen {Channel}", cancel);

    public Task WaitForNotificationAsync(CancellationToken cancel) => connection.WaitAsync(cancel);

    public Task ExtendAsync(CancellationToken cancel) => ExecuteAsync("select outbox_extend()", cancel);

    /// <summary>Writes down what was settled, numbers what was committed since, and returns what is to be sent next: one round trip, one transaction.</summary>
    public async Task<(List<Outgoing> Next, bool More)> AdvanceAsync(Settlement settled, string[] stopped, int limit, CancellationToken cancel)
    {
        await using var batch = new NpgsqlBatch(connection);
        if (settled.Published.Count > 0)
            Add(MarkSql, settled.Published, settled.Unrouted);
        if (settled.Failed.Count > 0)
            Add(FailSql, settled.Failed.ConvertAll(f => f.Id), settled.Failed.ConvertAll(f => f.Error));
        var number = Add(NumberSql, NumberAtOnce);
        Add(NextSql, stopped, limit);

        var next = new List<Outgoing>(limit);
        await using (var reader = await batch.ExecuteReaderAsync(cancel))
            while (await reader.ReadAsync(cancel))
                next.Add(new Outgoing
                {
                    Id = reader.GetGuid(0),
                    Key = reader.GetString(1),
                    Type = reader.GetString(2),
                    RoutingKey = reader.GetString(3),
                    Body = reader.GetFieldValue<byte[]>(4),
                    Age = TimeSpan.FromSeconds(reader.GetDouble(5)),
                });
        return (next, next.Count == limit || number.RecordsAffected == NumberAtOnce);

        NpgsqlBatchCommand Add(string sql, params object[] values)
        {
            var command = new NpgsqlBatchCommand(sql);
            foreach (var value in values)
                command.Parameters.Add(new NpgsqlParameter { Value = value });
            batch.BatchCommands.Add(command);
            return command;
        }
    }

    public async Task<(long Pending, double OldestSeconds)> BacklogAsync(CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(BacklogSql, connection);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        await reader.ReadAsync(cancel);
        return (reader.GetInt64(0), reader.GetDouble(1));
    }

    public async Task BeatAsync(Func<(long Beat, Guid Epoch, long Position), OutboundEvent> beat, string service, TimeProvider clock, CancellationToken cancel)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        var tx = new Transaction(transaction, service, clock);
        await using (var command = new NpgsqlCommand(BeatSql, connection, transaction))
        await using (var reader = await command.ExecuteReaderAsync(cancel))
        {
            await reader.ReadAsync(cancel);
            tx.Publish(beat((reader.GetInt64(0), reader.GetGuid(1), reader.GetInt64(2))));
        }
        await tx.CommitAsync(cancel);
    }

    public ValueTask DisposeAsync() => connection.DisposeAsync();

    private async Task ExecuteAsync(string sql, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancel);
    }
}
