using Imet.Chassis;
using Imet.Enrollment.Bars;
using Npgsql;

namespace Imet.Enrollment.Tracks;

/// <summary>Who takes the seats of a headcount line, as far as names are known.</summary>
public sealed class RosterStore
{
    private const string LockStudentsSql = "select student_id from students where student_id = any($1) order by student_id for no key update";

    // After the locks: a removal takes the same lock, so none is overlooked.
    private const string StudentsSql = """
        select s.student_id, s.country, exists (select from removals r where r.student_id = s.student_id), b.bar_ids, b.froms, b.untils, b.causes
        from students s left join barred_students b on b.student_id = s.student_id where s.student_id = any($1)
        """;

    private const string NamedSql = "select count(*)::int, coalesce(array_agg(student_id) filter (where student_id = any($2)), '{}') from line_roster where line_id = $1";

    public async Task<IReadOnlyDictionary<Guid, StudentRow>> LockStudentsAsync(Transaction tx, Guid[] studentIds, CancellationToken cancel)
    {
        await using var batch = new NpgsqlBatch(tx.Connection, tx.Npgsql)
        {
            BatchCommands = { new NpgsqlBatchCommand(LockStudentsSql) { Parameters = { Value(studentIds) } }, new NpgsqlBatchCommand(StudentsSql) { Parameters = { Value(studentIds) } } },
        };
        await using var reader = await batch.ExecuteReaderAsync(cancel);
        await reader.NextResultAsync(cancel);
        Dictionary<Guid, StudentRow> students = [];
        while (await reader.ReadAsync(cancel))
            students[reader.GetGuid(0)] = new StudentRow(reader.GetString(1), null, reader.GetBoolean(2)) { Bars = BarStore.Read(reader, 3) };
        return students;
    }

    /// <summary>How many are named, and who of those asked about is among them.</summary>
    public async Task<(int Named, Guid[] Already)> NamedAsync(Transaction tx, Guid lineId, Guid[] studentIds, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(NamedSql, tx.Connection, tx.Npgsql) { Parameters = { Value(lineId), Value(studentIds) } };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        await reader.ReadAsync(cancel);
        return (reader.GetInt32(0), reader.GetFieldValue<Guid[]>(1));
    }

    private const string AddSql = "insert into line_roster (line_id, student_id) select $1, unnest($2::uuid[])";

    public void Add(Transaction tx, Guid lineId, Guid[] studentIds) => tx.Enqueue(AddSql, lineId, studentIds);

    private const string TakeOffSql = "delete from line_roster where line_id = $1 and student_id = $2";

    public void TakeOff(Transaction tx, Guid lineId, Guid studentId) => tx.Enqueue(TakeOffSql, lineId, studentId);

    private const string PageSql = "select student_id from line_roster where line_id = $1 and student_id > $2 order by student_id limit $3";

    public async Task<List<Guid>> PageAsync(NpgsqlConnection connection, Guid lineId, Guid after, int size, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(PageSql, connection) { Parameters = { Value(lineId), Value(after), Value(size) } };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        List<Guid> page = [];
        while (await reader.ReadAsync(cancel))
            page.Add(reader.GetGuid(0));
        return page;
    }

    private static NpgsqlParameter<T> Value<T>(T value) => new() { TypedValue = value };
}
