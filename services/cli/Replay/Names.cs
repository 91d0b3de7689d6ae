using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using Imet.CourseCatalog.V1;

namespace Imet.Cli.Replay;

/// <summary>
/// Names that follow from what a row says, so that a second run asks for exactly what the first one asked for: external ids are the things' identity, request ids that of one request.
/// </summary>
public static class Names
{
    public const string Source = "fmtr";

    private static readonly Guid RequestNamespace = new("6f2f2d0c-6d6b-5c0e-9a1e-0a5b8f3a9b11");

    /// <summary>
    /// Reports have titles and no MASL numbers. This reference stands in for one and can't be taken for a real one, which begins with B, D or P and a digit.
    /// </summary>
    public static string MaslReference(CourseKey course) => "FMTR-" + Digest(12, course.Title, course.School ?? "");

    public static ExternalId School(string name) => Id(Digest(32, "school", name));

    public static ExternalId Course(CourseKey course) => Id(MaslReference(course));

    /// <summary>
    /// Moved by other years it is another class. So it is with another number of seats, which a file says that has more or fewer rows of it (a part of a report, a corrected one): a class that an earlier file
    /// filled would refuse the rows that are new.
    /// </summary>
    public static ExternalId Offering(OfferingKey offering, int seats, int years) => Id(Digest(32, "offering", offering.Course.Title, offering.Course.School ?? "", offering.Place ?? "",
        offering.Start.ToString("O", CultureInfo.InvariantCulture), offering.End.ToString("O", CultureInfo.InvariantCulture), Text(seats), Text(years)));

    /// <summary>All cells of the row, and which of its true repeats it is (1, 2, ...): in these reports each repeat is one more student.</summary>
    public static ExternalId Line(RawLine row, int occurrence, int years) => Id(Digest(32, ["line", .. row.Cells, Text(occurrence), Text(years)]));

    /// <summary>Two rows with the same key are repeats of each other.</summary>
    public static UInt128 RepeatKey(RawLine row) => BinaryPrimitives.ReadUInt128BigEndian(Hash(row.Cells));

    /// <summary>
    /// A UUID (version 5) of the method and all that the request says, external ids with it: the same request always has the same id, and a request that says anything else never has it.
    /// </summary>
    public static string RequestId(IMessage requestWithoutId)
    {
        var name = Encoding.UTF8.GetBytes(requestWithoutId.Descriptor.FullName);
        var body = requestWithoutId.ToByteArray();
        var text = new byte[16 + name.Length + 1 + body.Length];
        RequestNamespace.TryWriteBytes(text, bigEndian: true, out _);
        name.CopyTo(text, 16);
        body.CopyTo(text, 16 + name.Length + 1);
        // RFC 9562 asks for SHA-1 here; nothing secret rests on it.
#pragma warning disable CA5350
        var bytes = SHA1.HashData(text).AsSpan(0, 16);
#pragma warning restore CA5350
        bytes[6] = (byte)((bytes[6] & 0x0f) | 0x50);
        bytes[8] = (byte)((bytes[8] & 0x3f) | 0x80);
        return new Guid(bytes, bigEndian: true).ToString();
    }

    private static ExternalId Id(string id) => new() { Source = Source, Id = id };

    private static string Digest(int length, params string[] parts) => Convert.ToHexString(Hash(parts))[..length];

    // No part holds a tab, so none runs into the next.
    private static byte[] Hash(string[] parts) => SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\t', parts)));

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
