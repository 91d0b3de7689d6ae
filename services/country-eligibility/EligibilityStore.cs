using Dapper;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Npgsql;

namespace Imet.CountryEligibility;

public sealed record RecordRow
{
    public required long Revision { get; init; }
    public required Guid Epoch { get; init; }
    public required DateTime RecordedAt { get; init; }
}

public sealed record CountryRow
{
    public required string Code { get; init; }
    public required string Name { get; init; }
    public string? Alpha2 { get; init; }
    public string? NumericCode { get; init; }
    public string? DscaCode { get; init; }
    public string? Region { get; init; }
    public string? CombatantCommand { get; init; }
    public DateOnly? ValidFrom { get; init; }
    public DateOnly? ValidTo { get; init; }
    public required DateTime SystemOfRecordSince { get; init; }
    public required long Revision { get; init; }
    public required DateTime RecordedAt { get; init; }

    /// <summary>Its other names, where the country itself was asked for.</summary>
    public string[] Names { get; init; } = [];

    public string Etag => $"{Revision}";
}

public sealed record LegalBasisRow
{
    public required string Code { get; init; }
    public required string Name { get; init; }
    public required string Citation { get; init; }
    public required string SetOffBy { get; init; }
    public string? DefaultEffect { get; init; }
    public required string Waiver { get; init; }
    public required string Authority { get; init; }
    public required string DefaultWindUp { get; init; }
    public string WaiverTerm { get; init; } = "OPEN";
    public int WaiverNoticeDays { get; init; }
}

public sealed record FundingProgramRow
{
    public required string Code { get; init; }
    public required string Name { get; init; }
    public required bool ForeignAssistance { get; init; }
}

public sealed class EligibilityStore
{
    internal const string CountryColumns = """
        code, name, alpha2, numeric_code, dsca_code, region, combatant_command, valid_from, valid_to, system_of_record_since, revision, recorded_at
        """;

    private const string CountriesByCode = $"select {CountryColumns} from countries where code = any(@codes)";

    public async Task<IReadOnlyDictionary<string, CountryRow>> CountriesAsync(NpgsqlConnection connection, IEnumerable<string> codes, CancellationToken cancel) =>
        (await connection.QueryAsync<CountryRow>(new CommandDefinition(CountriesByCode, new { codes = codes.ToArray() }, cancellationToken: cancel)))
        .ToDictionary(row => row.Code);

    private const string LegalBases = "select code, name, citation, set_off_by, default_effect, waiver, authority, default_wind_up, waiver_term, waiver_notice_days from legal_bases order by code";

    public async Task<IReadOnlyList<LegalBasisRow>> LegalBasesAsync(NpgsqlConnection connection, CancellationToken cancel) =>
        (await connection.QueryAsync<LegalBasisRow>(new CommandDefinition(LegalBases, cancellationToken: cancel))).AsList();

    private const string FundingPrograms = "select code, name, foreign_assistance from funding_programs order by code";

    public async Task<IReadOnlyList<FundingProgramRow>> FundingProgramsAsync(NpgsqlConnection connection, CancellationToken cancel) =>
        (await connection.QueryAsync<FundingProgramRow>(new CommandDefinition(FundingPrograms, cancellationToken: cancel))).AsList();

    // The time is taken under the lock and kept above the last one: it rises strictly with the revision, whatever the clock does.
    private const string LockRecord = "select revision, epoch, greatest(clock_timestamp(), recorded_at + interval '1 microsecond') as recorded_at from record for update";

    public Task<RecordRow> LockRecordAsync(Transaction tx, CancellationToken cancel) =>
        tx.Connection.QuerySingleAsync<RecordRow>(new CommandDefinition(LockRecord, transaction: tx.Npgsql, cancellationToken: cancel));

    private const string RaiseRecord = "update record set revision = $1, recorded_at = $2";
    private const string RaiseCountry = "update countries set revision = $2, record_revision = $3, recorded_at = $4 where code = $1";

    public void Raise(Transaction tx, long recordRevision, DateTime recordedAt, IEnumerable<(string Country, long Revision)> countries)
    {
        tx.Enqueue(RaiseRecord, recordRevision, recordedAt);
        foreach (var (country, revision) in countries)
            tx.Enqueue(RaiseCountry, country, revision, recordRevision, recordedAt);
    }

    private const string Revisions = """
        select code as country, revision from countries
        where revision > 0 and (@countries::text[] is null or code = any(@countries))
        order by code
        """;

    public Task<IEnumerable<CountryRevision>> RevisionsAsync(NpgsqlConnection connection, string[]? countries, CancellationToken cancel) =>
        connection.QueryAsync<CountryRevision>(new CommandDefinition(Revisions, new { countries }, cancellationToken: cancel));

    private const string Record = "select revision, epoch, recorded_at from record";

    public Task<RecordRow> RecordAsync(NpgsqlConnection connection, CancellationToken cancel) =>
        connection.QuerySingleAsync<RecordRow>(new CommandDefinition(Record, cancellationToken: cancel));

    private const string ChangedCountries = $"select {CountryColumns} from countries where record_revision > @since";

    /// <summary>Countries changed after the revision, with everything that the record holds about them. Since -1 = every country.</summary>
    public async Task<(IReadOnlyList<CountryRow> Countries, ILookup<string, RestrictionRow> Restrictions, ILookup<string, ReliefRow> Reliefs)> ChangedAsync(NpgsqlConnection connection,
        long since, CancellationToken cancel)
    {
        var countries = (await connection.QueryAsync<CountryRow>(new CommandDefinition(ChangedCountries, new { since }, cancellationToken: cancel))).AsList();
        var codes = countries.ConvertAll(country => country.Code).ToArray();
        return (countries,
            (await DecisionStore.RestrictionsOfAsync(connection, codes, cancel)).ToLookup(row => row.Country),
            (await DecisionStore.ReliefsOfAsync(connection, codes, cancel)).ToLookup(row => row.Country));
    }
}
