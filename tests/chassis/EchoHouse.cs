using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using Grpc.Core;
using Grpc.Net.Client;
using Imet.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Imet.Chassis.Tests;

/// <summary>A whole service on ports of its own: real Kestrel, real tokens, a database only where a test gives it one.</summary>
internal sealed class EchoHouse : IAsyncDisposable
{
    public const string Service = "echo";

    private readonly List<IDisposable> _open = [];

    private EchoHouse(string folder, Keys keys) => (Folder, Keys) = (folder, keys);

    public string Folder { get; }
    public Keys Keys { get; }
    public ServiceHost Host { get; private set; } = null!;
    public Behavior Behavior { get; } = new();
    public Logged Log { get; } = new();
    public Uri Grpc { get; private set; } = null!;
    public Uri Http { get; private set; } = null!;

    public static Task<EchoHouse> StartAsync(params (string Key, string Value)[] settings) => StartAsync(_ => { }, settings);

    public static async Task<EchoHouse> StartAsync(Action<ServiceHost> configure, params (string Key, string Value)[] settings)
    {
        var house = Build(configure, settings);
        Assert.Null(await house.Host.StartAsync());
        var addresses = ServiceHost.Addresses(house.Host.App!);
        (house.Grpc, house.Http) = (new Uri(addresses[0]), new Uri(addresses[1]));
        return house;
    }

    public static EchoHouse Build(Action<ServiceHost> configure, params (string Key, string Value)[] settings)
    {
        var folder = Directory.CreateTempSubdirectory("imet-house-").FullName;
        var house = new EchoHouse(folder, new Keys(Path.Combine(folder, "keys.json")));
        var pageKey = Path.Combine(folder, "page-key");
        File.WriteAllBytes(pageKey, RandomNumberGenerator.GetBytes(32));
        var all = new Dictionary<string, string>
        {
            ["Listen:Grpc"] = "http://127.0.0.1:0",
            ["Listen:Http"] = "http://127.0.0.1:0",
            // Nobody listens there: the front rooms have to do without.
            ["Database:ConnectionString"] = "Host=127.0.0.1;Port=1;Database=imet;Username=imet_echo",
            ["Broker:Uri"] = "amqp://nobody:nothing@127.0.0.1:1/",
            ["Auth:Issuer"] = Keys.Issuer,
            ["Auth:KeysFile"] = house.Keys.File,
            ["PageTokens:KeyFile"] = pageKey,
        };
        all["Logging:Console:LogLevel:Default"] = "None";
        foreach (var (key, value) in settings)
            all[key] = value;
        house.Host = ServiceHost.Create([.. all.Select(pair => $"--{pair.Key}={pair.Value}")], Service, "enrollment", typeof(EchoHouse).Assembly);
        house.Host.Services.AddSingleton(house.Behavior);
        house.Host.Services.AddSingleton<ILoggerProvider>(house.Log);
        house.Host.MapService<Echoing>(TestEchoReflection.Descriptor.Services[0]);
        configure(house.Host);
        return house;
    }

    public EchoService.EchoServiceClient Client(string? token = null) => new(Channel(token));

    public GrpcChannel Channel(string? token = null)
    {
        var http = new HttpClient(new SocketsHttpHandler());
        if (token is not null)
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        var channel = GrpcChannel.ForAddress(Grpc, new GrpcChannelOptions { HttpClient = http, DisposeHttpClient = true });
        _open.Add(channel);
        return channel;
    }

    /// <summary>A client whose token holds all scopes.</summary>
    public EchoService.EchoServiceClient Anybody() => Client(Keys.Token());

    public async Task<(System.Net.HttpStatusCode Code, string Text)> GetAsync(string path)
    {
        using var http = new HttpClient();
        using var response = await http.GetAsync(new Uri(Http, path), TestContext.Current.CancellationToken);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    public async ValueTask DisposeAsync()
    {
        _open.ForEach(open => open.Dispose());
        if (Host.App is { } app)
        {
            await app.StopAsync();
            await app.DisposeAsync();
        }
        Directory.Delete(Folder, recursive: true);
    }
}

internal sealed class Behavior
{
    public ConcurrentQueue<ServerCallContext> Calls { get; } = [];
    public Func<string, ServerCallContext, Task<string>> OnEcho { get; set; } = (text, _) => Task.FromResult(text);
    public string[] Things { get; set; } = [];
}

internal sealed class Echoing(Behavior behavior, Pages pages) : EchoService.EchoServiceBase
{
    public override async Task<EchoResponse> Echo(EchoRequest request, ServerCallContext context)
    {
        behavior.Calls.Enqueue(context);
        return new EchoResponse { Text = await behavior.OnEcho(request.Text, context) };
    }

    public override Task<ChangeResponse> Change(ChangeRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(request.Country);
        return Task.FromResult(new ChangeResponse { Id = Caller.Of(context).Subject });
    }

    public override Task<ListThingsResponse> ListThings(ListThingsRequest request, ServerCallContext context)
    {
        var page = pages.Open(request, context);
        var things = behavior.Things.Where(thing => page.After is null || string.CompareOrdinal(thing, page.After[0]) > 0).Take(page.Size + 1).ToArray();
        return Task.FromResult(new ListThingsResponse
        {
            Things = { things.Take(page.Size) },
            NextPageToken = things.Length > page.Size ? pages.Next(page, things[page.Size - 1]) : "",
        });
    }

    public override async Task WatchThings(WatchThingsRequest request, IServerStreamWriter<WatchThingsResponse> responseStream, ServerCallContext context)
    {
        foreach (var thing in behavior.Things)
            await responseStream.WriteAsync(new WatchThingsResponse { Thing = thing }, context.CancellationToken);
    }
}

internal sealed class Logged : ILoggerProvider, ILogger
{
    public ConcurrentQueue<(LogLevel Level, string Text)> Lines { get; } = [];
    public int Errors => Lines.Count(line => line.Level >= LogLevel.Error);

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        Lines.Enqueue((logLevel, $"{formatter(state, exception)} {exception}"));

    public void Dispose()
    {
    }
}

/// <summary>An issuer: its keys, their JWKS file, and tokens good and bad.</summary>
internal sealed class Keys
{
    public const string Issuer = "https://issuer.test";
    public const string AllScopes = "echo.read echo.write echo.admin";

    private ECDsa _elliptic = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly RSA _rsa = RSA.Create(2048);

    public Keys(string file)
    {
        File = file;
        Write();
    }

    public string File { get; }

    public string Token(
        string scopes = AllScopes, string subject = "tester", string audience = "imet.echo", string issuer = Issuer, string algorithm = SecurityAlgorithms.EcdsaSha256,
        TimeSpan? from = null, TimeSpan? life = null, string? countries = null, IDictionary<string, object>? headers = null, SecurityKey? key = null)
    {
        var claims = new Dictionary<string, object> { ["scope"] = scopes };
        if (subject.Length > 0)
            claims["sub"] = subject;
        if (countries is not null)
            claims["country"] = countries;
        var begin = DateTime.UtcNow + (from ?? TimeSpan.FromSeconds(-5));
        return new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(new SecurityTokenDescriptor
        {
            Issuer = issuer,
            Audience = audience,
            IssuedAt = begin,
            NotBefore = begin,
            Expires = begin + (life ?? TimeSpan.FromHours(1)),
            Claims = claims,
            AdditionalHeaderClaims = headers,
            SigningCredentials = new SigningCredentials(key ?? (algorithm.StartsWith('E') ? new ECDsaSecurityKey(_elliptic) { KeyId = "ec" } : new RsaSecurityKey(_rsa) { KeyId = "rsa" }), algorithm),
        });
    }

    public static string Unsigned() => new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
    {
        Issuer = Issuer,
        Audience = "imet.echo",
        Expires = DateTime.UtcNow.AddHours(1),
        Claims = new Dictionary<string, object> { ["sub"] = "tester", ["scope"] = AllScopes },
    });

    /// <summary>The old confusion: a server's public key, which everybody has, taken for a shared secret.</summary>
    public string SignedWithThePublicKey() =>
        Token(algorithm: SecurityAlgorithms.HmacSha256, key: new SymmetricSecurityKey(System.Text.Encoding.UTF8.GetBytes(_rsa.ExportSubjectPublicKeyInfoPem())) { KeyId = "rsa" });

    public static SecurityKey AnotherKey() => new ECDsaSecurityKey(ECDsa.Create(ECCurve.NamedCurves.nistP256)) { KeyId = "ec" };

    public void Replace()
    {
        _elliptic = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Write();
    }

    private void Write()
    {
        var elliptic = JsonWebKeyConverter.ConvertFromECDsaSecurityKey(new ECDsaSecurityKey(ECDsa.Create(_elliptic.ExportParameters(false))) { KeyId = "ec" });
        var rsa = JsonWebKeyConverter.ConvertFromRSASecurityKey(new RsaSecurityKey(_rsa.ExportParameters(false)) { KeyId = "rsa" });
        var text = $$"""
            {"keys":[
              {"kty":"EC","kid":"ec","use":"sig","crv":"P-256","x":"{{elliptic.X}}","y":"{{elliptic.Y}}"},
              {"kty":"RSA","kid":"rsa","use":"sig","n":"{{rsa.N}}","e":"{{rsa.E}}"}
            ]}
            """;
        System.IO.File.WriteAllText($"{File}.new", text);
        System.IO.File.Move($"{File}.new", File, overwrite: true);
    }
}

internal static class Refused
{
    public static async Task<(StatusCode Code, string Reason, Google.Rpc.Status Status)> ByAsync(Func<Task> call)
    {
        var e = await Assert.ThrowsAsync<RpcException>(call);
        var status = e.GetRpcStatus();
        Assert.True(status is not null, $"{e.Status} has no details");
        var info = status.GetDetail<Google.Rpc.ErrorInfo>();
        Assert.Equal("imet.echo", info.Domain);
        Assert.Equal((int)e.StatusCode, status.Code);
        return (e.StatusCode, info.Reason, status);
    }
}
