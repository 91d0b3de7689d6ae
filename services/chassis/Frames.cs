using System.Diagnostics;
using System.Globalization;
using Google.Protobuf;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Imet.Options.V1;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Imet.Chassis;

internal sealed record FrameLimits(TimeSpan Deadline);

/// <summary>
/// Stands before everything else on the gRPC port: what is not gRPC is the caller's fault and answered so, every unary call has a deadline, every call is counted,
/// and no exception from below leaves as anything but a status. (The framework reads the message before interceptors run, so they can't do it.)
/// </summary>
internal sealed partial class Frames(RequestDelegate next, FrameLimits limits, ILogger<Frames> log)
{
    private const string Timeout = "grpc-timeout";
    private const string Status = "grpc-status";

    private static readonly string TimeIsUp = Convert.ToBase64String(Faults.TimeIsUp.ToStatus().ToByteArray());

    /// <summary>Set by the interceptor: the message was read, so that what comes after is not about bytes.</summary>
    internal sealed class Reached
    {
        public static readonly Reached Mark = new();
    }

    public async Task InvokeAsync(HttpContext context)
    {
        if (context.Request.ContentType is not { } type || !type.StartsWith("application/grpc", StringComparison.Ordinal))
        {
            await next(context);
            return;
        }

        var started = Stopwatch.GetTimestamp();
        var grpc = context.GetEndpoint()?.Metadata.GetMetadata<GrpcMethodMetadata>();
        var method = grpc?.Method.FullName ?? "unknown";
        try
        {
            if (Deadline(context, grpc, method) is { } refusal)
                await RefuseAsync(context, refusal);
            else
                await next(context);
        }
        catch (Exception e) when (!context.Response.HasStarted)
        {
            await RefuseAsync(context, Faults.ToRefusal(e, deadline: null, log, method, context.RequestAborted));
        }

        await CorrectAsync(context);
        var code = StatusOf(context);
        var took = Stopwatch.GetElapsedTime(started);
        Telemetry.Called(method, code, took);
        if (log.IsEnabled(LogLevel.Debug))
            Answered(method, code, took.TotalMilliseconds);
    }

    /// <summary>Answers without a body: everything in the one header frame.</summary>
    public static async Task RefuseAsync(HttpContext context, Refusal refusal)
    {
        var status = refusal.ToStatus();
        var headers = context.Response.Headers;
        headers.ContentType = "application/grpc";
        headers[Status] = status.Code.ToString(CultureInfo.InvariantCulture);
        headers["grpc-message"] = Uri.EscapeDataString(status.Message);
        headers[StatusDetails.Header] = Convert.ToBase64String(status.ToByteArray());
        await context.Response.CompleteAsync();
    }

    private Refusal? Deadline(HttpContext context, GrpcMethodMetadata? grpc, string method)
    {
        var header = context.Request.Headers[Timeout];
        TimeSpan? asked = null;
        if (header.Count > 0)
        {
            if (header.Count > 1 || !TryParseTimeout(header.ToString(), out var timeout))
            {
                Telemetry.FrameRefused();
                return Refusal.Of(CommonReason.MalformedMessage, "The header grpc-timeout is not 1 to 8 digits and one of H, M, S, m, u, n.");
            }

            // The framework takes a timeout of nothing for none at all.
            if (timeout <= TimeSpan.Zero)
                return Refusal.Of(CommonReason.DeadlineExceeded, "The deadline has passed before the call began.");
            asked = timeout;
        }

        context.Response.OnStarting(ExplainDeadline, context.Response);
        if (grpc?.Method.Type is not MethodType.Unary || asked <= limits.Deadline)
            return null;
        if (asked is null)
            Telemetry.DeadlineMissing(method);
        context.Request.Headers[Timeout] = $"{limits.Deadline.TotalMilliseconds.ToString("F0", CultureInfo.InvariantCulture)}m";
        return null;
    }

    // The framework ends a call at its deadline by itself, with a status and no details.
    private static Task ExplainDeadline(object state)
    {
        var headers = ((HttpResponse)state).Headers;
        if (headers[Status] == "4" && !headers.ContainsKey(StatusDetails.Header))
            headers[StatusDetails.Header] = TimeIsUp;
        return Task.CompletedTask;
    }

    internal static bool TryParseTimeout(ReadOnlySpan<char> text, out TimeSpan timeout)
    {
        timeout = default;
        if (text.Length is < 2 or > 9 || !long.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return false;
        TimeSpan? unit = text[^1] switch
        {
            'H' => TimeSpan.FromHours(1),
            'M' => TimeSpan.FromMinutes(1),
            'S' => TimeSpan.FromSeconds(1),
            'm' => TimeSpan.FromMilliseconds(1),
            'u' => TimeSpan.FromMicroseconds(1),
            'n' => TimeSpan.Zero,
            _ => null,
        };
        if (unit is null)
            return false;
        timeout = text[^1] == 'n' ? TimeSpan.FromTicks(number / TimeSpan.NanosecondsPerTick) : number * unit.Value;
        return true;
    }

    // Without the mark nobody of ours has seen the message: UNKNOWN and INTERNAL can only be about its bytes, RESOURCE_EXHAUSTED about its size.
    private async Task CorrectAsync(HttpContext context)
    {
        if (context.Response.HasStarted || context.Features.Get<Reached>() is not null || context.Response.Headers.ContainsKey(StatusDetails.Header))
            return;
        switch (StatusOf(context))
        {
            case StatusCode.Unknown or StatusCode.Internal:
                Telemetry.FrameRefused();
                Broken(context.Request.Path);
                await RefuseAsync(context, Refusal.Of(CommonReason.MalformedMessage, "The bytes are not the one message that the method expects."));
                break;
            case StatusCode.ResourceExhausted:
                Telemetry.FrameRefused();
                await RefuseAsync(context, Refusal.Of(CommonReason.MessageTooLarge, "The message is larger than this service takes."));
                break;
        }
    }

    private static StatusCode StatusOf(HttpContext context)
    {
        var text = context.Response.Headers[Status];
        if (text.Count == 0)
            text = context.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpResponseTrailersFeature>()?.Trailers[Status] ?? default;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? (StatusCode)number
            : context.RequestAborted.IsCancellationRequested ? StatusCode.Cancelled
            : StatusCode.Unknown;
    }

    [LoggerMessage(1, LogLevel.Debug, "{Method} {Code} in {Milliseconds:F1} ms")]
    private partial void Answered(string method, StatusCode code, double milliseconds);

    [LoggerMessage(2, LogLevel.Debug, "Malformed message to {Path}")]
    private partial void Broken(string path);
}
