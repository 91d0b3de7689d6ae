using System.Text.Json;
using Imet.Cli;
using Imet.Testing;
using Npgsql;
using Xunit;

namespace Imet.SystemTests;

/// <summary>The main job on a dirty report, with services killed in the middle of it.</summary>
public sealed class ReplayTests(Servers servers)
{
    private const int Rows = 400;

    [Fact]
    public async Task A_replay_with_every_service_killed_in_the_middle_is_completed_and_nothing_is_lost_or_done_twice()
    {
        var cancel = TestContext.Current.CancellationToken;
        await using var stack = await TestStack.StartAsync(servers, new(), cancel);
        await using var outside = await Subscriber.StartAsync(stack.Broker, cancel, TestStack.Exchanges);
        var world = new World(stack);
        await world.SuspendAsync("NER", cancel);
        var report = DirtyReport.Make(Rows, seed: 20140);
        var file = await WriteAsync("killed.tsv", report.Text, cancel);

        var running = ReplayAsync(stack, file, DirtyReport.YearsAhead, cancel);
        var expected = report.Good - report.OfNiger;
        foreach (var (service, enrolled) in new[] { (stack.Enrollment[0], expected / 5), (stack.CountryEligibility[0], expected * 2 / 5), (stack.CourseCatalog[0], expected * 3 / 5), (stack.Enrollment[0], expected * 4 / 5) })
        {
            await UntilAsync(stack, running, enrolled, cancel);
            Assert.False(running.IsCompleted, running.IsCompleted ? $"The replay was over before everything was killed: {await running}" : "");
            await service.KillAsync(cancel);
            await service.RestartAsync(cancel);
        }
        var summary = await running;
        AssertAccountedFor(report, summary);

        var again = await ReplayAsync(stack, file, DirtyReport.YearsAhead, cancel);
        AssertAccountedFor(report, again);
        Assert.Equal(expected, await CountAsync(stack, cancel));
        await world.AssertInvariantsAsync(await LinesAsync(stack, cancel), () => [.. outside.Received.Select(e => e.ToDelivery())], cancel);
    }

    [Fact]
    public async Task A_replay_killed_half_way_is_completed_by_the_next_and_another_language_hears_all_of_it_in_order()
    {
        var cancel = TestContext.Current.CancellationToken;
        await using var stack = await TestStack.StartAsync(servers, new(), cancel);
        var partners = new List<NodeSubscriber>();
        try
        {
            foreach (var exchange in TestStack.Exchanges)
                partners.Add(await NodeSubscriber.StartAsync(stack.Broker, exchange, cancel));
            var world = new World(stack);
            await world.SuspendAsync("NER", cancel);
            var report = DirtyReport.Make(Rows, seed: 20141);
            var file = await WriteAsync("half.tsv", report.Text, cancel);

            using (var half = CancellationTokenSource.CreateLinkedTokenSource(cancel))
            {
                var running = ReplayAsync(stack, file, DirtyReport.YearsAhead, half.Token);
                await UntilAsync(stack, running, report.Good / 3, cancel);
                await half.CancelAsync();
                await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
            }
            AssertAccountedFor(report, await ReplayAsync(stack, file, DirtyReport.YearsAhead, cancel));

            await world.AssertInvariantsAsync(await LinesAsync(stack, cancel), () => [.. partners.SelectMany(partner => partner.Received)], cancel);
        }
        finally
        {
            foreach (var partner in partners)
                await partner.DisposeAsync();
        }
    }

    [Fact]
    public async Task The_first_rows_of_a_real_year_are_all_accounted_for()
    {
        if (Repository.RealReport is not { } real)
        {
            // The reports are public and not ours to ship: the tests above stand on their own.
            Assert.Skip("There is no real report beside the checkout.");
            return;
        }
        var cancel = TestContext.Current.CancellationToken;
        await using var stack = await TestStack.StartAsync(servers, new(), cancel);
        await using var outside = await Subscriber.StartAsync(stack.Broker, cancel, TestStack.Exchanges);
        var lines = await File.ReadAllLinesAsync(real, cancel);
        var file = await WriteAsync("real.tsv", string.Join('\n', lines.Take(Rows + 1)) + "\n", cancel);

        var summary = await ReplayAsync(stack, file, DirtyReport.YearsAhead, cancel);

        Assert.Equal(Rows, summary.Rows);
        Assert.Equal(summary.Rows, summary.Enrolled + summary.Refused.Values.Sum() + summary.InError);
        Assert.InRange(summary.Enrolled, Rows * 8 / 10, Rows);
        Assert.Equal(summary.Enrolled, await CountAsync(stack, cancel));
        await new World(stack).AssertInvariantsAsync(await LinesAsync(stack, cancel), () => [.. outside.Received.Select(e => e.ToDelivery())], cancel);
    }

    // As long as lines come, however slow the machine: only a standstill is a failure.
    private static async Task UntilAsync(TestStack stack, Task running, int enrolled, CancellationToken cancel)
    {
        for (var count = await CountAsync(stack, cancel); count < enrolled && !running.IsCompleted;)
        {
            var before = count;
            await Eventually.TrueAsync(async () => running.IsCompleted || (count = await CountAsync(stack, cancel)) > before, cancel, $"more than {before} lines are enrolled");
        }
    }

    private sealed record Summary(int Rows, int Enrolled, Dictionary<string, int> Refused, int InError);

    private static void AssertAccountedFor(DirtyReport report, Summary summary)
    {
        Assert.Equal((report.Rows, report.InError), (summary.Rows, summary.InError));
        Assert.Equal(report.Good - report.OfNiger, summary.Enrolled);
        Assert.Equal(new Dictionary<string, int> { ["COUNTRY_NOT_ELIGIBLE"] = report.OfNiger }, summary.Refused);
    }

    private async Task<Summary> ReplayAsync(TestStack stack, string file, int years, CancellationToken cancel)
    {
        var (code, output) = await Command.RunAsync(servers, stack, cancel, "replay", file, "--shift-years", $"{years}", "--concurrency", "8", "-o", "json", "--errors", $"{file}.errors",
            "--metrics", $"{stack.CountryEligibility[0].HttpAddress}/metrics");
        Assert.True(code is ExitCode.Done or ExitCode.SomeInError, output);
        var json = output.Split('\n').Last(line => line.StartsWith('{'));
        return JsonSerializer.Deserialize<Summary>(json, Snake)!;
    }

    private static readonly JsonSerializerOptions Snake = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private async Task<string> WriteAsync(string name, string text, CancellationToken cancel)
    {
        var file = Path.Combine(servers.Folder, name);
        await File.WriteAllTextAsync(file, text, cancel);
        return file;
    }

    private static async Task<long> CountAsync(TestStack stack, CancellationToken cancel) => (await LinesAsync(stack, cancel)).Count;

    private static async Task<List<Guid>> LinesAsync(TestStack stack, CancellationToken cancel)
    {
        await using var connection = new NpgsqlConnection(stack.Database.Administrator);
        await connection.OpenAsync(cancel);
        await using var command = new NpgsqlCommand("select line_id from enrollment.training_lines", connection);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var lines = new List<Guid>();
        while (await reader.ReadAsync(cancel))
            lines.Add(reader.GetGuid(0));
        return lines;
    }
}
