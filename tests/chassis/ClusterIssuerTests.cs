using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Imet.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.Tokens;

namespace Imet.Chassis.Tests;

/// <summary>Services know each other by the tokens that a cluster gives its service accounts. The API server here speaks TLS under an authority of its own and shows its keys to known callers only.</summary>
public sealed class ClusterIssuerTests(Servers servers)
{
    private const string Account = "system:serviceaccount:imet:enrollment";
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static (string, string)[] Scopes => [("Auth:Subjects:0:Subject", Account), ("Auth:Subjects:0:Scopes", "echo.read")];

    [Fact]
    public async Task An_account_of_the_cluster_has_the_scopes_of_the_settings_and_outside_callers_those_of_their_token()
    {
        await using var cluster = await ApiServer.StartAsync();
        await using var house = await EchoHouse.StartAsync([.. cluster.Settings, .. Scopes]);
        await KnownAsync(house, cluster);
        await house.Anybody().EchoAsync(new EchoRequest(), cancellationToken: Cancel);
        var account = house.Client(cluster.Token(Account));
        Assert.Equal("SCOPE_REQUIRED", (await Refused.ByAsync(() => account.ChangeAsync(RequestsTests.Good(), cancellationToken: Cancel).ResponseAsync)).Reason);
        Assert.Equal("SCOPE_REQUIRED", (await Refused.ByAsync(() => house.Client(cluster.Token("system:serviceaccount:imet:stranger")).EchoAsync(new EchoRequest(), cancellationToken: Cancel).ResponseAsync)).Reason);
    }

    [Fact]
    public async Task Each_issuer_speaks_for_its_own_only()
    {
        await using var cluster = await ApiServer.StartAsync();
        await using var house = await EchoHouse.StartAsync([.. cluster.Settings, .. Scopes]);
        await KnownAsync(house, cluster);
        var tokens = new Dictionary<string, string>
        {
            ["an account, named by the outside issuer"] = house.Keys.Token("", Account),
            ["the cluster's name, signed by the outside issuer"] = house.Keys.Token("", Account, issuer: ApiServer.Issuer),
            ["the outside issuer's name, signed by the cluster"] = cluster.Token("alice", issuer: Keys.Issuer),
            ["a token for another service"] = cluster.Token(Account, audience: "imet.other"),
        };
        foreach (var (what, token) in tokens)
            Assert.Equal((what, "TOKEN_INVALID"), (what, (await Refused.ByAsync(() => house.Client(token).EchoAsync(new EchoRequest(), cancellationToken: Cancel).ResponseAsync)).Reason));
    }

    [Fact]
    public async Task New_keys_and_a_new_token_of_our_own_are_taken_up_without_a_restart()
    {
        await using var cluster = await ApiServer.StartAsync();
        await using var house = await EchoHouse.StartAsync([.. cluster.Settings, .. Scopes]);
        await KnownAsync(house, cluster);
        cluster.ReplaceKeys();
        cluster.ReplaceOwnToken();
        await KnownAsync(house, cluster);
    }

    [Fact]
    public async Task Until_the_keys_are_known_the_service_is_not_ready_and_says_why()
    {
        var database = await servers.NewDatabaseAsync(Stage.Schema, typeof(ClusterIssuerTests).Assembly, Cancel);
        await using var cluster = await ApiServer.StartAsync();
        await using var stranger = await ApiServer.StartAsync();
        await using var house = await EchoHouse.StartAsync([("Database:ConnectionString", database.Runtime(Stage.Schema)), .. cluster.Settings, ("Auth:Cluster:CaFile", stranger.CaFile)]);
        await Eventually.TrueAsync(async () => (await house.GetAsync("/health/ready")).Text.Contains($"cluster-issuer: {cluster.Address} can't be read", StringComparison.Ordinal), Cancel);
        File.Copy(cluster.CaFile, stranger.CaFile, overwrite: true);
        await Eventually.TrueAsync(async () => (await house.GetAsync("/health/ready")).Code == HttpStatusCode.OK, Cancel);
    }

    private static Task KnownAsync(EchoHouse house, ApiServer cluster) => Eventually.TrueAsync(async () =>
    {
        try
        {
            await house.Client(cluster.Token(Account)).EchoAsync(new EchoRequest(), cancellationToken: Cancel);
            return true;
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.Unauthenticated)
        {
            return false;
        }
    }, Cancel);

    private sealed class ApiServer : IAsyncDisposable
    {
        public const string Issuer = "https://kubernetes.default.svc.cluster.test";

        private readonly string _folder = Directory.CreateTempSubdirectory("imet-cluster-").FullName;
        private readonly WebApplication _app;
        private readonly Keys _outside;
        private ECDsaSecurityKey _key = NewKey();
        private int _generation;
        private string _own = "";

        private ApiServer(WebApplicationBuilder builder)
        {
            _outside = new Keys(Path.Combine(_folder, "unused.json"));
            ReplaceOwnToken();
            using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest("CN=cluster", authorityKey, HashAlgorithmName.SHA256);
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
            using var authority = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
            File.WriteAllText(CaFile, authority.ExportCertificatePem());
            using var serverKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var names = new SubjectAlternativeNameBuilder();
            names.AddDnsName("localhost");
            var server = new CertificateRequest("CN=api", serverKey, HashAlgorithmName.SHA256);
            server.CertificateExtensions.Add(names.Build());
            using var signed = server.Create(authority, DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddHours(12), [1, 2, 3]);
            var certificate = X509CertificateLoader.LoadPkcs12(signed.CopyWithPrivateKey(serverKey).Export(X509ContentType.Pkcs12), null);

            builder.Logging.ClearProviders();
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(certificate)));
            _app = builder.Build();
            _app.Run(async context =>
            {
                if (context.Request.Headers.Authorization == $"Bearer {_own}")
                    await context.Response.WriteAsync(Jwks());
                else
                    context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            });
        }

        public string CaFile => Path.Combine(_folder, "ca.crt");

        public Uri Address { get; private set; } = null!;

        public (string, string)[] Settings => [("Auth:Cluster:Keys", Address.ToString()), ("Auth:Cluster:TokenFile", Path.Combine(_folder, "token")), ("Auth:Cluster:CaFile", CaFile)];

        public static async Task<ApiServer> StartAsync()
        {
            var server = new ApiServer(WebApplication.CreateSlimBuilder());
            await server._app.StartAsync(Cancel);
            server.Address = new Uri($"https://localhost:{new Uri(server._app.Urls.First()).Port}/openid/v1/jwks");
            return server;
        }

        public string Token(string subject, string audience = "imet.echo", string issuer = Issuer) => _outside.Token("", subject, audience, issuer, key: _key);

        public void ReplaceKeys() => _key = NewKey();

        // As the kubelet does it: the name is a link to ..data/token, and ..data is a link that is swung to another folder.
        public void ReplaceOwnToken()
        {
            var folder = Directory.CreateDirectory(Path.Combine(_folder, $"..{++_generation}"));
            _own = Token(Account, "https://kubernetes.default.svc");
            File.WriteAllText(Path.Combine(folder.FullName, "token"), _own);
            File.Delete(Path.Combine(_folder, "..data"));
            Directory.CreateSymbolicLink(Path.Combine(_folder, "..data"), folder.Name);
            if (_generation == 1)
                File.CreateSymbolicLink(Path.Combine(_folder, "token"), "..data/token");
        }

        private static ECDsaSecurityKey NewKey() => new(ECDsa.Create(ECCurve.NamedCurves.nistP256)) { KeyId = Guid.NewGuid().ToString() };

        private string Jwks()
        {
            var key = JsonWebKeyConverter.ConvertFromECDsaSecurityKey(_key);
            return $$"""{"keys":[{"kty":"EC","kid":"{{_key.KeyId}}","use":"sig","crv":"P-256","x":"{{key.X}}","y":"{{key.Y}}"}]}""";
        }

        public async ValueTask DisposeAsync()
        {
            await _app.DisposeAsync();
            Directory.Delete(_folder, recursive: true);
        }
    }
}
