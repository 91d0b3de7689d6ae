using Google.Protobuf;

namespace Imet.Chassis;

public sealed record OutboundEvent
{
    /// <summary>What the event is about: a UUID, a country code, a service. Events of one aggregate are delivered in the order of their versions.</summary>
    public required string AggregateId { get; init; }
    public required long AggregateVersion { get; init; }
    public string? Country { get; init; }
    /// <summary>A message with the option imet.options.v1.event.</summary>
    public required IMessage Data { get; init; }
    public string? TraceParent { get; init; }
}

public sealed record ReceivedEvent
{
    public required Guid Id { get; init; }
    public required string Type { get; init; }
    public required string Source { get; init; }
    public required string AggregateId { get; init; }
    public required long AggregateVersion { get; init; }
    public string? Country { get; init; }
    internal string Json { get; init; } = "{}";

    public T Data<T>() where T : IMessage<T>, new() => throw new NotSupportedException(Json);
}

public interface IEventConsumer
{
    /// <summary>Runs in one transaction with the inbox row, once per event id. Calls nobody: it writes due work and small facts of its own.</summary>
    Task ReceiveAsync(Transaction tx, ReceivedEvent e, CancellationToken cancel);
}
