using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Security;
using System.Text.Json;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Grpc.Net.Client.Balancer;
using Grpc.Net.Client.Configuration;
using Imet.Options.V1;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Polly;
using Polly.CircuitBreaker;

namespace Imet.Chassis;

internal sealed record PeerSettings
{
    public required string Name { get; init; }
    public required Uri Address { get; init; }
    public required bool Tls { get; init; }

    /// <summary>A token for this peer alone: a cluster gives out tokens of one audience each. Null = the one for all peers.</summary>
    public string? TokenFile { get; init; }

    public TimeSpan BreakDuration { get; init; } = TimeSpan.FromSeconds(5);

    public static PeerSettings Read(Settings settings, string peer)
    {
        var key = $"Peers:{peer}:Address";
        const string expected = "an address such as http://127.0.0.1:5101, dns:///host:5101 or static:///a:5101,b:5101";
        var text = settings.Text(key, expected);
        var nowhere = new Uri("http://127.0.0.1:1");
        var address = text.Length == 0 ? nowhere
            : Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" or "dns" or "static" ? uri
            : settings.Wrong(key, text, expected, nowhere);
        return new PeerSettings
        {
            Name = peer,
            Address = address,
            Tls = address.Scheme == "https" || settings.Flag($"Peers:{peer}:Tls"),
            TokenFile = settings.FileOrNull($"Peers:{peer}:TokenFile", "a file with our bearer token for this peer"),
        };
    }
}

/// <summary>Channels to the other services. Retries are gRPC's own, from the same file that callers get; the breaker stands above them, so that nothing retries twice.</summary>
internal sealed class Peers(BearerFile? token, TimeProvider clock, ILoggerFactory logs) : IDisposable
{
    // Addresses change under a connection that still works, so they are looked up again while it does.
    private static readonly IServiceProvider Resolvers = new ServiceCollection()
        .AddSingleton<ResolverFactory>(new DnsResolverFactory(TimeSpan.FromSeconds(30)))
        .AddSingleton<ResolverFactory>(new StaticResolverFactory(uri =>
            [.. uri.AbsolutePath.Trim('/').Split(',').Select(part => part.Split(':')).Select(part => new BalancerAddress(part[0], int.Parse(part[1], CultureInfo.InvariantCulture)))]))
        .BuildServiceProvider();

    private readonly ConcurrentDictionary<string, (GrpcChannel Channel, CallInvoker Invoker)> _peers = new();

    public CallInvoker Invoker(PeerSettings peer) => _peers.GetOrAdd(peer.Name, _ =>
    {
        var channel = GrpcChannel.ForAddress(peer.Address, new GrpcChannelOptions
        {
            Credentials = peer.Tls ? ChannelCredentials.SecureSsl : ChannelCredentials.Insecure,
            ServiceConfig = PublishedServiceConfig.Read(),
            ServiceProvider = Resolvers,
            LoggerFactory = logs,
            MaxReconnectBackoff = TimeSpan.FromSeconds(5),
            HttpHandler = new SocketsHttpHandler
            {
                EnableMultipleHttp2Connections = true,
                PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
                KeepAlivePingDelay = TimeSpan.FromSeconds(30),
                KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
                ConnectTimeout = TimeSpan.FromSeconds(2),
                SslOptions = new SslClientAuthenticationOptions(),
            },
        });
        return (channel, channel.Intercept(new PeerInterceptor(peer, peer.TokenFile is { } own ? new BearerFile(own, clock) : token, clock)));
    }).Invoker;

    public void Dispose()
    {
        foreach (var (channel, _) in _peers.Values)
            channel.Dispose();
    }
}

/// <summary>Around every question to a peer: its time is what the caller has left less a margin, our token goes along, and a peer that does not answer is left alone for a while.</summary>
internal sealed class PeerInterceptor : Interceptor
{
    /// <summary>Left for us to say what happened before our own caller gives up.</summary>
    public static readonly TimeSpan Margin = TimeSpan.FromMilliseconds(20);

    private static readonly TimeSpan WithoutCaller = TimeSpan.FromSeconds(5);
    // A call that had less time than this says nothing about the peer when it runs out.
    private static readonly TimeSpan FairChance = TimeSpan.FromMilliseconds(500);

    private readonly PeerSettings _peer;
    private readonly BearerFile? _token;
    private readonly ResiliencePipeline _breaker;

    public PeerInterceptor(PeerSettings peer, BearerFile? token, TimeProvider clock)
    {
        (_peer, _token) = (peer, token);
        _breaker = new ResiliencePipelineBuilder { TimeProvider = clock, Name = peer.Name }
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions
            {
                FailureRatio = 0.5,
                MinimumThroughput = 10,
                SamplingDuration = TimeSpan.FromSeconds(10),
                BreakDuration = peer.BreakDuration,
                ShouldHandle = new PredicateBuilder().Handle<PeerAway>(),
            })
            .Build();
    }

    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
        TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncUnaryCallContinuation<TRequest, TResponse> continuation)
    {
        AsyncUnaryCall<TResponse>? call = null;
        var response = AskAsync();
        return new AsyncUnaryCall<TResponse>(
            response,
            call?.ResponseHeadersAsync ?? Task.FromResult(Metadata.Empty),
            () => call?.GetStatus() ?? new Status(StatusCode.Unavailable, "The peer was not asked."),
            () => call?.GetTrailers() ?? Metadata.Empty,
            () => call?.Dispose());

        async Task<TResponse> AskAsync()
        {
            var options = Prepare(context.Options, out var time);
            try
            {
                return await _breaker.ExecuteAsync(async _ =>
                {
                    try
                    {
                        call = continuation(request, new ClientInterceptorContext<TRequest, TResponse>(context.Method, context.Host, options));
                        return await call.ResponseAsync;
                    }
                    catch (RpcException e) when (e.StatusCode == StatusCode.Unavailable || (e.StatusCode == StatusCode.DeadlineExceeded && time >= FairChance))
                    {
                        throw new PeerAway(e);
                    }
                }, CancellationToken.None);
            }
            catch (BrokenCircuitException)
            {
                throw Away(_peer.BreakDuration).ToException();
            }
            catch (PeerAway away) when (away.Cause.StatusCode == StatusCode.Unavailable)
            {
                throw Away(TimeSpan.FromMilliseconds(250)).ToException();
            }
            catch (PeerAway away)
            {
                throw away.Cause;
            }
        }
    }

    // A stream has its own life: it gets our token, and no deadline that it was not given.
    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
        TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncServerStreamingCallContinuation<TRequest, TResponse> continuation) =>
        continuation(request, new ClientInterceptorContext<TRequest, TResponse>(context.Method, context.Host, context.Options.WithHeaders(Headers(context.Options))));

    private Refusal Away(TimeSpan retryAfter) =>
        Refusal.Of(CommonReason.DependencyUnavailable, $"{_peer.Name} can't be reached.").With("dependency", _peer.Name).RetryAfter(retryAfter);

    private CallOptions Prepare(CallOptions options, out TimeSpan time)
    {
        var caller = CallInProgress.Current;
        // A deadline is a moment of the real time, whatever the date is.
        var now = DateTime.UtcNow;
        var deadline = caller?.Deadline is { } ends && ends < DateTime.MaxValue ? ends - Margin : now + WithoutCaller;
        if (options.Deadline is { } own && own < deadline)
            deadline = own;
        time = deadline - now;
        if (time <= TimeSpan.Zero)
            throw Refusal.Of(CommonReason.DeadlineExceeded, $"No time is left to ask {_peer.Name}.").ToException();

        options = options.WithDeadline(deadline).WithHeaders(Headers(options));
        return options.CancellationToken.CanBeCanceled || caller is null ? options : options.WithCancellationToken(caller.Cancel);
    }

    private Metadata Headers(CallOptions options)
    {
        var headers = new Metadata();
        foreach (var header in options.Headers ?? [])
            headers.Add(header);
        if (_token?.Read() is { } bearer)
            headers.Add("authorization", $"Bearer {bearer}");
        return headers;
    }

    private sealed class PeerAway(RpcException cause) : Exception(cause.Message, cause)
    {
        public RpcException Cause => cause;
    }
}

/// <summary>Our own token for peers. Whoever renews it replaces the file.</summary>
internal sealed class BearerFile(string path, TimeProvider clock)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private string? _token;
    private long _looked;

    public string? Read()
    {
        lock (_lock)
        {
            if (_token is not null && clock.GetElapsedTime(_looked) < LookEvery)
                return _token;
            _looked = clock.GetTimestamp();
            try
            {
                // Not by its time: in a cluster's volume the name is a link that never changes, to a folder that is replaced.
                if (File.ReadAllText(path).Trim() is { Length: > 0 } token)
                    _token = token;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Between two files there may be none: the last token is good until its time is over.
            }

            return _token;
        }
    }
}

/// <summary>protos/service-config.json, which callers in every language get as well, in the form this client takes.</summary>
internal static class PublishedServiceConfig
{
    public static ServiceConfig Read()
    {
        using var stream = typeof(PublishedServiceConfig).Assembly.GetManifestResourceStream("service-config.json")!;
        using var document = JsonDocument.Parse(stream);
        var root = document.RootElement;
        var config = new ServiceConfig();
        foreach (var balancer in root.GetProperty("loadBalancingConfig").EnumerateArray())
            config.LoadBalancingConfigs.Add(new LoadBalancingConfig(balancer.EnumerateObject().First().Name));
        foreach (var method in root.GetProperty("methodConfig").EnumerateArray())
        {
            var retry = method.GetProperty("retryPolicy");
            var policy = new RetryPolicy
            {
                MaxAttempts = retry.GetProperty("maxAttempts").GetInt32(),
                InitialBackoff = Duration(retry.GetProperty("initialBackoff")),
                MaxBackoff = Duration(retry.GetProperty("maxBackoff")),
                BackoffMultiplier = retry.GetProperty("backoffMultiplier").GetDouble(),
            };
            foreach (var code in retry.GetProperty("retryableStatusCodes").EnumerateArray())
                policy.RetryableStatusCodes.Add(Enum.Parse<StatusCode>(code.GetString()!.Replace("_", "", StringComparison.Ordinal), ignoreCase: true));
            var methods = new MethodConfig { RetryPolicy = policy };
            foreach (var name in method.GetProperty("name").EnumerateArray())
                methods.Names.Add(new MethodName { Service = Text(name, "service"), Method = Text(name, "method") });
            config.MethodConfigs.Add(methods);
        }

        var throttling = root.GetProperty("retryThrottling");
        config.RetryThrottling = new RetryThrottlingPolicy
        {
            MaxTokens = throttling.GetProperty("maxTokens").GetInt32(),
            TokenRatio = throttling.GetProperty("tokenRatio").GetDouble(),
        };
        return config;
    }

    private static string? Text(JsonElement name, string property) => name.TryGetProperty(property, out var value) ? value.GetString() : null;

    private static TimeSpan Duration(JsonElement value) => TimeSpan.FromSeconds(double.Parse(value.GetString()!.TrimEnd('s'), CultureInfo.InvariantCulture));
}
