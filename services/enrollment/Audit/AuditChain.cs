using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Imet.Enrollment.V1;

namespace Imet.Enrollment.Audit;

/// <summary>Where a resource's chain ends.</summary>
public sealed record AuditTip(long Version, byte[]? Digest)
{
    public static AuditTip None { get; } = new(0, null);

    public string Etag => $"\"{Version}\"";
}

/// <summary>A change of a student, unit, bar, flag or allocation, to be entered. Fields maps names to values; of these only salted digests are kept.</summary>
public sealed record AuditChange(string Resource, Guid Id, string Country, string Change, string Actor, string Cause, IReadOnlyList<(string Name, string Value)> Fields)
{
    // A record prints its values, and these may be personal.
    public override string ToString() => $"{Resource} {Change}";
}

/// <summary>The chains: one for each resource, written with the change, and one over all entries, written by the sealer. Both can be checked by whoever can read the entries.</summary>
public static class AuditChain
{
    public static AuditEntry Entry(AuditChange change, AuditTip tip, byte[] salt, DateTime now, out byte[] digest)
    {
        var entry = new AuditEntry
        {
            Resource = change.Resource,
            ResourceId = change.Id.ToString(),
            Version = tip.Version + 1,
            Country = change.Country,
            Change = change.Change,
            Actor = change.Actor,
            Cause = change.Cause,
            Fields = { change.Fields.Select(field => new AuditedField { Name = field.Name, Digest = Convert.ToHexStringLower(SHA256.HashData([.. salt, .. Encoding.UTF8.GetBytes(field.Value)])) }) },
            RecordedTime = Timestamp.FromDateTime(now),
        };
        digest = Digest(tip.Digest ?? change.Id.ToByteArray(bigEndian: true), entry);
        entry.Digest = Convert.ToHexStringLower(digest);
        return entry;
    }

    public static byte[] Digest(ReadOnlySpan<byte> previous, AuditEntry entry) => Digest(previous, (IMessage)new AuditEntry(entry) { Digest = "" });

    public static byte[] Digest(ReadOnlySpan<byte> previous, SealedEntry entry) => Digest(previous, (IMessage)new SealedEntry(entry) { Digest = "", Line = null, Audit = null });

    private static byte[] Digest(ReadOnlySpan<byte> previous, IMessage message)
    {
        var bytes = new byte[previous.Length + message.CalculateSize()];
        previous.CopyTo(bytes);
        message.WriteTo(bytes.AsSpan(previous.Length));
        return SHA256.HashData(bytes);
    }
}
