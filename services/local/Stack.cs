using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Imet.Cli;

namespace Imet.Local;

/// <summary>What the stack must remember from one start to the next; holds its passwords, so only its owner may read it.</summary>
internal sealed record StackState
{
    public required int PortBase { get; init; }
    public required int Postgres { get; init; }
    public required RabbitMqPorts RabbitMq { get; init; }
    /// <summary>By role; the broker's user is among them.</summary>
    public required Dictionary<string, string> Passwords { get; init; }
}

/// <summary>PostgreSQL, RabbitMQ and the three services on loopback, with all that they keep in one folder.</summary>
internal sealed class Stack
{
    private const int UsualPortBase = 5100;
    private const string Database = "imet";
    private const string EnrollmentSubject = "service:enrollment";
    private static readonly string[] EnrollmentScopes = ["eligibility.read", "eligibility.preview", "catalog.read"];
    // The longest that a service can be told to accept, less a day; each ./dev up renews it.
    private static readonly TimeSpan TokenLifetime = TimeSpan.FromDays(30);
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(2) };
    private readonly string folder;
    private StackState state;

    public Stack(string folder)
    {
        this.folder = folder;
        state = Read() ?? Fresh(AskedPortBase ?? UsualPortBase);
    }

    public static bool Exists(string folder) => File.Exists(Path.Combine(folder, "stack.json"));

    public Postgres Postgres => new(Path.Combine(folder, "postgres"), state.Postgres, state.Passwords[Postgres.Superuser], new Dictionary<string, string>())
    {
        Log = Log("postgresql"),
    };
    public RabbitMq RabbitMq => new(Path.Combine(folder, "rabbitmq"), state.RabbitMq, state.Passwords[RabbitMq.User]) { Log = Log("rabbitmq") };
    public string Broker => RabbitMq.Uri(RabbitMq.VirtualHost);

    public int GrpcPort(House house) => state.PortBase + house.Number;

    public int HttpPort(House house) => state.PortBase + 100 + house.Number;

    public string Log(string name) => Path.Combine(folder, "logs", $"{name}.log");

    public ProcessId? Process(House house) => ProcessId.Read(PidFile(house));

    /// <summary>Where the command line finds this stack.</summary>
    public Dictionary<string, string?> CommandLineEnvironment => new()
    {
        ["IMET_ELIGIBILITY"] = $"http://127.0.0.1:{GrpcPort(House.CountryEligibility)}",
        ["IMET_CATALOG"] = $"http://127.0.0.1:{GrpcPort(House.CourseCatalog)}",
        ["IMET_ENROLLMENT"] = $"http://127.0.0.1:{GrpcPort(House.Enrollment)}",
        ["IMET_KEYS"] = Path.Combine(folder, "keys"),
        ["IMET_AMQP"] = Broker,
        ["IMET_RABBITMQ"] = RabbitMq.Management(RabbitMq.VirtualHost),
    };

    /// <summary>True when something had to be started.</summary>
    public async Task<bool> UpAsync(CancellationToken cancel)
    {
        Directory.CreateDirectory(Path.Combine(folder, "logs"));
        Directory.CreateDirectory(Path.Combine(folder, "run"));
        await PlaceAsync(cancel);
        using var tokens = Tokens.Open(Path.Combine(folder, "keys"), TimeProvider.System);
        await WriteAsync("enrollment.token", tokens.Mint(EnrollmentSubject, EnrollmentScopes, [], Tokens.Audiences.Take(2), TokenLifetime), cancel);
        await WriteAsync("amqp", Broker + "\n", cancel);
        await WriteAsync("env", string.Concat(CommandLineEnvironment.Select(v => $"export {v.Key}='{v.Value}'\n")), cancel);

        // The services keep events in their outboxes until RabbitMQ is there, so they start beside it.
        var broker = StartServerAsync("RabbitMQ", RabbitMq.IsRunning, RabbitMq.Port, RabbitMq.StartAsync, cancel);
        var servers = await Task.WhenAll(broker, StartDatabaseAndServicesAsync(tokens.KeysFile, cancel));
        return servers.Any(started => started);
    }

    public async Task DownAsync(CancellationToken cancel)
    {
        await Task.WhenAll(House.All.Select(house => StopAsync(house, cancel)));
        await Task.WhenAll(Postgres.StopAsync(cancel), RabbitMq.StopAsync(cancel));
    }

    public async Task<bool> IsReadyAsync(House house, CancellationToken cancel)
    {
        try
        {
            using var response = await Http.GetAsync(new Uri($"http://127.0.0.1:{HttpPort(house)}/health/ready"), cancel);
            return response.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !cancel.IsCancellationRequested)
        {
            return false;
        }
    }

    private async Task<bool> StartDatabaseAndServicesAsync(string keysFile, CancellationToken cancel)
    {
        var started = await StartServerAsync("PostgreSQL", Postgres.IsRunning, Postgres.Port, Postgres.StartAsync, cancel);
        await Postgres.EnsureDatabaseAsync(Database, cancel);
        await Postgres.ProvisionAsync(Database, Passwords(role => role.StartsWith("imet_", StringComparison.Ordinal)), cancel);

        var migrations = House.All.Where(house => !IsCurrent(house, Settings(house, keysFile, owner: false)))
            .Select(house => Processes.RunAsync(House.Dotnet, [house.Program, "migrate"], folder, Settings(house, keysFile, owner: true), cancel)).ToList();
        await Task.WhenAll(migrations);
        if (migrations.Count > 0)
            Say("schemas", "up to date");
        var services = await Task.WhenAll(House.All.Select(house => StartAsync(house, Settings(house, keysFile, owner: false), cancel)));
        return started || services.Any(service => service);
    }

    private async Task<bool> StartAsync(House house, Dictionary<string, string?> settings, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        if (IsCurrent(house, settings))
        {
            await WaitUntilReadyAsync(house, Process(house)!, cancel);
            Say(house.Name, $"already running, port {GrpcPort(house)}");
            return false;
        }
        await StopAsync(house, cancel);
        Rotate(Log(house.Name));
        var process = Processes.StartDetached(House.Dotnet, [house.Program], folder, Log(house.Name), PidFile(house), settings);
        await File.WriteAllTextAsync(MarkFile(house), Mark(house, settings), cancel);
        await WaitUntilReadyAsync(house, process, cancel);
        Say(house.Name, $"started, port {GrpcPort(house)} ({Seconds(clock)})");
        return true;
    }

    private async Task StopAsync(House house, CancellationToken cancel)
    {
        if (Process(house) is not { } process)
            return;
        await process.StopAsync(Signal.Terminate, TimeSpan.FromSeconds(30), cancel);
        File.Delete(PidFile(house));
    }

    private async Task WaitUntilReadyAsync(House house, ProcessId process, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        while (!await IsReadyAsync(house, cancel))
        {
            if (!process.IsAlive)
                throw new StackException($"{house.Name} ended at its start. Its log ({Log(house.Name)}) ends:\n{Processes.Tail(Log(house.Name), 12)}");
            if (clock.Elapsed > TimeSpan.FromSeconds(60))
                throw new StackException($"{house.Name} is not ready after 60 s. Its log ({Log(house.Name)}) ends:\n{Processes.Tail(Log(house.Name), 12)}");
            await Task.Delay(50, cancel);
        }
    }

    private static async Task<bool> StartServerAsync(string name, bool runs, int port, Func<CancellationToken, Task> start, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        await start(cancel);
        Say(name, runs ? $"already running, port {port}" : $"started, port {port} ({Seconds(clock)})");
        return !runs;
    }

    // A rebuilt program or another setting (a port that moved) shows in the mark: then a running service is old and is started anew.
    private bool IsCurrent(House house, Dictionary<string, string?> settings) =>
        Process(house) is { IsAlive: true } && File.Exists(MarkFile(house)) && File.ReadAllText(MarkFile(house)) == Mark(house, settings);

    private static string Mark(House house, Dictionary<string, string?> settings)
    {
        var built = new DirectoryInfo(Path.GetDirectoryName(house.Program)!).EnumerateFiles("*.dll").Max(file => file.LastWriteTimeUtc);
        var told = string.Join('\n', settings.Select(s => $"{s.Key}={s.Value}").Append(built.ToString("O", CultureInfo.InvariantCulture)));
        return Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(told)));
    }

    private Dictionary<string, string?> Settings(House house, string keysFile, bool owner)
    {
        var settings = new HouseSettings
        {
            GrpcPort = GrpcPort(house),
            HttpPort = HttpPort(house),
            Database = Role($"imet_{house.Schema}"),
            OwnerDatabase = owner ? Role($"imet_{house.Schema}_owner") : null,
            Broker = Broker,
            KeysFile = keysFile,
            TokenFile = house == House.Enrollment ? Path.Combine(folder, "enrollment.token") : null,
            CountryEligibility = $"http://127.0.0.1:{GrpcPort(House.CountryEligibility)}",
            CourseCatalog = $"http://127.0.0.1:{GrpcPort(House.CourseCatalog)}",
        }.ToEnvironment();
        // Nobody renews enrollment's own token while the stack is up.
        settings["Auth__MaximumLifetime"] = (TokenLifetime + TimeSpan.FromDays(1)).ToString("c", CultureInfo.InvariantCulture);
        return settings;

        string Role(string role) => Postgres.ConnectionString(Database, role, state.Passwords[role]);
    }

    /// <summary>Settles the ports. The services' are promised, so one that is taken is an error; nobody knows the servers', so they give way.</summary>
    private async Task PlaceAsync(CancellationToken cancel)
    {
        var asked = AskedPortBase ?? state.PortBase;
        foreach (var house in House.All.Where(house => asked != state.PortBase || Process(house) is not { IsAlive: true }))
        {
            foreach (var port in new[] { asked + house.Number, asked + 100 + house.Number }.Where(port => !Ports.IsFree(port)))
                throw new StackException($"Port {port}, which {house.Name} needs, is taken by {Ports.Holder(port) ?? "a process of another user"}. End it, or choose other ports: IMET_PORTS=6100 ./dev up");
        }
        var own = RabbitMq.IsRunning ? state.RabbitMq : new RabbitMqPorts(
            Free(state.RabbitMq.Amqp), Free(state.RabbitMq.Distribution), Free(state.RabbitMq.Epmd), Free(state.RabbitMq.Management));
        state = state with { PortBase = asked, Postgres = Postgres.IsRunning ? state.Postgres : Free(state.Postgres), RabbitMq = own };
        await WriteAsync("stack.json", JsonSerializer.Serialize(state), cancel);

        static int Free(int port) => port > 0 && Ports.IsFree(port) ? port : Ports.Free(1)[0];
    }

    private static int? AskedPortBase => Environment.GetEnvironmentVariable("IMET_PORTS") is not { Length: > 0 } asked ? null
        : int.TryParse(asked, CultureInfo.InvariantCulture, out var port) && port is >= 1024 and <= 65000 ? port
        : throw new StackException($"IMET_PORTS is \"{asked}\"; it must be a number from 1024 to 65000: gRPC gets the ports 1 to 3 above it, HTTP 101 to 103.");

    private StackState? Read() => Exists(folder) ? JsonSerializer.Deserialize<StackState>(File.ReadAllText(Path.Combine(folder, "stack.json"))) : null;

    private static StackState Fresh(int portBase) => new()
    {
        PortBase = portBase,
        Postgres = portBase + 10,
        RabbitMq = new RabbitMqPorts(portBase + 11, portBase + 12, portBase + 13, portBase + 14),
        Passwords = House.All.SelectMany(house => new[] { $"imet_{house.Schema}", $"imet_{house.Schema}_owner" }).Append(Postgres.Superuser).Append(RabbitMq.User)
            .ToDictionary(role => role, _ => RandomNumberGenerator.GetHexString(32, lowercase: true)),
    };

    private Dictionary<string, string> Passwords(Func<string, bool> of) => state.Passwords.Where(p => of(p.Key)).ToDictionary();

    private string PidFile(House house) => Path.Combine(folder, "run", $"{house.Name}.pid");

    private string MarkFile(House house) => Path.Combine(folder, "run", $"{house.Name}.mark");

    // One log a start, and the one before it: what is shown after a failure is of this start.
    private static void Rotate(string log)
    {
        if (File.Exists(log))
            File.Move(log, log + ".1", overwrite: true);
    }

    private static string Seconds(Stopwatch clock) => clock.Elapsed.TotalSeconds.ToString("0.0 s", CultureInfo.InvariantCulture);

    private static void Say(string who, string what) => Console.WriteLine($"  {who,-20} {what}");

    private async Task WriteAsync(string name, string text, CancellationToken cancel)
    {
        var file = Path.Combine(folder, name);
        if (File.Exists(file) && await File.ReadAllTextAsync(file, cancel) == text)
            return;
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        await using (var writer = new StreamWriter(file + ".new", options))
            await writer.WriteAsync(text.AsMemory(), cancel);
        File.Move(file + ".new", file, overwrite: true);
    }
}
