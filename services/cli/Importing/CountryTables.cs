using System.Globalization;
using Imet.CountryEligibility.V1;

namespace Imet.Cli.Importing;

/// <summary>What one row says about a country, as it names it; the country is settled later, for all rows in one call.</summary>
public abstract record Said(TableRow Row, string CountryColumn)
{
    public string Country => Row[CountryColumn] ?? "";
}

/// <summary>Codes, regions and the time of a code; null = the row says nothing of it, and what is on record stays.</summary>
public sealed record SaidDetails(TableRow Row, string CountryColumn) : Said(Row, CountryColumn)
{
    public string? Name { get; init; }
    public string? Alpha2 { get; init; }
    public string? NumericCode { get; init; }
    public string? DscaCode { get; init; }
    public string? Region { get; init; }
    public string? CombatantCommand { get; init; }
    public DateOnly? ValidFrom { get; init; }
    public DateOnly? ValidTo { get; init; }
}

public sealed record SaidName(TableRow Row, string CountryColumn, string Name) : Said(Row, CountryColumn);

/// <param name="YearOnly">The table gives a year and no day: one on record that begins in that year is the same.</param>
public sealed record SaidStatus(TableRow Row, string CountryColumn, DesignationKind Kind, DateOnly From, DateOnly? To, string Source, bool YearOnly) : Said(Row, CountryColumn);

/// <summary>
/// Which table it is, by its columns, and what its rows say. Ours: countries, spellings, designations. Also read as published: country tables with alliance years, and tables of DSCA codes.
/// </summary>
public static class CountryTables
{
    // Each of ours with the names that published tables give it.
    private static readonly string[] Code = ["code", "alpha-3", "ISO3166-1-Alpha-3", "GeographicISOalpha3"];
    private static readonly string[] Alpha2 = ["alpha2", "alpha-2", "ISO3166-1-Alpha-2"];
    private static readonly string[] Numeric = ["numeric_code", "country-code", "ISO3166-1-numeric"];
    private static readonly string[] Dsca = ["dsca_code", "DSCAbuyerCode"];
    private static readonly string[] Region = ["region", "StateRegion"];
    private static readonly string[] Command = ["combatant_command", "CombatantCommand"];
    private const string YearsOf = "public table of alliance years: the year alone is known";

    public static (IReadOnlyList<Said> Said, IReadOnlyList<Fault> Faults) Read(TableFile table)
    {
        string? Column(params string[] names) => names.FirstOrDefault(name => table.Columns.Contains(name));
        var (said, faults) = (new List<Said>(), new List<Fault>(table.Malformed));
        Action<TableRow, List<Said>, List<Fault>> read =
            Column("country") is { } country && Column("spelling") is not null ? (row, said, faults) => Spelling(row, country, said, faults)
            : Column("country") is { } holder && Column("designation") is not null && Column("from") is not null ? (row, said, faults) => Status(row, holder, said, faults)
            : Column(Code) is { } code && (Column("name") ?? Column(Dsca)) is not null ? (row, said, faults) => Details(row, code, Column, said, faults)
            : throw new CouldNotRunException($"{table.Path} is none of the tables of countries: countries have code and name, spellings have spelling and country, designations have country, designation and from.");
        foreach (var row in table.Rows)
            read(row, said, faults);
        return (said, faults);
    }

    /// <summary>Whether a table's column is the one of a field of Country.</summary>
    public static bool IsOf(string column, string field) => column == field || new[] { Code, Alpha2, Numeric, Dsca, Region, Command }.Any(names => names[0] == field && names.Contains(column));

    private static void Spelling(TableRow row, string country, List<Said> said, List<Fault> faults)
    {
        if (Has(row, country, faults) & Has(row, "spelling", faults))
            said.Add(new SaidName(row, country, row["spelling"]!));
    }

    private static void Status(TableRow row, string country, List<Said> said, List<Fault> faults)
    {
        var before = faults.Count;
        _ = Has(row, country, faults) & Has(row, "designation", faults) & Has(row, "from", faults) & Has(row, "source", faults);
        if (!Enum.TryParse<DesignationKind>((row["designation"] ?? "").Replace("_", "", StringComparison.Ordinal), ignoreCase: true, out var kind) || kind == DesignationKind.Unspecified || int.TryParse(row["designation"], out _))
            kind = Wrong(row, "designation", "must be NATO_MEMBER, MAJOR_NON_NATO_ALLY, TREATED_AS_MAJOR_NON_NATO_ALLY or HIGH_INCOME", faults);
        var (from, to) = (Day(row, "from", faults), Day(row, "to", faults));
        if (to <= from)
            faults.Add(row.Fault("to", "must be after from: it is the first day on which it no longer holds"));
        if (faults.Count == before)
            said.Add(new SaidStatus(row, country, kind, from!.Value, to, row["source"]!, YearOnly: false));
    }

    private static DesignationKind Wrong(TableRow row, string column, string why, List<Fault> faults)
    {
        if (row[column] is not null)
            faults.Add(row.Fault(column, why));
        return DesignationKind.Unspecified;
    }

    private static void Details(TableRow row, string code, Func<string[], string?> column, List<Said> said, List<Fault> faults)
    {
        var before = faults.Count;
        _ = Has(row, code, faults);
        // "NA" is Namibia's code and in all other columns of such tables a word for nothing.
        string? Cell(string[] names) => column(names) is { } name && row[name] is { } cell && (cell != "NA" || names == Alpha2) ? cell : null;
        string? Checked(string[] names, Func<string, bool> good, string why)
        {
            if (Cell(names) is not { } cell || good(cell))
                return Cell(names);
            faults.Add(row.Fault(column(names)!, why));
            return null;
        }
        var details = new SaidDetails(row, code)
        {
            Name = Cell(["name"]),
            Alpha2 = Checked(Alpha2, cell => cell.Length == 2 && cell.All(char.IsAsciiLetterUpper), "must be two capitals"),
            // Programs that take it for a number drop its leading zeros.
            NumericCode = Checked(Numeric, cell => cell.Length <= 3 && cell.All(char.IsAsciiDigit), "must be three digits")?.PadLeft(3, '0'),
            DscaCode = Checked(Dsca, cell => cell.Length == 2 && cell.All(char.IsAsciiLetterOrDigit), "must be two capitals or digits"),
            Region = Cell(Region),
            CombatantCommand = Cell(Command),
            ValidFrom = Day(row, "valid_from", faults),
            ValidTo = Day(row, "valid_to", faults),
        };
        var statuses = Alliances(row, code, faults).ToList();
        if (faults.Count > before)
            return;
        said.Add(details);
        said.AddRange(statuses);
    }

    // Such tables give dependencies their parent's years. A treaty has parties, and a dependency is none: only a country of its own has a status.
    private static IEnumerable<SaidStatus> Alliances(TableRow row, string code, List<Fault> faults)
    {
        if (row["isTerritory"] is not (null or "0") || row["isDependent"] is not (null or "0"))
            yield break;
        if (Year(row, "NATOyear", faults) is { } nato)
            yield return new SaidStatus(row, code, DesignationKind.NatoMember, nato, null, $"North Atlantic Treaty ({YearsOf})", YearOnly: true);
        if (Year(row, "MajorNonNATOentryYear", faults) is { } entry)
            yield return new SaidStatus(row, code, DesignationKind.MajorNonNatoAlly, entry, Year(row, "MajorNonNATOexitYear", faults), $"FAA 517 ({YearsOf})", YearOnly: true);
    }

    private static DateOnly? Year(TableRow row, string column, List<Fault> faults)
    {
        if (row[column] is not { } cell || cell == "NA")
            return null;
        if (int.TryParse(cell, NumberStyles.None, CultureInfo.InvariantCulture, out var year) && year is >= 1900 and <= 2199)
            return new DateOnly(year, 1, 1);
        faults.Add(row.Fault(column, "must be a year"));
        return null;
    }

    private static DateOnly? Day(TableRow row, string column, List<Fault> faults)
    {
        if (row[column] is not { } cell)
            return null;
        if (DateOnly.TryParseExact(cell, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day) && day.Year is >= 1900 and <= 2199)
            return day;
        faults.Add(row.Fault(column, "must be a day that exists, as YYYY-MM-DD, between 1900 and 2199"));
        return null;
    }

    private static bool Has(TableRow row, string column, List<Fault> faults)
    {
        if (row[column] is not null)
            return true;
        faults.Add(row.Fault(column, "is blank"));
        return false;
    }
}
