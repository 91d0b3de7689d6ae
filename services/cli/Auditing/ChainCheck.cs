using System.Security.Cryptography;
using Google.Protobuf;
using Imet.Enrollment.V1;

namespace Imet.Cli.Auditing;

/// <summary>
/// Works out every digest anew from what the service gives, with nothing of the service's own code: the one chain over all entries, and the chain of each line and each other resource in it.
/// Fed with all entries in order, it remembers the first fault.
/// </summary>
public sealed class ChainCheck
{
    private readonly Dictionary<(string, string), (long Version, byte[] Digest)> tips = [];
    private byte[] last = [];

    public long Entries { get; private set; }
    public int Resources => tips.Count;
    public string? FirstBroken { get; private set; }

    /// <summary>False when the entry is the first that does not follow.</summary>
    public bool Add(SealedEntry entry)
    {
        FirstBroken ??= Fault(entry);
        Entries++;
        return FirstBroken is null;
    }

    private string? Fault(SealedEntry entry)
    {
        var name = $"{entry.Resource} {entry.ResourceId} version {entry.Version} (position {entry.Position})";
        last = Digest(last, new SealedEntry(entry) { Digest = "", Line = null, Audit = null });
        if (Convert.ToHexStringLower(last) != entry.Digest)
            return $"{name}: the chain over all entries is broken here.";
        IMessage? content = entry.Line is { } line
            ? new LineHistoryEntry(line) { Digest = "", InForce = null }
            : entry.Audit is { } audit ? new AuditEntry(audit) { Digest = "" } : null;
        if (content is null)
            return $"{name}: the entry is gone.";

        var key = (entry.Resource, entry.ResourceId);
        var (version, previous) = tips.TryGetValue(key, out var tip) ? tip : (0, Guid.Parse(entry.ResourceId).ToByteArray(bigEndian: true));
        if (entry.Version != version + 1)
            return $"{name}: version {version + 1} should come first.";
        var digest = Digest(previous, content);
        tips[key] = (entry.Version, digest);
        return Convert.ToHexStringLower(digest) is var own && own != (entry.Line?.Digest ?? entry.Audit!.Digest)
            ? $"{name}: the entry was changed."
            : own != entry.EntryDigest ? $"{name}: the entry and those before it were written anew." : null;
    }

    private static byte[] Digest(byte[] previous, IMessage message) => SHA256.HashData([.. previous, .. message.ToByteArray()]);
}
