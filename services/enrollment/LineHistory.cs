using System.Security.Cryptography;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Imet.Enrollment.V1;

namespace Imet.Enrollment;

/// <summary>
/// The chain of a line's history: each digest is the SHA-256 of the digest before it (before the first: the 16 bytes of the line's id, as its text reads) and the entry's own bytes without the digest.
/// Whoever can read the entries through the API can verify them, and no entry can be changed, left out or put in without changing all that follow.
/// </summary>
public static class LineHistory
{
    public static LineHistoryEntry Entry(LineChange change, out byte[] digest)
    {
        var entry = new LineHistoryEntry
        {
            Version = change.After.Version,
            Change = change.Change,
            State = (TrainingLine.Types.State)change.After.State,
            Actor = change.Actor,
            Cause = change.Cause,
            Judgement = change.Judgement,
            RecordedTime = Timestamp.FromDateTime(change.After.ChangedAt),
        };
        digest = Digest(change.Before is { } before ? before.Digest.Span : Seed(change.After.Id), entry);
        entry.Digest = Convert.ToHexStringLower(digest);
        return entry;
    }

    /// <summary>The version of the first entry that does not follow from those before it; null when the chain is whole.</summary>
    public static long? FirstBroken(Guid lineId, IEnumerable<LineHistoryEntry> entries)
    {
        ReadOnlySpan<byte> previous = Seed(lineId);
        var expected = 1L;
        foreach (var entry in entries)
        {
            var digest = Digest(previous, new LineHistoryEntry(entry) { Digest = "" });
            if (entry.Version != expected || Convert.ToHexStringLower(digest) != entry.Digest)
                return expected;
            previous = digest;
            expected++;
        }
        return null;
    }

    private static byte[] Seed(Guid lineId) => lineId.ToByteArray(bigEndian: true);

    private static byte[] Digest(ReadOnlySpan<byte> previous, LineHistoryEntry withoutDigest)
    {
        var bytes = new byte[previous.Length + withoutDigest.CalculateSize()];
        previous.CopyTo(bytes);
        withoutDigest.WriteTo(bytes.AsSpan(previous.Length));
        return SHA256.HashData(bytes);
    }
}
