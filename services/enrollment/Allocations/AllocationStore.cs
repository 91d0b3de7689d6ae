using Dapper;
using Imet.Chassis;
using Imet.Enrollment.Audit;
using Npgsql;

namespace Imet.Enrollment.Allocations;

public sealed record AllocationRow
{
    public required Guid AllocationId { get; init; }
    public required string Country { get; init; }
    public required string Program { get; init; }
    public required int FiscalYear { get; init; }
    public required string Currency { get; init; }
    public required decimal Ceiling { get; init; }
    public required decimal Committed { get; init; }
    public required string Document { get; init; }
    public required DateTime ChangedAt { get; init; }
    public long Version { get; init; }
    public byte[]? Digest { get; init; }

    public AuditTip Tip => new(Version, Digest);
}

public sealed class AllocationStore
{
    private const string Sql = "select allocation_id, country, program, fiscal_year, currency, ceiling, committed, document, changed_at, version, digest from allocations ";

    private const string LockSql = Sql + "where country = @country and program = @program and fiscal_year = @fiscalYear for no key update";

    public Task<AllocationRow?> LockAsync(Transaction tx, string country, string program, int fiscalYear, CancellationToken cancel) =>
        tx.Connection.QueryFirstOrDefaultAsync<AllocationRow>(new CommandDefinition(LockSql, new { country, program, fiscalYear }, tx.Npgsql, cancellationToken: cancel));

    // While the first sum is made no line may come to cost anything unseen: whoever writes lines waits these milliseconds, once for an allocation.
    private const string CommittedSql = """
        select coalesce(sum(cost), 0) from training_lines
        where country = @country and funding_program = @program and fiscal_year = @fiscalYear and price_currency = @currency
        """;

    public async Task<decimal> CommittedAsync(Transaction tx, string country, string program, int fiscalYear, string currency, CancellationToken cancel)
    {
        await tx.Connection.ExecuteAsync(new CommandDefinition("lock table training_lines in share mode", transaction: tx.Npgsql, cancellationToken: cancel));
        return await tx.Connection.ExecuteScalarAsync<decimal>(new CommandDefinition(CommittedSql, new { country, program, fiscalYear, currency }, tx.Npgsql, cancellationToken: cancel));
    }

    private const string InsertSql = """
        insert into allocations (allocation_id, country, program, fiscal_year, currency, ceiling, committed, document, changed_at, version, digest)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """;

    public void Insert(Transaction tx, AllocationRow row) => tx.Enqueue(
        InsertSql, row.AllocationId, row.Country, row.Program, row.FiscalYear, row.Currency, row.Ceiling, row.Committed, row.Document, row.ChangedAt, row.Version, row.Digest!);

    private const string UpdateSql = "update allocations set ceiling = $2, document = $3, changed_at = $4, version = $5, digest = $6 where allocation_id = $1";

    public void Update(Transaction tx, AllocationRow row) => tx.Enqueue(UpdateSql, row.AllocationId, row.Ceiling, row.Document, row.ChangedAt, row.Version, row.Digest!);

    private const string CommitSql = "update allocations set committed = committed + $5 where country = $1 and program = $2 and fiscal_year = $3 and currency = $4";

    /// <summary>Queues what the changes cost more or less. Where there is no allocation nothing is found, and nothing waits.</summary>
    public static void Commit(Transaction tx, IEnumerable<LineChange> changes)
    {
        foreach (var money in changes.Where(change => change.After.Price is not null && change.CostsMore != 0)
            .GroupBy(change => (change.After.Country, change.After.FundingProgram, change.After.FiscalYear, change.After.Price!.Currency)).OrderBy(money => money.Key))
            tx.Enqueue(CommitSql, money.Key.Country, money.Key.FundingProgram, money.Key.FiscalYear, money.Key.Currency, money.Sum(change => change.CostsMore));
    }

    private const string ListSql = Sql + """
        where (@countries::text[] is null or country = any(@countries)) and (@fiscalYear = 0 or fiscal_year = @fiscalYear)
          and (@country::text is null or (country, program, fiscal_year) > (@country, @program, @year))
        order by country, program, fiscal_year limit @size
        """;

    public async Task<List<AllocationRow>> ListAsync(NpgsqlConnection connection, string[]? countries, int fiscalYear, (string Country, string Program, int Year)? after, int size, CancellationToken cancel) =>
        [.. await connection.QueryAsync<AllocationRow>(new CommandDefinition(ListSql,
            new { countries, fiscalYear, country = after?.Country, program = after?.Program ?? "", year = after?.Year ?? 0, size }, cancellationToken: cancel))];

    private const string OfLinesSql = Sql + "where country = @country and (program, fiscal_year) in (select funding_program, fiscal_year from training_lines where line_id = any(@lines))";

    /// <summary>The allocations that pay for lines of one country.</summary>
    public async Task<List<AllocationRow>> OfLinesAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction, string country, Guid[] lines, CancellationToken cancel) =>
        [.. await connection.QueryAsync<AllocationRow>(new CommandDefinition(OfLinesSql, new { country, lines }, transaction, cancellationToken: cancel))];
}
