using System.ComponentModel;
using System.Diagnostics;
using Xunit;

namespace Imet.Protos.Tests;

/// <summary>docs/events is written from the contracts (./dev docs), and judged by AsyncAPI's own parser and a JSON Schema validator.</summary>
public sealed class EventDocumentTests(AsyncApi asyncApi) : IClassFixture<AsyncApi>
{
    private static readonly string Folder = Path.GetFullPath(Path.Combine(Contracts.Folder, "../docs/events"));

    [Fact]
    public void What_is_documented_of_events_is_what_the_contracts_say()
    {
        var expected = new EventDocuments(Contracts.Described).Files();
        if (Environment.GetEnvironmentVariable("IMET_WRITE") == "1")
            Write(expected);
        var wrong = expected.Where(file => !File.Exists(Path.Combine(Folder, file.Key)) || File.ReadAllText(Path.Combine(Folder, file.Key)) != file.Value).Select(file => file.Key)
            .Concat(Schemas().Except(expected.Keys));
        Assert.True(!wrong.Any(), $"An event was added or changed: run ./dev docs and commit docs/events. It differs in {string.Join(", ", wrong)}.");
    }

    [Fact]
    public async Task The_AsyncAPI_document_and_the_examples_are_valid()
    {
        var (code, output) = await asyncApi.CheckAsync(Folder);
        Assert.True(code == 0, output);
    }

    [Theory]
    [InlineData("asyncapi.yaml", "  broker:\n", "  brokers: 5\n  broker:\n")]
    [InlineData("asyncapi.yaml", "action: \"send\"", "action: \"shout\"")]
    [InlineData("asyncapi.yaml", "./schemas/envelope.json", "./schemas/letter.json")]
    [InlineData("schemas/envelope.json", "\"minimum\": 1", "\"minimum\": 999999999")]
    [InlineData("schemas/imet.options.v1.Heartbeat.json", "\"^-?[0-9]+$\"", "\"^[a-z]+$\"")]
    public async Task A_document_that_is_wrong_is_found_out(string file, string right, string wrong)
    {
        var copy = Directory.CreateTempSubdirectory("imet-events-");
        try
        {
            foreach (var source in Directory.EnumerateFiles(Folder, "*.*", SearchOption.AllDirectories).Where(path => Path.GetExtension(path) is ".json" or ".yaml" && !path.Contains("node_modules", StringComparison.Ordinal)))
            {
                var target = Path.Combine(copy.FullName, Path.GetRelativePath(Folder, source));
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                File.Copy(source, target);
            }
            var path = Path.Combine(copy.FullName, file);
            var text = await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken);
            Assert.Contains(right, text, StringComparison.Ordinal);
            await File.WriteAllTextAsync(path, text.Replace(right, wrong, StringComparison.Ordinal), TestContext.Current.CancellationToken);
            Assert.NotEqual(0, (await asyncApi.CheckAsync(copy.FullName)).Code);
        }
        finally
        {
            copy.Delete(recursive: true);
        }
    }

    private static IEnumerable<string> Schemas() =>
        Directory.Exists(Path.Combine(Folder, "schemas")) ? Directory.EnumerateFiles(Path.Combine(Folder, "schemas")).Select(path => $"schemas/{Path.GetFileName(path)}") : [];

    private static void Write(IReadOnlyDictionary<string, string> files)
    {
        foreach (var gone in Schemas().Except(files.Keys))
            File.Delete(Path.Combine(Folder, gone));
        Directory.CreateDirectory(Path.Combine(Folder, "schemas"));
        foreach (var (path, text) in files)
            File.WriteAllText(Path.Combine(Folder, path), text);
    }
}

/// <summary>tests/protos/asyncapi: the parser of AsyncAPI's makers, from npm. A machine without Node, or without a way to npm, is told what was not checked.</summary>
public sealed class AsyncApi : IAsyncLifetime
{
    private static readonly string Folder = Path.GetFullPath(Path.Combine(Contracts.Folder, "../tests/protos/asyncapi"));

    private string? _missing;

    public async ValueTask InitializeAsync()
    {
        if (!await RunsAsync("node", "--version"))
            _missing = "There is no Node on this machine, so nobody judged docs/events/asyncapi.yaml and the examples.";
        else if (!Directory.Exists(Path.Combine(Folder, "node_modules/@asyncapi/parser")) && !await RunsAsync("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"))
            _missing = "npm ci in tests/protos/asyncapi found no way to @asyncapi/parser (no network?), so nobody judged docs/events/asyncapi.yaml and the examples.";
    }

    public async Task<(int Code, string Output)> CheckAsync(string documents)
    {
        if (_missing is not null)
            Assert.Skip(_missing);
        return await StartAsync("node", ["check.mjs", documents]);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static async Task<bool> RunsAsync(string program, params string[] arguments)
    {
        try
        {
            return (await StartAsync(program, arguments)).Code == 0;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }

    private static async Task<(int Code, string Output)> StartAsync(string program, string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { WorkingDirectory = Folder, RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output + await errors);
    }
}
