using System.Text.Json;
using Dapper;
using Imet.Local;
using Npgsql;

namespace Imet.Testing;

/// <summary>
/// What the services sent in all tests of a process, looked through at its end: each event must be as its contract says. With IMET_WRITE=1 one of each kind
/// that docs/events/examples lacks is put there, so that every example was sent once.
/// </summary>
internal static class SentEvents
{
    private const int OfEachKind = 20;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static async Task ExamineAsync(IEnumerable<TestDatabase> databases)
    {
        var breaches = new HashSet<string>();
        foreach (var database in databases)
        {
            await using var connection = new NpgsqlConnection(database.Administrator);
            try
            {
                await connection.OpenAsync();
            }
            catch (NpgsqlException)
            {
                // A test has ended the server for good.
                return;
            }
            foreach (var house in House.All)
            {
                if (!await connection.ExecuteScalarAsync<bool>($"select to_regclass('{house.Schema}.outbox') is not null"))
                    continue;
                var sent = await connection.QueryAsync<(string Type, string Key, string Body)>($"""
                    select type, routing_key, body from (select *, row_number() over (partition by type order by id) as n from {house.Schema}.outbox) as numbered where n <= {OfEachKind} order by n
                    """);
                foreach (var (type, key, body) in sent)
                {
                    var wrong = EventContract.Breaches(body, key);
                    breaches.UnionWith(wrong);
                    if (wrong.Count == 0)
                        Keep(type, key, body);
                }
            }
        }
        if (breaches.Count > 0)
            throw new InvalidOperationException($"Events were sent that are not as documented:\n{string.Join('\n', breaches)}");
    }

    private static void Keep(string type, string key, string body)
    {
        if (Environment.GetEnvironmentVariable("IMET_WRITE") != "1" || Folder() is not { } folder)
            return;
        var file = Path.Combine(folder, $"{type}.json");
        if (File.Exists(file) && EventContract.Breaches(File.ReadAllText(file), key).All(breach => breach.Contains("was sent as", StringComparison.Ordinal)))
            return;
        using var json = JsonDocument.Parse(body);
        Directory.CreateDirectory(folder);
        File.WriteAllText(file, JsonSerializer.Serialize(json, Indented) + "\n");
    }

    private static string? Folder()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Imet.sln")))
            folder = folder.Parent;
        return folder is null ? null : Path.Combine(folder.FullName, "docs", "events", "examples");
    }
}
