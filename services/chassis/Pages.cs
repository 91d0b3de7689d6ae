using Google.Protobuf;
using Grpc.Core;

namespace Imet.Chassis;

public sealed record PageRequest
{
    public required int Size { get; init; }

    /// <summary>Key of the last row of the page before; null on the first page.</summary>
    public string[]? After { get; init; }
}

public sealed class Pages
{
    public PageRequest Open(IMessage request, ServerCallContext context) => throw new NotSupportedException();

    public string Next(PageRequest page, params string[] lastKey) => throw new NotSupportedException();
}
