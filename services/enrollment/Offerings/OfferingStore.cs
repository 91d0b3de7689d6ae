using Google.Protobuf;
using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Npgsql;
using NpgsqlTypes;

namespace Imet.Enrollment.Offerings;

public sealed class OfferingStore
{
    private const string CopySql = """
        select offering_id, version, state, report_date, start_date, end_date, capacity, host_country, course
        from offering_versions

        """;

    private const string LatestSql = CopySql + "where (offering_id, version) = (select offering_id, version from offerings where offering_id = $1)";

    public async Task<OfferingCopy?> LatestAsync(NpgsqlConnection connection, Guid offeringId, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(LatestSql, connection) { Parameters = { Value(offeringId) } };
        return (await ReadAsync(command, cancel)).FirstOrDefault();
    }

    private const string VersionsSql = CopySql + "where (offering_id, version) in (select u.id, u.version from unnest($1, $2) as u(id, version))";

    public async Task<List<OfferingCopy>> VersionsAsync(NpgsqlConnection connection, IReadOnlyCollection<(Guid Id, long Version)> keys, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(VersionsSql, connection)
        {
            Parameters = { Value(keys.Select(key => key.Id).ToArray()), Value(keys.Select(key => key.Version).ToArray()) },
        };
        return await ReadAsync(command, cancel);
    }

    private const string InsertVersionSql = """
        insert into offering_versions (offering_id, version, state, report_date, start_date, end_date, capacity, host_country, course, masl_number, course_title, school_code)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        on conflict (offering_id, version) do nothing
        """;

    // Versions are learned in any order and by several at once: the highest stays.
    private const string PutSql = """
        insert into offerings (offering_id, version, state, capacity, watched_until) values ($1, $2, $3, $4, $5)
        on conflict (offering_id) do update
        set version = excluded.version, state = excluded.state, capacity = excluded.capacity, watched_until = excluded.watched_until
        where offerings.version < excluded.version
        returning version
        """;

    /// <summary>Keeps a version of a class. False when it, or a later one, is there already; else the class's row is locked.</summary>
    public async Task<bool> PutAsync(Transaction tx, OfferingCopy copy, CancellationToken cancel)
    {
        var state = OfferingCopy.Text(copy.State);
        tx.Enqueue(InsertVersionSql, copy.Id, copy.Version, state, copy.ReportDate, copy.StartDate, copy.EndDate, copy.Capacity,
            Sql.Of(NpgsqlDbType.Text, copy.HostCountry), copy.Course.ToByteArray(), copy.Course.MaslNumber, copy.Course.Title, copy.Course.SchoolCode);
        await tx.FlushAsync(cancel);
        var watchedUntil = copy.State == Offering.Types.State.Cancelled ? DateOnly.MinValue : copy.EndDate;
        await using var put = new NpgsqlCommand(PutSql, tx.Connection, tx.Npgsql) { Parameters = { Value(copy.Id), Value(copy.Version), Value(state), Value(copy.Capacity), Value(watchedUntil) } };
        return await put.ExecuteScalarAsync(cancel) is not null;
    }

    private const string KnownVersionSql = "select version from offerings where offering_id = $1";

    public async Task<long?> KnownVersionAsync(Transaction tx, Guid offeringId, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(KnownVersionSql, tx.Connection, tx.Npgsql) { Parameters = { Value(offeringId) } };
        return await command.ExecuteScalarAsync(cancel) as long?;
    }

    private const string WatchedSql = """
        select offering_id, version from offerings
        where watched_until >= $1 and offering_id > $2
        order by offering_id limit $3
        """;

    /// <summary>Classes that are neither over nor called off, by id.</summary>
    public async Task<List<(Guid Id, long Version)>> WatchedAsync(NpgsqlConnection connection, DateOnly today, Guid after, int size, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(WatchedSql, connection) { Parameters = { Value(today), Value(after), Value(size) } };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        List<(Guid, long)> watched = [];
        while (await reader.ReadAsync(cancel))
            watched.Add((reader.GetGuid(0), reader.GetInt64(1)));
        return watched;
    }

    private static async Task<List<OfferingCopy>> ReadAsync(NpgsqlCommand command, CancellationToken cancel)
    {
        await using var reader = await command.ExecuteReaderAsync(cancel);
        List<OfferingCopy> copies = [];
        while (await reader.ReadAsync(cancel))
        {
            copies.Add(new OfferingCopy
            {
                Id = reader.GetGuid(0),
                Version = reader.GetInt64(1),
                State = OfferingCopy.ParseState(reader.GetString(2)),
                ReportDate = reader.GetFieldValue<DateOnly>(3),
                StartDate = reader.GetFieldValue<DateOnly>(4),
                EndDate = reader.GetFieldValue<DateOnly>(5),
                Capacity = reader.GetInt32(6),
                HostCountry = reader.IsDBNull(7) ? null : reader.GetString(7),
                Course = CourseFacts.Parser.ParseFrom(reader.GetFieldValue<byte[]>(8)),
            });
        }
        return copies;
    }

    private static NpgsqlParameter<T> Value<T>(T value) => new() { TypedValue = value };
}
