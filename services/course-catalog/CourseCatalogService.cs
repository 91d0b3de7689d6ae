using Grpc.Core;
using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Npgsql;

namespace Imet.CourseCatalog;

/// <summary>Each resource's methods stand in its own folder.</summary>
internal sealed partial class CourseCatalogService(Database database, Writes writes, Pages pages, DueWork dueWork, TimeProvider clock) : V1.CourseCatalogService.CourseCatalogServiceBase
{
    // The routing word of what concerns every country; no token is bound to it, so a caller bound to some countries can't change what is everybody's.
    private const string EveryCountry = "ALL";

    private DateOnly Today => Washington.Today(clock);

    /// <summary>The countries whose own offerings the caller may see; null = all.</summary>
    private static string[]? Countries(ServerCallContext context) => Caller.Of(context).Countries?.ToArray();

    /// <summary>The first rows of one more than a page, and the token of the next page if there is one.</summary>
    private (IEnumerable<TRow> Rows, string NextPageToken) Cut<TRow>(PageRequest page, IReadOnlyList<TRow> rows, Func<TRow, string[]> key) =>
        rows.Count > page.Size ? (rows.Take(page.Size), pages.Next(page, key(rows[page.Size - 1]))) : (rows, "");

    private static Guid? Optional(string id) => id.Length == 0 ? null : Guid.Parse(id);

    private static string? Text<T>(T value) where T : struct, Enum => value.Equals(default(T)) ? null : CatalogEvents.Text(value);

    private static async Task<Guid?> IdAsync(NpgsqlConnection connection, string id, string kind, ExternalId? name, CancellationToken cancel) =>
        name is null ? Guid.Parse(id) : await CatalogStore.IdOfAsync(connection, kind, name, cancel);

    private static void Check(Refusal? refusal)
    {
        if (refusal is not null)
            throw refusal.ToException();
    }
}
