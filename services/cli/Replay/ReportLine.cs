using System.Globalization;
using System.Text.RegularExpressions;

namespace Imet.Cli.Replay;

/// <summary>Why a row can't be used: which cell, what stands there, and what was expected.</summary>
public sealed record Fault(string Column, string Value, string Why);

/// <summary>A row of the report as it is understood, and nothing that it does not say. Dates are the report's own.</summary>
public sealed partial record ReportLine
{
    public required int Number { get; init; }
    public required string Country { get; init; }
    public required string ProgramName { get; init; }
    public required ReportedProgram Program { get; init; }
    public required int FiscalYear { get; init; }
    public required string Title { get; init; }
    /// <summary>The school; null where the cell is empty or "-".</summary>
    public string? School { get; init; }
    public required DateOnly Start { get; init; }
    public required DateOnly End { get; init; }
    /// <summary>The place as written; null where the cell is empty, "-" or "N/A".</summary>
    public string? Place { get; init; }
    public required int Headcount { get; init; }
    /// <summary>What the whole line cost. 0 is legal: "to be determined", or free.</summary>
    public required decimal Cost { get; init; }

    private const int MostSeats = 10_000;
    private const int LongestTitle = 300;
    private const int LongestName = 200;
    private static readonly DateOnly Earliest = new(1990, 1, 1);
    private static readonly DateOnly Latest = new(2030, 12, 31);

    /// <summary>The row, or every fault that keeps it from being one.</summary>
    public static (ReportLine? Line, IReadOnlyList<Fault> Faults) Read(RawLine raw, ReportedCountries countries)
    {
        if (raw.Cells.Length != ReportFile.Columns.Length)
            return (null, [new Fault("", string.Join(" | ", raw.Cells), $"{ReportFile.Columns.Length} tab-separated cells are expected, {raw.Cells.Length} found")]);

        var faults = new List<Fault>();
        var country = Take(raw, 1, cell => ReadCountry(cell, countries), faults);
        var program = Take(raw, 2, ReadProgram, faults);
        var title = Take(raw, 3, cell => ReadText(cell, LongestTitle), faults);
        var school = Take(raw, 4, cell => ReadOptional(cell), faults);
        var start = Take(raw, 5, ReadDate, faults);
        var end = Take(raw, 6, ReadDate, faults);
        var place = Take(raw, 7, cell => cell is "N/A" ? (null, null) : ReadOptional(cell), faults);
        var headcount = Take(raw, 8, ReadQuantity, faults);
        var cost = Take(raw, 9, ReadCost, faults);
        if (start is { } first && end is { } last && last < first)
            faults.Add(new Fault(ReportFile.Columns[6], raw.Cells[6], $"before the start date {raw.Cells[5]}"));
        if (faults.Count > 0)
            return (null, faults);

        var (name, reported, fiscalYear) = program!.Value;
        return (new ReportLine
        {
            Number = raw.Number,
            Country = country!,
            ProgramName = name,
            Program = reported,
            FiscalYear = fiscalYear,
            Title = title!,
            School = school,
            Start = start!.Value,
            End = end!.Value,
            Place = place,
            Headcount = headcount!.Value,
            Cost = cost!.Value,
        }, []);
    }

    public static (string? Value, string? Why) ReadCountry(string cell, ReportedCountries countries)
    {
        if (cell.Length == 0)
            return (null, "blank");
        return countries.Code(cell) is { } code ? (code, null) : (null, "unknown country" + Near(countries.Like(cell)));
    }

    public static ((string Name, ReportedProgram Program, int FiscalYear)? Value, string? Why) ReadProgram(string cell)
    {
        if (ProgramText.Match(cell) is not { Success: true } match)
            return (null, "expected \"PROGRAM - Fiscal Year NNNN ...\"");
        var name = match.Groups[1].Value;
        var year = int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture);
        if (year < Earliest.Year || year > Latest.Year)
            return (null, $"fiscal year outside {Earliest.Year} to {Latest.Year}");
        return Spellings.Program(name) is { } program ? ((name, program, year), null) : (null, "unknown program" + Near(Spellings.ProgramsLike(name)));
    }

    public static (DateOnly? Value, string? Why) ReadDate(string cell)
    {
        if (cell.Length == 0)
            return (null, "blank");
        if (cell.Contains('$', StringComparison.Ordinal))
            return (null, "an amount, not a date");
        if (DateText.Match(cell) is not { Success: true } match)
            return (null, AnyDate.Count(cell) > 1 ? "two dates in one cell" : "not a date (m/d/yyyy or m/d/yy)");
        var (month, day, year) = (Digits(match.Groups[1]), Digits(match.Groups[2]), Digits(match.Groups[3]));
        if (match.Groups[3].Length == 2)
            year += year > Latest.Year % 100 ? 1900 : 2000;
        if (year < Earliest.Year || year > Latest.Year)
            return (null, $"year outside {Earliest.Year} to {Latest.Year}");
        if (month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month))
            return (null, "no such day");
        return (new DateOnly(year, month, day), null);
    }

    public static (int? Value, string? Why) ReadQuantity(string cell)
    {
        if (cell.Length == 0)
            return (null, "blank");
        if (!WholeNumber.IsMatch(cell))
            return (null, "not a whole number");
        if (!int.TryParse(cell, NumberStyles.AllowThousands, CultureInfo.InvariantCulture, out var quantity) || quantity > MostSeats)
            return (null, $"more than {MostSeats:N0}");
        return quantity == 0 ? (null, "0 students") : (quantity, null);
    }

    public static (decimal? Value, string? Why) ReadCost(string cell) => cell switch
    {
        "" => (null, "blank"),
        "$" => (null, "no amount after the $"),
        _ when Amount.IsMatch(cell) => (decimal.Parse(cell.AsSpan(1), NumberStyles.AllowThousands | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture), null),
        _ => (null, AnyDate.IsMatch(cell) ? "a date in an amount" : "not an amount ($1,234)"),
    };

    private static (string? Value, string? Why) ReadText(string cell, int longest) => cell switch
    {
        "" => (null, "blank"),
        _ when cell.Length > longest => (null, $"longer than {longest} characters"),
        _ when cell.Any(char.IsControl) => (null, "control characters"),
        _ => (cell, null),
    };

    private static (string? Value, string? Why) ReadOptional(string cell) => cell is "" or "-" ? (null, null) : ReadText(cell, LongestName);

    private static T Take<T>(RawLine raw, int column, Func<string, (T Value, string? Why)> read, List<Fault> faults)
    {
        var (value, why) = read(raw.Cells[column]);
        if (why is not null)
            faults.Add(new Fault(ReportFile.Columns[column], raw.Cells[column], why));
        return value;
    }

    private static string Near(IReadOnlyList<string> names) => names.Count == 0 ? "" : $"; nearest: {string.Join(", ", names)}";

    private static int Digits(Group digits) => int.Parse(digits.ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^(.+?) - Fiscal Year ([0-9]{4})(?: .*)?$", RegexOptions.IgnoreCase)]
    private static partial Regex ProgramText { get; }

    [GeneratedRegex(@"^([0-9]{1,2})/([0-9]{1,2})/([0-9]{4}|[0-9]{2})$")]
    private static partial Regex DateText { get; }

    [GeneratedRegex(@"[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4}")]
    private static partial Regex AnyDate { get; }

    [GeneratedRegex(@"^(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)$")]
    private static partial Regex WholeNumber { get; }

    [GeneratedRegex(@"^\$(?:[0-9]{1,12}|[0-9]{1,3}(?:,[0-9]{3}){1,4})(?:\.[0-9]{1,2})?$")]
    private static partial Regex Amount { get; }
}
