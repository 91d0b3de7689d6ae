using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Imet.Cli;
using Imet.Testing;
using RabbitMQ.Client;
using Xunit;

namespace Imet.SystemTests.Events;

/// <summary>The programs of the partner's guide, as a partner runs them: with the user and the queue that the operator's command made.</summary>
public sealed class PartnerProgramTests(Servers servers)
{
    private static readonly string Folder = Path.Combine(Repository.Root, "docs", "events", "programs");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_Node_program_reads_its_queue_each_event_once()
    {
        await NodeAsync();
        await ReadsItsQueueAsync("node", "follow.mjs");
    }

    [Fact]
    public async Task The_Python_program_reads_its_queue_each_event_once()
    {
        // The system's package is the system's Python's, which need not be the first on the path.
        foreach (var python in new[] { "python3", "/usr/bin/python3" })
            if (await RunsAsync(python, "-c", "import importlib.util, sys; sys.exit(importlib.util.find_spec('pika') is None)"))
            {
                await ReadsItsQueueAsync(python, "follow.py");
                return;
            }
        Assert.Skip("There is no Python with pika on this machine (Debian: python3-pika), so docs/events/programs/follow.py was not run.");
    }

    [Fact]
    public async Task The_Node_program_follows_the_log_through_a_restart()
    {
        await NodeAsync();
        var protos = Path.Combine(Repository.Root, "artifacts", "contracts", "imet-protos");
        if (!File.Exists(Path.Combine(protos, "imet", "events", "v1", "event_service.proto")))
            Assert.True(await RunsAsync("dotnet", "msbuild", Path.Combine(Repository.Root, "protos"), "-t:Bundle", "-v:q"), "the contracts could not be bundled");
        await using var stack = await TestStack.StartAsync(servers, new(), Cancel);
        var world = new World(stack);
        for (var i = 0; i < 3; i++)
            await world.ClassAsync(10, Cancel);
        var token = stack.Caller("test.partner", ["events.read"], "PAK").Token;
        using var program = Start("node", ["catch-up.mjs", new Uri(stack.CourseCatalog[0].Address).Authority, "0", protos], ("IMET_TOKEN", token));
        var lines = Read(program);
        try
        {
            await Eventually.TrueAsync(() => Count() == 9, Cancel, $"9 events of 3 classes: {string.Join('\n', lines)}");
            await stack.CourseCatalog[0].RestartAsync(Cancel);
            await world.ClassAsync(10, Cancel);
            await Eventually.TrueAsync(() => Count() >= 12, Cancel);
            Assert.Equal(12, Count());
            Assert.Equal(lines.Select(line => long.Parse(line.Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture)).Distinct().Count(), lines.Count);
        }
        finally
        {
            program.Kill();
        }

        int Count() => lines.ToArray().Count(line => !line.Contains("Heartbeat", StringComparison.Ordinal));
    }

    private async Task ReadsItsQueueAsync(string interpreter, string script)
    {
        var (name, broker) = ($"reader-{Path.GetExtension(script)[1..]}", await servers.NewBrokerVhostAsync(Cancel));
        var (code, said) = await Command.RunAsync(servers, broker, Cancel, "partner", "add", name, "--country", "PAK", "--events", "training-line");
        Assert.True(code == ExitCode.Done, said);
        var password = said.Split('\n').Single(line => line.StartsWith("password", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1].Trim();
        var uri = new Uri(broker);
        using var program = Start(interpreter, [script, $"amqp://partner.{name}:{password}@{uri.Host}:{uri.Port}{uri.AbsolutePath}", $"partner.{name}"]);
        var lines = Read(program);
        try
        {
            await using var connection = await new ConnectionFactory { Uri = uri }.CreateConnectionAsync(Cancel);
            await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
            foreach (var (subject, version) in new[] { ("a", 1), ("b", 1), ("a", 2), ("a", 1), ("b", 1), ("b", 2), ("a", 2), ("a", 3) })
                await SendAsync("training-line.enrolled.PAK", $$"""{"specversion":"1.0","subject":"training-line/{{subject}}","aggregateversion":{{version}} }""");
            await SendAsync("training-line.enrolled.PAK", "this is no event");
            await SendAsync("training-line.enrolled.PAK", """{"specversion":"1.0","subject":"training-line/last","aggregateversion":1}""");
            await Eventually.TrueAsync(() => lines.ToArray().Any(line => line.Contains("last", StringComparison.Ordinal)), Cancel, $"{script} came to the last event: {string.Join('\n', lines)}");
            Assert.Equal(["a 1", "b 1", "a 2", "b 2", "a 3", "last 1"], lines.Select(line =>
            {
                using var e = JsonDocument.Parse(line);
                return $"{e.RootElement.GetProperty("subject").GetString()!.Split('/')[1]} {e.RootElement.GetProperty("aggregateversion").GetInt64()}";
            }));
            // What is no event is the operator's to look at, and holds nobody up.
            await Eventually.TrueAsync(async () => (await channel.QueueDeclarePassiveAsync($"partner.{name}.dead", Cancel)).MessageCount == 1, Cancel);

            async Task SendAsync(string key, string body) => await channel.BasicPublishAsync("imet.enrollment.v1", key, mandatory: false, Encoding.UTF8.GetBytes(body), Cancel);
        }
        finally
        {
            program.Kill();
        }
    }

    private static async Task NodeAsync()
    {
        if (!await RunsAsync("node", "--version"))
            Assert.Skip("There is no Node on this machine, so the programs of docs/events/programs were not run.");
        if (!Directory.Exists(Path.Combine(Folder, "node_modules")) && !await RunsAsync("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"))
            Assert.Skip("npm ci in docs/events/programs found no way to its packages (no network?), so the programs there were not run.");
    }

    private static async Task<bool> RunsAsync(string program, params string[] arguments)
    {
        try
        {
            using var process = Start(program, arguments);
            _ = process.StandardOutput.ReadToEndAsync(Cancel);
            await process.WaitForExitAsync(Cancel);
            return process.ExitCode == 0;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }

    private static Process Start(string program, string[] arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = Folder, RedirectStandardOutput = true };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }

    private static System.Collections.Concurrent.ConcurrentQueue<string> Read(Process process)
    {
        var lines = new System.Collections.Concurrent.ConcurrentQueue<string>();
        process.OutputDataReceived += (_, line) =>
        {
            if (line.Data is { } text)
                lines.Enqueue(text);
        };
        process.BeginOutputReadLine();
        return lines;
    }
}
