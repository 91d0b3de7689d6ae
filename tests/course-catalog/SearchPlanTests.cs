using Dapper;
using Imet.Testing;
using Npgsql;
using Xunit;

namespace Imet.CourseCatalog.Tests;

/// <summary>The plans of the search over a catalogue of full size: 20,000 courses, 40,000 offerings.</summary>
public sealed class SearchPlanTests(Servers servers)
{
    private static readonly SearchFilter All = new()
    {
        Query = null, SchoolId = null, ImplementingAgency = null, TrainingKind = null, EImetOn = null, StartFrom = null, StartBefore = null, SeatsLeft = 0, Country = null, QuotaOnly = false,
        States = ["OPEN", "MOVED"],
    };

    [Fact]
    public async Task Each_kind_of_question_has_the_index_it_needs()
    {
        var cancel = TestContext.Current.CancellationToken;
        var database = await servers.NewDatabaseAsync("catalog", typeof(CatalogStore).Assembly, cancel);
        await FullCatalogue.MakeAsync(database.Administrator, cancel);
        await using var connection = new NpgsqlConnection(database.Administrator);
        await connection.OpenAsync(cancel);
        await connection.ExecuteAsync("set search_path = catalog, extensions; set plan_cache_mode = force_custom_plan; set jit = off");

        async Task<string> PlanAsync(SearchFilter filter) => string.Join('\n', await connection.QueryAsync<string>($"explain {SearchStore.Sql(filter)}", new
        {
            filter.Query, filter.SchoolId, filter.ImplementingAgency, filter.TrainingKind, filter.StartFrom, filter.StartBefore, filter.SeatsLeft, filter.Country, filter.States,
            countries = (string[]?)null, afterStart = DateOnly.MinValue, afterId = Guid.Empty, limit = 51,
        }));
        async Task UsesAsync(string index, SearchFilter filter)
        {
            var plan = await PlanAsync(filter);
            Assert.Contains(index, plan, StringComparison.Ordinal);
            Assert.DoesNotContain("Seq Scan on offerings o", plan, StringComparison.Ordinal);
        }

        var school = await connection.QuerySingleAsync<Guid>("select id from schools order by id limit 1");
        var soon = new DateOnly(2031, 6, 1);
        await UsesAsync("offerings_by_start", All);
        await UsesAsync("offerings_by_start", All with { StartFrom = soon, StartBefore = soon.AddDays(30) });
        await UsesAsync("offerings_by_start", All with { Query = "officer:*" });
        await UsesAsync("offerings_by_start", All with { StartFrom = soon, SeatsLeft = 2 });
        await UsesAsync("offerings_by_words", All with { Query = "b100077:*" });
        await UsesAsync("offerings_by_words", All with { Query = "officer:* & b100077:*", StartFrom = soon });
        await UsesAsync("offerings_by_school", All with { SchoolId = school });
        await UsesAsync("quotas_by_country", All with { QuotaOnly = true, Country = "GHA" });
        var words = string.Join('\n', await connection.QueryAsync<string>("explain select word from search_words where word % 'oficer'"));
        Assert.Contains("search_words_alike", words, StringComparison.Ordinal);
    }
}
