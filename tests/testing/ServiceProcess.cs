using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Imet.Local;

namespace Imet.Testing;

/// <summary>A built service as a process of its own, on free ports.</summary>
public sealed class ServiceProcess : IAsyncDisposable
{
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(5) };
    private readonly Servers servers;
    private readonly House house;
    private readonly IReadOnlyDictionary<string, string?> settings;
    private readonly HouseSettings standard;
    private GrpcChannel? channel;

    private ServiceProcess(Servers servers, House house, HouseSettings standard, IReadOnlyDictionary<string, string?> extra)
    {
        this.servers = servers;
        this.house = house;
        this.standard = standard;
        var all = standard.ToEnvironment();
        foreach (var (name, value) in extra)
            all[name] = value;
        settings = all;
        Log = Path.Combine(servers.Folder, $"{house.Name}-{standard.GrpcPort}.log");
    }

    public ProcessId Id { get; private set; } = new(0, 0);
    public string Log { get; }
    public string Address => $"http://127.0.0.1:{standard.GrpcPort}";
    public string HttpAddress => $"http://127.0.0.1:{standard.HttpPort}";
    public bool IsRunning => Id.IsAlive;

    /// <summary>Started, not yet waited for. Settings given in <paramref name="extra"/> win over the usual ones.</summary>
    public static ServiceProcess Start(Servers servers, House house, HouseSettings standard, IReadOnlyDictionary<string, string?> extra)
    {
        var service = new ServiceProcess(servers, house, standard, extra);
        service.Launch();
        return service;
    }

    /// <summary>Runs a verb, such as migrate, to its end; its output is the message when it fails.</summary>
    public static Task<string> RunAsync(House house, string verb, HouseSettings standard, CancellationToken cancel) =>
        Processes.RunAsync(House.Dotnet, [house.Program, verb], AppContext.BaseDirectory, standard.ToEnvironment(), cancel);

    /// <summary>Once more after it has ended or was killed, on the same ports.</summary>
    public async Task RestartAsync(CancellationToken cancel)
    {
        await StopAsync(cancel);
        Launch();
        await WaitUntilReadyAsync(cancel);
    }

    public async Task WaitUntilReadyAsync(CancellationToken cancel)
    {
        await Eventually.TrueAsync(async () => !IsRunning || await IsReadyAsync(cancel), cancel, $"{house.Name} is ready. Its log ends:\n{LogTail(20)}");
        if (!IsRunning)
            throw new InvalidOperationException($"{house.Name} ended before it was ready. Its log ends:\n{LogTail(40)}");
    }

    public async Task<bool> IsReadyAsync(CancellationToken cancel)
    {
        try
        {
            using var response = await Http.GetAsync(new Uri($"{HttpAddress}/health/ready"), cancel);
            return response.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !cancel.IsCancellationRequested)
        {
            return false;
        }
    }

    public Task<string> MetricsAsync(CancellationToken cancel) => Http.GetStringAsync(new Uri($"{HttpAddress}/metrics"), cancel);

    /// <summary>kill -9.</summary>
    public async Task KillAsync(CancellationToken cancel)
    {
        Id.Signal(Signal.Kill);
        await Id.WaitForExitAsync(TimeSpan.FromSeconds(10), cancel);
    }

    /// <summary>SIGTERM, and the time that a graceful end takes.</summary>
    public Task StopAsync(CancellationToken cancel) => Id.StopAsync(Signal.Terminate, TimeSpan.FromSeconds(40), cancel);

    /// <summary>SIGSTOP: it stands still but keeps its connections, as behind a long pause.</summary>
    public void Pause() => Id.Signal(Signal.Stop);

    public void Resume() => Id.Signal(Signal.Continue);

    public string LogTail(int lines) => Processes.Tail(Log, lines);

    /// <summary>Calls to this very process, with a bearer token.</summary>
    public CallInvoker Invoker(string token)
    {
        channel ??= GrpcChannel.ForAddress(Address, new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler { EnableMultipleHttp2Connections = true, ConnectTimeout = TimeSpan.FromSeconds(5) },
            DisposeHttpClient = true,
        });
        return channel.Intercept(metadata =>
        {
            metadata.Add("authorization", $"Bearer {token}");
            return metadata;
        });
    }

    public async ValueTask DisposeAsync()
    {
        channel?.Dispose();
        await KillAsync(CancellationToken.None);
    }

    private void Launch()
    {
        Id = Processes.StartDetached(House.Dotnet, [house.Program], servers.Folder, Log, $"{Log}.pid", settings);
        servers.Watch(Id);
    }
}
