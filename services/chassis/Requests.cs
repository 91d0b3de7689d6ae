using System.Buffers;
using System.Collections;
using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Globalization;
using Google.Api;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Google.Type;
using Imet.Options.V1;

namespace Imet.Chassis;

/// <summary>Checks requests by what their descriptors say. What to look at is worked out once for each message.</summary>
internal sealed class Requests
{
    private const int DefaultLength = 500;
    private const int DefaultItems = 1000;
    private const int MaximumDepth = 20;
    private static readonly SearchValues<char> CodeCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");

    private readonly ConcurrentDictionary<MessageDescriptor, Field[]> _plans = new();

    /// <summary>A field with something to check. Value tells what is wrong with one (present) value, by a remedy; null = nothing.</summary>
    private sealed record Field(FieldDescriptor Descriptor, bool Required, int MaximumItems, Func<object, string?>? Value, Func<object, bool> IsAbsent)
    {
        public string Name => Descriptor.Name;
        public IFieldAccessor Accessor => Descriptor.Accessor;
        public bool Nested => Descriptor.FieldType == FieldType.Message && Value is null;
    }

    /// <summary>Works out the plans of a message and of all below it: a rule that can't be enforced stops the start, not a call.</summary>
    public void Prepare(MessageDescriptor message)
    {
        if (_plans.ContainsKey(message))
            return;
        foreach (var field in _plans[message] = Plan(message))
            if (field.Nested)
                Prepare(field.Descriptor.MessageType);
    }

    /// <summary>All that is wrong with the request, in one refusal; null when nothing is.</summary>
    public Refusal? Check(IMessage request)
    {
        var violations = new Violations();
        Walk(request, null, 1, violations);
        return violations.ToRefusal();
    }

    private void Walk(IMessage message, Path? at, int depth, Violations violations)
    {
        foreach (var field in _plans.GetOrAdd(message.Descriptor, Plan))
        {
            if (field.Descriptor.IsRepeated)
            {
                Many((IList)field.Accessor.GetValue(message), field, at, depth, violations);
                continue;
            }

            if (field.Descriptor.HasPresence ? !field.Accessor.HasValue(message) : field.IsAbsent(field.Accessor.GetValue(message)))
            {
                if (field.Required)
                    violations.Add(at, field.Name, null, "is required.");
                continue;
            }

            One(field.Accessor.GetValue(message), field, at, null, depth, violations);
        }
    }

    private void Many(IList values, Field field, Path? at, int depth, Violations violations)
    {
        if (values.Count == 0 && field.Required)
            violations.Add(at, field.Name, null, "is required: at least one.");
        else if (values.Count > field.MaximumItems)
            violations.Add(at, field.Name, null, string.Create(CultureInfo.InvariantCulture, $"has {values.Count} elements; at most {field.MaximumItems} are allowed."));
        else
            for (var index = 0; index < values.Count && !violations.IsFull; index++)
                One(values[index]!, field, at, index, depth, violations);
    }

    private void One(object value, Field field, Path? at, int? index, int depth, Violations violations)
    {
        if (!field.Nested)
        {
            if (field.Value!(value) is { } remedy)
                violations.Add(at, field.Name, index, remedy);
        }
        else if (depth == MaximumDepth)
            violations.Add(at, field.Name, index, "is nested too deeply.");
        else
            Walk((IMessage)value, new Path(at, field.Name, index), depth + 1, violations);
    }

    private static Field[] Plan(MessageDescriptor message) => [.. message.Fields.InDeclarationOrder().Select(Plan).OfType<Field>()];

    private static Field? Plan(FieldDescriptor field)
    {
        var behaviors = field.GetOptions()?.GetExtension(FieldBehaviorExtensions.FieldBehavior);
        // What only the server sets is ignored in requests, whatever it holds.
        if (behaviors?.Contains(FieldBehavior.OutputOnly) is true)
            return null;
        if (field.IsMap)
            throw NotEnforceable(field, "a map");

        var rules = field.GetOptions()?.GetExtension(OptionsExtensions.Rules) ?? new FieldRules();
        if (field.FieldType != FieldType.String && (rules.Format != Format.Unspecified || rules.MaxLength > 0))
            throw NotEnforceable(field, "a format or a length of what is no string");
        if (!IsInteger(field) && (rules.HasMin || rules.HasMax))
            throw NotEnforceable(field, "a smallest or largest value of what is no integer");
        if (!field.IsRepeated && rules.MaxItems > 0)
            throw NotEnforceable(field, "a number of elements of what is not repeated");

        var required = behaviors?.Contains(FieldBehavior.Required) is true;
        var check = Values(field, rules);
        // A zero that the rules allow can't be told from one not sent.
        if (required && !field.HasPresence && IsInteger(field) && rules is { HasMin: true, Min: <= 0 })
            required = false;
        return check is null && !required && !field.IsRepeated && field.FieldType != FieldType.Message
            ? null
            : new Field(field, required, rules.MaxItems > 0 ? rules.MaxItems : DefaultItems, check ?? (field.FieldType == FieldType.Message ? null : _ => null), Absent(field));
    }

    private static Func<object, string?>? Values(FieldDescriptor field, FieldRules rules) => field.FieldType switch
    {
        FieldType.String when field is { Name: "request_id", IsRepeated: false } => Uuid,
        FieldType.String => Text(rules),
        FieldType.Enum => Known(field.EnumType),
        FieldType.Message => Special(field),
        FieldType.Float or FieldType.Double => value => double.IsFinite(Convert.ToDouble(value, CultureInfo.InvariantCulture)) ? null : "must be a finite number.",
        _ when field is { Name: "page_size", IsRepeated: false } => Between(0, null),
        _ when IsInteger(field) && (rules.HasMin || rules.HasMax) => Between(rules.HasMin ? rules.Min : null, rules.HasMax ? rules.Max : null),
        _ => null,
    };

    // Absence of fields without presence; a message has presence.
    private static Func<object, bool> Absent(FieldDescriptor field) => field.FieldType switch
    {
        FieldType.String => value => ((string)value).Length == 0,
        FieldType.Bytes => value => ((ByteString)value).IsEmpty,
        FieldType.Bool => value => !(bool)value,
        FieldType.Message => _ => false,
        FieldType.Float or FieldType.Double => value => Convert.ToDouble(value, CultureInfo.InvariantCulture) == 0,
        FieldType.UInt64 or FieldType.Fixed64 => value => (ulong)value == 0,
        _ => value => Convert.ToInt64(value, CultureInfo.InvariantCulture) == 0,
    };

    private static bool IsInteger(FieldDescriptor field) => field.FieldType is FieldType.Int32 or FieldType.Int64 or FieldType.SInt32 or FieldType.SInt64
        or FieldType.SFixed32 or FieldType.SFixed64 or FieldType.UInt32 or FieldType.Fixed32;

    private static Func<object, string?> Text(FieldRules rules)
    {
        var length = rules.MaxLength > 0 ? rules.MaxLength : DefaultLength;
        var tooLong = string.Create(CultureInfo.InvariantCulture, $"must have at most {length} characters.");
        Func<string, string?> form = rules.Format switch
        {
            Format.Unspecified => _ => null,
            Format.Uuid => Uuid,
            Format.Country => text => text is [>= 'A' and <= 'Z', >= 'A' and <= 'Z', >= 'A' and <= 'Z'] ? null : "must be an ISO 3166-1 alpha-3 code: three capitals such as NOR.",
            Format.Code => text => IsCode(text) ? null : "must be a code: capitals, digits, underscore, hyphen and full stop, beginning with a letter or digit.",
            var unknown => throw new InvalidOperationException($"The format {unknown} is not enforced."),
        };
        return value =>
        {
            var text = (string)value;
            var characters = 0;
            foreach (var c in text)
            {
                if (char.IsControl(c))
                    return "must not contain control characters.";
                if (!char.IsLowSurrogate(c))
                    characters++;
            }

            return characters > length ? tooLong : form(text);
        };
    }

    private static string? Uuid(object value)
    {
        var text = (string)value;
        return text.Length == 36 && Guid.TryParseExact(text, "D", out _) && !text.AsSpan().ContainsAnyInRange('A', 'F')
            ? null
            : "must be a UUID in lower case, such as 0198c0de-0000-7000-8000-000000000000.";
    }

    private static bool IsCode(string text) => text.Length > 0 && char.IsAsciiLetterOrDigit(text[0]) && !text.AsSpan().ContainsAnyExcept(CodeCharacters);

    private static Func<object, string?> Known(EnumDescriptor type)
    {
        var numbers = type.Values.Select(value => value.Number).ToFrozenSet();
        var remedy = $"must be one of {string.Join(", ", type.Values.Where(value => value.Number != 0).Select(value => value.Name))}.";
        return value => numbers.Contains((int)value) ? null : remedy;
    }

    private static Func<object, string?> Between(long? min, long? max)
    {
        var remedy = (min, max) switch
        {
            ({ } least, { } most) => string.Create(CultureInfo.InvariantCulture, $"must be between {least} and {most}."),
            ({ } least, null) => string.Create(CultureInfo.InvariantCulture, $"must be at least {least}."),
            (null, var most) => string.Create(CultureInfo.InvariantCulture, $"must be at most {most}."),
        };
        return value =>
        {
            var number = Convert.ToInt64(value, CultureInfo.InvariantCulture);
            return number < min || number > max ? remedy : null;
        };
    }

    private static Func<object, string?>? Special(FieldDescriptor field) => field.MessageType.FullName switch
    {
        "google.type.Date" => value => IsDate((Date)value) ? null : "must be a day that exists, with year, month and day, between 1900 and 2199.",
        "google.type.Money" => value => IsMoney((Money)value) ? null : "must have a currency code of three capitals, and units and nanos of one sign, nanos below one unit.",
        "google.protobuf.Timestamp" => value => value is Timestamp { Nanos: >= 0 and <= 999_999_999, Seconds: >= -62_135_596_800 and <= 253_402_300_799 }
            ? null : "must be between 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999999Z.",
        "google.protobuf.Duration" => value => value is Duration { Nanos: >= -999_999_999 and <= 999_999_999, Seconds: >= -315_576_000_000 and <= 315_576_000_000 } d
            && (d.Seconds == 0 || d.Nanos == 0 || d.Seconds > 0 == d.Nanos > 0) ? null : "must be a duration of at most 10,000 years.",
        "google.protobuf.FieldMask" or "google.protobuf.Empty" => null,
        var name when name.StartsWith("google.protobuf.", StringComparison.Ordinal) => throw NotEnforceable(field, $"a {name}"),
        _ => null,
    };

    private static bool IsDate(Date date) =>
        date is { Year: >= 1900 and <= 2199, Month: >= 1 and <= 12, Day: >= 1 } && date.Day <= System.DateTime.DaysInMonth(date.Year, date.Month);

    private static bool IsMoney(Money money) =>
        money.CurrencyCode is [>= 'A' and <= 'Z', >= 'A' and <= 'Z', >= 'A' and <= 'Z']
        && money.Nanos is > -1_000_000_000 and < 1_000_000_000
        && (money.Units == 0 || money.Nanos == 0 || money.Units > 0 == money.Nanos > 0);

    private static InvalidOperationException NotEnforceable(FieldDescriptor field, string what) => new($"{field.FullName}: {what} can't be checked.");

    private sealed record Path(Path? Parent, string Name, int? Index)
    {
        public override string ToString() => (Parent is null ? "" : $"{Parent}.") + (Index is { } index ? string.Create(CultureInfo.InvariantCulture, $"{Name}[{index}]") : Name);
    }

    private sealed class Violations
    {
        // More would not fit into the headers of an answer.
        private const int Maximum = 100;

        private List<(string Path, string Remedy)>? _found;

        public bool IsFull => _found?.Count >= Maximum;

        public void Add(Path? at, string name, int? index, string remedy)
        {
            if (!IsFull)
                (_found ??= []).Add((new Path(at, name, index).ToString(), remedy));
        }

        public Refusal? ToRefusal()
        {
            if (_found is null)
                return null;
            var told = string.Join(" ", _found.Take(3).Select(violation => $"{violation.Path} {violation.Remedy}"));
            var more = _found.Count > 3 ? string.Create(CultureInfo.InvariantCulture, $" And {_found.Count - 3} more.") : "";
            return _found.Aggregate(Refusal.Of(CommonReason.InvalidFields, told + more), (refusal, violation) => refusal.Field(violation.Path, violation.Remedy));
        }
    }
}
