using Dapper;
using Google.Protobuf;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Npgsql;
using NpgsqlTypes;

namespace Imet.CountryEligibility;

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
    public bool Emergency { get; init; }
    public DateTime? ConfirmBy { get; init; }
    public string? ImpactPreviewEtag { get; init; }
    public string? ConfirmedBy { get; init; }
    public DateTime? ConfirmedAt { get; init; }
    public Guid? VoidedBy { get; init; }

    public string Etag => ConfirmedAt is null ? $"{Version}" : $"{Version}c";

    public Decision Proposed { get => field ??= EligibilityEvents.Parser.Parse<Decision>(Content); init; }
}

/// <summary>What a version of anything in the record says happened.</summary>
public static class Change
{
    public const string Made = "MADE";
    public const string Lifted = "LIFTED";
    public const string Corrected = "CORRECTED";
    /// <summary>It never was.</summary>
    public const string Voided = "VOIDED";
    /// <summary>What had changed it never took effect.</summary>
    public const string Restored = "RESTORED";
    /// <summary>It was made in an emergency and nobody confirmed it.</summary>
    public const string Lapsed = "LAPSED";
}

/// <summary>What every version of a restriction or a relief has in common.</summary>
public abstract record VersionRow
{
    public required Guid Id { get; init; }
    public required int Version { get; init; }
    public required string Country { get; init; }
    public required string Scope { get; init; }
    public required DateOnly EffectiveFrom { get; init; }
    public DateOnly? EffectiveTo { get; init; }
    public required string Change { get; init; }
    public required Guid MadeBy { get; init; }
    public Guid ChangedBy { get; init; }
    public DateOnly AnnouncedOn { get; init; }
    public DateTime KnownFrom { get; init; }
    public DateTime? KnownTo { get; init; }
    public DateTime RecordedAt { get; init; }
    public bool Imported { get; init; }
    /// <summary>The decision that made the version never took effect; known only where versions are read to be voided.</summary>
    public bool Undone { get; init; }
}

public sealed record RestrictionRow : VersionRow
{
    public required string LegalBasis { get; init; }
    public required string Effect { get; init; }
    public required string WindUp { get; init; }
    public string? Condition { get; init; }
    public string? Ceiling { get; init; }
    /// <summary>The version that set what is covered.</summary>
    public required int Origin { get; init; }
    public DateTime? ConfirmBy { get; init; }
}

public sealed record ReliefRow : VersionRow
{
    public const string Lift = "LIFT";
    public const string ConditionMet = "CONDITION_MET";
    public const string Waiver = "WAIVER";
    public const string SpecialAuthority = "SPECIAL_AUTHORITY";
    public const string Fulfilment = "FULFILMENT";

    public required string Kind { get; init; }
    public Guid? RestrictionId { get; init; }
    public Guid? LiftId { get; init; }
    public string? ImplementingAgency { get; init; }
    public string[]? LegalBases { get; init; }
    public string? Conditions { get; init; }
    public string? Document { get; init; }
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

/// <summary>A decision that never took effect.</summary>
public sealed record VoidRow(Guid DecisionId, bool Withheld);

public static class DecisionStore
{
    private const string DecisionColumns = """
        d.id, d.document, d.reason, d.announced_on, d.stated_known_from, d.content::text as content, d.state, d.version, d.proposed_by, d.proposed_at, d.decided_by, d.recorded_at,
        d.emergency, d.confirm_by, d.impact_preview_etag, c.confirmed_by, c.confirmed_at, v.voided_by
        """;

    private const string FromDecisions = """
        from decisions d
        left join confirmations c on c.decision_id = d.id
        left join voids v on v.decision_id = d.id and (@unannounced or (v.announced_on <= @today and not v.withheld))
        """;

    // What was voided before it was announced is never announced, nor is the decision that voids it.
    private const string MaySee = """
        (@unannounced or (d.state = 'APPROVED' and d.announced_on <= @today and not exists (select from voids w where w.withheld and d.id in (w.decision_id, w.voided_by))))
            and (@countries::text[] is null or not exists (select from decision_countries dc where dc.decision_id = d.id and dc.country <> all(@countries)))
        """;

    internal const string RestrictionColumns = """
        r.id, r.version, r.country, r.legal_basis, r.effect, r.scope::text as scope, r.wind_up, r.condition::text as condition, r.ceiling::text as ceiling, r.effective_from, r.effective_to,
        r.change, r.origin, r.made_by, r.changed_by, r.announced_on, r.known_from, r.recorded_at, r.imported
        """;

    internal const string ReliefColumns = """
        l.id, l.version, l.kind, l.country, l.restriction_id, l.lift_id, l.implementing_agency, l.legal_bases, l.scope::text as scope, l.conditions::text as conditions, l.document,
        l.effective_from, l.effective_to, l.change, l.made_by, l.changed_by, l.announced_on, l.known_from, l.recorded_at, l.imported
        """;

    private const string AddDecision = """
        insert into decisions (id, document, reason, announced_on, stated_known_from, content, proposed_by, emergency)
        values (@id, @document, @reason, @announcedOn, @statedKnownFrom, @content::jsonb, @proposedBy, @emergency)
        returning id, document, reason, announced_on, stated_known_from, content::text as content, state, version, proposed_by, proposed_at, decided_by, recorded_at, emergency
        """;

    private const string AddDecisionCountries = "insert into decision_countries (decision_id, country) select $1, unnest($2)";

    public static async Task<DecisionRow> AddAsync(Transaction tx, Decision decision, IEnumerable<string> countries, string proposedBy, bool emergency, CancellationToken cancel)
    {
        var content = new Decision
        {
            Restrictions = { decision.Restrictions },
            Lifts = { decision.Lifts },
            Waivers = { decision.Waivers },
            SpecialAuthorities = { decision.SpecialAuthorities },
            Fulfilments = { decision.Fulfilments },
            ConditionsMet = { decision.ConditionsMet },
            Voids = { decision.Voids },
            Corrections = { decision.Corrections },
        };
        var row = await tx.Connection.QuerySingleAsync<DecisionRow>(new CommandDefinition(AddDecision, new
        {
            id = Guid.CreateVersion7(),
            document = decision.Document,
            reason = decision.Reason,
            announcedOn = decision.AnnouncedOn?.ToDateOnly(),
            statedKnownFrom = decision.KnownFromTime?.ToDateTime(),
            content = JsonFormatter.Default.Format(content),
            proposedBy,
            emergency,
        }, tx.Npgsql, cancellationToken: cancel));
        tx.Enqueue(AddDecisionCountries, row.Id, countries.ToArray());
        return row;
    }

    private const string Find = $"select {DecisionColumns} {FromDecisions} where d.id = @id and {MaySee}";

    public static Task<DecisionRow?> FindAsync(NpgsqlConnection connection, Guid id, bool unannounced, DateOnly today, string[]? countries, CancellationToken cancel) =>
        connection.QuerySingleOrDefaultAsync<DecisionRow>(new CommandDefinition(Find, new { id, unannounced, today, countries }, cancellationToken: cancel));

    private const string Lock = $"{Find} for update of d";

    public static Task<DecisionRow?> LockAsync(Transaction tx, Guid id, string[]? countries, CancellationToken cancel) =>
        tx.Connection.QuerySingleOrDefaultAsync<DecisionRow>(new CommandDefinition(Lock, new { id, unannounced = true, today = DateOnly.MinValue, countries }, tx.Npgsql, cancellationToken: cancel));

    private const string List = $"""
        select {DecisionColumns} {FromDecisions}
        where (@after::uuid is null or d.id < @after)
            and (@state::text is null or d.state = @state)
            and (@country::text is null or exists (select from decision_countries dc where dc.decision_id = d.id and dc.country = @country))
            and {MaySee}
        order by d.id desc
        limit @limit
        """;

    public static async Task<IReadOnlyList<DecisionRow>> ListAsync(NpgsqlConnection connection, Guid? after, string? state, bool unannounced, DateOnly today, string? country,
        string[]? countries, int limit, CancellationToken cancel) =>
        (await connection.QueryAsync<DecisionRow>(new CommandDefinition(List, new { after, state, unannounced, today, country, countries, limit }, cancellationToken: cancel))).AsList();

    private const string RestrictionsOf = $"select {RestrictionColumns} from restrictions r where r.country = any(@countries) order by r.id, r.version";

    public static async Task<IReadOnlyList<RestrictionRow>> RestrictionsOfAsync(NpgsqlConnection connection, string[] countries, CancellationToken cancel) =>
        (await connection.QueryAsync<RestrictionRow>(new CommandDefinition(RestrictionsOf, new { countries }, cancellationToken: cancel))).AsList();

    private const string ReliefsOf = $"select {ReliefColumns} from reliefs l where l.country = any(@countries) order by l.id, l.version";

    public static async Task<IReadOnlyList<ReliefRow>> ReliefsOfAsync(NpgsqlConnection connection, string[] countries, CancellationToken cancel) =>
        (await connection.QueryAsync<ReliefRow>(new CommandDefinition(ReliefsOf, new { countries }, cancellationToken: cancel))).AsList();

    private const string CurrentRestrictions = $"select distinct on (r.id) {RestrictionColumns} from restrictions r where r.id = any(@ids) order by r.id, r.version desc";

    public static async Task<IReadOnlyList<RestrictionRow>> CurrentRestrictionsAsync(NpgsqlConnection connection, Guid[] ids, CancellationToken cancel) =>
        (await connection.QueryAsync<RestrictionRow>(new CommandDefinition(CurrentRestrictions, new { ids }, cancellationToken: cancel))).AsList();

    private const string CurrentReliefs = $"select distinct on (l.id) {ReliefColumns} from reliefs l where l.id = any(@ids) or l.lift_id = any(@ids) order by l.id, l.version desc";

    private const string TouchedRestrictions = $"""
        select {RestrictionColumns}, exists (select from voids v where v.decision_id = r.changed_by) as undone from restrictions r
        where r.id in (select id from restrictions where changed_by = any(@voided))
        order by r.id, r.version
        """;

    // All that the decisions made or changed, and what others built on it.
    private const string TouchedReliefs = $"""
        select {ReliefColumns}, exists (select from voids v where v.decision_id = l.changed_by) as undone from reliefs l
        where l.id in (select id from reliefs where changed_by = any(@voided))
            or l.restriction_id in (select id from restrictions where made_by = any(@voided))
            or l.lift_id in (select id from reliefs where made_by = any(@voided))
        order by l.id, l.version
        """;

    private const string ToVoid = $"select {DecisionColumns} {FromDecisions} where d.id = any(@voided)";

    private const string CountriesByCode = $"select {EligibilityStore.CountryColumns} from countries where code = any(@codes)";

    /// <summary>All that the record says about what the decision builds on or changes. Under the record's lock it stays so until the commit.</summary>
    public static async Task<RecordFacts> FactsAsync(NpgsqlConnection connection, Decision decision, RecordRow record, DateOnly today, CancellationToken cancel)
    {
        Guid[] ids =
        [
            .. decision.Lifts.Select(lift => lift.RestrictionId).Concat(decision.Fulfilments.Select(fulfilment => fulfilment.RestrictionId))
                .Concat(decision.ConditionsMet.Select(met => met.LiftId)).Concat(decision.Corrections.Select(correction => correction.Id)).Distinct().Select(Guid.Parse),
        ];
        Guid[] voided = [.. decision.Voids.Select(one => Guid.Parse(one.DecisionId)).Distinct()];
        var parameters = new { ids, voided, unannounced = true, today };
        Task<IEnumerable<T>> QueryAsync<T>(string sql) => connection.QueryAsync<T>(new CommandDefinition(sql, parameters, cancellationToken: cancel));

        var restrictions = (ids.Length == 0 ? [] : await CurrentRestrictionsAsync(connection, ids, cancel)).ToDictionary(row => row.Id);
        var reliefs = ids.Length == 0 ? [] : (await QueryAsync<ReliefRow>(CurrentReliefs)).ToDictionary(row => row.Id);
        var touchedRestrictions = voided.Length == 0 ? [] : (await QueryAsync<RestrictionRow>(TouchedRestrictions)).AsList();
        var touchedReliefs = voided.Length == 0 ? [] : (await QueryAsync<ReliefRow>(TouchedReliefs)).AsList();
        var decisions = voided.Length == 0 ? [] : (await QueryAsync<DecisionRow>(ToVoid)).ToDictionary(row => row.Id);
        string[] codes =
        [
            .. decision.Restrictions.Concat(decision.Corrections.Select(correction => correction.Restriction).OfType<Restriction>()).Select(restriction => restriction.Country)
                .Concat(decision.Waivers.Concat(decision.Corrections.Select(correction => correction.Waiver).OfType<Waiver>()).Select(waiver => waiver.Country))
                .Concat(decision.SpecialAuthorities.Concat(decision.Corrections.Select(correction => correction.SpecialAuthority).OfType<SpecialAuthority>()).Select(authority => authority.Country))
                .Concat(restrictions.Values.Select(row => row.Country)).Concat(reliefs.Values.Select(row => row.Country))
                .Concat(touchedRestrictions.Select(row => row.Country)).Concat(touchedReliefs.Select(row => row.Country)).Distinct(),
        ];
        var countries = await connection.QueryAsync<CountryRow>(new CommandDefinition(CountriesByCode, new { codes }, cancellationToken: cancel));
        return new RecordFacts
        {
            Record = record,
            Today = today,
            Countries = countries.ToDictionary(row => row.Code),
            Restrictions = restrictions,
            Reliefs = reliefs,
            ToVoid = decisions,
            TouchedRestrictions = touchedRestrictions.ToLookup(row => row.Id),
            TouchedReliefs = touchedReliefs.ToLookup(row => row.Id),
        };
    }

    private const string Approve = """
        update decisions set state = 'APPROVED', version = version + 1, decided_by = $2, decided_at = $3, recorded_at = $3, record_revision = $4, announced_on = $5, confirm_by = $6,
            impact_preview_etag = $7
        where id = $1
        """;

    private const string CloseRestriction = "update restrictions set known_to = $3 where id = $1 and version = $2";
    private const string CloseRelief = "update reliefs set known_to = $3 where id = $1 and version = $2";

    private const string AddRestriction = """
        insert into restrictions (id, version, country, legal_basis, effect, scope, wind_up, condition, ceiling, effective_from, effective_to, change, origin, made_by, changed_by, announced_on,
            known_from, recorded_at, imported)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
        """;

    private const string AddRelief = """
        insert into reliefs (id, version, kind, country, restriction_id, lift_id, implementing_agency, legal_bases, scope, conditions, document, effective_from, effective_to, change, made_by,
            changed_by, announced_on, known_from, recorded_at, imported)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
        """;

    private const string AddVoid = "insert into voids (decision_id, voided_by, announced_on, known_from, recorded_at, withheld) values ($1, $2, $3, $4, $5, $6)";

    private const string AddDay = "insert into country_days (country, day, decision_id, change) values ($1, $2, $3, $4) on conflict do nothing";

    public static void Approved(Transaction tx, DecisionRow decision, Enactment enactment, string by, DateTime? confirmBy, string? previewEtag) =>
        tx.Enqueue(Approve, decision.Id, by, enactment.RecordedAt, enactment.RecordRevision, enactment.AnnouncedOn, Sql.Of(NpgsqlDbType.TimestampTz, confirmBy),
            Sql.Of(NpgsqlDbType.Text, previewEtag));

    public static void Enact(Transaction tx, Enactment enactment)
    {
        foreach (var row in enactment.Restrictions)
        {
            if (row.Version > 1)
                tx.Enqueue(CloseRestriction, row.Id, row.Version - 1, row.KnownFrom);
            tx.Enqueue(AddRestriction, row.Id, row.Version, row.Country, row.LegalBasis, row.Effect, Sql.Json(row.Scope), row.WindUp, Sql.Of(NpgsqlDbType.Jsonb, row.Condition),
                Sql.Of(NpgsqlDbType.Jsonb, row.Ceiling), row.EffectiveFrom, Sql.Of(NpgsqlDbType.Date, row.EffectiveTo), row.Change, row.Origin, row.MadeBy, row.ChangedBy, row.AnnouncedOn,
                row.KnownFrom, row.RecordedAt, row.Imported);
        }
        foreach (var row in enactment.Reliefs)
        {
            if (row.Version > 1)
                tx.Enqueue(CloseRelief, row.Id, row.Version - 1, row.KnownFrom);
            tx.Enqueue(AddRelief, row.Id, row.Version, row.Kind, row.Country, Sql.Of(NpgsqlDbType.Uuid, row.RestrictionId), Sql.Of(NpgsqlDbType.Uuid, row.LiftId),
                Sql.Of(NpgsqlDbType.Text, row.ImplementingAgency), Sql.Of(NpgsqlDbType.Array | NpgsqlDbType.Text, row.LegalBases), Sql.Json(row.Scope), Sql.Of(NpgsqlDbType.Jsonb, row.Conditions),
                Sql.Of(NpgsqlDbType.Text, row.Document), row.EffectiveFrom, Sql.Of(NpgsqlDbType.Date, row.EffectiveTo), row.Change, row.MadeBy, row.ChangedBy, row.AnnouncedOn, row.KnownFrom,
                row.RecordedAt, row.Imported);
        }
        foreach (var row in enactment.Voids)
            tx.Enqueue(AddVoid, row.DecisionId, enactment.DecisionId, enactment.AnnouncedOn, enactment.KnownFrom, enactment.RecordedAt, row.Withheld);
        foreach (var row in enactment.Days)
            tx.Enqueue(AddDay, row.Country, row.Day, row.DecisionId, row.Change);
    }

    private const string TakenBack = """
        update decisions set state = $3, version = version + 1, decided_by = $2, decided_at = clock_timestamp()
        where id = $1
        """;

    public static void Reject(Transaction tx, Guid id, string by) => tx.Enqueue(TakenBack, id, by, "REJECTED");

    public static void Withdraw(Transaction tx, Guid id, string by) => tx.Enqueue(TakenBack, id, by, "WITHDRAWN");

    private const string AddConfirmation = "insert into confirmations (decision_id, confirmed_by, confirmed_at) values ($1, $2, $3)";

    public static void Confirm(Transaction tx, Guid id, string by, DateTime at) => tx.Enqueue(AddConfirmation, id, by, at);

    private const string CountriesOf = "select country from decision_countries where decision_id = @id order by country";

    public static async Task<string[]> CountriesOfAsync(NpgsqlConnection connection, Guid id, CancellationToken cancel) =>
        [.. await connection.QueryAsync<string>(new CommandDefinition(CountriesOf, new { id }, cancellationToken: cancel))];

    private const string TakeDay = "delete from country_days where country = @country and day = @day returning country, day, decision_id, change";

    public static async Task<IReadOnlyList<CountryDayRow>> TakeDayAsync(Transaction tx, string country, DateOnly day, CancellationToken cancel) =>
        (await tx.Connection.QueryAsync<CountryDayRow>(new CommandDefinition(TakeDay, new { country, day }, tx.Npgsql, cancellationToken: cancel))).AsList();

    private const string ToAnnounce = $"""
        select {DecisionColumns} {FromDecisions}
        where d.id = any(@ids) and not exists (select from voids w where w.withheld and d.id in (w.decision_id, w.voided_by))
        order by d.record_revision
        """;

    public static async Task<IReadOnlyList<DecisionRow>> ToAnnounceAsync(Transaction tx, Guid[] ids, CancellationToken cancel) =>
        (await tx.Connection.QueryAsync<DecisionRow>(new CommandDefinition(ToAnnounce, new { ids, unannounced = true, today = DateOnly.MaxValue }, tx.Npgsql, cancellationToken: cancel))).AsList();

    private const string ChangedRestrictions = $"select {RestrictionColumns} from restrictions r where r.changed_by = @decision and (@country::text is null or r.country = @country) order by r.id, r.version";
    private const string ChangedReliefs = $"select {ReliefColumns} from reliefs l where l.changed_by = @decision and (@country::text is null or l.country = @country) order by l.id, l.version";

    /// <summary>What a decision of the record did, for one country or for all.</summary>
    public static async Task<(IReadOnlyList<RestrictionRow> Restrictions, IReadOnlyList<ReliefRow> Reliefs)> ChangesOfAsync(Transaction tx, Guid decision, string? country, CancellationToken cancel) =>
        ((await tx.Connection.QueryAsync<RestrictionRow>(new CommandDefinition(ChangedRestrictions, new { decision, country }, tx.Npgsql, cancellationToken: cancel))).AsList(),
            (await tx.Connection.QueryAsync<ReliefRow>(new CommandDefinition(ChangedReliefs, new { decision, country }, tx.Npgsql, cancellationToken: cancel))).AsList());
}
