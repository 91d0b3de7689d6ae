using System.Security.Cryptography;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Imet.Enrollment.V1;

namespace Imet.Enrollment.History;

/// <summary>
/// The chain of a line's history: each digest is the SHA-256 of the digest before it (before the first: the 16 bytes of the line's id, as its text reads) and the entry's own bytes without digest and in_force.
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
            Line = EnrollmentEvents.Snapshot(change.After),
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
            var digest = Digest(previous, new LineHistoryEntry(entry) { Digest = "", InForce = null });
            if (entry.Version != expected || Convert.ToHexStringLower(digest) != entry.Digest)
                return expected;
            previous = digest;
            expected++;
        }
        return null;
    }

    public static LineHistoryEntry Read(
        long version, string change, string state, string actor, string cause, byte[]? judgement, DateTime recordedAt, byte[] digest, byte[]? line) => new()
        {
            Version = version,
            Change = change,
            State = (TrainingLine.Types.State)LineStates.Parse(state),
            Actor = actor,
            Cause = cause,
            Judgement = judgement is null ? null : Judgement.Parser.ParseFrom(judgement),
            RecordedTime = Timestamp.FromDateTime(recordedAt),
            Digest = Convert.ToHexStringLower(digest),
            Line = line is null ? null : TrainingLine.Parser.ParseFrom(line),
        };

    /// <summary>The entries, each with the answer that was in force: its own, or the last before it.</summary>
    public static IReadOnlyList<LineHistoryEntry> InForce(IReadOnlyList<LineHistoryEntry> entries)
    {
        Judgement? last = null;
        foreach (var entry in entries)
            entry.InForce = last = entry.Judgement ?? last;
        return entries;
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
