using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf.Reflection;
using Imet.Options.V1;
using static Google.Protobuf.Reflection.FieldDescriptorProto.Types;

namespace Imet.Protos.Tests;

/// <summary>An event as the contracts define it.</summary>
/// <param name="Service">The service that sends it, e.g. "enrollment".</param>
internal sealed record EventType(string Service, DescriptorProto Message, string FullName, string About)
{
    public EventRoute Route => Message.Options.GetExtension(OptionsExtensions.Event);
    public string Exchange => $"imet.{Service}.v1";
    public bool IsDeprecated => Message.Options?.Deprecated == true;
}

/// <summary>What docs/events says of the events, all of it read from the contracts: a JSON Schema for the data of each, and the AsyncAPI document of the whole.</summary>
internal sealed class EventDocuments
{
    private const string Draft7 = "http://json-schema.org/draft-07/schema#";
    private const string Draft7Format = "application/schema+json;version=draft-07";

    private static readonly string[] Services = ["country-eligibility", "course-catalog", "enrollment"];
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly Dictionary<string, (DescriptorProto Message, string About)> _messages = [];
    private readonly Dictionary<string, (EnumDescriptorProto Type, string About, IReadOnlyList<string> Values)> _enums = [];
    private readonly Dictionary<DescriptorProto, IReadOnlyList<string>> _fields = [];

    public EventDocuments(FileDescriptorSet contracts)
    {
        foreach (var file in contracts.File)
        {
            // Google's own comments explain more than a reader of an event wants to know.
            var comments = file.Package.StartsWith("imet.", StringComparison.Ordinal) && file.SourceCodeInfo is { } source
                ? source.Location.Where(location => location.LeadingComments.Length > 0).ToDictionary(location => string.Join('.', location.Path), location => OneLine(location.LeadingComments))
                : [];
            foreach (var (i, message) in file.MessageType.Index())
                Add(message, $".{file.Package}", $"4.{i}", comments);
            foreach (var (i, type) in file.EnumType.Index())
                Add(type, $".{file.Package}", $"5.{i}", comments);
        }
        Events = [.. contracts.File.SelectMany(file => file.MessageType
            .Where(message => message.Options?.HasExtension(OptionsExtensions.Event) == true)
            .SelectMany(message => Senders(file.Package).Select(service => new EventType(service, message, $"{file.Package}.{message.Name}", _messages[$".{file.Package}.{message.Name}"].About))))
            .OrderBy(e => e.Service, StringComparer.Ordinal).ThenBy(e => e.FullName, StringComparer.Ordinal)];
    }

    public IReadOnlyList<EventType> Events { get; }

    /// <summary>By path below docs/events.</summary>
    public IReadOnlyDictionary<string, string> Files()
    {
        var files = Events.DistinctBy(e => e.FullName).ToDictionary(e => $"schemas/{e.FullName}.json", e => SchemaOf(e).ToJsonString(Indented) + "\n");
        files["schemas/envelope.json"] = Envelope().ToJsonString(Indented) + "\n";
        files["asyncapi.yaml"] = "# Written from the contracts: ./dev docs\n" + Yaml.Write(AsyncApi());
        return files;
    }

    // Each service sends the events of its own contract, and every service those that all send.
    private static string[] Senders(string package) =>
        Services.Where(service => package == $"imet.{service.Replace("-", "", StringComparison.Ordinal)}.v1").ToArray() is { Length: 1 } own ? own : Services;

    private JsonObject SchemaOf(EventType e)
    {
        var needed = new SortedDictionary<string, JsonNode>(StringComparer.Ordinal);
        var schema = new JsonObject
        {
            ["$schema"] = Draft7,
            ["$id"] = $"urn:imet:event:{e.FullName}",
            ["title"] = e.Message.Name,
        };
        foreach (var (name, value) in ObjectOf(e.Message, e.About, needed))
            schema[name] = value!.DeepClone();
        if (needed.Count > 0)
            schema["definitions"] = new JsonObject(needed.Select(definition => KeyValuePair.Create(definition.Key, (JsonNode?)definition.Value)));
        return schema;
    }

    // Nothing is required and nothing forbidden: the log holds events older than a field, and a newer service may send more.
    private JsonObject ObjectOf(DescriptorProto message, string about, SortedDictionary<string, JsonNode> needed)
    {
        var properties = new JsonObject();
        foreach (var (field, comment) in message.Field.Zip(_fields[message]))
        {
            var one = ValueOf(field, needed);
            var schema = field.Label == Label.Repeated ? new JsonObject { ["type"] = "array", ["items"] = one } : one;
            if (comment.Length > 0)
                schema = schema.ContainsKey("$ref")
                    ? new JsonObject { ["description"] = comment, ["allOf"] = new JsonArray(schema) }
                    : new JsonObject([KeyValuePair.Create("description", (JsonNode?)Joined(comment, schema["description"])), .. schema.Where(pair => pair.Key != "description").Select(pair => KeyValuePair.Create(pair.Key, pair.Value?.DeepClone()))]);
            if (field.Options?.Deprecated == true)
                schema["deprecated"] = true;
            properties[field.JsonName] = schema;
        }
        var result = new JsonObject { ["description"] = about, ["type"] = "object", ["properties"] = properties };
        if (message.Options?.Deprecated == true)
            result["deprecated"] = true;
        if (about.Length == 0)
            result.Remove("description");
        return result;
    }

    private JsonObject ValueOf(FieldDescriptorProto field, SortedDictionary<string, JsonNode> needed)
    {
        switch (field.Type)
        {
            case FieldDescriptorProto.Types.Type.String:
                return new JsonObject { ["type"] = "string" };
            case FieldDescriptorProto.Types.Type.Bool:
                return new JsonObject { ["type"] = "boolean" };
            case FieldDescriptorProto.Types.Type.Int32 or FieldDescriptorProto.Types.Type.Uint32 or FieldDescriptorProto.Types.Type.Sint32:
                return new JsonObject { ["type"] = "integer" };
            case FieldDescriptorProto.Types.Type.Int64 or FieldDescriptorProto.Types.Type.Uint64 or FieldDescriptorProto.Types.Type.Sint64:
                return new JsonObject { ["description"] = "A whole number as text: JSON numbers of many languages hold only 53 bits.", ["type"] = "string", ["pattern"] = "^-?[0-9]+$" };
            case FieldDescriptorProto.Types.Type.Bytes:
                return new JsonObject { ["type"] = "string", ["contentEncoding"] = "base64" };
            case FieldDescriptorProto.Types.Type.Enum:
                return Reference(field.TypeName, needed, () => EnumOf(_enums[field.TypeName]));
            case FieldDescriptorProto.Types.Type.Message when field.TypeName == ".google.protobuf.Timestamp":
                return new JsonObject { ["type"] = "string", ["format"] = "date-time" };
            case FieldDescriptorProto.Types.Type.Message when field.TypeName == ".google.protobuf.Duration":
                return new JsonObject { ["type"] = "string", ["pattern"] = "^-?[0-9]+(\\.[0-9]+)?s$" };
            case FieldDescriptorProto.Types.Type.Message when !field.TypeName.StartsWith(".google.protobuf.", StringComparison.Ordinal) && _messages[field.TypeName].Message.Options?.MapEntry != true:
                return Reference(field.TypeName, needed, () => ObjectOf(_messages[field.TypeName].Message, _messages[field.TypeName].About, needed));
            default:
                throw new NotSupportedException($"{field.Name}: events have no {field.Type} {field.TypeName} yet; say here how it looks in JSON.");
        }
    }

    // No list of the only values allowed: one may be added in the same version.
    private static JsonObject EnumOf((EnumDescriptorProto Type, string About, IReadOnlyList<string> Values) type) => new()
    {
        ["description"] = $"{type.About} Take a value that is not among these as unknown.".TrimStart(),
        ["type"] = "string",
        ["x-values"] = new JsonObject(type.Type.Value.Zip(type.Values).Select(value => KeyValuePair.Create(value.First.Name, (JsonNode?)value.Second))),
    };

    private static JsonObject Reference(string typeName, SortedDictionary<string, JsonNode> needed, Func<JsonObject> make)
    {
        var name = typeName[1..];
        if (needed.TryAdd(name, new JsonObject()))
            needed[name] = make();
        return new JsonObject { ["$ref"] = $"#/definitions/{name}" };
    }

    private static JsonObject Envelope()
    {
        var attributes = new (string Name, string About, JsonObject Schema, bool Required)[]
        {
            ("specversion", "CloudEvents' version.", new() { ["type"] = "string", ["const"] = "1.0" }, true),
            ("id", "The event's id, a UUIDv7. An event may be delivered more than once, always with the same id.", new() { ["type"] = "string", ["format"] = "uuid" }, true),
            ("source", "The service that sent it.", new() { ["type"] = "string", ["pattern"] = "^/imet/[a-z]+(-[a-z]+)*$" }, true),
            ("type", "What happened: the full name of the data's message, with its major version.", new() { ["type"] = "string", ["pattern"] = "^imet\\.[a-z]+\\.v[0-9]+\\.[A-Za-z]+$" }, true),
            ("subject", "What it happened to: AGGREGATE/ID.", new() { ["type"] = "string", ["pattern"] = "^[a-z]+(-[a-z]+)*/.+$" }, true),
            ("time", "When it was recorded.", new() { ["type"] = "string", ["format"] = "date-time" }, true),
            ("datacontenttype", "How the data is written.", new() { ["type"] = "string", ["const"] = "application/json" }, true),
            ("dataschema", "The $id of the data's JSON Schema. Events older than it lack it.", new() { ["type"] = "string", ["pattern"] = "^urn:imet:event:" }, false),
            ("partitionkey", "The id of the aggregate. Events of one aggregate are sent in the order of their versions.", new() { ["type"] = "string" }, true),
            ("aggregateversion", "Rises with each event of the aggregate: drop an event whose version you have.", new() { ["type"] = "integer", ["minimum"] = 1 }, true),
            ("country", "The country concerned, ISO 3166-1 alpha-3; absent where there is none.", new() { ["type"] = "string", ["pattern"] = "^[A-Z]{3}$" }, false),
            ("traceparent", "The W3C trace that it happened in.", new() { ["type"] = "string" }, false),
            ("data", "What happened, by the schema that dataschema names.", new() { ["type"] = "object" }, true),
        };
        return new JsonObject
        {
            ["$schema"] = Draft7,
            ["$id"] = "urn:imet:event",
            ["title"] = "Event",
            ["description"] = "A CloudEvent 1.0 in structured JSON, as every service of Imet sends it. Ignore attributes that you don't know.",
            ["type"] = "object",
            ["required"] = new JsonArray([.. attributes.Where(attribute => attribute.Required).Select(attribute => JsonValue.Create(attribute.Name))]),
            ["properties"] = new JsonObject(attributes.Select(attribute => KeyValuePair.Create(attribute.Name, (JsonNode?)new JsonObject(
                attribute.Schema.Select(pair => KeyValuePair.Create(pair.Key, pair.Value?.DeepClone())).Prepend(KeyValuePair.Create("description", (JsonNode?)attribute.About)))))),
        };
    }

    private JsonObject AsyncApi() => new()
    {
        ["asyncapi"] = "3.0.0",
        ["info"] = new JsonObject
        {
            ["title"] = "Imet: events",
            ["version"] = "1.0.0",
            ["description"] = "Every change in country-eligibility, course-catalog and enrollment, as a CloudEvent on one topic exchange for each service. README.md is the guide for partners; it has the rules of versions, order and repetition.",
        },
        ["defaultContentType"] = "application/cloudevents+json",
        ["servers"] = new JsonObject
        {
            ["broker"] = new JsonObject { ["host"] = "broker.example:5671", ["pathname"] = "/imet", ["protocol"] = "amqps", ["protocolVersion"] = "0.9.1", ["description"] = "RabbitMQ. The operator gives address, user and queue." },
        },
        ["channels"] = new JsonObject(Events.Select(e => KeyValuePair.Create(ChannelOf(e), (JsonNode?)new JsonObject
        {
            ["address"] = $"{e.Route.Aggregate}.{e.Route.Change}.{{country}}",
            ["description"] = e.About,
            ["messages"] = new JsonObject { [e.FullName] = Ref($"#/components/messages/{e.FullName}") },
            ["parameters"] = new JsonObject { ["country"] = new JsonObject { ["description"] = "The country concerned, ISO 3166-1 alpha-3; ALL where there is none." } },
            ["bindings"] = new JsonObject
            {
                ["amqp"] = new JsonObject
                {
                    ["is"] = "routingKey",
                    ["exchange"] = new JsonObject { ["name"] = e.Exchange, ["type"] = "topic", ["durable"] = true, ["autoDelete"] = false, ["vhost"] = "imet" },
                    ["bindingVersion"] = "0.3.0",
                },
            },
        }))),
        ["operations"] = new JsonObject(Events.Select(e => KeyValuePair.Create($"send.{ChannelOf(e)}", (JsonNode?)new JsonObject
        {
            ["action"] = "send",
            ["channel"] = Ref($"#/channels/{ChannelOf(e)}"),
            ["messages"] = new JsonArray(Ref($"#/channels/{ChannelOf(e)}/messages/{e.FullName}")),
            ["bindings"] = new JsonObject { ["amqp"] = new JsonObject { ["deliveryMode"] = 2, ["mandatory"] = true, ["bindingVersion"] = "0.3.0" } },
        }))),
        ["components"] = new JsonObject
        {
            ["messages"] = new JsonObject(Events.DistinctBy(e => e.FullName).Select(e => KeyValuePair.Create(e.FullName, (JsonNode?)MessageOf(e)))),
        },
    };

    private static JsonObject MessageOf(EventType e)
    {
        var message = new JsonObject
        {
            ["name"] = e.FullName,
            ["title"] = e.Message.Name,
            ["summary"] = e.About,
            ["contentType"] = "application/cloudevents+json",
            ["payload"] = new JsonObject
            {
                ["schemaFormat"] = Draft7Format,
                ["schema"] = new JsonObject
                {
                    ["allOf"] = new JsonArray(
                        Ref("./schemas/envelope.json"),
                        new JsonObject
                        {
                            ["type"] = "object",
                            ["properties"] = new JsonObject { ["type"] = new JsonObject { ["const"] = e.FullName }, ["data"] = Ref($"./schemas/{e.FullName}.json") },
                        }),
                },
            },
            ["bindings"] = new JsonObject { ["amqp"] = new JsonObject { ["messageType"] = e.FullName, ["bindingVersion"] = "0.3.0" } },
        };
        if (e.IsDeprecated)
            message["x-deprecated"] = true;
        return message;
    }

    private static string ChannelOf(EventType e) => $"{e.Service}.{e.Route.Aggregate}.{e.Route.Change}";

    private static JsonObject Ref(string to) => new() { ["$ref"] = to };

    private void Add(DescriptorProto message, string within, string path, Dictionary<string, string> comments)
    {
        _messages[$"{within}.{message.Name}"] = (message, comments.GetValueOrDefault(path, ""));
        _fields[message] = [.. message.Field.Select((_, i) => comments.GetValueOrDefault($"{path}.2.{i}", ""))];
        foreach (var (i, nested) in message.NestedType.Index())
            Add(nested, $"{within}.{message.Name}", $"{path}.3.{i}", comments);
        foreach (var (i, type) in message.EnumType.Index())
            Add(type, $"{within}.{message.Name}", $"{path}.4.{i}", comments);
    }

    private void Add(EnumDescriptorProto type, string within, string path, Dictionary<string, string> comments) =>
        _enums[$"{within}.{type.Name}"] = (type, comments.GetValueOrDefault(path, ""), [.. type.Value.Select((_, i) => comments.GetValueOrDefault($"{path}.2.{i}", ""))]);

    private static string Joined(string comment, JsonNode? more) => more is null ? comment : $"{comment} {more.GetValue<string>()}";

    private static string OneLine(string comment) => string.Join(' ', comment.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));

    /// <summary>JSON as YAML reads better; its texts are written as in JSON, which YAML takes as they are.</summary>
    private static class Yaml
    {
        public static string Write(JsonObject document)
        {
            var text = new StringBuilder();
            Write(text, document, 0);
            return text.ToString();
        }

        private static void Write(StringBuilder text, JsonNode node, int depth)
        {
            var indent = new string(' ', depth * 2);
            if (node is JsonObject o)
                foreach (var (name, value) in o)
                    Member(text, $"{indent}{name}:", value!, depth + 1);
            else
                foreach (var value in node.AsArray())
                    Member(text, $"{indent}-", value!, depth + 1);
        }

        private static void Member(StringBuilder text, string head, JsonNode value, int depth)
        {
            text.Append(head);
            if (value is JsonValue)
                text.Append(CultureInfo.InvariantCulture, $" {value.ToJsonString(Indented)}\n");
            else
            {
                text.Append('\n');
                Write(text, value, depth);
            }
        }
    }
}
