using System.Collections.Concurrent;
using Imet.Chassis;
using Imet.Enrollment.Seats;
using Npgsql;

namespace Imet.Enrollment.Offerings;

/// <summary>Versions of classes held in memory. A version never changes, so it is never stale; which one is the latest is only a guess, checked under the class's lock.</summary>
public sealed class OfferingCopies(Database database, OfferingStore store, SeatRoom seats)
{
    // About 1 KiB each. A year of training has some 5,000 classes.
    private const int Most = 20_000;

    private readonly ConcurrentDictionary<(Guid, long), OfferingCopy> _versions = new();
    private readonly ConcurrentDictionary<Guid, OfferingCopy> _latest = new();

    /// <summary>The latest version known here; null when the class was never met.</summary>
    public async ValueTask<OfferingCopy?> LatestAsync(Guid offeringId, CancellationToken cancel)
    {
        if (_latest.TryGetValue(offeringId, out var known))
            return known;
        var read = await database.ReadAsync(connection => store.LatestAsync(connection, offeringId, cancel), cancel);
        if (read is not null)
            Remember(read);
        return read;
    }

    public async Task KeepAsync(CatalogueOffering offering, CancellationToken cancel)
    {
        await database.WriteAsync(tx => seats.TakeOverAsync(tx, offering, cancel), cancel);
        Remember(offering.Copy);
    }

    /// <summary>Forgets which version is the latest, after a lock showed another.</summary>
    public void Forget(Guid offeringId) => _latest.TryRemove(offeringId, out _);

    /// <summary>The versions that lines were judged by: from memory, the rest in one read.</summary>
    public ValueTask<IReadOnlyDictionary<(Guid, long), OfferingCopy>> OfAsync(NpgsqlConnection connection, IEnumerable<Line> lines, CancellationToken cancel) =>
        OfAsync(connection, lines.Select(line => (line.OfferingId, line.OfferingVersion)), cancel);

    public async ValueTask<IReadOnlyDictionary<(Guid, long), OfferingCopy>> OfAsync(NpgsqlConnection connection, IEnumerable<(Guid, long)> keys, CancellationToken cancel)
    {
        Dictionary<(Guid, long), OfferingCopy> found = [];
        HashSet<(Guid, long)> missing = [];
        foreach (var key in keys)
        {
            if (_versions.TryGetValue(key, out var copy))
                found[key] = copy;
            else
                missing.Add(key);
        }
        if (missing.Count == 0)
            return found;
        foreach (var copy in await store.VersionsAsync(connection, missing, cancel))
        {
            found[(copy.Id, copy.Version)] = copy;
            Put(_versions, (copy.Id, copy.Version), copy);
        }
        return found;
    }

    private void Remember(OfferingCopy copy)
    {
        Put(_versions, (copy.Id, copy.Version), copy);
        Put(_latest, copy.Id, copy);
    }

    private static void Put<TKey>(ConcurrentDictionary<TKey, OfferingCopy> copies, TKey key, OfferingCopy copy) where TKey : notnull
    {
        if (copies.Count >= Most)
            copies.Clear();
        copies[key] = copy;
    }
}
