using System.Buffers.Binary;
using System.Collections;
using System.Security.Cryptography;
using System.Text;

namespace Imet.Cli.CatalogTables;

/// <summary>
/// Which rows name a course and year that an earlier row has named, in memory that does not grow with the table: a first pass marks keys in 16 MB of bits, a second one remembers only those whose place was marked twice
/// (about one in 130 by chance at a million rows).
/// </summary>
public sealed class RepeatedKeys
{
    private const int Places = 1 << 26;
    private readonly BitArray once = new(Places);
    private readonly BitArray twice = new(Places);
    private readonly Dictionary<UInt128, int> lines = [];

    public void Mark(string key)
    {
        var place = Place(Hash(key));
        if (once[place])
            twice[place] = true;
        once[place] = true;
    }

    /// <summary>The line of an earlier row with this key, or null for the first.</summary>
    public int? Earlier(string key, int line)
    {
        var hash = Hash(key);
        if (!twice[Place(hash)] || lines.TryAdd(hash, line))
            return null;
        return lines[hash];
    }

    private static UInt128 Hash(string key)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(key), hash);
        return BinaryPrimitives.ReadUInt128LittleEndian(hash);
    }

    private static int Place(UInt128 hash) => (int)(hash & (Places - 1));
}
