using System.Globalization;
using Dapper;
using Imet.Chassis;
using Npgsql;
using static Imet.CourseCatalog.CatalogStore;

namespace Imet.CourseCatalog;

internal sealed record QuotaRow
{
    public required Guid OfferingId { get; init; }
    public required string Country { get; init; }
    public int Nominal { get; init; }
    public DateOnly? OpensOn { get; init; }
    public int Held { get; init; }
    public bool Opened { get; init; }
    public int Taken { get; init; }
}

internal sealed record QuotaEntryRow
{
    public long Seq { get; init; }
    public required Guid OfferingId { get; init; }
    public required string Country { get; init; }
    public required string Cause { get; init; }
    public required int Change { get; init; }
    public required int Held { get; init; }
    public required string Reason { get; init; }
    public DateTime RecordedAt { get; init; }
}

internal static class QuotaStore
{
    /// <summary>By country; a country that has nothing and never had is not among them. Countries = those the caller may see, null = all.</summary>
    public static async Task<IReadOnlyList<QuotaRow>> QuotasAsync(NpgsqlConnection connection, Guid offeringId, string[]? countries, CancellationToken cancel)
    {
        const string sql = """
            select q.offering_id, q.country, q.nominal, q.opens_on, q.held, q.opened, coalesce(c.taken, 0) as taken
            from quotas q left join country_seats c on c.offering_id = q.offering_id and c.country = q.country
            where q.offering_id = @offeringId and (@countries::text[] is null or q.country = any(@countries))
            order by q.country
            """;
        return [.. await connection.QueryAsync<QuotaRow>(Command(sql, new { offeringId, countries }, cancel))];
    }

    public static async Task AllocateAsync(Transaction tx, Allocation allocation, string reason, CancellationToken cancel)
    {
        const string put = """
            insert into quotas (offering_id, country, nominal, opens_on, held) values (@OfferingId, @Country, @Nominal, @OpensOn, @Held)
            on conflict (offering_id, country) do update set nominal = excluded.nominal, opens_on = excluded.opens_on, held = excluded.held
            """;
        foreach (var (before, after) in allocation.Changes)
        {
            await tx.Connection.ExecuteAsync(Command(put, after, cancel));
            if (after.Held != before.Held)
                await AddEntryAsync(tx, new QuotaEntryRow { OfferingId = after.OfferingId, Country = after.Country, Cause = "ALLOCATED", Change = after.Held - before.Held, Held = after.Held, Reason = reason }, null, cancel);
        }
        await SeatStore.LockAsync(tx, allocation.Offering.Id, cancel);
        await SeatStore.CountReservedAsync(tx, allocation.Offering.Id, cancel);
    }

    public static Task AddEntryAsync(Transaction tx, QuotaEntryRow entry, DateTime? recordedAt, CancellationToken cancel)
    {
        const string sql = """
            insert into quota_entries (offering_id, country, cause, change, held, reason, recorded_at)
            values (@OfferingId, @Country, @Cause, @Change, @Held, @Reason, coalesce(@recordedAt, now()))
            """;
        return tx.Connection.ExecuteAsync(Command(sql, new { entry.OfferingId, entry.Country, entry.Cause, entry.Change, entry.Held, entry.Reason, recordedAt }, cancel));
    }

    public static async Task<IReadOnlyList<QuotaEntryRow>> EntriesAsync(NpgsqlConnection connection, Guid offeringId, string[]? countries, PageRequest page, CancellationToken cancel)
    {
        const string sql = """
            select seq, offering_id, country, cause, change, held, reason, recorded_at
            from quota_entries
            where offering_id = @offeringId and seq > @after and (@countries::text[] is null or country = any(@countries))
            order by seq
            limit @limit
            """;
        var after = page.After is { } last ? long.Parse(last[0], CultureInfo.InvariantCulture) : 0;
        return [.. await connection.QueryAsync<QuotaEntryRow>(Command(sql, new { offeringId, countries, after, limit = page.Size + 1 }, cancel))];
    }

    /// <summary>What enrollment tells of a country's quota. False when it has told something later already.</summary>
    public static async Task<bool> ToldAsync(Transaction tx, Guid offeringId, string country, int held, bool opened, long version, CancellationToken cancel)
    {
        const string sql = """
            insert into quotas (offering_id, country, nominal, held, opened, told_version)
            select o.id, @country, 0, @held, @opened, @version from offerings o where o.id = @offeringId
            on conflict (offering_id, country) do update set held = excluded.held, opened = excluded.opened, told_version = excluded.told_version
            where quotas.told_version < excluded.told_version
            """;
        return await tx.Connection.ExecuteAsync(Command(sql, new { offeringId, country, held, opened, version }, cancel)) == 1;
    }
}
