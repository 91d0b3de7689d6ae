using Imet.Chassis;
using Imet.Enrollment.Offerings;
using Npgsql;

namespace Imet.Enrollment.Reexamination;

/// <summary>A student's lines that a moved class put on the days of another line are let go when that other line is off those days.</summary>
public sealed class DateConflicts(Database database, EnrollmentStore store, OfferingCopies offerings, MassActingSwitch acting) : IDueWorkHandler
{
    public static string Kind => "date-conflict";

    private const string HeldSql = "select h.line_id from line_holds h join training_lines l on l.line_id = h.line_id where h.cause = 'DATE_CONFLICT' and h.source_id = $1 and l.is_open order by h.line_id";

    /// <param name="key">The line that ended or moved away.</param>
    /// <param name="cancel">Ends the wait.</param>
    public Task HandleAsync(string key, CancellationToken cancel) => database.WriteAsync(async tx =>
    {
        await acting.RequireAsync(tx, cancel);
        var ids = await HeldAsync(tx, key, cancel);
        var other = Guid.Parse(key);
        var (now, lines) = await store.LockLinesAsync(tx, [.. ids, other], cancel);
        var away = lines.Single(line => line.Id == other);
        var copies = await offerings.OfAsync(tx.Connection, lines, cancel);
        foreach (var line in lines.Where(line => line.Id != other))
        {
            if (MoveDecisions.LetGo(line, away, Actors.Service, now) is not { } change)
                continue;
            store.Write(tx, change, newTrack: false);
            tx.Publish(EnrollmentEvents.Of(change, copies[(line.OfferingId, line.OfferingVersion)]));
        }
        return true;
    }, cancel);

    private static async Task<List<Guid>> HeldAsync(Transaction tx, string other, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(HeldSql, tx.Connection, tx.Npgsql) { Parameters = { new NpgsqlParameter<string> { TypedValue = other } } };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        List<Guid> ids = [];
        while (await reader.ReadAsync(cancel))
            ids.Add(reader.GetGuid(0));
        return ids;
    }
}
