using Google.Protobuf;
using Imet.Cli.Replay;

namespace Imet.Cli;

public static class RequestIds
{
    /// <summary>The same request gets the same id in every run, so that a run cut short is completed and not repeated.</summary>
    public static T WithRequestId<T>(this T request) where T : IMessage<T> => With(request, Names.RequestId(request));

    /// <summary>A request that is meant anew each time it is made.</summary>
    public static T WithNewRequestId<T>(this T request) where T : IMessage<T> => With(request, Guid.CreateVersion7().ToString());

    private static T With<T>(T request, string id) where T : IMessage<T>
    {
        request.Descriptor.FindFieldByName("request_id").Accessor.SetValue(request, id);
        return request;
    }
}
