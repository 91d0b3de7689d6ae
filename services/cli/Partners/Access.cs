using System.Text.RegularExpressions;

namespace Imet.Cli.Partners;

/// <summary>What a partner may read, worked out as what RabbitMQ must be told. Topic permissions and bindings say the same twice: one is what it may, the other what it gets.</summary>
public sealed partial record Access
{
    private const string Nothing = "^$";
    private const string Heartbeat = "heartbeat";

    /// <summary>Name of the user and of its queue.</summary>
    public required string User { get; init; }
    /// <summary>By exchange: what the partner may bind, as a regular expression over routing keys.</summary>
    public required IReadOnlyDictionary<string, string> Readable { get; init; }
    public required IReadOnlyList<(string Exchange, string RoutingKey)> Bindings { get; init; }

    public string Queue => User;
    public string DeadLetters => $"{User}.dead";

    /// <summary>May create nothing and publish nowhere.</summary>
    public static string Configure => Nothing;
    /// <summary>RabbitMQ asks for this where a queue is bound. It lets nobody publish: that goes through an exchange, also to a queue by its name.</summary>
    public string Write => $"^{Regex.Escape(Queue)}$";
    public string Read => $"^({string.Join('|', Readable.Where(exchange => exchange.Value != Nothing).Select(exchange => exchange.Key).Prepend(Queue).Select(Regex.Escape))})$";

    public static string UserOf(string name) => NamePattern().IsMatch(name)
        ? $"partner.{name}"
        : throw new CouldNotRunException($"\"{name}\" is no name for a partner: 2 to 40 lower-case letters, digits and hyphens, a letter first.");

    /// <param name="countries">Alpha-3 codes; none = all.</param>
    /// <param name="events">Aggregates such as "training-line", or events such as "training-line.enrolled"; none = all.</param>
    public static Access Of(string name, IReadOnlyCollection<string> countries, IReadOnlyCollection<string> events)
    {
        if (countries.Where(country => !CountryPattern().IsMatch(country)).ToArray() is { Length: > 0 } wrong)
            throw new CouldNotRunException($"{string.Join(", ", wrong)}: countries are alpha-3 codes such as PAK.");
        var unknown = events.Where(asked => !EventKinds.All.Any(kind => Matches(kind, asked))).ToArray();
        if (unknown.Length > 0)
            throw new CouldNotRunException($"There are no events {string.Join(", ", unknown)}; there are {string.Join(", ", EventKinds.All.Select(kind => kind.Aggregate).Distinct().Order(StringComparer.Ordinal))}, each alone or with a change, such as training-line.enrolled.");

        var places = countries.Count == 0 ? ["*"] : countries.Order(StringComparer.Ordinal).Append("ALL").ToArray();
        var may = countries.Count == 0 ? @"([A-Z]{3}|\*)" : $"({string.Join('|', places)})";
        var readable = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var bindings = new List<(string, string)>();
        foreach (var exchange in EventKinds.All.GroupBy(kind => kind.Exchange))
        {
            var asked = events.Count == 0
                ? exchange.Select(kind => kind.Aggregate).Distinct().Where(aggregate => aggregate != Heartbeat).ToArray()
                : events.Where(one => one != Heartbeat && exchange.Any(kind => Matches(kind, one))).Distinct().ToArray();
            // Without a row of its own an exchange would be open to all keys.
            readable[exchange.Key] = asked.Length == 0 ? Nothing : $@"^(({string.Join('|', asked.Select(Words))})\.{may}|heartbeat\.beat\.ALL)$";
            if (asked.Length == 0)
                continue;
            bindings.AddRange(asked.SelectMany(one => places.Select(place => (exchange.Key, one.Contains('.', StringComparison.Ordinal) ? $"{one}.{place}" : $"{one}.*.{place}"))));
            bindings.Add((exchange.Key, "heartbeat.beat.ALL"));
        }
        return new Access { User = UserOf(name), Readable = readable, Bindings = bindings };

        static string Words(string one) => one.Contains('.', StringComparison.Ordinal) ? Regex.Escape(one) : $@"{one}\.([a-z-]+|\*)";
    }

    private static bool Matches(EventKind kind, string asked) => asked == kind.Aggregate || asked == $"{kind.Aggregate}.{kind.Change}";

    [GeneratedRegex("^[a-z][a-z0-9-]{1,39}$")]
    private static partial Regex NamePattern();

    [GeneratedRegex("^[A-Z]{3}$")]
    private static partial Regex CountryPattern();
}
