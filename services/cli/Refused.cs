using Google.Rpc;
using Grpc.Core;

namespace Imet.Cli;

/// <summary>A refusal as a caller in any language gets it: canonical code, reason and what stands in the way.</summary>
public sealed record Refused(StatusCode Code, string Reason, string Message, IReadOnlyList<PreconditionFailure.Types.Violation> InTheWay)
{
    public static Refused From(RpcException e)
    {
        var status = e.GetRpcStatus();
        return new(e.StatusCode, status?.GetDetail<ErrorInfo>()?.Reason ?? "", e.Status.Detail, [.. status?.GetDetail<PreconditionFailure>()?.Violations ?? []]);
    }
}
