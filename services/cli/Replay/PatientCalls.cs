using Google.Rpc;
using Grpc.Core;

namespace Imet.Cli.Replay;

/// <summary>A service's answer: a value, or a refusal with its reason code.</summary>
public sealed record Answer<T>(T? Value, string Reason, string Message, IReadOnlyDictionary<string, string> Facts) where T : class
{
    /// <summary>The fields that are wrong, each with its remedy.</summary>
    public IReadOnlyList<BadRequest.Types.FieldViolation> Violations { get; init; } = [];
}

/// <summary>
/// Asks until there is an answer. The channel's own policy bridges blips of a second or so; what lasts longer (a service killed and started again, a database failing over) is waited for here, with the same
/// request id each time, until one request has waited too long.
/// </summary>
public sealed class PatientCalls(TimeSpan patience)
{
    private const int AttemptsAtFault = 4;
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(20);
    private static readonly IReadOnlyDictionary<string, string> NoFacts = new Dictionary<string, string>();
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(3);

    public async Task<Answer<T>> AskAsync<T>(Func<CallOptions, AsyncUnaryCall<T>> call, CancellationToken cancel) where T : class
    {
        var began = Environment.TickCount64;
        var pause = TimeSpan.FromMilliseconds(100);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return new Answer<T>(await call(new CallOptions(deadline: DateTime.UtcNow + CallTimeout, cancellationToken: cancel)), "", "", NoFacts);
            }
            catch (RpcException e) when (!cancel.IsCancellationRequested)
            {
                var status = e.GetRpcStatus();
                var info = status?.GetDetail<ErrorInfo>();
                switch (Treatment(e.StatusCode, info, attempt))
                {
                    case Next.Refused:
                        return new Answer<T>(null, info?.Reason ?? e.StatusCode.ToString(), e.Status.Detail, info is null ? NoFacts : info.Metadata.AsReadOnly())
                        {
                            Violations = [.. status?.GetDetail<BadRequest>()?.FieldViolations ?? []],
                        };
                    case Next.Stop:
                        throw new CouldNotRunException($"{info?.Reason ?? e.StatusCode.ToString()}: {e.Status.Detail}");
                    case Next.Again when Environment.TickCount64 - began > patience.TotalMilliseconds:
                        throw new CouldNotRunException($"No answer for {patience.TotalMinutes:0.#} minutes ({e.StatusCode}: {e.Status.Detail}). What was answered is recorded; run the same command again to go on.");
                    case Next.Again:
                        var asked = status?.GetDetail<RetryInfo>()?.RetryDelay?.ToTimeSpan() ?? TimeSpan.Zero;
                        var jittered = pause * (0.5 + Random.Shared.NextDouble());
                        await Task.Delay(asked > jittered && asked <= LongestPause ? asked : jittered, cancel);
                        pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
                        break;
                }
            }
            catch (RpcException) when (cancel.IsCancellationRequested)
            {
                throw new OperationCanceledException(cancel);
            }
        }
    }

    private enum Next
    {
        Again,
        Refused,
        Stop,
    }

    private static Next Treatment(StatusCode code, ErrorInfo? info, int attempt) => code switch
    {
        StatusCode.Unavailable or StatusCode.DeadlineExceeded or StatusCode.ResourceExhausted or StatusCode.Aborted or StatusCode.Cancelled => Next.Again,
        // Without a reason of ours it is a connection that broke; with one a fault that a repeat may not meet again.
        StatusCode.Internal or StatusCode.Unknown => info is null || attempt < AttemptsAtFault ? Next.Again : Next.Refused,
        StatusCode.Unauthenticated => Next.Stop,
        StatusCode.PermissionDenied => info?.Reason == "COUNTRY_NOT_PERMITTED" ? Next.Refused : Next.Stop,
        StatusCode.Unimplemented => Next.Stop,
        _ => Next.Refused,
    };
}
