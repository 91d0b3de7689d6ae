using Imet.Chassis;
using Npgsql;
using NpgsqlTypes;

namespace Imet.Enrollment.Waitlist;

/// <summary>A line's place on the waiting list of its class, and the offer it has, if any.</summary>
public sealed record Wait(int Priority, DateTime Since, DateTime? ExpiresAt);

public sealed class WaitlistStore(DueWork dueWork)
{
    private const string PutSql = """
        insert into waitlist (line_id, offering_id, country, headcount, priority, since, expires_at) values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (line_id) do update set expires_at = excluded.expires_at, passed_over = false
        """;

    private const string DeleteSql = "delete from waitlist where line_id = $1";

    /// <summary>The line's place as it is after a change.</summary>
    public static void Put(Transaction tx, Line line)
    {
        if (line.Waiting is { } waiting)
            tx.Enqueue(PutSql, line.Id, line.OfferingId, line.Country, line.Headcount, waiting.Priority, waiting.Since, Sql.Of(NpgsqlDbType.TimestampTz, waiting.ExpiresAt));
        else
            tx.Enqueue(DeleteSql, line.Id);
    }

    private const string ReconsiderSql = "update waitlist set passed_over = false where offering_id = $1 and expires_at is null and passed_over";

    /// <summary>Seats may be there for who waits. Queued after what changes the class's row: under its lock nobody joins the list unseen.</summary>
    public void Reconsider(Transaction tx, Guid offeringId)
    {
        tx.Enqueue(ReconsiderSql, offeringId);
        dueWork.AddWhere(tx, SeatOffers.Kind, offeringId.ToString(), "exists (select from waitlist where offering_id = $4 and expires_at is null)", offeringId);
    }

    private const string NextSql = LineRows.Sql + """
        where l.line_id = (select line_id from waitlist where offering_id = $1 and expires_at is null and not passed_over order by priority, since, line_id limit 1)
        """;

    /// <summary>Who is next, of those that were not passed over.</summary>
    public async Task<Line?> NextAsync(NpgsqlConnection connection, Guid offeringId, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(NextSql, connection) { Parameters = { Value(offeringId) } };
        return (await LineRows.ReadAsync(command, cancel)).FirstOrDefault();
    }

    private const string PassOverSql = "update waitlist set passed_over = true where line_id = $1";

    public void PassOver(Transaction tx, Guid lineId) => tx.Enqueue(PassOverSql, lineId);

    private const string WaitingIdsSql = "select line_id from waitlist where offering_id = $1 and expires_at is null order by line_id limit $2";

    public async Task<Guid[]> WaitingIdsAsync(NpgsqlConnection connection, Guid offeringId, int size, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(WaitingIdsSql, connection) { Parameters = { Value(offeringId), Value(size) } };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        List<Guid> ids = [];
        while (await reader.ReadAsync(cancel))
            ids.Add(reader.GetGuid(0));
        return [.. ids];
    }

    private const string PageSql = LineRows.Sql + """
        where w.offering_id = $1 and ($2::text[] is null or w.country = any($2)) and (w.priority, w.since, w.line_id) > ($3, $4, $5)
        order by w.priority, w.since, w.line_id limit $6
        """;

    public async Task<List<Line>> PageAsync(NpgsqlConnection connection, Guid offeringId, string[]? countries, (int Priority, DateTime Since, Guid Id) after, int size, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(PageSql, connection)
        {
            Parameters = { Value(offeringId), Sql.Of(NpgsqlDbType.Array | NpgsqlDbType.Text, countries), Value(after.Priority), Value(after.Since), Value(after.Id), Value(size) },
        };
        return await LineRows.ReadAsync(command, cancel);
    }

    private static NpgsqlParameter<T> Value<T>(T value) => new() { TypedValue = value };
}
