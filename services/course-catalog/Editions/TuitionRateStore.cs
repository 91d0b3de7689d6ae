using Dapper;
using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Npgsql;
using static Imet.CourseCatalog.CatalogStore;

namespace Imet.CourseCatalog;

internal static class TuitionRateStore
{
    public static async Task<IEnumerable<TuitionRate>> RatesAsync(NpgsqlConnection connection, CancellationToken cancel) =>
        await connection.QueryAsync<TuitionRate>(Command("select code, name, citation from tuition_rates order by code", new { }, cancel));

    /// <summary>False when there is a rate of this code.</summary>
    public static async Task<bool> AddAsync(Transaction tx, TuitionRate rate, CancellationToken cancel) =>
        await tx.Connection.ExecuteAsync(Command("insert into tuition_rates (code, name, citation) values (@Code, @Name, @Citation) on conflict do nothing", new { rate.Code, rate.Name, rate.Citation }, cancel)) == 1;
}
