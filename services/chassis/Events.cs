using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Imet.Options.V1;

namespace Imet.Chassis;

public sealed record OutboundEvent
{
    /// <summary>What the event is about: a UUID, a country code, a service. Events of one aggregate are delivered in the order of their versions.</summary>
    public required string AggregateId { get; init; }
    /// <summary>One event a version (and country): two events need two versions.</summary>
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
    internal JsonElement Json { get; init; }

    public T Data<T>() where T : IMessage<T>, new() => CloudEvents.Read<T>(Json);
}

public interface IEventConsumer
{
    /// <summary>Runs in one transaction with the inbox row, once per event id. Calls nobody: it writes due work and small facts of its own.</summary>
    Task ReceiveAsync(Transaction tx, ReceivedEvent e, CancellationToken cancel);
}

/// <summary>What was received is no event, or not the one its type says. No repetition helps.</summary>
public sealed class UnreadableEventException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>CloudEvents 1.0 in structured JSON: the whole message as any subscriber reads it.</summary>
internal static class CloudEvents
{
    public const string ContentType = "application/cloudevents+json";
    public const string AllCountries = "ALL";
    /// <summary>Before a message's full name: the $id of its JSON Schema in docs/events/schemas.</summary>
    public const string SchemaPrefix = "urn:imet:event:";

    // Zeroes and empty texts are written: a subscriber without our protos need not know which absent field means what.
    private static readonly JsonFormatter Formatter = new(JsonFormatter.Settings.Default.WithFormatDefaultValues(true));
    private static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));
    private static readonly JsonWriterOptions Writing = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };
    private static readonly ConcurrentDictionary<MessageDescriptor, EventRoute> Routes = new();

    public static EventRoute Route(MessageDescriptor data) => Routes.GetOrAdd(data, static descriptor =>
        descriptor.GetOptions()?.GetExtension(OptionsExtensions.Event) is { Aggregate.Length: > 0, Change.Length: > 0 } route
            ? route
            : throw new InvalidOperationException($"{descriptor.FullName} is no event: it lacks the option (imet.options.v1.event)."));

    public static string Write(OutboundEvent e, Guid id, string service, DateTimeOffset time)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(buffer, Writing))
        {
            json.WriteStartObject();
            json.WriteString("specversion", "1.0");
            json.WriteString("id", id);
            json.WriteString("source", $"/imet/{service}");
            json.WriteString("type", e.Data.Descriptor.FullName);
            json.WriteString("subject", $"{Route(e.Data.Descriptor).Aggregate}/{e.AggregateId}");
            json.WriteString("time", time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture));
            json.WriteString("datacontenttype", "application/json");
            json.WriteString("dataschema", $"{SchemaPrefix}{e.Data.Descriptor.FullName}");
            json.WriteString("partitionkey", e.AggregateId);
            json.WriteNumber("aggregateversion", e.AggregateVersion);
            if (e.Country is { } country)
                json.WriteString("country", country);
            if ((e.TraceParent ?? Activity.Current?.Id) is { } parent)
                json.WriteString("traceparent", parent);
            json.WritePropertyName("data");
            json.WriteRawValue(Formatter.Format(e.Data), skipInputValidation: true);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    public static (ReceivedEvent Event, string? TraceParent) Read(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var json = document.RootElement;
            if (json.GetProperty("specversion").GetString() != "1.0")
                throw new UnreadableEventException("Not CloudEvents 1.0.");
            return (new ReceivedEvent
            {
                Id = json.GetProperty("id").GetGuid(),
                Type = json.GetProperty("type").GetString()!,
                Source = json.GetProperty("source").GetString()!,
                AggregateId = json.GetProperty("partitionkey").GetString()!,
                AggregateVersion = json.GetProperty("aggregateversion").GetInt64(),
                Country = json.TryGetProperty("country", out var country) ? country.GetString() : null,
                Json = json.GetProperty("data").Clone(),
            }, json.TryGetProperty("traceparent", out var parent) ? parent.GetString() : null);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new UnreadableEventException("Not an event of ours.", e);
        }
    }

    public static T Read<T>(JsonElement data) where T : IMessage<T>, new()
    {
        try
        {
            return Parser.Parse<T>(data.GetRawText());
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or InvalidJsonException or FormatException or OverflowException)
        {
            throw new UnreadableEventException($"The data is no {typeof(T).Name}.", e);
        }
    }
}
