using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Imet.Chassis;
using Imet.Enrollment.V1;
using Npgsql;
using NpgsqlTypes;
using Change = Imet.Enrollment.V1.OrdersEntry.Types.Change;

namespace Imet.Enrollment.Orders;

public sealed class OrdersStore
{
    private const string CountSql = "select count(*)::int from travel_orders where track_id = $1 and change = 'ISSUED'";

    /// <summary>How many orders the track ever had; under the track's lock, so that no two get one number.</summary>
    public async Task<int> CountAsync(Transaction tx, Guid trackId, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(CountSql, tx.Connection, tx.Npgsql) { Parameters = { new NpgsqlParameter<Guid> { TypedValue = trackId } } };
        return (int)(await command.ExecuteScalarAsync(cancel))!;
    }

    private const string IssueSql = """
        insert into travel_orders (number, amendment, line_id, track_id, country, change, reason, gates, actor, recorded_at) values ($1, 0, $2, $3, $4, 'ISSUED', '', $5, $6, $7)
        """;

    public void Issue(Transaction tx, LineChange issued, GateReport gates) =>
        tx.Enqueue(IssueSql, issued.After.OrdersNumber!, issued.After.Id, issued.After.TrackId, issued.After.Country, gates.ToByteArray(), issued.Actor, issued.After.ChangedAt);

    // The line's lock, which every writer holds, keeps two papers from one number.
    private const string AddSql = """
        insert into travel_orders (number, amendment, line_id, track_id, country, change, reason, actor)
        select number, (select max(amendment) + 1 from travel_orders where number = $1), line_id, track_id, country, $2, $3, $4 from travel_orders where number = $1 and amendment = 0
        """;

    public void Amend(Transaction tx, LineChange amended) => tx.Enqueue(AddSql, amended.After.OrdersNumber!, "AMENDED", amended.Cause, amended.Actor);

    public static void Revoke(Transaction tx, string number, string reason, string actor) => tx.Enqueue(AddSql, number, "REVOKED", reason, actor);

    private const string FindSql = """
        select line_id, country, amendment, change, reason, gates, actor, recorded_at from travel_orders
        where number = $1 and ($2::text[] is null or country = any($2)) order by amendment
        """;

    public async Task<TravelOrders?> FindAsync(NpgsqlConnection connection, string number, string[]? countries, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(FindSql, connection)
        {
            Parameters = { new NpgsqlParameter<string> { TypedValue = number }, Sql.Of(NpgsqlDbType.Array | NpgsqlDbType.Text, countries) },
        };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        TravelOrders? orders = null;
        while (await reader.ReadAsync(cancel))
        {
            orders ??= new TravelOrders { Number = number, LineId = reader.GetGuid(0).ToString(), Country = reader.GetString(1) };
            var entry = Entry(reader.GetInt32(2), reader.GetString(3), reader.GetString(4), reader.IsDBNull(5) ? null : GateReport.Parser.ParseFrom(reader.GetFieldValue<byte[]>(5)), reader.GetString(6), reader.GetDateTime(7));
            orders.Entries.Add(entry);
            orders.Revoked |= entry.Change == Change.Revoked;
        }
        return orders;
    }

    public static OrdersEntry Entry(int amendment, string change, string reason, GateReport? gates, string actor, DateTime recordedAt) => new()
    {
        Amendment = amendment,
        Change = change switch
        {
            "ISSUED" => Change.Issued,
            "AMENDED" => Change.Amended,
            "REVOKED" => Change.Revoked,
            _ => throw new FormatException($"No change of orders: {change}"),
        },
        Reason = reason,
        Actor = actor,
        RecordedTime = Timestamp.FromDateTime(recordedAt),
        Gates = gates,
    };
}
