using Imet.Chassis;
using Imet.Enrollment.V1;
using Npgsql;
using NpgsqlTypes;

namespace Imet.Enrollment.Affected;

public sealed record AffectedFilter
{
    public required string Country { get; init; }
    public required string? RestrictionId { get; init; }
    public required string? SchoolCode { get; init; }
    public required string[]? States { get; init; }
}

/// <summary>Whom a country's restrictions touch or may touch.</summary>
public sealed class AffectedStore
{
    private const string Affected = """
        l.country = $1 and l.kind <> 'CHARGE'
        and case when $2::text is null then l.is_open or l.cancel_cause = 'RESTRICTION'
                 else l.cancel_source_id = $2 or exists (select from line_holds x where x.line_id = l.line_id and x.source_id = $2) end
        and ($3::text is null or v.school_code = $3)
        and ($4::text[] is null or l.state = any($4))
        """;

    private const string GroupsSql = $"""
        select v.school_code, l.state, held.held, count(*)::int, sum(l.headcount)::int
        from training_lines l
        join offering_versions v on v.offering_id = l.offering_id and v.version = l.offering_version
        cross join lateral (select exists (select from line_holds x where x.line_id = l.line_id) as held) held
        where {Affected}
        group by 1, 2, 3 order by 1, 2, 3
        """;

    public async Task<List<AffectedGroup>> GroupsAsync(NpgsqlConnection connection, AffectedFilter filter, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(GroupsSql, connection);
        Add(command, filter);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        List<AffectedGroup> groups = [];
        while (await reader.ReadAsync(cancel))
        {
            groups.Add(new AffectedGroup
            {
                SchoolCode = reader.GetString(0),
                State = (TrainingLine.Types.State)LineStates.Parse(reader.GetString(1)),
                Held = reader.GetBoolean(2),
                Lines = reader.GetInt32(3),
                People = reader.GetInt32(4),
            });
        }
        return groups;
    }

    private const string PageSql = $"""
        {LineRows.Sql}join offering_versions v on v.offering_id = l.offering_id and v.version = l.offering_version
        where {Affected} and ($5::date is null or (l.start_date, l.line_id) > ($5, $6))
        order by l.start_date, l.line_id limit $7
        """;

    public async Task<List<Line>> PageAsync(NpgsqlConnection connection, AffectedFilter filter, (DateOnly Start, Guid Id)? after, int size, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(PageSql, connection);
        Add(command, filter);
        command.Parameters.Add(Sql.Of(NpgsqlDbType.Date, after?.Start));
        command.Parameters.Add(Sql.Of(NpgsqlDbType.Uuid, after?.Id));
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = size });
        return await LineRows.ReadAsync(command, cancel);
    }

    private static void Add(NpgsqlCommand command, AffectedFilter filter)
    {
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = filter.Country });
        command.Parameters.Add(Sql.Of(NpgsqlDbType.Text, filter.RestrictionId));
        command.Parameters.Add(Sql.Of(NpgsqlDbType.Text, filter.SchoolCode));
        command.Parameters.Add(Sql.Of(NpgsqlDbType.Array | NpgsqlDbType.Text, filter.States));
    }
}
