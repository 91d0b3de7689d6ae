using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Grpc.Core;
using Imet.Options.V1;

namespace Imet.Chassis;

public sealed record PageRequest
{
    public required int Size { get; init; }

    /// <summary>Key of the last row of the page before; null on the first page.</summary>
    public string[]? After { get; init; }

    /// <summary>What a token of this page is good for: the same caller, method and filter.</summary>
    internal byte[] Scope { get; init; } = [];
}

/// <summary>Pages by key. A token is the last row's key and a seal; it gives no rights, and is refused for another caller, method or filter, and after a week.</summary>
public sealed class Pages
{
    private const int DefaultSize = 50;
    private const int MaximumSize = 1000;
    private const int SealBytes = 16;
    private const int TimeBytes = 8;
    private static readonly TimeSpan Life = TimeSpan.FromDays(7);

    private readonly PageKey _key;
    private readonly TimeProvider _clock;

    internal Pages(PageKey key, TimeProvider clock) => (_key, _clock) = (key, clock);

    public PageRequest Open(IMessage request, ServerCallContext context)
    {
        var sizeField = request.Descriptor.FindFieldByName("page_size");
        var tokenField = request.Descriptor.FindFieldByName("page_token");
        var size = (int)sizeField.Accessor.GetValue(request);
        var token = (string)tokenField.Accessor.GetValue(request);

        var filter = request.Descriptor.Parser.ParseFrom(request.ToByteArray());
        sizeField.Accessor.Clear(filter);
        tokenField.Accessor.Clear(filter);
        var scope = ScopeOf(Caller.Of(context).Subject, context.Method, filter);
        return new PageRequest
        {
            Size = size <= 0 ? DefaultSize : Math.Min(size, MaximumSize),
            Scope = scope,
            After = token.Length == 0 ? null
                : Read(token, scope) ?? throw Refusal.Of(CommonReason.PageTokenInvalid, "This page token was not given for this request to this caller. Start from the first page.").ToException(),
        };
    }

    public string Next(PageRequest page, params string[] lastKey)
    {
        var key = JsonSerializer.SerializeToUtf8Bytes(lastKey);
        var token = new byte[SealBytes + TimeBytes + key.Length];
        BinaryPrimitives.WriteInt64BigEndian(token.AsSpan(SealBytes), _clock.GetUtcNow().ToUnixTimeSeconds());
        key.CopyTo(token, SealBytes + TimeBytes);
        Seal(page.Scope, token.AsSpan(SealBytes)).CopyTo(token);
        return Base64Url.EncodeToString(token);
    }

    private string[]? Read(string text, byte[] scope)
    {
        if (!Base64Url.IsValid(text))
            return null;
        var token = Base64Url.DecodeFromChars(text);
        if (token.Length <= SealBytes + TimeBytes || !CryptographicOperations.FixedTimeEquals(Seal(scope, token.AsSpan(SealBytes)), token.AsSpan(0, SealBytes)))
            return null;
        var given = DateTimeOffset.FromUnixTimeSeconds(BinaryPrimitives.ReadInt64BigEndian(token.AsSpan(SealBytes)));
        return _clock.GetUtcNow() - given > Life ? null : JsonSerializer.Deserialize<string[]>(token.AsSpan(SealBytes + TimeBytes));
    }

    private ReadOnlySpan<byte> Seal(byte[] scope, ReadOnlySpan<byte> content)
    {
        using var hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, _key.Bytes);
        hash.AppendData(scope);
        hash.AppendData(content);
        return hash.GetHashAndReset().AsSpan(0, SealBytes);
    }

    // Each part is hashed by itself, so that no two different triples run together into the same bytes.
    private static byte[] ScopeOf(string subject, string method, IMessage filter) => SHA256.HashData(
    [
        .. SHA256.HashData(Encoding.UTF8.GetBytes(subject)),
        .. SHA256.HashData(Encoding.UTF8.GetBytes(method)),
        .. SHA256.HashData(filter.ToByteArray()),
    ]);
}

/// <summary>The key of the seals, one for all replicas: from a file, or made by whoever is first and kept in the schema.</summary>
internal sealed class PageKey
{
    private byte[]? _bytes;

    public bool IsKnown => _bytes is not null;

    public byte[] Bytes
    {
        get => _bytes ?? throw Refusal.Of(CommonReason.DependencyUnavailable, "The service has not yet met its database.").RetryAfter(TimeSpan.FromSeconds(1)).ToException();
        set => _bytes = value;
    }
}
