using Dapper;
using Npgsql;

namespace Imet.CountryEligibility;

public sealed record RestrictionFilter
{
    public required DateTime KnownAt { get; init; }
    /// <summary>Last day of announcement that the caller may see; null = also what is not announced yet.</summary>
    public DateOnly? AnnouncedBy { get; init; }
    public string? Country { get; init; }
    public string[]? Countries { get; init; }
    public string? LegalBasis { get; init; }
    public string? Effect { get; init; }
    public DateOnly? InForceOn { get; init; }
    public string? AfterCountry { get; init; }
    public DateOnly? AfterDate { get; init; }
    public Guid? AfterId { get; init; }
    public required int Limit { get; init; }
}

/// <summary>Key of an entry of a timeline.</summary>
public sealed record TimelineKey(DateTime KnownFrom, Guid Id, int Version);

public static class TimelineStore
{
    // A version counts until a later one that the caller may see is known; what the caller may not see yet does not even end a known time.
    private const string ListRestrictions = $"""
        select {DecisionStore.RestrictionColumns}, next.known_from as known_to,
            case when r.change = 'MADE' and (c.confirmed_at is null or c.confirmed_at > @KnownAt) then d.confirm_by end as confirm_by
        from restrictions r
        join decisions d on d.id = r.changed_by
        left join confirmations c on c.decision_id = d.id
        left join lateral (
            select n.known_from from restrictions n
            where n.id = r.id and n.version > r.version and (@AnnouncedBy::date is null or n.announced_on <= @AnnouncedBy)
            order by n.version
            limit 1) next on true
        where r.known_from <= @KnownAt
            and (next.known_from is null or next.known_from > @KnownAt)
            and r.change <> 'VOIDED'
            and (@AnnouncedBy::date is null or r.announced_on <= @AnnouncedBy)
            and (@Country::text is null or r.country = @Country)
            and (@Countries::text[] is null or r.country = any(@Countries))
            and (@LegalBasis::text is null or r.legal_basis = @LegalBasis)
            and (@Effect::text is null or r.effect = @Effect)
            and (@InForceOn::date is null or (r.effective_from <= @InForceOn and (r.effective_to is null or r.effective_to > @InForceOn)))
            and (@AfterCountry::text is null or (r.country, r.effective_from, r.id) > (@AfterCountry, @AfterDate::date, @AfterId::uuid))
        order by r.country, r.effective_from, r.id
        limit @Limit
        """;

    public static async Task<IReadOnlyList<RestrictionRow>> ListRestrictionsAsync(NpgsqlConnection connection, RestrictionFilter filter, CancellationToken cancel) =>
        (await connection.QueryAsync<RestrictionRow>(new CommandDefinition(ListRestrictions, filter, cancellationToken: cancel))).AsList();

    // What was voided before it was announced is never told.
    private const string Visible = """
        country = @country and known_from <= @knownAt
            and (@announcedBy::date is null or (announced_on <= @announcedBy and not exists (select from voids w where w.withheld and changed_by in (w.decision_id, w.voided_by))))
            and (@afterKnown::timestamptz is null or (known_from, id, version) > (@afterKnown, @afterId::uuid, @afterVersion::int))
        order by known_from, id, version
        limit @limit
        """;

    private const string Restrictions = $"select {DecisionStore.RestrictionColumns} from restrictions r where {Visible}";
    private const string Reliefs = $"select {DecisionStore.ReliefColumns} from reliefs l where {Visible}";

    private const string Documents = "select id, document from decisions where id = any(@ids)";

    /// <summary>Versions of restrictions and reliefs in the order in which they became known, and the documents of the decisions behind them.</summary>
    public static async Task<(IReadOnlyList<VersionRow> Versions, IReadOnlyDictionary<Guid, string> Documents)> ListAsync(
        NpgsqlConnection connection, string country, DateTime knownAt, DateOnly? announcedBy, TimelineKey? after, int limit, CancellationToken cancel)
    {
        var parameters = new { country, knownAt, announcedBy, afterKnown = after?.KnownFrom, afterId = after?.Id, afterVersion = after?.Version, limit };
        var restrictions = await connection.QueryAsync<RestrictionRow>(new CommandDefinition(Restrictions, parameters, cancellationToken: cancel));
        var reliefs = await connection.QueryAsync<ReliefRow>(new CommandDefinition(Reliefs, parameters, cancellationToken: cancel));
        // Ids are compared as the database does it: by their bytes in writing order.
        var versions = restrictions.Concat<VersionRow>(reliefs).OrderBy(row => row.KnownFrom).ThenBy(row => row.Id.ToString(), StringComparer.Ordinal).ThenBy(row => row.Version).Take(limit).ToList();
        var ids = versions.ConvertAll(row => row.ChangedBy).Distinct().ToArray();
        var documents = await connection.QueryAsync<(Guid Id, string Document)>(new CommandDefinition(Documents, new { ids }, cancellationToken: cancel));
        return (versions, documents.ToDictionary(row => row.Id, row => row.Document));
    }
}
