using System.Globalization;
using System.Net;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Imet.Local;
using Imet.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Imet.Bench;

/// <summary>A bare gRPC server in a process of its own: no authentication, no metrics, no work; answers of a given size.</summary>
internal sealed class EchoServer : IAsyncDisposable
{
    public const string Verb = "echo-server";
    private readonly ProcessId process;

    private EchoServer(int port, ProcessId process) => (Port, this.process) = (port, process);

    public int Port { get; }

    public static async Task<EchoServer> StartAsync(Servers servers, int answerBytes, CancellationToken cancel)
    {
        var port = Ports.Free(1)[0];
        var log = Path.Combine(servers.Folder, $"echo-{port}.log");
        var id = Processes.StartDetached(House.Dotnet, [typeof(EchoServer).Assembly.Location, Verb, $"{port}", $"{answerBytes}"], servers.Folder, log, $"{log}.pid", new Dictionary<string, string?> { ["DOTNET_gcServer"] = "0" });
        servers.Watch(id);
        await Eventually.TrueAsync(() => !Ports.IsFree(port), cancel, "the echo server listens");
        return new EchoServer(port, id);
    }

    /// <summary>The server's own process: serves until it is killed.</summary>
    public static async Task ServeAsync(string[] args)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, int.Parse(args[0], CultureInfo.InvariantCulture), listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddRouting().AddGrpc();
        builder.Services.AddSingleton(new EchoService(int.Parse(args[1], CultureInfo.InvariantCulture)));
        await using var app = builder.Build();
        app.UseRouting();
        app.MapGrpcService<EchoService>();
        await app.RunAsync();
    }

    /// <summary>A message of so many bytes, tag and length among them.</summary>
    public static BytesValue Sized(int bytes)
    {
        var overhead = bytes < 130 ? 2 : bytes < 16_387 ? 3 : 4;
        return new BytesValue { Value = ByteString.CopyFrom(new byte[Math.Max(0, bytes - overhead)]) };
    }

    public async ValueTask DisposeAsync() => await process.StopAsync(Signal.Kill, TimeSpan.FromSeconds(10), CancellationToken.None);

    private sealed class EchoService(int answerBytes) : Echo.EchoBase
    {
        private readonly BytesValue answer = Sized(answerBytes);

        public override Task<BytesValue> Echo(BytesValue request, ServerCallContext context) => Task.FromResult(answer);
    }
}
