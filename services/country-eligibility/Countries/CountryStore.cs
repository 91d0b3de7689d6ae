using Dapper;
using Imet.Chassis;
using Npgsql;
using NpgsqlTypes;

namespace Imet.CountryEligibility;

internal sealed record DesignationRow
{
    public required Guid Id { get; init; }
    public required int Version { get; init; }
    public required string Country { get; init; }
    public required string Kind { get; init; }
    public required string Source { get; init; }
    public required DateOnly ValidFrom { get; init; }
    public DateOnly? ValidTo { get; init; }
    public required DateTime KnownFrom { get; init; }
    public DateTime? KnownTo { get; init; }
    public required string RecordedBy { get; init; }

    public string Etag => $"{Version}";
}

internal sealed record DesignationFilter(string? Country, string? Kind, DateOnly? InForceOn, DateTime? KnownAt, string[]? Permitted);

/// <summary>Countries with their names, and their designations.</summary>
internal static class CountryStore
{
    private const string Columns = """
        c.code, c.name, c.alpha2, c.numeric_code, c.dsca_code, c.region, c.combatant_command, c.valid_from, c.valid_to, c.system_of_record_since, c.revision, c.recorded_at,
        array(select n.name from country_names n where n.country = c.code and not n.is_own order by n.name) as names
        """;

    private const string DesignationColumns = "d.id, d.version, d.country, d.kind, d.source, d.valid_from, d.valid_to, d.known_from, d.known_to, d.recorded_by";

    public static async Task<IReadOnlyList<CountryRow>> ListAsync(NpgsqlConnection connection, string after, string[]? permitted, int limit, CancellationToken cancel)
    {
        const string sql = $"""
            select {Columns} from countries c
            where c.code > @after and (@permitted::text[] is null or c.code = any(@permitted))
            order by c.code
            limit @limit
            """;
        return [.. await connection.QueryAsync<CountryRow>(new CommandDefinition(sql, new { after, permitted, limit }, cancellationToken: cancel))];
    }

    public static Task<CountryRow?> FindAsync(NpgsqlConnection connection, string code, CancellationToken cancel) =>
        connection.QuerySingleOrDefaultAsync<CountryRow>(new CommandDefinition($"select {Columns} from countries c where c.code = @code", new { code }, cancellationToken: cancel));

    public static async Task<IReadOnlyList<CountryNameRow>> NamesAsync(NpgsqlConnection connection, string[]? permitted, CancellationToken cancel)
    {
        const string sql = """
            select n.country, n.name, c.valid_from, c.valid_to from country_names n join countries c on c.code = n.country
            where @permitted::text[] is null or n.country = any(@permitted)
            """;
        return [.. await connection.QueryAsync<CountryNameRow>(new CommandDefinition(sql, new { permitted }, cancellationToken: cancel))];
    }

    /// <summary>Who has one of the country's codes or names at an overlapping time. Asked under the record's lock, so that it stays so.</summary>
    public static async Task<TakenRow?> TakenAsync(Transaction tx, CountryRow country, CancellationToken cancel)
    {
        const string sql = """
            select o.code as country, f.field, f.value
            from countries o
            cross join lateral (values ('alpha2', o.alpha2, @Alpha2), ('numeric_code', o.numeric_code, @NumericCode), ('dsca_code', o.dsca_code, @DscaCode)) f (field, value, wanted)
            where o.code <> @Code and f.value = f.wanted and daterange(o.valid_from, o.valid_to) && daterange(@ValidFrom::date, @ValidTo::date)
            union all
            select n.country, 'names', n.name
            from country_names n
            where n.country <> @Code and n.folded = any(@folded) and n.valid && daterange(@ValidFrom::date, @ValidTo::date)
            limit 1
            """;
        var folded = country.Names.Prepend(country.Name).Select(CountryNames.Fold).ToArray();
        return await tx.Connection.QuerySingleOrDefaultAsync<TakenRow>(new CommandDefinition(sql, new
        {
            country.Code, country.Alpha2, country.NumericCode, country.DscaCode, country.ValidFrom, country.ValidTo, folded,
        }, tx.Npgsql, cancellationToken: cancel));
    }

    private const string AddCountry = """
        insert into countries (code, name, alpha2, numeric_code, dsca_code, region, combatant_command, valid_from, valid_to, system_of_record_since)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """;

    public static void Add(Transaction tx, CountryRow country)
    {
        tx.Enqueue(AddCountry, [.. Values(country), country.SystemOfRecordSince]);
        AddNames(tx, country);
    }

    private const string UpdateCountry = """
        update countries set name = $2, alpha2 = $3, numeric_code = $4, dsca_code = $5, region = $6, combatant_command = $7, valid_from = $8, valid_to = $9
        where code = $1
        """;

    public static void Update(Transaction tx, CountryRow country)
    {
        tx.Enqueue(UpdateCountry, [.. Values(country)]);
        tx.Enqueue("delete from country_names where country = $1", country.Code);
        AddNames(tx, country);
    }

    private const string AddName = "insert into country_names (country, folded, name, is_own, valid) values ($1, $2, $3, $4, daterange($5, $6))";

    private static void AddNames(Transaction tx, CountryRow country)
    {
        foreach (var (name, isOwn) in country.Names.Select(name => (name, false)).Prepend((country.Name, true)))
            tx.Enqueue(AddName, country.Code, CountryNames.Fold(name), name, isOwn, Sql.Of(NpgsqlDbType.Date, country.ValidFrom), Sql.Of(NpgsqlDbType.Date, country.ValidTo));
    }

    private static IEnumerable<object?> Values(CountryRow country) =>
    [
        country.Code, country.Name, Sql.Of(NpgsqlDbType.Text, country.Alpha2), Sql.Of(NpgsqlDbType.Text, country.NumericCode), Sql.Of(NpgsqlDbType.Text, country.DscaCode),
        Sql.Of(NpgsqlDbType.Text, country.Region), Sql.Of(NpgsqlDbType.Text, country.CombatantCommand), Sql.Of(NpgsqlDbType.Date, country.ValidFrom), Sql.Of(NpgsqlDbType.Date, country.ValidTo),
    ];

    public static async Task<IReadOnlyList<DesignationRow>> DesignationsAsync(NpgsqlConnection connection, DesignationFilter filter, (string Country, DateOnly Day, Guid Id)? after, int limit,
        CancellationToken cancel)
    {
        const string sql = $"""
            select {DesignationColumns} from designations d
            where (@Country::text is null or d.country = @Country)
                and (@Permitted::text[] is null or d.country = any(@Permitted))
                and (@Kind::text is null or d.kind = @Kind)
                and (@InForceOn::date is null or daterange(d.valid_from, d.valid_to) @> @InForceOn::date)
                and tstzrange(d.known_from, d.known_to) @> coalesce(@KnownAt::timestamptz, 'infinity')
                and (@afterCountry::text is null or (d.country, d.valid_from, d.id) > (@afterCountry, @afterDay::date, @afterId::uuid))
            order by d.country, d.valid_from, d.id
            limit @limit
            """;
        return [.. await connection.QueryAsync<DesignationRow>(new CommandDefinition(sql, new
        {
            filter.Country, filter.Kind, filter.InForceOn, filter.KnownAt, filter.Permitted, afterCountry = after?.Country, afterDay = after?.Day, afterId = after?.Id, limit,
        }, cancellationToken: cancel))];
    }

    public static Task<DesignationRow?> CurrentDesignationAsync(Transaction tx, Guid id, string[]? permitted, CancellationToken cancel) =>
        tx.Connection.QuerySingleOrDefaultAsync<DesignationRow>(new CommandDefinition(
            $"select {DesignationColumns} from designations d where d.id = @id and d.known_to is null and (@permitted::text[] is null or d.country = any(@permitted))",
            new { id, permitted }, tx.Npgsql, cancellationToken: cancel));

    public static async Task<IReadOnlyList<DesignationRow>> CurrentDesignationsAsync(Transaction tx, string country, string kind, CancellationToken cancel) =>
        [.. await tx.Connection.QueryAsync<DesignationRow>(new CommandDefinition(
            $"select {DesignationColumns} from designations d where d.country = @country and d.kind = @kind and d.known_to is null",
            new { country, kind }, tx.Npgsql, cancellationToken: cancel))];

    private const string AddDesignation = """
        insert into designations (id, version, country, kind, source, valid_from, valid_to, known_from, recorded_by)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """;

    public static void Add(Transaction tx, DesignationRow designation)
    {
        if (designation.Version > 1)
            tx.Enqueue("update designations set known_to = $3 where id = $1 and version = $2", designation.Id, designation.Version - 1, designation.KnownFrom);
        tx.Enqueue(AddDesignation, designation.Id, designation.Version, designation.Country, designation.Kind, designation.Source, designation.ValidFrom,
            Sql.Of(NpgsqlDbType.Date, designation.ValidTo), designation.KnownFrom, designation.RecordedBy);
    }
}
