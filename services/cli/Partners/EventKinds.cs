using Google.Protobuf.Reflection;
using Imet.Options.V1;

namespace Imet.Cli.Partners;

/// <summary>An event that a service sends, as its contract defines it.</summary>
public sealed record EventKind(string Service, EventRoute Route, MessageDescriptor Message)
{
    public string Aggregate => Route.Aggregate;
    public string Change => Route.Change;
    public string Type => Message.FullName;
    public string Exchange => $"imet.{Service}.v1";
}

/// <summary>All events there are, read from the contracts.</summary>
public static class EventKinds
{
    public static readonly IReadOnlyList<string> Services = [.. Tokens.Audiences.Select(audience => audience["imet.".Length..])];

    public static readonly IReadOnlyList<EventKind> All =
    [
        .. typeof(EventRoute).Assembly.GetExportedTypes()
            .Where(type => type.Name.EndsWith("Reflection", StringComparison.Ordinal))
            .Select(type => type.GetProperty("Descriptor")?.GetValue(null)).OfType<FileDescriptor>()
            .SelectMany(file => file.MessageTypes)
            .Select(message => (message, route: message.GetOptions()?.GetExtension(OptionsExtensions.Event)))
            .Where(pair => pair.route is not null)
            .SelectMany(pair => SendersOf(pair.message.File.Package).Select(service => new EventKind(service, pair.route!, pair.message)))
            .OrderBy(kind => kind.Exchange, StringComparer.Ordinal).ThenBy(kind => kind.Aggregate, StringComparer.Ordinal).ThenBy(kind => kind.Change, StringComparer.Ordinal),
    ];

    // Each service sends the events of its own contract, and every service those that all send.
    private static IEnumerable<string> SendersOf(string package) =>
        Services.Where(service => package == $"imet.{service.Replace("-", "", StringComparison.Ordinal)}.v1").ToArray() is { Length: > 0 } own ? own : Services;
}
