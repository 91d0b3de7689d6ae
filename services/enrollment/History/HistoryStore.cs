using System.Globalization;
using Imet.Enrollment.V1;
using Npgsql;
using NpgsqlTypes;

namespace Imet.Enrollment.History;

/// <summary>What was: all that happened to a line, and lines as they were recorded at a time.</summary>
public sealed class HistoryStore
{
    private const string EntriesSql = """
        select version, change, state, actor, cause, judgement, recorded_at, digest, line
        from line_history
        where line_id = $1 and exists (select from training_lines l where l.line_id = $1 and ($2::text[] is null or l.country = any($2)))
        order by version
        """;

    public async Task<List<LineHistoryEntry>> EntriesAsync(NpgsqlConnection connection, Guid lineId, string[]? countries, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(EntriesSql, connection) { Parameters = { Value(lineId), Sql(countries) } };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        List<LineHistoryEntry> entries = [];
        while (await reader.ReadAsync(cancel))
            entries.Add(Read(reader, 0));
        return entries;
    }

    /// <summary>An entry from nine columns, the version first.</summary>
    public static LineHistoryEntry Read(NpgsqlDataReader reader, int first) => LineHistory.Read(
        reader.GetInt64(first), reader.GetString(first + 1), reader.GetString(first + 2), reader.GetString(first + 3), reader.GetString(first + 4),
        reader.IsDBNull(first + 5) ? null : reader.GetFieldValue<byte[]>(first + 5), reader.GetDateTime(first + 6), reader.GetFieldValue<byte[]>(first + 7),
        reader.IsDBNull(first + 8) ? null : reader.GetFieldValue<byte[]>(first + 8));

    // The version that was the latest by then, with the answer that was in force: its own, or that of the last entry before it that has one.
    private const string AsOfSql = """
        select h.line, j.judgement
        from training_lines l
        cross join lateral (select version, line, state, start_date from line_history where line_id = l.line_id and recorded_at <= $1 order by version desc limit 1) h
        left join lateral (select judgement from line_history where line_id = l.line_id and version <= h.version and judgement is not null order by version desc limit 1) j on true
        where h.line is not null
        """;

    public async Task<TrainingLine?> FindAsync(NpgsqlConnection connection, Guid lineId, DateTime asOf, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand($"{AsOfSql} and l.line_id = $2", connection) { Parameters = { Value(asOf), Value(lineId) } };
        return (await ReadAsync(command, cancel)).FirstOrDefault();
    }

    public async Task<List<TrainingLine>> ListAsync(NpgsqlConnection connection, LineFilter filter, DateTime asOf, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand { Connection = connection, Parameters = { Value(asOf) } };
        var conditions = new List<string>();
        if (filter.Countries is { } countries)
            Where("l.country = any(", Sql(countries), ")");
        if (filter.OfferingId is { } offering)
            Where("l.offering_id = ", Value(offering));
        if (filter.StudentId is { } student)
            Where("l.student_id = ", Value(student));
        if (filter.State is { } state)
            Where("h.state = ", Value(LineStates.Text(state)));
        if (filter.StartFrom is { } from)
            Where("h.start_date >= ", Value(from));
        if (filter.StartBefore is { } before)
            Where("h.start_date < ", Value(before));
        if (filter.After is { } after)
            conditions.Add($"(h.start_date, l.line_id) > ({Parameter(Value(after.Start))}, {Parameter(Value(after.Id))})");
        command.CommandText = $"{AsOfSql}{string.Concat(conditions.Select(condition => $" and {condition}"))} order by h.start_date, l.line_id limit {Parameter(Value(filter.Size))}";
        return await ReadAsync(command, cancel);

        void Where(string condition, NpgsqlParameter value, string end = "") => conditions.Add(condition + Parameter(value) + end);

        string Parameter(NpgsqlParameter value)
        {
            command.Parameters.Add(value);
            return string.Create(CultureInfo.InvariantCulture, $"${command.Parameters.Count}");
        }
    }

    private static async Task<List<TrainingLine>> ReadAsync(NpgsqlCommand command, CancellationToken cancel)
    {
        await using var reader = await command.ExecuteReaderAsync(cancel);
        List<TrainingLine> lines = [];
        while (await reader.ReadAsync(cancel))
        {
            var line = TrainingLine.Parser.ParseFrom(reader.GetFieldValue<byte[]>(0));
            line.Judgement = reader.IsDBNull(1) ? null : Judgement.Parser.ParseFrom(reader.GetFieldValue<byte[]>(1));
            lines.Add(line);
        }
        return lines;
    }

    private static NpgsqlParameter<T> Value<T>(T value) => new() { TypedValue = value };

    private static NpgsqlParameter Sql(string[]? countries) => Chassis.Sql.Of(NpgsqlDbType.Array | NpgsqlDbType.Text, countries);
}
