using System.Text.Json;
using Imet.Bench;
using Imet.Testing;

// ./dev bench [evaluate] [enroll] [deliver] [search] [start] [replay FILE] [--rounds N] [-o json]: no goal named = all that can run.
if (args is [EchoServer.Verb, .. var settings])
{
    await EchoServer.ServeAsync(settings);
    return 0;
}

List<string> wanted = [];
string? report = null;
var rounds = 3;
var json = false;
for (var i = 0; i < args.Length; i++)
{
    switch (args[i])
    {
        case "--rounds" when i + 1 < args.Length && int.TryParse(args[i + 1], out rounds) && rounds > 0:
            i++;
            break;
        case "-o" when i + 1 < args.Length && args[i + 1] == "json":
            (json, i) = (true, i + 1);
            break;
        case "replay" when i + 1 < args.Length && File.Exists(args[i + 1]):
            (report, i) = (Path.GetFullPath(args[i + 1]), i + 1);
            wanted.Add("replay");
            break;
        case "evaluate" or "enroll" or "deliver" or "search" or "start":
            wanted.Add(args[i]);
            break;
        default:
            Console.Error.WriteLine($"bench: \"{args[i]}\" is not understood. Usage: bench [evaluate] [enroll] [deliver] [search] [start] [replay FILE] [--rounds N] [-o json]");
            return 2;
    }
}

var servers = new Servers();
await servers.InitializeAsync();
try
{
    var goals = new Goals(servers, rounds, Console.Error.WriteLine);
    List<Figure> figures = [];
    bool Asked(string goal) => wanted.Count == 0 || wanted.Contains(goal);
    if (Asked("start"))
        figures.AddRange(await goals.StartAsync(CancellationToken.None));
    if (Asked("evaluate"))
        figures.AddRange(await new EligibilityGoal(servers, rounds, Console.Error.WriteLine).RunAsync(CancellationToken.None));
    if (Asked("deliver"))
        figures.Add(await goals.DeliverAsync(CancellationToken.None));
    if (Asked("search"))
        figures.Add(await new SearchGoal(servers, rounds, Console.Error.WriteLine).RunAsync(CancellationToken.None));
    if (Asked("enroll"))
        figures.Add(await goals.EnrollAsync(CancellationToken.None));
    if (report is not null)
        figures.Add(await goals.ReplayAsync(report, CancellationToken.None));

    var load = File.ReadAllText("/proc/loadavg").Trim();
    if (json)
        Console.WriteLine(JsonSerializer.Serialize(new { cores = Environment.ProcessorCount, load, rounds, figures = figures.Select(f => new { f.Goal, f.What, f.Unit, f.Ours, f.Limit, ratio = f.Ratio, f.Promise, kept = f.Kept(f) }) }));
    else
        Console.WriteLine($"{Environment.ProcessorCount} cores, load {load}, {rounds} rounds; min / median / max\n{string.Join('\n', figures)}");
    return figures.All(figure => figure.Kept(figure)) ? 0 : 1;
}
finally
{
    await servers.DisposeAsync();
}
