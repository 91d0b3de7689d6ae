using Dapper;
using Imet.Chassis;
using static Imet.CourseCatalog.CatalogStore;

namespace Imet.CourseCatalog;

internal static class SeatStore
{
    /// <summary>From here to the commit nobody else counts seats of the class.</summary>
    public static Task LockAsync(Transaction tx, Guid offeringId, CancellationToken cancel)
    {
        const string sql = "insert into offering_seats (offering_id) values (@offeringId) on conflict (offering_id) do update set offering_id = excluded.offering_id";
        return tx.Connection.ExecuteAsync(Command(sql, new { offeringId }, cancel));
    }

    /// <summary>The seats a line holds now, unless something later is known of it. An event that comes late or twice changes nothing.</summary>
    public static async Task CountAsync(Transaction tx, Guid lineId, Guid offeringId, string country, int seats, long version, DateTime recordedAt, CancellationToken cancel)
    {
        await LockAsync(tx, offeringId, cancel);
        const string sql = """
            with was as (
                select seats from line_seats where line_id = @lineId
            ), line as (
                insert into line_seats (line_id, offering_id, country, seats, version) values (@lineId, @offeringId, @country, @seats, @version)
                on conflict (line_id) do update set seats = excluded.seats, version = excluded.version where line_seats.version < excluded.version
                returning seats - coalesce((select seats from was), 0) as more
            ), of_country as (
                insert into country_seats as c (offering_id, country, taken) select @offeringId, @country, greatest(more, 0) from line where more <> 0
                on conflict (offering_id, country) do update set taken = c.taken + (select more from line)
            )
            update offering_seats set taken = taken + line.more, as_of = greatest(as_of, @recordedAt) from line where offering_id = @offeringId
            """;
        if (await tx.Connection.ExecuteAsync(Command(sql, new { lineId, offeringId, country, seats, version, recordedAt }, cancel)) > 0)
            await CountReservedAsync(tx, offeringId, cancel);
    }

    public static Task CountReservedAsync(Transaction tx, Guid offeringId, CancellationToken cancel)
    {
        const string sql = """
            update offering_seats s set reserved = coalesce((
                select sum(greatest(q.held - coalesce(c.taken, 0), 0))
                from quotas q left join country_seats c on c.offering_id = q.offering_id and c.country = q.country
                where q.offering_id = s.offering_id and not q.opened), 0)
            where s.offering_id = @offeringId
            """;
        return tx.Connection.ExecuteAsync(Command(sql, new { offeringId }, cancel));
    }
}
