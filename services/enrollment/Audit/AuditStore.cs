using System.Security.Cryptography;
using Google.Protobuf.WellKnownTypes;
using Imet.Chassis;
using Imet.Enrollment.History;
using Imet.Enrollment.V1;
using Npgsql;

namespace Imet.Enrollment.Audit;

public sealed class AuditStore
{
    private const string InsertSql = """
        insert into audit_entries (resource, resource_id, version, country, change, actor, cause, field_names, field_digests, recorded_at, digest)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """;

    private const string InsertSaltSql = "insert into audit_salts (resource, resource_id, version, salt) values ($1, $2, $3, $4)";

    /// <summary>Queues an entry and gives the new tip, which the resource's own row must hold.</summary>
    public AuditTip Enter(Transaction tx, AuditChange change, AuditTip tip, DateTime now)
    {
        var salt = RandomNumberGenerator.GetBytes(16);
        var entry = AuditChain.Entry(change, tip, salt, now, out var digest);
        tx.Enqueue(InsertSql, change.Resource, change.Id, entry.Version, change.Country, change.Change, change.Actor, change.Cause,
            entry.Fields.Select(field => field.Name).ToArray(), entry.Fields.Select(field => field.Digest).ToArray(), now, digest);
        if (entry.Fields.Count > 0)
            tx.Enqueue(InsertSaltSql, change.Resource, change.Id, entry.Version, salt);
        return new AuditTip(entry.Version, digest);
    }

    private const string LockSql = "select position from audit_sealed_up_to for update skip locked";

    // Every entry was committed with an event of its own, and the relay numbers committed events without gaps: nothing can still come below a position that was given.
    private const string UnsealedSql = """
        select o.position, o.aggregate, o.aggregate_id::uuid, o.aggregate_version, coalesce(h.digest, a.digest, decode(repeat('00', 32), 'hex'))
        from outbox o
        left join line_history h on o.aggregate = 'training-line' and h.line_id = o.aggregate_id::uuid and h.version = o.aggregate_version
        left join audit_entries a on o.aggregate <> 'training-line' and a.resource = o.aggregate and a.resource_id = o.aggregate_id::uuid and a.version = o.aggregate_version
        where o.position > $1 and o.aggregate = any($2)
        order by o.position limit $3
        """;

    private const string LastPositionSql = "select position from outbox_state";

    private const string TipSql = "select digest, position from audit_seals order by position desc limit 1";

    private const string SealSql = """
        insert into audit_seals (position, resource, resource_id, version, entry_digest, digest)
        select * from unnest($1, $2, $3, $4, $5, $6)
        """;

    private const string SealedUpToSql = "update audit_sealed_up_to set position = $1";

    // Entries of these have a digest of their own; other events (heartbeats, seats of a class) tell of no entry.
    private static readonly string[] Audited = ["training-line", "student", "unit", "person-bar", "unit-flag", "allocation"];

    /// <summary>Seals the next entries. Gives how many; null when another replica is at it.</summary>
    public async Task<int?> SealAsync(Transaction tx, int size, CancellationToken cancel)
    {
        await using var tip = new NpgsqlBatch(tx.Connection, tx.Npgsql) { BatchCommands = { new NpgsqlBatchCommand(LockSql), new NpgsqlBatchCommand(LastPositionSql), new NpgsqlBatchCommand(TipSql) } };
        long from, last;
        byte[] digest = [];
        await using (var reader = await tip.ExecuteReaderAsync(cancel))
        {
            if (!await reader.ReadAsync(cancel))
                return null;
            from = reader.GetInt64(0);
            await reader.NextResultAsync(cancel);
            await reader.ReadAsync(cancel);
            last = reader.GetInt64(0);
            await reader.NextResultAsync(cancel);
            // The statement that reads entries may see some that were numbered after "last" was read: what has a seal is never sealed again.
            if (await reader.ReadAsync(cancel))
                (digest, from) = (reader.GetFieldValue<byte[]>(0), Math.Max(from, reader.GetInt64(1)));
        }
        if (from >= last)
            return 0;

        List<SealedEntry> sealing = [];
        var digests = new List<byte[]>();
        await using (var command = new NpgsqlCommand(UnsealedSql, tx.Connection, tx.Npgsql) { Parameters = { Value(from), Value(Audited), Value(size) } })
        await using (var reader = await command.ExecuteReaderAsync(cancel))
        {
            while (await reader.ReadAsync(cancel))
            {
                var entry = new SealedEntry
                {
                    Position = reader.GetInt64(0),
                    Resource = reader.GetString(1),
                    ResourceId = reader.GetGuid(2).ToString(),
                    Version = reader.GetInt64(3),
                    EntryDigest = Convert.ToHexStringLower(reader.GetFieldValue<byte[]>(4)),
                };
                digests.Add(digest = AuditChain.Digest(digest, entry));
                sealing.Add(entry);
            }
        }
        if (sealing.Count > 0)
        {
            tx.Enqueue(SealSql, sealing.Select(entry => entry.Position).ToArray(), sealing.Select(entry => entry.Resource).ToArray(), sealing.Select(entry => Guid.Parse(entry.ResourceId)).ToArray(),
                sealing.Select(entry => entry.Version).ToArray(), sealing.Select(entry => Convert.FromHexString(entry.EntryDigest)).ToArray(), digests.ToArray());
        }
        // A position that was read before a full page was is not skipped: what is beyond it is read next.
        tx.Enqueue(SealedUpToSql, sealing.Count == size ? sealing[^1].Position : last);
        return sealing.Count;
    }

    private const string ListSql = """
        select s.position, s.resource, s.resource_id, s.version, s.entry_digest, s.digest,
               h.version, h.change, h.state, h.actor, h.cause, h.judgement, h.recorded_at, h.digest, h.line,
               a.country, a.change, a.actor, a.cause, a.field_names, a.field_digests, a.recorded_at, a.digest
        from audit_seals s
        left join line_history h on s.resource = 'training-line' and h.line_id = s.resource_id and h.version = s.version
        left join audit_entries a on a.resource = s.resource and a.resource_id = s.resource_id and a.version = s.version
        where s.position > $1 order by s.position limit $2
        """;

    public async Task<List<SealedEntry>> ListAsync(NpgsqlConnection connection, long after, int size, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(ListSql, connection) { Parameters = { Value(after), Value(size) } };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        List<SealedEntry> entries = [];
        while (await reader.ReadAsync(cancel))
        {
            entries.Add(new SealedEntry
            {
                Position = reader.GetInt64(0),
                Resource = reader.GetString(1),
                ResourceId = reader.GetGuid(2).ToString(),
                Version = reader.GetInt64(3),
                EntryDigest = Convert.ToHexStringLower(reader.GetFieldValue<byte[]>(4)),
                Digest = Convert.ToHexStringLower(reader.GetFieldValue<byte[]>(5)),
                Line = reader.IsDBNull(6) ? null : HistoryStore.Read(reader, 6),
                Audit = reader.IsDBNull(15) ? null : ReadEntry(reader),
            });
        }
        return entries;
    }

    // Whatever has no seal, also what was put in by hand and so has no event.
    private const string UnsealedCountSql = """
        select count(*), min(recorded_at) from (
            select h.recorded_at from line_history h where not exists (select from audit_seals s where s.resource = 'training-line' and s.resource_id = h.line_id and s.version = h.version)
            union all
            select a.recorded_at from audit_entries a where not exists (select from audit_seals s where s.resource = a.resource and s.resource_id = a.resource_id and s.version = a.version)
        ) unsealed
        """;

    public async Task<(long Count, DateTime? Oldest)> UnsealedAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(UnsealedCountSql, connection);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        await reader.ReadAsync(cancel);
        return (reader.GetInt64(0), reader.IsDBNull(1) ? null : reader.GetDateTime(1));
    }

    private const string DeleteSaltsSql = "delete from audit_salts where resource = $1 and resource_id = $2";

    public void DeleteSalts(Transaction tx, string resource, Guid id) => tx.Enqueue(DeleteSaltsSql, resource, id);

    private static AuditEntry ReadEntry(NpgsqlDataReader reader)
    {
        var entry = new AuditEntry
        {
            Resource = reader.GetString(1),
            ResourceId = reader.GetGuid(2).ToString(),
            Version = reader.GetInt64(3),
            Country = reader.GetString(15),
            Change = reader.GetString(16),
            Actor = reader.GetString(17),
            Cause = reader.GetString(18),
            RecordedTime = Timestamp.FromDateTime(reader.GetDateTime(21)),
            Digest = Convert.ToHexStringLower(reader.GetFieldValue<byte[]>(22)),
        };
        var (names, digests) = (reader.GetFieldValue<string[]>(19), reader.GetFieldValue<string[]>(20));
        entry.Fields.Add(names.Zip(digests, (name, digest) => new AuditedField { Name = name, Digest = digest }));
        return entry;
    }

    private static NpgsqlParameter<T> Value<T>(T value) => new() { TypedValue = value };
}
