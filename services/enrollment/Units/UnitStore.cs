using Dapper;
using Imet.Chassis;
using Imet.Enrollment.Audit;
using Imet.Enrollment.Students;
using Npgsql;

namespace Imet.Enrollment.Units;

public sealed record UnitRow
{
    public required Guid UnitId { get; init; }
    public required string Country { get; init; }
    public required string Name { get; init; }
    public required DateTime RecordedAt { get; init; }
    public required string[]? Sources { get; init; }
    public required string[]? ExternalIds { get; init; }
    public long Version { get; init; }
    public byte[]? Digest { get; init; }

    public AuditTip Tip => new(Version, Digest);
}

public sealed class UnitStore
{
    private const string UnitSql = """
        select u.unit_id, u.country, u.name, u.recorded_at, u.version, u.digest, x.sources, x.external_ids
        from units u
        left join lateral (select array_agg(source order by source, external_id) as sources, array_agg(external_id order by source, external_id) as external_ids
                           from external_ids where resource_id = u.unit_id) x on true

        """;

    private const string FindSql = UnitSql + "where u.unit_id = @id and (@countries::text[] is null or u.country = any(@countries))";

    public Task<UnitRow?> FindAsync(NpgsqlConnection connection, Guid id, string[]? countries, CancellationToken cancel) =>
        connection.QueryFirstOrDefaultAsync<UnitRow>(new CommandDefinition(FindSql, new { id, countries }, cancellationToken: cancel));

    private const string FindByExternalIdSql = UnitSql + """
        where u.unit_id = (select resource_id from external_ids where kind = 'UNIT' and source = @source and external_id = @externalId)
          and (@countries::text[] is null or u.country = any(@countries))
        """;

    public Task<UnitRow?> FindByExternalIdAsync(NpgsqlConnection connection, string source, string externalId, string[]? countries, CancellationToken cancel) =>
        connection.QueryFirstOrDefaultAsync<UnitRow>(new CommandDefinition(FindByExternalIdSql, new { source, externalId, countries }, cancellationToken: cancel));

    private const string LockSql = FindSql + " for no key update of u";

    public Task<UnitRow?> LockAsync(Transaction tx, Guid id, string[]? countries, CancellationToken cancel) =>
        tx.Connection.QueryFirstOrDefaultAsync<UnitRow>(new CommandDefinition(LockSql, new { id, countries }, tx.Npgsql, cancellationToken: cancel));

    private const string ListSql = UnitSql + """
        where u.country = @country and (@after::text is null or u.name > @after)
        order by u.name limit @size
        """;

    public async Task<List<UnitRow>> ListAsync(NpgsqlConnection connection, string country, string? after, int size, CancellationToken cancel) =>
        [.. await connection.QueryAsync<UnitRow>(new CommandDefinition(ListSql, new { country, after, size }, cancellationToken: cancel))];

    private const string InsertSql = "insert into units (unit_id, country, name, version, digest) values ($1, $2, $3, $4, $5)";

    public void Insert(Transaction tx, UnitRow unit)
    {
        tx.Enqueue(InsertSql, unit.UnitId, unit.Country, unit.Name, unit.Version, unit.Digest!);
        StudentStore.InsertExternalIds(tx, "UNIT", unit.UnitId, unit.Country, unit.Sources, unit.ExternalIds);
    }

    private const string UpdateSql = "update units set name = $2, version = $3, digest = $4 where unit_id = $1";

    public void Update(Transaction tx, UnitRow unit)
    {
        tx.Enqueue(UpdateSql, unit.UnitId, unit.Name, unit.Version, unit.Digest!);
        StudentStore.ReplaceExternalIds(tx, "UNIT", unit.UnitId, unit.Country, unit.Sources, unit.ExternalIds);
    }

    private const string CountrySql = "select country from units where unit_id = @id";

    public Task<string?> CountryAsync(Transaction tx, Guid id, CancellationToken cancel) =>
        tx.Connection.QueryFirstOrDefaultAsync<string>(new CommandDefinition(CountrySql, new { id }, tx.Npgsql, cancellationToken: cancel));

    private const string NamedSql = "select unit_id from units where country = @country and name = @name";

    public Task<Guid?> NamedAsync(NpgsqlConnection connection, string country, string name, CancellationToken cancel) =>
        connection.QueryFirstOrDefaultAsync<Guid?>(new CommandDefinition(NamedSql, new { country, name }, cancellationToken: cancel));
}
