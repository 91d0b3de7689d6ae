using Dapper;
using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Npgsql;

namespace Imet.CourseCatalog;

/// <summary>What an insert met: the row as recorded, or the reason why nothing was.</summary>
internal sealed record Added<T> where T : class
{
    public T? Row { get; init; }
    public Guid? KeyHolder { get; init; }
    public NameHolder? NameHolder { get; init; }
    public (string Field, string Id)? MissingReference { get; init; }
    public ErrorReason? NoClass { get; init; }
}

internal sealed record NameHolder
{
    public required string Source { get; init; }
    public required string ExternalId { get; init; }
    public required Guid ResourceId { get; init; }
}

/// <summary>
/// What the stores of all resources share. A natural key that is taken shows as an insert without a row (on conflict do nothing), and only then is its holder looked up:
/// in a second statement, because the first one's snapshot may be older than the holder.
/// </summary>
internal static class CatalogStore
{
    public static Task<Guid?> IdOfAsync(NpgsqlConnection connection, string kind, ExternalId name, CancellationToken cancel)
    {
        const string sql = "select resource_id from external_ids where kind = @kind and source = @Source and external_id = @Id";
        return connection.ExecuteScalarAsync<Guid?>(Command(sql, new { kind, name.Source, name.Id }, cancel));
    }

    /// <summary>Names are inserted in one order by all, so that two who want the same names wait for each other and never in a circle.</summary>
    public static async Task<Added<T>> NamedAsync<T>(Transaction tx, string kind, Guid id, string[] sources, string[] names, T row, CancellationToken cancel)
        where T : class
    {
        const string sql = """
            insert into external_ids (kind, source, external_id, resource_id)
            select @kind, x.source, x.external_id, @id
            from unnest(@sources, @names) as x (source, external_id)
            order by x.source collate "C", x.external_id collate "C"
            on conflict do nothing
            """;
        const string holder = """
            select h.source, h.external_id, h.resource_id
            from external_ids h join unnest(@sources, @names) as x (source, external_id) on h.source = x.source and h.external_id = x.external_id
            where h.kind = @kind and h.resource_id <> @id
            order by h.source, h.external_id
            limit 1
            """;
        var arguments = new { kind, id, sources, names };
        if (names.Length == 0 || await tx.Connection.ExecuteAsync(Command(sql, arguments, cancel)) == names.Length)
            return new() { Row = row };
        // Those that are not new are another's, or its own from before.
        return await tx.Connection.QuerySingleOrDefaultAsync<NameHolder?>(Command(holder, arguments, cancel)) is { } other ? new() { NameHolder = other } : new() { Row = row };
    }

    public static async Task<Guid?> HolderAsync(Transaction tx, string sql, object key, CancellationToken cancel) =>
        await tx.Connection.QuerySingleAsync<Guid>(Command(sql, key, cancel));

    // Every key is above these, so the first page needs no text of its own.
    public static (string Text, Guid Id) After(PageRequest page) => page.After is [var text, var id] ? (text, Guid.Parse(id)) : ("", Guid.Empty);

    public static string When(bool isAsked, string condition) => isAsked ? condition : "";

    // A connection has one transaction at most, so a command on it is in it.
    public static CommandDefinition Command(string sql, object arguments, CancellationToken cancel) => new(sql, arguments, cancellationToken: cancel);
}
