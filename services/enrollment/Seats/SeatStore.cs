using Imet.Chassis;
using Imet.Enrollment.Offerings;
using Npgsql;
using NpgsqlTypes;

namespace Imet.Enrollment.Seats;

public sealed class SeatStore
{
    private const string OfferingSql = "select version, state, capacity, taken, seats_version from offerings where offering_id = $1";

    private const string LockOfferingSql = OfferingSql + " for no key update";

    // A statement of its own, after the lock: only then does its snapshot hold what was committed while we waited.
    private const string QuotasSql = "select country, nominal, held, taken, opens_on, opened from quotas where offering_id = $1 order by country";

    public Task<ClassSeats?> LockAsync(Transaction tx, Guid offeringId, CancellationToken cancel) => ReadAsync(tx.Connection, LockOfferingSql, offeringId, cancel);

    public Task<ClassSeats?> FindAsync(NpgsqlConnection connection, Guid offeringId, CancellationToken cancel) => ReadAsync(connection, OfferingSql, offeringId, cancel);

    private const string WaitingSql = "select coalesce(sum(headcount), 0)::int from waitlist where offering_id = $1 and expires_at is null";

    public async Task<int> WaitingAsync(NpgsqlConnection connection, Guid offeringId, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(WaitingSql, connection) { Parameters = { Value(offeringId) } };
        return await command.ExecuteScalarAsync(cancel) is int waiting ? waiting : 0;
    }

    private const string TakenBySql = "select country, sum(headcount)::int from training_lines where offering_id = $1 and holds_seat group by country";

    /// <summary>Seats taken by each country. Under the class's lock nobody takes or frees one meanwhile.</summary>
    public async Task<IReadOnlyDictionary<string, int>> TakenByAsync(Transaction tx, Guid offeringId, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(TakenBySql, tx.Connection, tx.Npgsql) { Parameters = { Value(offeringId) } };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        Dictionary<string, int> taken = [];
        while (await reader.ReadAsync(cancel))
            taken[reader.GetString(0)] = reader.GetInt32(1);
        return taken;
    }

    /// <summary>The same for who is about to give a country its first seats: its row knows what the country has taken so far.</summary>
    public async Task<ClassSeats?> LockAsync(Transaction tx, Guid offeringId, string country, CancellationToken cancel) =>
        await LockAsync(tx, offeringId, cancel) is not { } seats ? null
        : seats.Quotas.Any(quota => quota.Country == country) ? seats
        : seats with { Quotas = [.. seats.Quotas, new QuotaRow { Country = country, Taken = (await TakenByAsync(tx, offeringId, cancel)).GetValueOrDefault(country) }] };

    private const string PutQuotaSql = """
        insert into quotas (offering_id, country, nominal, held, taken, opens_on, opened) values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (offering_id, country) do update set nominal = excluded.nominal, held = excluded.held, opens_on = excluded.opens_on, opened = excluded.opened
        """;

    private const string PutVersionSql = "update offerings set seats_version = $2 where offering_id = $1";

    public void Write(Transaction tx, SeatsChange change)
    {
        foreach (var quota in change.Moves.Select(move => move.After))
            tx.Enqueue(PutQuotaSql, change.After.OfferingId, quota.Country, quota.Nominal, quota.Held, quota.Taken, Sql.Of(NpgsqlDbType.Date, quota.OpensOn), quota.Opened);
        tx.Enqueue(PutVersionSql, change.After.OfferingId, change.After.SeatsVersion);
    }

    private const string OverbookedSql = """
        select offering_id, version, capacity, taken, seats_version from offerings
        where watched_until >= $1 and taken > capacity and offering_id > $2
        order by offering_id limit $3
        """;

    /// <summary>Classes that are not over and have more seats taken than there are.</summary>
    public async Task<List<ClassSeats>> OverbookedAsync(NpgsqlConnection connection, DateOnly today, Guid after, int size, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(OverbookedSql, connection) { Parameters = { Value(today), Value(after), Value(size) } };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        List<ClassSeats> overbooked = [];
        while (await reader.ReadAsync(cancel))
        {
            overbooked.Add(new ClassSeats
            {
                OfferingId = reader.GetGuid(0),
                OfferingVersion = reader.GetInt64(1),
                State = CourseCatalog.V1.Offering.Types.State.Unspecified,
                Capacity = reader.GetInt32(2),
                Taken = reader.GetInt32(3),
                SeatsVersion = reader.GetInt64(4),
                Quotas = [],
            });
        }
        return overbooked;
    }

    private static async Task<ClassSeats?> ReadAsync(NpgsqlConnection connection, string offeringSql, Guid offeringId, CancellationToken cancel)
    {
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands = { new NpgsqlBatchCommand(offeringSql) { Parameters = { Value(offeringId) } }, new NpgsqlBatchCommand(QuotasSql) { Parameters = { Value(offeringId) } } },
        };
        await using var reader = await batch.ExecuteReaderAsync(cancel);
        if (!await reader.ReadAsync(cancel))
            return null;
        var seats = new ClassSeats
        {
            OfferingId = offeringId,
            OfferingVersion = reader.GetInt64(0),
            State = OfferingCopy.ParseState(reader.GetString(1)),
            Capacity = reader.GetInt32(2),
            Taken = reader.GetInt32(3),
            SeatsVersion = reader.GetInt64(4),
            Quotas = [],
        };
        await reader.NextResultAsync(cancel);
        List<QuotaRow> quotas = [];
        while (await reader.ReadAsync(cancel))
        {
            quotas.Add(new QuotaRow
            {
                Country = reader.GetString(0),
                Nominal = reader.GetInt32(1),
                Held = reader.GetInt32(2),
                Taken = reader.GetInt32(3),
                OpensOn = reader.IsDBNull(4) ? null : reader.GetFieldValue<DateOnly>(4),
                Opened = reader.GetBoolean(5),
            });
        }
        return seats with { Quotas = quotas };
    }

    private static NpgsqlParameter<T> Value<T>(T value) => new() { TypedValue = value };
}
