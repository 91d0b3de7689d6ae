using Google.Protobuf;
using Grpc.Core;

namespace Imet.Chassis;

public sealed class Writes(Database database)
{
    public Task<TResponse> RunAsync<TRequest, TResponse>(TRequest request, ServerCallContext context, Func<Transaction, Task<TResponse>> work)
        where TRequest : IMessage<TRequest>
        where TResponse : IMessage<TResponse>, new() => throw new NotSupportedException($"{database}");

    public Task<TResponse?> ReplayAsync<TRequest, TResponse>(TRequest request, ServerCallContext context)
        where TRequest : IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>, new() => throw new NotSupportedException($"{database}");
}
