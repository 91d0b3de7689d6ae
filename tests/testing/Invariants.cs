using Dapper;
using Imet.Enrollment.V1;
using Npgsql;

namespace Imet.Testing;

/// <summary>An event as somebody outside received it, in the order of arrival.</summary>
/// <param name="Source">The service: "/imet/enrollment".</param>
/// <param name="Subject">"aggregate/id".</param>
public sealed record Delivery(string Source, Guid Id, string Type, string Subject, long AggregateVersion);

/// <summary>
/// What must hold after any fault (I1 to I6): read from the databases with an all-seeing role, and from what an outside subscriber drained.
/// Each breach is one sentence; none is a pass.
/// </summary>
public sealed class Invariants(string allSeeingConnectionString)
{
    private static readonly (string Schema, string Source)[] Houses =
        [("eligibility", "/imet/country-eligibility"), ("catalog", "/imet/course-catalog"), ("enrollment", "/imet/enrollment")];

    static Invariants() => DefaultTypeMap.MatchNamesWithUnderscores = true;

    /// <param name="acknowledged">Ids of lines that some caller was told are enrolled.</param>
    /// <param name="delivered">Everything the subscriber got, from before the first change on. Null leaves I3 to I5 out, and says so by name at the call.</param>
    public async Task<IReadOnlyList<string>> BreachesAsync(IReadOnlyCollection<Guid> acknowledged, IReadOnlyList<Delivery>? delivered, CancellationToken cancel)
    {
        await using var connection = new NpgsqlConnection(allSeeingConnectionString);
        await connection.OpenAsync(cancel);
        List<string> breaches = [];
        breaches.AddRange(await OversoldAsync(connection));
        breaches.AddRange(await LostAsync(connection, acknowledged));
        breaches.AddRange(await DoneTwiceAsync(connection));
        if (delivered is not null)
        {
            foreach (var (schema, source) in Houses)
                breaches.AddRange(Compare(source, await OutboxAsync(connection, schema), [.. delivered.Where(d => d.Source == source)]));
        }
        return breaches;
    }

    // A cut of capacity drops nobody, so what counts is the largest capacity that the class had up to the version that a line still there was judged by. A quota knows what its country has taken.
    private const string OversoldSql = """
        select o.offering_id::text || ': ' || count(*) || ' lines hold ' || sum(l.headcount) || ' seats, counted as ' || o.taken || ', of ' || max(v.capacity)
        from enrollment.offerings o
        join enrollment.training_lines l on l.offering_id = o.offering_id and l.holds_seat
        join lateral (select max(capacity) as capacity from enrollment.offering_versions v where v.offering_id = l.offering_id and v.version <= l.offering_version) v on true
        group by o.offering_id, o.taken
        having sum(l.headcount) > max(v.capacity) or sum(l.headcount) <> o.taken
        union all
        select o.offering_id::text || ': ' || o.taken || ' seats are taken by nobody'
        from enrollment.offerings o
        where o.taken > 0 and not exists (select from enrollment.training_lines l where l.offering_id = o.offering_id and l.holds_seat)
        union all
        select q.offering_id::text || ': ' || q.country || ' is counted with ' || q.taken || ' seats and has ' || l.taken
        from enrollment.quotas q
        cross join lateral (select coalesce(sum(headcount), 0) as taken from enrollment.training_lines l where l.offering_id = q.offering_id and l.country = q.country and l.holds_seat) l
        where q.taken <> l.taken
        """;

    private static async Task<IEnumerable<string>> OversoldAsync(NpgsqlConnection connection) =>
        (await connection.QueryAsync<string>(OversoldSql)).Select(row => $"I1 {row}");

    private static async Task<IEnumerable<string>> LostAsync(NpgsqlConnection connection, IReadOnlyCollection<Guid> acknowledged)
    {
        var there = await connection.QueryAsync<Guid>("select line_id from enrollment.training_lines where line_id = any(@acknowledged)", new { acknowledged = acknowledged.ToArray() });
        return acknowledged.Except(there).Select(line => $"I2 line {line} was acknowledged and is not there");
    }

    private static async Task<IEnumerable<string>> DoneTwiceAsync(NpgsqlConnection connection)
    {
        var responses = await connection.QueryAsync<(string Method, byte[] Response)>(
            "select method, response from enrollment.request_log where method ~ '(EnrollStudent|NominateStudent|ExtendTraining|AddCharge)$'");
        var answered = responses.Select(row => Guid.Parse(row.Method.Split('/')[^1] switch
        {
            "NominateStudent" => NominateStudentResponse.Parser.ParseFrom(row.Response).Line.Id,
            "ExtendTraining" => ExtendTrainingResponse.Parser.ParseFrom(row.Response).Extension.Id,
            "AddCharge" => AddChargeResponse.Parser.ParseFrom(row.Response).Line.Id,
            _ => EnrollStudentResponse.Parser.ParseFrom(row.Response).Line.Id,
        })).ToList();
        var made = (await connection.QueryAsync<Guid>("select line_id from enrollment.training_lines")).ToHashSet();
        return
        [
            .. answered.GroupBy(line => line).Where(twice => twice.Count() > 1).Select(twice => $"I6 {twice.Count()} requests share line {twice.Key}"),
            .. answered.Where(line => !made.Contains(line)).Select(line => $"I6 a request was answered with line {line}, which is not there"),
            .. made.Except(answered).Select(line => $"I6 line {line} belongs to no answered request"),
        ];
    }

    private sealed record Row
    {
        public required Guid Id { get; init; }
        public required string Type { get; init; }
        public required string Subject { get; init; }
        public required long AggregateVersion { get; init; }
        public required long? Position { get; init; }
        public required bool Published { get; init; }
        public required bool Unrouted { get; init; }
    }

    private static async Task<IReadOnlyList<Row>> OutboxAsync(NpgsqlConnection connection, string schema) =>
    [
        .. await connection.QueryAsync<Row>($"""
            select id, type, aggregate || '/' || aggregate_id as subject, aggregate_version as aggregateversion, position, published_at is not null as published, unrouted
            from {schema}.outbox order by position
            """),
    ];

    private static IEnumerable<string> Compare(string source, IReadOnlyList<Row> committed, List<Delivery> delivered)
    {
        var rows = committed.ToDictionary(row => row.Id);
        foreach (var d in delivered)
        {
            if (!rows.TryGetValue(d.Id, out var row))
                yield return $"I3 {source} sent {d.Id} ({d.Type}), which was never committed";
            else if ((row.Type, row.Subject, row.AggregateVersion) != (d.Type, d.Subject, d.AggregateVersion))
                yield return $"I3 {source} sent {d.Id} as {d.Type} {d.Subject} version {d.AggregateVersion}, committed as {row.Type} {row.Subject} version {row.AggregateVersion}";
        }
        var arrived = delivered.Select(d => d.Id).ToHashSet();
        foreach (var row in committed.Where(row => !row.Published || (!row.Unrouted && !arrived.Contains(row.Id))))
            yield return $"I4 {source} committed {row.Id} ({row.Type}) and {(row.Published ? "it never arrived" : "never sent it")}";
        var expected = 1L;
        foreach (var row in committed.Where(row => row.Position is not null))
        {
            if (row.Position != expected)
                yield return $"I4 {source} has position {row.Position} where {expected} belongs";
            expected = row.Position!.Value + 1;
        }
        var latest = new Dictionary<string, long>();
        foreach (var d in delivered.DistinctBy(d => d.Id))
        {
            // One decision may tell of several things about one country at one version; it never goes back.
            if (latest.TryGetValue(d.Subject, out var before) && d.AggregateVersion < before)
                yield return $"I5 {source} sent {d.Subject} version {d.AggregateVersion} first after version {before}";
            latest[d.Subject] = d.AggregateVersion;
        }
    }
}
