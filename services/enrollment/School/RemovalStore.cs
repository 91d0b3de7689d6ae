using Imet.Chassis;
using Npgsql;

namespace Imet.Enrollment.School;

/// <summary>Persons removed from training for cause.</summary>
public sealed class RemovalStore
{
    private const string LockStudentSql = "select now() from students where student_id = $1 for no key update";

    private const string LinesSql = """
        select l.line_id from training_lines l
        where l.student_id = $1 and (l.is_open or l.state = 'ABSENT')
        union
        select r.line_id from line_roster r join training_lines l on l.line_id = r.line_id where r.student_id = $1 and l.is_open
        """;

    /// <summary>Under the lock of the person: every line that a removal touches. No other can come, since each takes the same lock.</summary>
    public async Task<(DateTime Now, Guid[] Lines)> LockPersonAsync(Transaction tx, Guid studentId, CancellationToken cancel)
    {
        await using var batch = new NpgsqlBatch(tx.Connection, tx.Npgsql)
        {
            BatchCommands =
            {
                new NpgsqlBatchCommand(LockStudentSql) { Parameters = { new NpgsqlParameter<Guid> { TypedValue = studentId } } },
                new NpgsqlBatchCommand(LinesSql) { Parameters = { new NpgsqlParameter<Guid> { TypedValue = studentId } } },
            },
        };
        await using var reader = await batch.ExecuteReaderAsync(cancel);
        await reader.ReadAsync(cancel);
        var now = reader.GetDateTime(0);
        await reader.NextResultAsync(cancel);
        List<Guid> lines = [];
        while (await reader.ReadAsync(cancel))
            lines.Add(reader.GetGuid(0));
        return (now, [.. lines]);
    }

    // A second removal adds nothing that the first did not say.
    private const string RemoveSql = """
        insert into removals (student_id, country, ended_on, cause, document, removed_by) values ($1, $2, $3, $4, $5, $6) on conflict (student_id) do nothing
        """;

    public void Remove(Transaction tx, Guid studentId, string country, DateOnly endedOn, string cause, string document, string actor) =>
        tx.Enqueue(RemoveSql, studentId, country, endedOn, cause, document, actor);
}
