using System.ComponentModel;
using System.Diagnostics;
using Xunit;

namespace Imet.Protos.Tests;

/// <summary>The gate itself: buf lints the bundle and holds it against what was released. It needs Node; a machine without it is told so.</summary>
public sealed class BufTests(Buf buf) : IClassFixture<Buf>
{
    [Fact]
    public async Task The_contracts_keep_the_style()
    {
        var (code, output) = await buf.RunAsync(Contracts.Bundle, "lint");
        Assert.True(code == 0, output);
    }

    [Fact]
    public async Task Nothing_that_was_released_is_broken()
    {
        var (code, output) = await buf.RunAsync(Contracts.Bundle, "breaking", "--against", Path.Combine(Contracts.Folder, "released.binpb"));
        Assert.True(code == 0, $"{output}\nIf this was never released, or a release adds it: see protos/README.md.");
    }

    [Theory]
    [InlineData("resources.proto", "  string location = 4 ", "  // gone: string location = 4 ", "Previously present field \"4\"")]
    [InlineData("resources.proto", "int32 capacity = 6 ", "int32 capacity = 60 ", "Previously present field \"6\"")]
    [InlineData("resources.proto", "int32 capacity = 6 ", "int64 capacity = 6 ", "changed type from \"int32\" to \"int64\"")]
    [InlineData("resources.proto", "int32 capacity = 6 ", "int32 seats = 6 ", "changed name from \"capacity\" to \"seats\"")]
    [InlineData("resources.proto", "  TRAINING_KIND_LANGUAGE = 7;", "", "Previously present enum value \"7\"")]
    [InlineData("events.proto", "message OfferingCancelled {", "message OfferingCalledOff {", "Previously present message \"OfferingCancelled\"")]
    public async Task A_breaking_change_is_caught(string file, string released, string changed, string complaint)
    {
        var copy = Directory.CreateTempSubdirectory("imet-contracts-");
        try
        {
            foreach (var source in Directory.EnumerateFiles(Contracts.Bundle, "*.proto", SearchOption.AllDirectories))
            {
                var target = Path.Combine(copy.FullName, Path.GetRelativePath(Contracts.Bundle, source));
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                File.Copy(source, target);
            }
            var path = Path.Combine(copy.FullName, "imet/coursecatalog/v1", file);
            var text = await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken);
            Assert.Contains(released, text, StringComparison.Ordinal);
            await File.WriteAllTextAsync(path, text.Replace(released, changed, StringComparison.Ordinal), TestContext.Current.CancellationToken);

            var (code, output) = await buf.RunAsync(copy.FullName, "breaking", "--against", Path.Combine(Contracts.Folder, "released.binpb"));

            Assert.NotEqual(0, code);
            Assert.Contains(complaint, output, StringComparison.Ordinal);
        }
        finally
        {
            copy.Delete(recursive: true);
        }
    }
}

public sealed class Buf : IAsyncLifetime
{
    private static readonly string Program = Path.Combine(Contracts.Folder, "node_modules/.bin/buf");

    private string? _missing;

    public async ValueTask InitializeAsync()
    {
        if (!await RunsAsync("node", "--version"))
            _missing = "There is no Node on this machine, so buf checked nothing: lint and breaking changes of the contracts are unknown here.";
        else if (!File.Exists(Program) && !await RunsAsync("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"))
            _missing = "npm ci in protos/ found no way to buf (no network?), so lint and breaking changes of the contracts are unknown here.";
    }

    public async Task<(int Code, string Output)> RunAsync(string input, string verb, params string[] more)
    {
        if (_missing is not null)
            Assert.Skip(_missing);
        return await StartAsync(Program, [verb, input, "--config", Path.Combine(Contracts.Folder, "buf.yaml"), .. more]);
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
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = Contracts.Folder, RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output + await errors);
    }
}
