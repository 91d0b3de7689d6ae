using System.Collections.Frozen;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.Tokens;
using Npgsql;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using StatusCode = Grpc.Core.StatusCode;

namespace Imet.Chassis;

public static class Telemetry
{
    /// <summary>The meter of all promises; whoever makes one puts its instrument here.</summary>
    public static readonly Meter Meter = new("Imet");

    /// <summary>Spans of our own. No tag of any may tell who a person is.</summary>
    public static readonly ActivitySource Source = new("Imet");

    private static readonly Histogram<double> Calls = Meter.CreateHistogram("imet.rpc.duration", "s", "Calls by method and status code.",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] });
    private static readonly Counter<long> Malformed = Meter.CreateCounter<long>("imet.rpc.malformed", description: "Calls whose bytes or headers are not gRPC.");
    private static readonly Counter<long> WithoutDeadline = Meter.CreateCounter<long>("imet.rpc.without_deadline", description: "Calls that had to be given a deadline.");
    private static readonly Counter<long> Tokens = Meter.CreateCounter<long>("imet.tokens.refused", description: "Bearer tokens refused, by why.");

    private static readonly FrozenDictionary<StatusCode, string> Codes = Enum.GetValues<StatusCode>().ToFrozenDictionary(code => code, code => code.ToString());

    internal static void Called(string method, StatusCode code, TimeSpan took) =>
        Calls.Record(took.TotalSeconds, new("method", method), new("code", Codes.TryGetValue(code, out var name) ? name : "other"));

    internal static void FrameRefused() => Malformed.Add(1);

    internal static void DeadlineMissing(string method) => WithoutDeadline.Add(1, new KeyValuePair<string, object?>("method", method));

    internal static void TokenRefused(bool algorithmAllowed, Exception? why) => Tokens.Add(1, new KeyValuePair<string, object?>("why", why switch
    {
        _ when !algorithmAllowed => "algorithm",
        SecurityTokenInvalidLifetimeException => "lifetime",
        SecurityTokenExpiredException or SecurityTokenNotYetValidException or SecurityTokenNoExpirationException => "time",
        SecurityTokenInvalidAudienceException => "audience",
        SecurityTokenInvalidIssuerException => "issuer",
        SecurityTokenInvalidSignatureException => "signature",
        _ => "other",
    }));

    internal static string TraceId => Activity.Current?.TraceId.ToHexString() ?? ActivityTraceId.CreateRandom().ToHexString();

    internal static void AddTelemetry(this WebApplicationBuilder builder, string service)
    {
        var exported = !string.IsNullOrEmpty(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]);
        var telemetry = builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService($"imet-{service}"))
            .WithMetrics(metrics => metrics
                // Not the framework's own timing of requests: to HTTP every gRPC call is a 200, and counting each twice costs a twentieth of a cheap one.
                .AddMeter("Imet", "Npgsql", "System.Runtime", "Microsoft.AspNetCore.Server.Kestrel", "Polly")
                .AddPrometheusExporter(options => options.ScrapeResponseCacheDurationMilliseconds = 1000));
        if (!exported)
            return;
        telemetry
            .UseOtlpExporter()
            .WithTracing(traces => traces
                .SetSampler(new ParentBasedSampler(new TraceIdRatioBasedSampler(0.01)))
                .AddSource("Imet", "System.Net.Http")
                .AddAspNetCoreInstrumentation(options => options.Filter = context => context.Features.Get<OperatorListener>() is null)
                .AddNpgsql());
    }

    internal static void AddLogs(this WebApplicationBuilder builder)
    {
        builder.Logging.AddJsonConsole(options =>
        {
            options.IncludeScopes = true;
            options.UseUtcTimestamp = true;
            options.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ";
        });
        builder.Logging.Configure(options => options.ActivityTrackingOptions = ActivityTrackingOptions.TraceId);
        builder.Logging.SetMinimumLevel(LogLevel.Information);
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
        // What a caller sent wrongly is no error of ours, and what is an error of ours is logged by the interceptor, with its correlation id.
        builder.Logging.AddFilter("Grpc", LogLevel.None);
        // Readiness tells of changes; this would tell every look.
        builder.Logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None);
        // It logs bits of messages with its exceptions.
        builder.Logging.AddFilter("MassTransit", LogLevel.None);
        builder.Logging.AddConfiguration(builder.Configuration.GetSection("Logging"));
    }
}
