using Google.Rpc;
using Grpc.Core;
using Xunit;

namespace Imet.CourseCatalog.Tests;

/// <summary>A refusal as its caller sees it.</summary>
internal sealed record Refused(StatusCode Code, string Reason, IReadOnlyDictionary<string, string> Metadata, IReadOnlyList<string> Fields)
{
    public static async Task<Refused> ByAsync<T>(AsyncUnaryCall<T> call) => Of(await Assert.ThrowsAsync<RpcException>(async () => await call));

    public static async Task<Refused> ByAsync<T>(Func<Task<T>> call) => Of(await Assert.ThrowsAsync<RpcException>(call));

    public static Refused Of(RpcException e)
    {
        var status = e.GetRpcStatus();
        var info = status?.GetDetail<ErrorInfo>();
        return new(e.StatusCode, info?.Reason ?? "", info?.Metadata.ToDictionary() ?? [], [.. status?.GetDetail<BadRequest>()?.FieldViolations.Select(v => v.Field) ?? []]);
    }
}
