using System.Collections.Concurrent;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Imet.Options.V1;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Imet.Chassis;

/// <summary>Around every method of ours: the request is checked before it, and whatever comes out of it is a status with details.</summary>
internal sealed class CallInterceptor(Requests requests, ILogger<CallInterceptor> log) : Interceptor
{
    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        Begin(request, context);
        try
        {
            return await continuation(request, context);
        }
        catch (Exception e) when (e is not RefusalException)
        {
            throw Faults.ToRefusal(e, context.Deadline, log, context.Method, context.CancellationToken).ToException();
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Begin(request, context);
        try
        {
            await continuation(request, responseStream, context);
        }
        catch (Exception e) when (e is not RefusalException)
        {
            throw Faults.ToRefusal(e, context.Deadline, log, context.Method, context.CancellationToken).ToException();
        }
    }

    private void Begin<TRequest>(TRequest request, ServerCallContext context)
    {
        context.GetHttpContext().Features.Set(Frames.Reached.Mark);
        CallInProgress.Enter(context.Deadline, context.CancellationToken);
        if (requests.Check((IMessage)request!) is { } refusal)
            throw refusal.ToException();
    }
}

/// <summary>The call that the present code runs for, so that a question to a peer ends before the caller has given up.</summary>
internal sealed record CallInProgress(DateTime Deadline, CancellationToken Cancel)
{
    private static readonly AsyncLocal<CallInProgress?> Ambient = new();

    public static CallInProgress? Current => Ambient.Value;

    public static void Enter(DateTime deadline, CancellationToken cancel) => Ambient.Value = new CallInProgress(deadline, cancel);
}

/// <summary>What an exception is to a caller: never its text.</summary>
internal static partial class Faults
{
    public static Refusal TimeIsUp => Refusal.Of(CommonReason.DeadlineExceeded, "The call took longer than its deadline.");

    /// <summary>Constraints by which the database itself refuses what a caller asked for, and what that is to the caller.</summary>
    public static ConcurrentDictionary<string, Func<PostgresException, Refusal>> Constraints { get; } = new(StringComparer.Ordinal);

    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(250);

    public static Refusal ToRefusal(Exception e, DateTime? deadline, ILogger log, string method, CancellationToken cancel)
    {
        if (cancel.IsCancellationRequested && IsCancellation(e))
            return Ended(deadline);
        switch (e)
        {
            case RefusalException refused:
                return refused.Refusal;
            case PostgresException { ConstraintName: { } constraint } violated when Constraints.TryGetValue(constraint, out var refusal):
                return refusal(violated);
            case RpcException { StatusCode: StatusCode.Unavailable }:
                return Unavailable("A service that the answer needs can't be reached.");
            case RpcException { StatusCode: StatusCode.DeadlineExceeded }:
                return Refusal.Of(CommonReason.DeadlineExceeded, "A service that the answer needs took too long.");
            // 57014 without a cancelled call is our own statement_timeout.
            case PostgresException { SqlState: PostgresErrorCodes.QueryCanceled }:
                return Refusal.Of(CommonReason.DeadlineExceeded, "The database took too long.");
            case NpgsqlException { IsTransient: true } or NpgsqlException { InnerException: IOException or TimeoutException or System.Net.Sockets.SocketException }:
            case PostgresException { SqlState: PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification or PostgresErrorCodes.InvalidCatalogName }:
                DatabaseAway(log, method, e is PostgresException { SqlState: var state } ? state : e.GetType().Name);
                return Unavailable("The database can't be reached or is too busy.");
            case InvalidOperationException { Message: var message } when message.StartsWith("IDX20803", StringComparison.Ordinal):
                KeysAway(log, method);
                return Unavailable("The issuer's keys can't be read.");
        }

        var correlation = Telemetry.TraceId;
        Failed(log, method, correlation, Describe(e));
        return Refusal.Of(CommonReason.Internal, $"A fault of ours; our logs know it as {correlation}.").With("correlation_id", correlation);
    }

    private static Refusal Unavailable(string message) => Refusal.Of(CommonReason.DependencyUnavailable, message).RetryAfter(Soon);

    private static bool IsCancellation(Exception e) =>
        e is OperationCanceledException or RpcException { StatusCode: StatusCode.Cancelled or StatusCode.DeadlineExceeded } or PostgresException { SqlState: PostgresErrorCodes.QueryCanceled };

    private static Refusal Ended(DateTime? deadline) => deadline <= DateTime.UtcNow
        ? TimeIsUp
        : Refusal.Of(CommonReason.Cancelled, "The caller cancelled the call.");

    // A database's text may quote a value, and a value may tell who a person is: state and names are enough to find the fault.
    internal static string Describe(Exception e) => string.Join('\n', new[]
    {
        e is PostgresException p ? $"{nameof(PostgresException)}: {p.SqlState} {p.SchemaName}.{p.TableName} {p.ColumnName} {p.ConstraintName}" : $"{e.GetType()}: {e.Message}",
        e.StackTrace,
        e.InnerException is { } inner ? Describe(inner) : null,
    }.Where(line => !string.IsNullOrEmpty(line)));

    // Npgsql's texts name hosts and its details name values: only the state goes to the log for what is not our fault.
    [LoggerMessage(10, LogLevel.Warning, "{Method}: the database can't be reached or is too busy ({State})")]
    private static partial void DatabaseAway(ILogger log, string method, string state);

    [LoggerMessage(11, LogLevel.Warning, "{Method}: the issuer's keys can't be read")]
    private static partial void KeysAway(ILogger log, string method);

    [LoggerMessage(12, LogLevel.Error, "{Method} failed, correlation id {CorrelationId}: {Fault}")]
    private static partial void Failed(ILogger log, string method, string correlationId, string fault);
}
