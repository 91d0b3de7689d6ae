using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Imet.Chassis;

internal sealed record ClusterIssuerSettings
{
    /// <summary>Where the API server shows the keys of its service accounts.</summary>
    public required Uri Keys { get; init; }
    /// <summary>Our own token for the API server: keys are shown to known callers only, and its iss is the cluster's issuer.</summary>
    public required string TokenFile { get; init; }
    public required string CaFile { get; init; }

    public static ClusterIssuerSettings? Read(Settings settings)
    {
        if (settings.TextOrNull("Auth:Cluster:Keys") is not { } text)
            return null;
        const string expected = "an https address such as https://kubernetes.default.svc/openid/v1/jwks";
        var keys = Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme == Uri.UriSchemeHttps ? uri : settings.Wrong("Auth:Cluster:Keys", text, expected, new Uri("https://nowhere"));
        return new ClusterIssuerSettings
        {
            Keys = keys,
            TokenFile = File("Auth:Cluster:TokenFile", "a file with our token for the API server"),
            CaFile = File("Auth:Cluster:CaFile", "a file with the cluster's certificate authority"),
        };

        string File(string key, string what) => settings.FileOrNull(key, what) ?? settings.Text(key, what);
    }
}

/// <summary>The issuer of the cluster's service accounts, beside the one of outside callers. Its keys are read again every few minutes, and at once when a token names one that is not known.</summary>
internal sealed class ClusterIssuer : BackgroundService, IHealthCheck
{
    /// <summary>How the subject of every service account begins.</summary>
    public const string Account = "system:serviceaccount:";

    private static readonly TimeSpan Every = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan EveryUntilKnown = TimeSpan.FromSeconds(1);
    // Whoever makes up key names must not make us ask without end.
    private static readonly TimeSpan Soonest = TimeSpan.FromSeconds(5);

    private readonly ClusterIssuerSettings _settings;
    private readonly string _audience;
    private readonly TimeProvider _clock;
    private readonly BearerFile _token;
    private readonly HttpClient _http;
    private readonly SemaphoreSlim _one = new(1);
    private volatile TokenValidationParameters? _parameters;
    private volatile string _why = "its keys were not read yet";
    private long _asked;

    public ClusterIssuer(ClusterIssuerSettings settings, string audience, TimeProvider clock)
    {
        (_settings, _audience, _clock) = (settings, audience, clock);
        _token = new BearerFile(settings.TokenFile, clock);
        _http = new HttpClient(new SocketsHttpHandler
        {
            ConnectTimeout = TimeSpan.FromSeconds(2),
            PooledConnectionLifetime = Every,
            SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = (_, certificate, chain, errors) => IsOfTheCluster(certificate, chain, errors) },
        })
        { Timeout = TimeSpan.FromSeconds(5) };
    }

    /// <summary>How to check a token that says it is the cluster's; null = it is another issuer's.</summary>
    public async Task<TokenValidationParameters?> ParametersAsync(string token)
    {
        if (_parameters is not { } parameters || Read(token) is not { } jwt || jwt.Issuer != parameters.ValidIssuer)
            return null;
        if (parameters.IssuerSigningKeys.All(key => key.KeyId != jwt.Kid) && _clock.GetElapsedTime(Volatile.Read(ref _asked)) > Soonest)
            await AskAsync(CancellationToken.None);
        return _parameters;
    }

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(_parameters is null ? HealthCheckResult.Unhealthy(_why) : HealthCheckResult.Healthy());

    public override void Dispose()
    {
        _http.Dispose();
        _one.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await AskAsync(stoppingToken);
            await Task.Delay(_parameters is null ? EveryUntilKnown : Every, _clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task AskAsync(CancellationToken cancel)
    {
        await _one.WaitAsync(cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (cancel.IsCancellationRequested)
            return;
        try
        {
            Volatile.Write(ref _asked, _clock.GetTimestamp());
            using var request = new HttpRequestMessage(HttpMethod.Get, _settings.Keys);
            var own = _token.Read();
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", own);
            using var response = await _http.SendAsync(request, cancel);
            if (!response.IsSuccessStatusCode)
                _why = $"{_settings.Keys} answers {(int)response.StatusCode}";
            else if (own is null || Read(own) is not { Issuer.Length: > 0 } jwt)
                _why = $"{_settings.TokenFile} holds no token";
            else if (SigningKeys.Parse(await response.Content.ReadAsStringAsync(cancel)) is not { Count: > 0 } keys)
                _why = $"{_settings.Keys} shows no keys";
            else
                _parameters = AuthenticationRegistration.Parameters(jwt.Issuer, _audience, keys);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or CryptographicException or OperationCanceledException)
        {
            // The keys that are known stay good: they change once a year, and an API server may be away for minutes.
            _why = $"{_settings.Keys} can't be read ({e.GetType().Name})";
        }
        finally
        {
            _one.Release();
        }
    }

    private static JsonWebToken? Read(string token)
    {
        try
        {
            return new JsonWebToken(token);
        }
        catch (ArgumentException)
        {
            return null;
        }
    }

    // The cluster's own authority and no other; its file is read each time, since it is replaced in place.
    private bool IsOfTheCluster(X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (certificate is not X509Certificate2 server || chain is null || (errors & ~SslPolicyErrors.RemoteCertificateChainErrors) != SslPolicyErrors.None)
            return false;
        chain.Reset();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.CustomTrustStore.ImportFromPemFile(_settings.CaFile);
        return chain.Build(server);
    }
}

internal static class ClusterIssuerRegistration
{
    public static void AddClusterIssuer(this IServiceCollection services, ClusterIssuer issuer)
    {
        services.AddHostedService(_ => issuer);
        services.AddHealthChecks().AddCheck("cluster-issuer", issuer, HealthStatus.Unhealthy, [Readiness.Deep]);
    }
}
