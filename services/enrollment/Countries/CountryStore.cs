using Imet.Chassis;
using Npgsql;

namespace Imet.Enrollment.Countries;

/// <summary>How far somebody knows a country's rules. An epoch changes only when the record was restored, and revisions start anew.</summary>
public readonly record struct SeenRevision(string Epoch, long Revision)
{
    /// <summary>Whether this tells one who has seen the other something new. Another epoch always does.</summary>
    public bool IsNewsTo(SeenRevision other) => Epoch != other.Epoch || Revision > other.Revision;
}

public sealed class CountryStore
{
    // Lock names of two integers are a space of their own; the first says what the second is.
    internal const int LockSpace = 0x496d6574;

    // Shared by all who advance a line, exclusive for who learns a higher revision. A lock on the row (for share) would do as well but for two things: sharers that keep coming would let
    // the learner wait for ever, since PostgreSQL lets a new sharer pass a waiting writer; and each sharer would write to the row. Advisory locks queue in order and write nothing.
    private const string LockSql = "select pg_advisory_xact_lock_shared($1, $2)";

    private const string LockAloneSql = "select pg_advisory_xact_lock($1, $2)";

    // A statement of its own, after the lock: only then does its snapshot hold what was committed while we waited.
    private const string SeenSql = """
        select now(), s.epoch, s.revision from (values ($1)) as asked(country) left join country_seen s on s.country = asked.country
        """;

    public static void AddLock(NpgsqlBatch batch, string country)
    {
        batch.BatchCommands.Add(new NpgsqlBatchCommand(LockSql) { Parameters = { Value(LockSpace), Value(Number(country)) } });
        batch.BatchCommands.Add(new NpgsqlBatchCommand(SeenSql) { Parameters = { Value(country) } });
    }

    public static async Task<(SeenRevision? Seen, DateTime Now)> ReadLockAsync(NpgsqlDataReader reader, CancellationToken cancel)
    {
        await reader.NextResultAsync(cancel);
        await reader.ReadAsync(cancel);
        return (reader.IsDBNull(1) ? null : new SeenRevision(reader.GetString(1), reader.GetInt64(2)), reader.GetDateTime(0));
    }

    private const string LearnSql = """
        insert into country_seen (country, epoch, revision) values ($1, $2, $3)
        on conflict (country) do update set epoch = excluded.epoch, revision = excluded.revision, seen_at = now()
        where country_seen.epoch <> excluded.epoch or country_seen.revision < excluded.revision
        returning revision
        """;

    // A late event of an older epoch must not bring that epoch back: only an answer may change it.
    private const string LearnWithinEpochSql = """
        insert into country_seen (country, epoch, revision) values ($1, $2, $3)
        on conflict (country) do update set revision = excluded.revision, seen_at = now()
        where country_seen.epoch = excluded.epoch and country_seen.revision < excluded.revision
        returning revision
        """;

    /// <summary>Waits for all who are about to commit on less, then raises what is known of the country. True when it was news.</summary>
    public Task<bool> LearnAsync(Transaction tx, string country, SeenRevision answer, CancellationToken cancel) => LearnAsync(LearnSql, tx, country, answer, cancel);

    public Task<bool> LearnWithinEpochAsync(Transaction tx, string country, SeenRevision told, CancellationToken cancel) => LearnAsync(LearnWithinEpochSql, tx, country, told, cancel);

    private const string HasLinesSql = "select exists (select from training_lines where country = $1 and is_open) or exists (select from training_lines where country = $1 and cancel_cause = 'RESTRICTION' and not is_open)";

    public async Task<bool> HasLinesAsync(Transaction tx, string country, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(HasLinesSql, tx.Connection, tx.Npgsql) { Parameters = { Value(country) } };
        return await command.ExecuteScalarAsync(cancel) is true;
    }

    private const string FindSeenSql = "select epoch, revision from country_seen where country = $1";

    public async Task<SeenRevision?> FindSeenAsync(NpgsqlConnection connection, string country, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(FindSeenSql, connection) { Parameters = { Value(country) } };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        return await reader.ReadAsync(cancel) ? new SeenRevision(reader.GetString(0), reader.GetInt64(1)) : null;
    }

    private const string AllSeenSql = "select country, epoch, revision, examined_on from country_seen";

    public async Task<Dictionary<string, (SeenRevision Seen, DateOnly? ExaminedOn)>> AllSeenAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(AllSeenSql, connection);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        Dictionary<string, (SeenRevision, DateOnly?)> all = [];
        while (await reader.ReadAsync(cancel))
            all[reader.GetString(0)] = (new SeenRevision(reader.GetString(1), reader.GetInt64(2)), reader.IsDBNull(3) ? null : reader.GetFieldValue<DateOnly>(3));
        return all;
    }

    private const string ExaminedSql = "update country_seen set examined_on = $2 where country = $1";

    public void Examined(Transaction tx, string country, DateOnly today) => tx.Enqueue(ExaminedSql, country, today);

    private static async Task<bool> LearnAsync(string sql, Transaction tx, string country, SeenRevision answer, CancellationToken cancel)
    {
        await using var batch = new NpgsqlBatch(tx.Connection, tx.Npgsql)
        {
            BatchCommands =
            {
                new NpgsqlBatchCommand(LockAloneSql) { Parameters = { Value(LockSpace), Value(Number(country)) } },
                new NpgsqlBatchCommand(sql) { Parameters = { Value(country), Value(answer.Epoch), Value(answer.Revision) } },
            },
        };
        await using var reader = await batch.ExecuteReaderAsync(cancel);
        await reader.NextResultAsync(cancel);
        return await reader.ReadAsync(cancel);
    }

    /// <summary>A number for each code of three capitals, none twice.</summary>
    private static int Number(string country) => ((((country[0] - 'A') * 26) + country[1] - 'A') * 26) + country[2] - 'A';

    private static NpgsqlParameter<T> Value<T>(T value) => new() { TypedValue = value };
}
