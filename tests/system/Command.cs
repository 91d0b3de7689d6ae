using System.Globalization;
using Imet.Local;
using Imet.Testing;

namespace Imet.SystemTests;

/// <summary>The command line as users run it: the built program in a process of its own, against a test's stack.</summary>
public static class Command
{
    public static Task<(int Code, string Output)> RunAsync(Servers servers, TestStack stack, CancellationToken cancel, params string[] arguments) => RunAsync(servers, stack, null, cancel, arguments);

    /// <param name="heap">Bytes that the program's heap may have: with more it dies.</param>
    public static Task<(int Code, string Output)> RunAsync(Servers servers, TestStack stack, long? heap, CancellationToken cancel, params string[] arguments) =>
        RunAsync(servers, stack.Broker, new()
        {
            ["IMET_ELIGIBILITY"] = stack.CountryEligibility[0].Address,
            ["IMET_CATALOG"] = stack.CourseCatalog[0].Address,
            ["IMET_ENROLLMENT"] = stack.Enrollment[0].Address,
            ["IMET_TOKEN"] = stack.Anybody("test.replay").Token,
            ["IMET_KEYS"] = Path.GetDirectoryName(servers.Tokens.KeysFile),
            ["DOTNET_GCHeapHardLimit"] = heap?.ToString("x", CultureInfo.InvariantCulture),
        }, arguments, cancel);

    /// <summary>For verbs that need a broker and no service.</summary>
    public static Task<(int Code, string Output)> RunAsync(Servers servers, string broker, CancellationToken cancel, params string[] arguments) =>
        RunAsync(servers, broker, [], arguments, cancel);

    public static string Management(Servers servers, string broker) => servers.RabbitMq.Management(new Uri(broker).AbsolutePath.Trim('/'));

    private static async Task<(int Code, string Output)> RunAsync(Servers servers, string broker, Dictionary<string, string?> environment, string[] arguments, CancellationToken cancel)
    {
        environment["IMET_AMQP"] = broker;
        environment["IMET_RABBITMQ"] = Management(servers, broker);
        var own = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd('/'));
        var program = Path.Combine(own.Parent!.Parent!.FullName, "Imet.Cli", own.Name, "imet.dll");
        return await Processes.TryRunAsync(House.Dotnet, [program, .. arguments], servers.Folder, environment, "", cancel);
    }
}
