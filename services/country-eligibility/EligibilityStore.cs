using Dapper;
using Google.Protobuf;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Npgsql;
using NpgsqlTypes;

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
}

public sealed record FundingProgramRow
{
    public required string Code { get; init; }
    public required string Name { get; init; }
    public required bool ForeignAssistance { get; init; }
}

public sealed record DecisionRow
{
    public required Guid Id { get; init; }
    public required string Document { get; init; }
    public required string Reason { get; init; }
    public DateOnly? AnnouncedOn { get; init; }
    public DateTime? StatedKnownFrom { get; init; }
    public required string Content { get; init; }
    public required string State { get; init; }
    public required long Version { get; init; }
    public required string ProposedBy { get; init; }
    public required DateTime ProposedAt { get; init; }
    public string? DecidedBy { get; init; }
    public DateTime? RecordedAt { get; init; }

    public string Etag => $"{Version}";

    public Decision Proposed => field ??= EligibilityEvents.Parser.Parse<Decision>(Content);
}

public sealed record RestrictionRow
{
    public required Guid Id { get; init; }
    public required int Version { get; init; }
    public required string Country { get; init; }
    public required string LegalBasis { get; init; }
    public required string Effect { get; init; }
    public required string Scope { get; init; }
    public required string WindUp { get; init; }
    public required DateOnly EffectiveFrom { get; init; }
    public DateOnly? EffectiveTo { get; init; }
    public required Guid MadeBy { get; init; }
    public Guid ChangedBy { get; init; }
    public DateOnly AnnouncedOn { get; init; }
    public DateTime KnownFrom { get; init; }
    public DateTime? KnownTo { get; init; }
    public DateTime RecordedAt { get; init; }
    public bool Imported { get; init; }
}

public sealed record LiftRow
{
    public required Guid RestrictionId { get; init; }
    public required string Country { get; init; }
    public string? Scope { get; init; }
    public required DateOnly EffectiveFrom { get; init; }
    public required Guid DecisionId { get; init; }
    public required DateOnly AnnouncedOn { get; init; }
    public required DateTime KnownFrom { get; init; }
    public required DateTime RecordedAt { get; init; }
    public required bool Imported { get; init; }
}

public sealed record CountryDayRow
{
    public const string Announced = "ANNOUNCED";
    public const string Changed = "CHANGED";

    public required string Country { get; init; }
    public required DateOnly Day { get; init; }
    public required Guid DecisionId { get; init; }
    public required string Change { get; init; }
}

public sealed class EligibilityStore
{
    private const string CountryColumns = """
        code, name, alpha2, numeric_code, dsca_code, region, combatant_command, valid_from, valid_to, system_of_record_since, revision, recorded_at
        """;

    private const string DecisionColumns = """
        d.id, d.document, d.reason, d.announced_on, d.stated_known_from, d.content::text as content, d.state, d.version, d.proposed_by, d.proposed_at, d.decided_by, d.recorded_at
        """;

    private const string RestrictionColumns = """
        r.id, r.version, r.country, r.legal_basis, r.effect, r.scope::text as scope, r.wind_up, r.effective_from, r.effective_to, r.made_by, r.changed_by, r.announced_on,
        r.known_from, r.recorded_at, r.imported
        """;

    private const string CountriesByCode = $"select {CountryColumns} from countries where code = any(@codes)";

    public async Task<IReadOnlyDictionary<string, CountryRow>> CountriesAsync(NpgsqlConnection connection, IEnumerable<string> codes, CancellationToken cancel) =>
        (await connection.QueryAsync<CountryRow>(new CommandDefinition(CountriesByCode, new { codes = codes.ToArray() }, cancellationToken: cancel)))
        .ToDictionary(row => row.Code);

    private const string CountriesOfDecision = $"""
        select {CountryColumns} from countries c join decision_countries dc on dc.country = c.code
        where dc.decision_id = @decision
        """;

    public async Task<IReadOnlyDictionary<string, CountryRow>> CountriesOfDecisionAsync(NpgsqlConnection connection, Guid decision, CancellationToken cancel) =>
        (await connection.QueryAsync<CountryRow>(new CommandDefinition(CountriesOfDecision, new { decision }, cancellationToken: cancel)))
        .ToDictionary(row => row.Code);

    private const string LegalBases = "select code, name, citation, set_off_by, default_effect, waiver, authority, default_wind_up from legal_bases order by code";

    public async Task<IReadOnlyList<LegalBasisRow>> LegalBasesAsync(NpgsqlConnection connection, CancellationToken cancel) =>
        (await connection.QueryAsync<LegalBasisRow>(new CommandDefinition(LegalBases, cancellationToken: cancel))).AsList();

    private const string FundingPrograms = "select code, name, foreign_assistance from funding_programs order by code";

    public async Task<IReadOnlyList<FundingProgramRow>> FundingProgramsAsync(NpgsqlConnection connection, CancellationToken cancel) =>
        (await connection.QueryAsync<FundingProgramRow>(new CommandDefinition(FundingPrograms, cancellationToken: cancel))).AsList();

    private const string CurrentVersions = $"""
        select distinct on (r.id) {RestrictionColumns}, r.known_to from restrictions r
        where r.id = any(@ids)
        order by r.id, r.version desc
        """;

    public async Task<IReadOnlyDictionary<Guid, RestrictionRow>> CurrentVersionsAsync(NpgsqlConnection connection, IEnumerable<Lift> lifts, CancellationToken cancel)
    {
        var ids = lifts.Select(lift => Guid.Parse(lift.RestrictionId)).ToArray();
        return (await connection.QueryAsync<RestrictionRow>(new CommandDefinition(CurrentVersions, new { ids }, cancellationToken: cancel))).ToDictionary(row => row.Id);
    }

    private const string AddDecision = """
        insert into decisions (id, document, reason, announced_on, stated_known_from, content, proposed_by)
        values (@id, @document, @reason, @announcedOn, @statedKnownFrom, @content::jsonb, @proposedBy)
        returning id, document, reason, announced_on, stated_known_from, content::text as content, state, version, proposed_by, proposed_at, decided_by, recorded_at
        """;

    private const string AddDecisionCountries = "insert into decision_countries (decision_id, country) select $1, unnest($2)";

    public async Task<DecisionRow> AddDecisionAsync(Transaction tx, Decision decision, IEnumerable<string> countries, string proposedBy, CancellationToken cancel)
    {
        var content = new Decision { Restrictions = { decision.Restrictions }, Lifts = { decision.Lifts } };
        var row = await tx.Connection.QuerySingleAsync<DecisionRow>(new CommandDefinition(AddDecision, new
        {
            id = Guid.CreateVersion7(),
            document = decision.Document,
            reason = decision.Reason,
            announcedOn = decision.AnnouncedOn?.ToDateOnly(),
            statedKnownFrom = decision.KnownFromTime?.ToDateTime(),
            content = JsonFormatter.Default.Format(content),
            proposedBy,
        }, tx.Npgsql, cancellationToken: cancel));
        tx.Enqueue(AddDecisionCountries, row.Id, countries.ToArray());
        return row;
    }

    private const string FindDecision = $"""
        select {DecisionColumns} from decisions d
        where d.id = @id
            and (@unannounced or (d.state = 'APPROVED' and d.announced_on <= @today))
            and (@countries::text[] is null or not exists (select from decision_countries dc where dc.decision_id = d.id and dc.country <> all(@countries)))
        """;

    public Task<DecisionRow?> FindDecisionAsync(NpgsqlConnection connection, Guid id, bool unannounced, DateOnly today, string[]? countries, CancellationToken cancel) =>
        connection.QuerySingleOrDefaultAsync<DecisionRow>(new CommandDefinition(FindDecision, new { id, unannounced, today, countries }, cancellationToken: cancel));

    private const string LockDecision = $"""
        select {DecisionColumns} from decisions d
        where d.id = @id
            and (@countries::text[] is null or not exists (select from decision_countries dc where dc.decision_id = d.id and dc.country <> all(@countries)))
        for update
        """;

    public Task<DecisionRow?> LockDecisionAsync(Transaction tx, Guid id, string[]? countries, CancellationToken cancel) =>
        tx.Connection.QuerySingleOrDefaultAsync<DecisionRow>(new CommandDefinition(LockDecision, new { id, countries }, tx.Npgsql, cancellationToken: cancel));

    private const string ListDecisions = $"""
        select {DecisionColumns} from decisions d
        where (@after::uuid is null or d.id < @after)
            and (@state::text is null or d.state = @state)
            and (@unannounced or (d.state = 'APPROVED' and d.announced_on <= @today))
            and (@country::text is null or exists (select from decision_countries dc where dc.decision_id = d.id and dc.country = @country))
            and (@countries::text[] is null or not exists (select from decision_countries dc where dc.decision_id = d.id and dc.country <> all(@countries)))
        order by d.id desc
        limit @limit
        """;

    public async Task<IReadOnlyList<DecisionRow>> ListDecisionsAsync(NpgsqlConnection connection, Guid? after, string? state, bool unannounced, DateOnly today, string? country,
        string[]? countries, int limit, CancellationToken cancel) =>
        (await connection.QueryAsync<DecisionRow>(new CommandDefinition(ListDecisions, new { after, state, unannounced, today, country, countries, limit }, cancellationToken: cancel)))
        .AsList();

    // The time is taken under the lock and kept above the last one: it rises strictly with the revision, whatever the clock does.
    private const string LockRecord = "select revision, epoch, greatest(clock_timestamp(), recorded_at + interval '1 microsecond') as recorded_at from record for update";

    public Task<RecordRow> LockRecordAsync(Transaction tx, CancellationToken cancel) =>
        tx.Connection.QuerySingleAsync<RecordRow>(new CommandDefinition(LockRecord, transaction: tx.Npgsql, cancellationToken: cancel));

    private const string ApproveDecision = """
        update decisions set state = 'APPROVED', version = version + 1, decided_by = $2, decided_at = $3, recorded_at = $3, record_revision = $4, announced_on = $5
        where id = $1
        """;

    private const string CloseVersion = "update restrictions set known_to = $3 where id = $1 and version = $2";

    private const string AddVersion = """
        insert into restrictions (id, version, country, legal_basis, effect, scope, wind_up, effective_from, effective_to, made_by, changed_by, announced_on, known_from, recorded_at, imported)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        """;

    private const string AddLift = """
        insert into lifts (id, restriction_id, country, scope, effective_from, decision_id, announced_on, known_from, recorded_at, imported)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """;

    private const string AddDay = "insert into country_days (country, day, decision_id, change) values ($1, $2, $3, $4)";

    public void Approve(Transaction tx, Approval approval)
    {
        tx.Enqueue(ApproveDecision, approval.DecisionId, approval.ApprovedBy, approval.RecordedAt, approval.RecordRevision, approval.AnnouncedOn);
        foreach (var row in approval.Closed)
            tx.Enqueue(CloseVersion, row.Id, row.Version, row.KnownTo);
        foreach (var row in approval.Added)
            tx.Enqueue(AddVersion, row.Id, row.Version, row.Country, row.LegalBasis, row.Effect, Sql.Json(row.Scope), row.WindUp, row.EffectiveFrom,
                Sql.Of(NpgsqlDbType.Date, row.EffectiveTo), row.MadeBy, row.ChangedBy, row.AnnouncedOn, row.KnownFrom, row.RecordedAt, row.Imported);
        foreach (var row in approval.Lifts)
            tx.Enqueue(AddLift, Guid.CreateVersion7(), row.RestrictionId, row.Country, Sql.Of(NpgsqlDbType.Jsonb, row.Scope), row.EffectiveFrom, row.DecisionId, row.AnnouncedOn,
                row.KnownFrom, row.RecordedAt, row.Imported);
        foreach (var row in approval.Days)
            tx.Enqueue(AddDay, row.Country, row.Day, row.DecisionId, row.Change);
    }

    private const string RaiseRecord = "update record set revision = $1, recorded_at = $2";
    private const string RaiseCountry = "update countries set revision = $2, record_revision = $3, recorded_at = $4 where code = $1";

    public void Raise(Transaction tx, long recordRevision, DateTime recordedAt, IEnumerable<(string Country, long Revision)> countries)
    {
        tx.Enqueue(RaiseRecord, recordRevision, recordedAt);
        foreach (var (country, revision) in countries)
            tx.Enqueue(RaiseCountry, country, revision, recordRevision, recordedAt);
    }

    private const string RejectDecision = """
        update decisions set state = 'REJECTED', version = version + 1, decided_by = $2, decided_at = clock_timestamp()
        where id = $1
        """;

    public void Reject(Transaction tx, Guid id, string by) => tx.Enqueue(RejectDecision, id, by);

    private const string TakeDay = "delete from country_days where country = @country and day = @day returning country, day, decision_id, change";

    public async Task<IReadOnlyList<CountryDayRow>> TakeDayAsync(Transaction tx, string country, DateOnly day, CancellationToken cancel) =>
        (await tx.Connection.QueryAsync<CountryDayRow>(new CommandDefinition(TakeDay, new { country, day }, tx.Npgsql, cancellationToken: cancel))).AsList();

    private const string ApprovedDecisions = $"select {DecisionColumns} from decisions d where d.id = any(@ids) order by d.record_revision";

    public async Task<IReadOnlyList<DecisionRow>> ApprovedDecisionsAsync(Transaction tx, Guid[] ids, CancellationToken cancel) =>
        (await tx.Connection.QueryAsync<DecisionRow>(new CommandDefinition(ApprovedDecisions, new { ids }, tx.Npgsql, cancellationToken: cancel))).AsList();

    // A version counts until a later one that the caller may see is known; what the caller may not see yet does not even end a known time.
    private const string ListRestrictions = $"""
        select {RestrictionColumns}, next.known_from as known_to from restrictions r
        left join lateral (
            select n.known_from from restrictions n
            where n.id = r.id and n.version > r.version and (@announcedBy::date is null or n.announced_on <= @announcedBy)
            order by n.version
            limit 1) next on true
        where r.known_from <= @knownAt
            and (next.known_from is null or next.known_from > @knownAt)
            and (@announcedBy::date is null or r.announced_on <= @announcedBy)
            and (@country::text is null or r.country = @country)
            and (@countries::text[] is null or r.country = any(@countries))
            and (@inForceOn::date is null or (r.effective_from <= @inForceOn and (r.effective_to is null or r.effective_to > @inForceOn)))
            and (@afterCountry::text is null or (r.country, r.effective_from, r.id) > (@afterCountry, @afterDate::date, @afterId::uuid))
        order by r.country, r.effective_from, r.id
        limit @limit
        """;

    public async Task<IReadOnlyList<RestrictionRow>> ListRestrictionsAsync(NpgsqlConnection connection, DateTime knownAt, DateOnly? announcedBy, string? country, string[]? countries,
        DateOnly? inForceOn, (string Country, DateOnly Date, Guid Id)? after, int limit, CancellationToken cancel) =>
        (await connection.QueryAsync<RestrictionRow>(new CommandDefinition(ListRestrictions, new
        {
            knownAt,
            announcedBy,
            country,
            countries,
            inForceOn,
            afterCountry = after?.Country,
            afterDate = after?.Date,
            afterId = after?.Id,
            limit,
        }, cancellationToken: cancel))).AsList();

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
    private const string ChangedVersions = $"""
        select {RestrictionColumns} from restrictions r join countries c on c.code = r.country
        where c.record_revision > @since
        order by r.id, r.version
        """;
    private const string ChangedLifts = """
        select l.restriction_id, l.country, l.scope::text as scope, l.effective_from, l.decision_id, l.announced_on, l.known_from, l.recorded_at, l.imported
        from lifts l join countries c on c.code = l.country
        where c.record_revision > @since and l.scope is not null
        order by l.id
        """;

    /// <summary>Countries changed after the revision, with all their restrictions and partial lifts. Since -1 = every country.</summary>
    public async Task<(IReadOnlyList<CountryRow> Countries, ILookup<string, RestrictionRow> Versions, ILookup<string, LiftRow> Lifts)> ChangedAsync(NpgsqlConnection connection,
        long since, CancellationToken cancel)
    {
        var countries = await connection.QueryAsync<CountryRow>(new CommandDefinition(ChangedCountries, new { since }, cancellationToken: cancel));
        var versions = await connection.QueryAsync<RestrictionRow>(new CommandDefinition(ChangedVersions, new { since }, cancellationToken: cancel));
        var lifts = await connection.QueryAsync<LiftRow>(new CommandDefinition(ChangedLifts, new { since }, cancellationToken: cancel));
        return (countries.AsList(), versions.ToLookup(row => row.Country), lifts.ToLookup(row => row.Country));
    }
}
