using System.Globalization;
using Imet.Cli;

namespace Imet.Local;

internal static class Verbs
{
    /// <summary>The exit code; null when there is no such verb.</summary>
    public static async Task<int?> RunAsync(string verb, string folder, CancellationToken cancel)
    {
        switch (verb)
        {
            case "up":
                return await UpAsync(folder, cancel);
            case "down":
                return await DownAsync(folder, cancel);
            case "status":
                return await StatusAsync(folder, cancel);
            case "reset":
                return await ResetAsync(folder, cancel);
            case "install":
                await Install.MissingAsync(cancel);
                return 0;
            case "doctor":
                return Doctor.Examine(folder);
            default:
                return null;
        }
    }

    private static async Task<int> UpAsync(string folder, CancellationToken cancel)
    {
        using var alone = Alone(folder);
        await Install.MissingAsync(cancel);
        var stack = new Stack(folder);
        Console.WriteLine($"Starting Imet in {folder}");
        var started = await stack.UpAsync(cancel);
        if (started)
        {
            // Harmless to repeat: what is there already stays as it is.
            if (await CommandLineAsync(stack, "seed", cancel) is not 0 and var unseeded)
                return unseeded;
            if (await CommandLineAsync(stack, "tour", cancel) is not 0 and var failed)
                return failed;
        }
        Console.WriteLine(started ? "\nImet is up." : "\nImet was up already. Calls to copy stand at the end of ./dev tour.");
        foreach (var house in House.All)
            Console.WriteLine($"  {house.Name,-20} gRPC 127.0.0.1:{stack.GrpcPort(house)}   health and metrics http://127.0.0.1:{stack.HttpPort(house)}");
        Console.WriteLine($"  {"events",-20} {stack.Broker}   exchanges imet.*.v1");
        Console.WriteLine("./dev status, ./dev logs SERVICE, ./dev down; ./dev help has the rest.");
        return 0;
    }

    private static async Task<int> DownAsync(string folder, CancellationToken cancel)
    {
        if (!Stack.Exists(folder))
        {
            Console.WriteLine("Nothing runs.");
            return 0;
        }
        using var alone = Alone(folder);
        await new Stack(folder).DownAsync(cancel);
        Console.WriteLine("Imet is down. Its data stays for the next ./dev up.");
        return 0;
    }

    private static async Task<int> ResetAsync(string folder, CancellationToken cancel)
    {
        if (Directory.Exists(folder))
        {
            using var alone = Alone(folder);
            if (Stack.Exists(folder))
                await new Stack(folder).DownAsync(cancel);
            Directory.Delete(folder, recursive: true);
        }
        Console.WriteLine("Imet is down and has forgotten everything.");
        return 0;
    }

    private static async Task<int> StatusAsync(string folder, CancellationToken cancel)
    {
        if (!Stack.Exists(folder))
        {
            Console.WriteLine("Never started here: ./dev up");
            return 1;
        }
        var stack = new Stack(folder);
        var well = Line("PostgreSQL", stack.Postgres.Process, stack.Postgres.IsRunning, stack.Postgres.Port.ToString(CultureInfo.InvariantCulture));
        well &= Line("RabbitMQ", stack.RabbitMq.Process, stack.RabbitMq.IsRunning, stack.RabbitMq.Port.ToString(CultureInfo.InvariantCulture));
        foreach (var house in House.All)
            well &= Line(house.Name, stack.Process(house), await stack.IsReadyAsync(house, cancel), $"{stack.GrpcPort(house)} gRPC, {stack.HttpPort(house)} HTTP");
        return well ? 0 : 1;

        static bool Line(string name, ProcessId? process, bool ready, string ports)
        {
            var word = process is not { IsAlive: true } ? "stopped" : ready ? "ready" : "not ready";
            Console.WriteLine($"  {name,-20} {word,-10} {(process is { IsAlive: true } ? $"process {process.Pid}" : ""),-16} port {ports}");
            return word == "ready";
        }
    }

    private static async Task<int> CommandLineAsync(Stack stack, string verb, CancellationToken cancel)
    {
        var program = typeof(Tokens).Assembly.Location;
        Console.WriteLine();
        return await Processes.RunInForegroundAsync(House.Dotnet, [program, verb], stack.CommandLineEnvironment, cancel);
    }

    // Two that start or stop one stack at the same time would each undo the other.
    private static FileStream Alone(string folder)
    {
        Directory.CreateDirectory(folder);
        try
        {
            return new FileStream(Path.Combine(folder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            throw new StackException($"Another ./dev is at work in {folder}: wait for it to end.");
        }
    }
}
