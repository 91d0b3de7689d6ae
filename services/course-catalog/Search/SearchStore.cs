using System.Globalization;
using Dapper;
using Imet.Chassis;
using Npgsql;
using static Imet.CourseCatalog.CatalogStore;

namespace Imet.CourseCatalog;

internal sealed record SearchFilter
{
    /// <summary>In the language of to_tsquery; null = any words.</summary>
    public required string? Query { get; init; }
    public required Guid? SchoolId { get; init; }
    public required string? ImplementingAgency { get; init; }
    public required string? TrainingKind { get; init; }
    public required DateOnly? EImetOn { get; init; }
    public required DateOnly? StartFrom { get; init; }
    public required DateOnly? StartBefore { get; init; }
    public required int SeatsLeft { get; init; }
    public required string? Country { get; init; }
    public required bool QuotaOnly { get; init; }
    public required string[] States { get; init; }
}

internal static class SearchStore
{
    // A plan for all queries would be made for none: whether few classes have the words, or half of them, decides how they are best found.
    private const string PlanForThis = "set local plan_cache_mode = force_custom_plan";

    // Seats the country may take: all that nobody took, less what is set aside for others.
    private const string OwnUnused = """
        coalesce((select greatest(q.held - coalesce(c.taken, 0), 0)
                  from quotas q left join country_seats c on c.offering_id = q.offering_id and c.country = q.country
                  where q.offering_id = o.id and q.country = @Country and not q.opened), 0)
        """;

    public static async Task<IReadOnlyList<OfferingRow>> SearchAsync(
        NpgsqlConnection connection, SearchFilter filter, string[]? countries, PageRequest page, (DateOnly Start, Guid Id) after, CancellationToken cancel)
    {
        await connection.ExecuteAsync(Command(PlanForThis, new { }, cancel));
        var arguments = new
        {
            filter.Query, filter.SchoolId, filter.ImplementingAgency, filter.TrainingKind, filter.EImetOn, filter.StartFrom, filter.StartBefore, filter.SeatsLeft, filter.Country, filter.States,
            countries, afterStart = after.Start, afterId = after.Id, limit = page.Size + 1,
        };
        return [.. await connection.QueryAsync<OfferingRow>(Command(Sql(filter), arguments, cancel))];
    }

    /// <summary>Only what is asked for stands in the text, so that each question gets the index it needs.</summary>
    internal static string Sql(SearchFilter filter) => $"""
        select {OfferingStore.NamedColumns}, {OfferingStore.SeatColumns}
        from offerings o left join offering_seats s on s.offering_id = o.id
        where (o.start_date, o.id) > (@afterStart, @afterId) and {OfferingStore.InSight} and o.state = any(@States)
            {When(filter.Query is not null, "and o.words @@ to_tsquery('english', @Query)")}
            {When(filter.SchoolId is not null, "and o.school_id = @SchoolId")}
            {When(filter.ImplementingAgency is not null, "and o.implementing_agency = @ImplementingAgency")}
            {When(filter.TrainingKind is not null, "and o.training_kind = @TrainingKind")}
            {When(filter.EImetOn is not null, "and exists (select from e_imet_certificates e where e.course_id = o.course_id and e.certified_on <= @EImetOn and coalesce(e.revoked_on, e.valid_to) > @EImetOn)")}
            {When(filter.StartFrom is not null, "and o.start_date >= @StartFrom")}
            {When(filter.StartBefore is not null, "and o.start_date < @StartBefore")}
            {When(filter.SeatsLeft > 0, $"and o.capacity - coalesce(s.taken, 0) - coalesce(s.reserved, 0) + {(filter.Country is null ? "0" : OwnUnused)} >= @SeatsLeft")}
            {When(filter.QuotaOnly, "and exists (select from quotas q where q.offering_id = o.id and q.country = @Country and q.held > 0 and not q.opened)")}
        order by o.start_date, o.id
        limit @limit
        """;

    /// <summary>For each word that no class has, the words most like it.</summary>
    public static async Task<ILookup<string, string>> AlikeAsync(NpgsqlConnection connection, string[] words, CancellationToken cancel)
    {
        const string sql = """
            select a.word as asked, l.word as likely
            from unnest(@words) as a (word)
            cross join lateral (
                select s.word from search_words s where s.word % a.word group by s.word order by extensions.similarity(s.word, a.word) desc, s.word limit 5
            ) l
            where not exists (select from search_words k where k.word like a.word || '%')
            """;
        return (await connection.QueryAsync<Alike>(Command(sql, new { words }, cancel))).ToLookup(alike => alike.Asked, alike => alike.Likely);
    }

    public static (DateOnly Start, Guid Id) After(string[] key) => (DateOnly.ParseExact(key[0], "O", CultureInfo.InvariantCulture), Guid.Parse(key[1]));

    private sealed record Alike
    {
        public required string Asked { get; init; }
        public required string Likely { get; init; }
    }
}
