using System.Globalization;
using Imet.CourseCatalog.V1;

namespace Imet.Cli.CatalogTables;

/// <summary>
/// Prerequisites as people write them in one cell: groups that must all be met, parted by ";"; in a group any one is enough, parted by "|". One is a MASL number, ECL 80, OPI 2/2, ECL 80 OPI 2/2, RANK O-3..O-5
/// (O-3.. or ..O-5 where one end is open), or CLEARANCE SECRET.
/// </summary>
public static class PrerequisiteText
{
    private const string Remedy = "must be MASL numbers, ECL 80, OPI 2/2, RANK O-3..O-5 or CLEARANCE SECRET, with \"|\" between those of which one is enough and \";\" between those that must all be met";

    public static string Write(IEnumerable<PrerequisiteGroup> groups) => string.Join("; ", groups.Select(group => string.Join(" | ", group.OneOf.Select(Write))));

    public static (IReadOnlyList<PrerequisiteGroup> Groups, string? Why) Read(string cell)
    {
        if (string.IsNullOrWhiteSpace(cell))
            return ([], null);
        var groups = new List<PrerequisiteGroup>();
        foreach (var group in cell.Split(';'))
        {
            var read = group.Split('|').Select(ReadOne).ToArray();
            if (read.Contains(null))
                return ([], Remedy);
            groups.Add(new() { OneOf = { read! } });
        }
        return (groups, null);
    }

    private static string Write(Prerequisite one) => one.RequirementCase switch
    {
        Prerequisite.RequirementOneofCase.English => string.Join(' ', ((string[])
            [one.English.EclMinimum > 0 ? string.Create(CultureInfo.InvariantCulture, $"ECL {one.English.EclMinimum}") : "", one.English.OpiMinimum.Length > 0 ? $"OPI {one.English.OpiMinimum}" : ""]).Where(part => part.Length > 0)),
        Prerequisite.RequirementOneofCase.Rank => $"RANK {one.Rank.LowestGrade}..{one.Rank.HighestGrade}",
        Prerequisite.RequirementOneofCase.Clearance => $"CLEARANCE {one.Clearance}",
        _ => one.MaslNumber,
    };

    private static Prerequisite? ReadOne(string text) => text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) switch
    {
        ["ECL", var ecl] when Number(ecl) is { } score => new() { English = new() { EclMinimum = score } },
        ["OPI", var opi] => new() { English = new() { OpiMinimum = opi } },
        ["ECL", var ecl, "OPI", var opi] when Number(ecl) is { } score => new() { English = new() { EclMinimum = score, OpiMinimum = opi } },
        ["RANK", var rank] => Rank(rank),
        ["CLEARANCE", var clearance] => new() { Clearance = clearance },
        [not ("ECL" or "OPI" or "RANK" or "CLEARANCE") and var number] => new() { MaslNumber = number },
        _ => null,
    };

    private static int? Number(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0 ? number : null;

    private static Prerequisite? Rank(string text) =>
        text.Split("..") is [var lowest, var highest] && lowest.Length + highest.Length > 0 ? new() { Rank = new() { LowestGrade = lowest, HighestGrade = highest } }
        : text.Contains("..", StringComparison.Ordinal) ? null
        : new() { Rank = new() { LowestGrade = text, HighestGrade = text } };
}
