using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using Imet.Options.V1;
using Enum = System.Enum;

namespace Imet.Chassis;

/// <summary>A refusal as a value: decisions return it, services turn it into a status.</summary>
public sealed record Refusal
{
    // Clients of several languages take no more than 8 KiB of headers, and the details travel there in base64.
    private const int MaximumDetailBytes = 4096;

    private readonly Reason _reason;
    private ImmutableDictionary<string, string> _metadata = ImmutableDictionary<string, string>.Empty;
    private ImmutableList<BadRequest.Types.FieldViolation> _fields = [];
    private ImmutableList<PreconditionFailure.Types.Violation> _preconditions = [];
    private TimeSpan? _retryAfter;

    private Refusal(Reason reason, string message) => (_reason, Message) = (reason, message);

    /// <summary>What google.rpc.ErrorInfo.domain says: one process is one service.</summary>
    internal static string Domain { get; set; } = "imet";

    public string Reason => _reason.Name;
    public StatusCode Code => _reason.Code;
    public string Message { get; }
    public IReadOnlyDictionary<string, string> Metadata => _metadata;
    public IReadOnlyList<BadRequest.Types.FieldViolation> Fields => _fields;
    public IReadOnlyList<PreconditionFailure.Types.Violation> Preconditions => _preconditions;

    public static Refusal Of(Enum reason, string message) => new(Chassis.Reason.Of(reason), message);

    /// <summary>Adds to the metadata, which callers log: never who a person is.</summary>
    public Refusal With(string key, string value) => this with { _metadata = _metadata.SetItem(key, value) };

    public Refusal Field(string path, string description) =>
        this with { _fields = _fields.Add(new BadRequest.Types.FieldViolation { Field = path, Description = description }) };

    public Refusal Precondition(string type, string subject, string description) =>
        this with { _preconditions = _preconditions.Add(new PreconditionFailure.Types.Violation { Type = type, Subject = subject, Description = description }) };

    public Refusal RetryAfter(TimeSpan delay) => this with { _retryAfter = delay };

    public RpcException ToException() => new RefusalException(this);

    internal Google.Rpc.Status ToStatus()
    {
        var info = new ErrorInfo { Reason = Reason, Domain = Domain, Metadata = { _metadata } };
        var room = MaximumDetailBytes - info.CalculateSize();
        var fields = Fitting(_fields, ref room);
        var preconditions = Fitting(_preconditions, ref room);
        var leftOut = _fields.Count + _preconditions.Count - fields.Count - preconditions.Count;
        if (leftOut > 0)
            info.Metadata["violations_left_out"] = leftOut.ToString(CultureInfo.InvariantCulture);

        var status = new Google.Rpc.Status { Code = (int)Code, Message = Message, Details = { Any.Pack(info) } };
        if (fields.Count > 0)
            status.Details.Add(Any.Pack(new BadRequest { FieldViolations = { fields } }));
        if (preconditions.Count > 0)
            status.Details.Add(Any.Pack(new PreconditionFailure { Violations = { preconditions } }));
        if (_retryAfter is { } delay)
            status.Details.Add(Any.Pack(new RetryInfo { RetryDelay = Duration.FromTimeSpan(delay) }));
        return status;
    }

    private static List<T> Fitting<T>(ImmutableList<T> violations, ref int room) where T : IMessage
    {
        var fitting = new List<T>();
        foreach (var violation in violations)
        {
            room -= violation.CalculateSize() + 3;
            if (room < 0)
                break;
            fitting.Add(violation);
        }
        return fitting;
    }
}

/// <summary>What a decision returns: a value, or why not.</summary>
public readonly struct Outcome<T>
{
    private readonly T? _value;
    private readonly Refusal? _refusal;

    private Outcome(T value) => (IsAccepted, _value) = (true, value);

    private Outcome(Refusal refusal) => _refusal = refusal;

    public bool IsAccepted { get; }

    public T Value => IsAccepted ? _value! : throw new InvalidOperationException($"Refused: {_refusal?.Reason}.");

    public Refusal Refusal => _refusal ?? throw new InvalidOperationException("Not refused.");

    public T OrThrow() => IsAccepted ? _value! : throw Refusal.ToException();

    public static implicit operator Outcome<T>(T value) => new(value);

    public static implicit operator Outcome<T>(Refusal refusal) => new(refusal);
}

/// <summary>Tells a refusal of ours from a status that a peer gave us, which must not be passed on as if it were ours.</summary>
internal sealed class RefusalException : RpcException
{
    public RefusalException(Refusal refusal) : this(refusal, refusal.ToStatus())
    {
    }

    private RefusalException(Refusal refusal, Google.Rpc.Status status)
        : base(new Grpc.Core.Status(refusal.Code, status.Message), new Metadata { { StatusDetails.Header, status.ToByteArray() } }, refusal.Message) => Refusal = refusal;

    public Refusal Refusal { get; }
}

internal static class StatusDetails
{
    public const string Header = "grpc-status-details-bin";
}

/// <summary>A reason as callers see it, read from its proto enum: the name without the enum's prefix, the code from the option.</summary>
internal sealed record Reason(string Name, StatusCode Code)
{
    private static readonly ConcurrentDictionary<System.Type, FrozenDictionary<int, Reason>> Known = new();

    public static Reason Of(Enum value) =>
        Known.GetOrAdd(value.GetType(), Read).TryGetValue(Convert.ToInt32(value, CultureInfo.InvariantCulture), out var reason)
            ? reason
            : throw new ArgumentException($"{value.GetType().Name}.{value} is no reason: its proto value has no (imet.options.v1.code).", nameof(value));

    private static FrozenDictionary<int, Reason> Read(System.Type type)
    {
        var descriptor = Descriptor(type);
        var prefix = $"{UpperSnake(descriptor.Name)}_";
        return descriptor.Values
            .Select(value => (value, code: value.GetOptions()?.GetExtension(OptionsExtensions.Code) ?? Google.Rpc.Code.Ok))
            .Where(pair => pair.code != Google.Rpc.Code.Ok)
            .ToFrozenDictionary(pair => pair.value.Number, pair => new Reason(pair.value.Name[prefix.Length..], (StatusCode)(int)pair.code));
    }

    // A generated enum does not know its descriptor; the XxxReflection class of its file, in the same namespace, does.
    private static EnumDescriptor Descriptor(System.Type type) =>
        type.Assembly.GetExportedTypes()
            .Where(candidate => candidate.Namespace == type.Namespace && candidate.Name.EndsWith("Reflection", StringComparison.Ordinal))
            .Select(candidate => candidate.GetProperty("Descriptor")?.GetValue(null))
            .OfType<FileDescriptor>()
            .SelectMany(file => file.EnumTypes)
            .FirstOrDefault(descriptor => descriptor.ClrType == type)
        ?? throw new ArgumentException($"{type} is not a top-level enum of a proto file.", nameof(type));

    private static string UpperSnake(string name) =>
        string.Concat(name.Select((letter, index) => index > 0 && char.IsUpper(letter) ? $"_{letter}" : $"{char.ToUpperInvariant(letter)}"));
}
