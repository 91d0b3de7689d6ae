using System.Text.Json;
using Google.Protobuf;
using Imet.Cli.Partners;

namespace Imet.Testing;

/// <summary>Holds an event against its contract, more strictly than a subscriber may: nothing unknown, nothing besides.</summary>
public static class EventContract
{
    private static readonly string[] Attributes =
        ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "partitionkey", "aggregateversion", "country", "traceparent", "data"];

    /// <summary>What is not as documented, a sentence each; none is a pass.</summary>
    public static IReadOnlyList<string> Breaches(string body, string routingKey)
    {
        List<string> breaches = [];
        try
        {
            using var json = JsonDocument.Parse(body);
            var e = json.RootElement;
            var (type, source) = (Text("type"), Text("source"));
            if (EventKinds.All.FirstOrDefault(kind => kind.Type == type && $"/imet/{kind.Service}" == source) is not { } kind)
                return [$"{type} of {source} is documented nowhere"];
            Expect("specversion", "1.0");
            Expect("datacontenttype", "application/json");
            Expect("dataschema", $"urn:imet:event:{type}");
            Expect("subject", $"{kind.Aggregate}/{Text("partitionkey")}");
            var country = e.TryGetProperty("country", out var given) ? given.GetString() : "ALL";
            if (routingKey != $"{kind.Aggregate}.{kind.Change}.{country}")
                breaches.Add($"{type} was sent as {routingKey}");
            breaches.AddRange(e.EnumerateObject().Select(attribute => attribute.Name).Except(Attributes).Select(name => $"{type} has an attribute {name}"));
            if (e.GetProperty("aggregateversion").GetInt64() < 1 || !Guid.TryParse(Text("id"), out _))
                breaches.Add($"{type} has no proper version or id");
            JsonParser.Default.Parse(e.GetProperty("data").GetRawText(), kind.Message);

            void Expect(string name, string value)
            {
                if (Text(name) != value)
                    breaches.Add($"{type}: {name} is {Text(name)}, not {value}");
            }

            string Text(string name) => e.TryGetProperty(name, out var value) ? value.GetString() ?? "" : "";
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or InvalidProtocolBufferException or InvalidJsonException)
        {
            breaches.Add($"{body[..Math.Min(300, body.Length)]}: {e.Message}");
        }
        return breaches;
    }
}
