using Imet.Chassis;
using Imet.Enrollment.V1;
using Npgsql;

namespace Imet.Enrollment.Charges;

public sealed record FreedSeat(Guid LineId, int Seat, decimal Amount);

public sealed class ChargeStore
{
    private const string FreeSql = "insert into freed_seats (line_id, seat, offering_id, amount, freed_at) select $1, seat, $2, amount, $4 from unnest($3::numeric[]) with ordinality parts (amount, seat)";

    public void Free(Transaction tx, Line line, IReadOnlyList<decimal> parts) => tx.Enqueue(FreeSql, line.Id, line.OfferingId, parts.ToArray(), line.ChangedAt);

    private const string RefilledSql = """
        select f.offering_id from (select offering_id, count(*) as seats from freed_seats where refilled_at is null group by offering_id) f
        join offerings o on o.offering_id = f.offering_id where o.taken > o.capacity - f.seats
        """;

    /// <summary>Classes in which more is taken than would be left, had the seats that were given up not been taken again.</summary>
    public async Task<List<Guid>> RefilledAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(RefilledSql, connection);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        List<Guid> offerings = [];
        while (await reader.ReadAsync(cancel))
            offerings.Add(reader.GetGuid(0));
        return offerings;
    }

    private const string LinesSql = "select distinct line_id from freed_seats where offering_id = $1 and refilled_at is null";

    public async Task<Guid[]> LinesAsync(NpgsqlConnection connection, Guid offeringId, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(LinesSql, connection) { Parameters = { Value(offeringId) } };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        List<Guid> lines = [];
        while (await reader.ReadAsync(cancel))
            lines.Add(reader.GetGuid(0));
        return [.. lines];
    }

    private const string LockSeatsSql = "select capacity, taken from offerings where offering_id = $1 for no key update";

    private const string OpenSql = "select line_id, seat, amount from freed_seats where offering_id = $1 and refilled_at is null order by freed_at, line_id, seat";

    /// <summary>Under the lock of the class: how full it is, and the seats given up that nobody has taken again, the oldest first.</summary>
    public async Task<(int Capacity, int Taken, List<FreedSeat> Open)> LockAsync(Transaction tx, Guid offeringId, CancellationToken cancel)
    {
        await using var batch = new NpgsqlBatch(tx.Connection, tx.Npgsql)
        {
            BatchCommands = { new NpgsqlBatchCommand(LockSeatsSql) { Parameters = { Value(offeringId) } }, new NpgsqlBatchCommand(OpenSql) { Parameters = { Value(offeringId) } } },
        };
        await using var reader = await batch.ExecuteReaderAsync(cancel);
        await reader.ReadAsync(cancel);
        var (capacity, taken) = (reader.GetInt32(0), reader.GetInt32(1));
        await reader.NextResultAsync(cancel);
        List<FreedSeat> open = [];
        while (await reader.ReadAsync(cancel))
            open.Add(new FreedSeat(reader.GetGuid(0), reader.GetInt32(1), reader.GetDecimal(2)));
        return (capacity, taken, open);
    }

    private const string RefillSql = "update freed_seats set refilled_at = $3 where line_id = $1 and seat = $2";

    public void Refill(Transaction tx, FreedSeat seat, DateTime now) => tx.Enqueue(RefillSql, seat.LineId, seat.Seat, now);

    private const string PageSql = LineRows.Sql + "where l.country = $1 and l.fiscal_year = $2 and l.cost > 0 and l.line_id > $3 order by l.line_id limit $4";

    public async Task<List<Line>> PageAsync(NpgsqlConnection connection, string country, int fiscalYear, Guid after, int size, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(PageSql, connection) { Parameters = { Value(country), Value(fiscalYear), Value(after), Value(size) } };
        return await LineRows.ReadAsync(command, cancel);
    }

    private const string TotalsSql = """
        select funding_program, price_currency, count(*)::int, sum(cost) from training_lines
        where country = $1 and fiscal_year = $2 and cost > 0 group by funding_program, price_currency order by funding_program, price_currency
        """;

    public async Task<List<StatementTotal>> TotalsAsync(NpgsqlConnection connection, string country, int fiscalYear, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(TotalsSql, connection) { Parameters = { Value(country), Value(fiscalYear) } };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        List<StatementTotal> totals = [];
        while (await reader.ReadAsync(cancel))
            totals.Add(new StatementTotal { Program = reader.GetString(0), Lines = reader.GetInt32(2), Amount = Amounts.Money(reader.GetDecimal(3), reader.GetString(1)) });
        return totals;
    }

    private static NpgsqlParameter<T> Value<T>(T value) => new() { TypedValue = value };
}
