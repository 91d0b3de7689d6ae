using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Imet.Testing;
using Xunit;

namespace Imet.SystemTests;

/// <summary>A partner's program in another language (outside/subscriber.mjs) on a durable queue of its own: it knows AMQP and CloudEvents, nothing of us.</summary>
public sealed class NodeSubscriber : IAsyncDisposable
{
    private static readonly string Folder = Path.Combine(Repository.Root, "tests", "system", "outside");
    private readonly Process process;
    private readonly List<Delivery> received = [];
    private readonly TaskCompletionSource ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private NodeSubscriber(Process process) => this.process = process;

    public IReadOnlyList<Delivery> Received
    {
        get
        {
            lock (received)
                return [.. received];
        }
    }

    public static async Task<NodeSubscriber> StartAsync(string broker, string exchange, CancellationToken cancel)
    {
        await RestoreAsync(cancel);
        var start = new ProcessStartInfo("node", ["subscriber.mjs", broker, exchange, "#", $"partner.{exchange}"]) { WorkingDirectory = Folder, RedirectStandardOutput = true };
        var subscriber = new NodeSubscriber(Process.Start(start)!);
        _ = subscriber.ReadAsync();
        await subscriber.ready.Task.WaitAsync(Eventually.Limit, cancel);
        return subscriber;
    }

    public ValueTask DisposeAsync()
    {
        process.Kill();
        process.Dispose();
        return ValueTask.CompletedTask;
    }

    private static async Task RestoreAsync(CancellationToken cancel)
    {
        try
        {
            using var node = Process.Start(new ProcessStartInfo("node", ["--version"]) { RedirectStandardOutput = true })!;
            await node.WaitForExitAsync(cancel);
        }
        catch (Win32Exception)
        {
            Assert.Skip("There is no Node on this machine, so nobody in another language listened.");
        }
        if (Directory.Exists(Path.Combine(Folder, "node_modules")))
            return;
        using var npm = Process.Start(new ProcessStartInfo("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]) { WorkingDirectory = Folder, RedirectStandardOutput = true })!;
        await npm.WaitForExitAsync(cancel);
        if (npm.ExitCode != 0)
            Assert.Skip("npm ci in tests/system/outside found no way to amqplib (no network?), so nobody in another language listened.");
    }

    private async Task ReadAsync()
    {
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (line == "ready")
            {
                ready.TrySetResult();
                continue;
            }
            using var json = JsonDocument.Parse(line);
            var e = json.RootElement;
            var version = e.GetProperty("aggregateversion");
            var delivery = new Delivery(Text("source"), Guid.Parse(Text("id")), Text("type"), Text("subject"),
                version.ValueKind == JsonValueKind.Number ? version.GetInt64() : long.Parse(version.GetString()!, CultureInfo.InvariantCulture));
            lock (received)
                received.Add(delivery);

            string Text(string name) => e.GetProperty(name).GetString()!;
        }
        ready.TrySetException(new InvalidOperationException("subscriber.mjs ended before it was ready"));
    }
}
