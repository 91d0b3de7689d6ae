using Imet.Chassis;
using Imet.Enrollment.Bars;
using Imet.Enrollment.Countries;
using Imet.Enrollment.Offerings;
using Npgsql;

namespace Imet.Enrollment.Reexamination;

public sealed record RestoreRead(
    SeenRevision? Seen, DateTime Now, List<Line> Lines, IReadOnlyDictionary<Guid, OfferingSeatsRow> Seats, IReadOnlyDictionary<Guid, StudentRow> Students);

public sealed class RestoreStore
{
    private const string Restorable = "l.country = $1 and l.cancel_cause = 'RESTRICTION' and not l.is_open and not l.not_restored and l.end_date >= $2";

    private const string SourcesSql = $"select distinct l.cancel_source_id from training_lines l where {Restorable}";

    /// <summary>The restrictions by which lines were cancelled or ended whose days are not yet over.</summary>
    public async Task<List<string>> SourcesAsync(NpgsqlConnection connection, string country, DateOnly today, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(SourcesSql, connection) { Parameters = { Value(country), Value(today) } };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        List<string> sources = [];
        while (await reader.ReadAsync(cancel))
            sources.Add(reader.GetString(0));
        return sources;
    }

    private const string PageSql = $"{LineRows.Sql}where {Restorable} and l.cancel_source_id = any($3) and l.line_id > $4 order by l.line_id limit $5";

    public async Task<List<Line>> PageAsync(NpgsqlConnection connection, string country, DateOnly today, string[] sources, Guid after, int size, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(PageSql, connection) { Parameters = { Value(country), Value(today), Value(sources), Value(after), Value(size) } };
        return await LineRows.ReadAsync(command, cancel);
    }

    private const string LockStudentsSql = """
        select student_id from students where student_id = any(select student_id from training_lines where line_id = any($1)) order by student_id for no key update
        """;

    private const string LockLinesSql = "select line_id from training_lines where line_id = any($1) order by line_id for no key update";

    private const string LinesSql = LineRows.Sql + "where l.line_id = any($1) order by l.line_id";

    private const string LockSeatsSql = """
        select offering_id from offerings
        where offering_id = any(select offering_id from training_lines where line_id = any($1)) order by offering_id for no key update
        """;

    private const string StudentsSql = """
        select l.line_id, l.country, exists (select from removals r where r.student_id = l.student_id),
               (select b.line_id from training_lines b where b.student_id = l.student_id and b.is_open and b.holds_seat and b.start_date <= l.end_date and b.end_date >= l.start_date limit 1),
               bars.bar_ids, bars.froms, bars.untils, bars.causes,
               coalesce(a.committed + sum(coalesce(l.price_units + l.price_nanos / 1e9, 0)) over (partition by a.allocation_id order by l.line_id) <= a.ceiling, true)
        from training_lines l
        left join allocations a on a.country = l.country and a.program = l.funding_program and a.fiscal_year = l.fiscal_year and a.currency = l.price_currency
        left join barred_students bars on bars.student_id = l.student_id where l.line_id = any($1)
        """;

    /// <summary>Lines with all that stands in the way of their coming back, in the order of locks that enrollments take.</summary>
    public async Task<RestoreRead> LockAsync(Transaction tx, string country, Guid[] lineIds, CancellationToken cancel)
    {
        await using var batch = new NpgsqlBatch(tx.Connection, tx.Npgsql);
        CountryStore.AddLock(batch, country);
        foreach (var sql in new[] { LockStudentsSql, LockLinesSql, LinesSql, LockSeatsSql, SeatsSql, StudentsSql })
            batch.BatchCommands.Add(new NpgsqlBatchCommand(sql) { Parameters = { Value(lineIds) } });
        await using var reader = await batch.ExecuteReaderAsync(cancel);
        var (seen, now) = await CountryStore.ReadLockAsync(reader, cancel);
        for (var result = 0; result < 3; result++)
            await reader.NextResultAsync(cancel);
        var lines = await LineRows.ReadAsync(reader, cancel);
        await reader.NextResultAsync(cancel);
        await reader.NextResultAsync(cancel);
        var seats = await ReadSeatsAsync(reader, cancel);
        await reader.NextResultAsync(cancel);
        return new RestoreRead(seen, now, lines, seats, await ReadStudentsAsync(reader, cancel));
    }

    private const string SeatsSql = """
        select o.offering_id, o.version, o.state, o.capacity, o.taken,
               (select coalesce(sum(greatest(q.held - q.taken, 0)), 0)::int from quotas q
                where q.offering_id = o.offering_id and not q.opened and q.country <> all(select country from training_lines where line_id = any($1)))
        from offerings o where o.offering_id = any(select offering_id from training_lines where line_id = any($1))
        """;

    /// <summary>The same without locks, for a preview.</summary>
    public async Task<(IReadOnlyDictionary<Guid, OfferingSeatsRow> Seats, IReadOnlyDictionary<Guid, StudentRow> Students)> ReadAsync(NpgsqlConnection connection, Guid[] lineIds, CancellationToken cancel)
    {
        await using var batch = new NpgsqlBatch(connection);
        foreach (var sql in new[] { SeatsSql, StudentsSql })
            batch.BatchCommands.Add(new NpgsqlBatchCommand(sql) { Parameters = { Value(lineIds) } });
        await using var reader = await batch.ExecuteReaderAsync(cancel);
        var seats = await ReadSeatsAsync(reader, cancel);
        await reader.NextResultAsync(cancel);
        return (seats, await ReadStudentsAsync(reader, cancel));
    }

    private static async Task<Dictionary<Guid, OfferingSeatsRow>> ReadSeatsAsync(NpgsqlDataReader reader, CancellationToken cancel)
    {
        Dictionary<Guid, OfferingSeatsRow> seats = [];
        while (await reader.ReadAsync(cancel))
            seats[reader.GetGuid(0)] = new OfferingSeatsRow(reader.GetInt64(1), OfferingCopy.ParseState(reader.GetString(2)), reader.GetInt32(3), reader.GetInt32(4)) { Reserved = reader.GetInt32(5) };
        return seats;
    }

    private static async Task<Dictionary<Guid, StudentRow>> ReadStudentsAsync(NpgsqlDataReader reader, CancellationToken cancel)
    {
        Dictionary<Guid, StudentRow> students = [];
        while (await reader.ReadAsync(cancel))
            students[reader.GetGuid(0)] = new StudentRow(reader.GetString(1), reader.IsDBNull(3) ? null : reader.GetGuid(3), reader.GetBoolean(2)) { Bars = BarStore.Read(reader, 4), Funded = reader.GetBoolean(8) };
        return students;
    }

    private static NpgsqlParameter<T> Value<T>(T value) => new() { TypedValue = value };
}
