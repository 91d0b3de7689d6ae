using System.Globalization;
using Google.Type;
using Imet.CourseCatalog.V1;
using Enum = System.Enum;

namespace Imet.Cli.CatalogTables;

/// <summary>One column of a catalogue table, both ways: how a row's cell is written, and how it is read (null, or what is wrong with it).</summary>
public sealed record CatalogColumn(string Name, bool MayLack, Func<CourseImport, string> Write, Func<CourseImport, string, string?> Read)
{
    public const string FiscalYear = "fiscal_year";
    public const string MaslNumber = "masl_number";
    public const string PricePrefix = "price_";
    private const string Dollar = "USD";
    private const decimal NanosInAUnit = 1_000_000_000m;

    /// <summary>A row says all that the year says of a course: a table that lacked one of these would erase it. Certificates and retirements are only added, and prices have a column for each rate.</summary>
    public static readonly IReadOnlyList<CatalogColumn> All =
    [
        Number(FiscalYear, row => row.FiscalYear, (row, value) => row.FiscalYear = value),
        Code(MaslNumber, row => row.MaslNumber, (row, value) => row.MaslNumber = value),
        Text("title", row => row.Title, (row, value) => row.Title = value),
        Code("school_code", row => row.SchoolCode, (row, value) => row.SchoolCode = value),
        Text("school_name", row => row.SchoolName, (row, value) => row.SchoolName = value),
        Text("school_location", row => row.SchoolLocation, (row, value) => row.SchoolLocation = value),
        Text("location", row => row.Location, (row, value) => row.Location = value),
        Kind(),
        Code("platform", row => row.Platform, (row, value) => row.Platform = value),
        Code("purpose", row => row.Purpose, (row, value) => row.Purpose = value),
        Code("analysis_code", row => row.AnalysisCode, (row, value) => row.AnalysisCode = value),
        Number("duration_days", row => row.DurationDays, (row, value) => row.DurationDays = value),
        Number("ecl_minimum", row => row.EclMinimum, (row, value) => row.EclMinimum = value),
        Code("opi_minimum", row => row.OpiMinimum, (row, value) => row.OpiMinimum = value),
        new("prerequisites", false, row => PrerequisiteText.Write(row.Prerequisites), (row, cell) =>
        {
            var (groups, why) = PrerequisiteText.Read(cell);
            row.Prerequisites.Add(groups);
            return why;
        }),
        YesNo("dedicated", row => row.Dedicated, (row, value) => row.Dedicated = value),
        YesNo("charge", row => row.Charge, (row, value) => row.Charge = value),
        new("e_imet_certified_on", true, row => Day(row.EImetCertifiedOn), (row, cell) =>
        {
            if (cell.Length == 0)
                return null;
            row.EImetCertifiedOn = Day(cell);
            return row.EImetCertifiedOn is null ? "must be a day written as 2026-01-29" : null;
        }),
        Number("e_imet_percent", row => row.EImetPercent, (row, value) => row.EImetPercent = value) with { MayLack = true },
        Text("e_imet_document", row => row.EImetDocument, (row, value) => row.EImetDocument = value) with { MayLack = true },
        YesNo("retired", row => row.Retired, (row, value) => row.Retired = value) with { MayLack = true },
    ];

    /// <summary>The price at one rate, 21600, 21600.50 or 900 EUR; dollars where it says nothing else, and none where the cell is empty.</summary>
    public static CatalogColumn Price(string rate) => new(PricePrefix + rate, true,
        row => row.Prices.FirstOrDefault(price => price.Rate == rate) is { } price ? Text(price.Price) : "",
        (row, cell) =>
        {
            if (cell.Trim() is not { Length: > 0 } text)
                return null;
            if (Money(text) is not { } money)
                return "must be an amount such as 21600, 21600.50 or 900 EUR";
            row.Prices.Add(new TuitionPrice { Rate = rate, Price = money });
            return null;
        });

    private static CatalogColumn Text(string name, Func<CourseImport, string> get, Action<CourseImport, string> set) => new(name, false, get, (row, cell) =>
    {
        set(row, cell);
        return null;
    });

    private static CatalogColumn Code(string name, Func<CourseImport, string> get, Action<CourseImport, string> set) => Text(name, get, (row, cell) => set(row, cell.Trim()));

    private static CatalogColumn Number(string name, Func<CourseImport, int> get, Action<CourseImport, int> set) => new(name, false,
        row => get(row) == 0 ? "" : get(row).ToString(CultureInfo.InvariantCulture),
        (row, cell) =>
        {
            if (cell.Trim() is not { Length: > 0 } text)
                return null;
            if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                return "must be a whole number";
            set(row, number);
            return null;
        });

    private static CatalogColumn YesNo(string name, Func<CourseImport, bool> get, Action<CourseImport, bool> set) => new(name, false, row => get(row) ? "yes" : "", (row, cell) =>
    {
        var text = cell.Trim().ToUpperInvariant();
        set(row, text is "YES" or "TRUE" or "1");
        return text is "YES" or "TRUE" or "1" or "NO" or "FALSE" or "0" or "" ? null : "must be yes or no";
    });

    private static CatalogColumn Kind()
    {
        var kinds = Enum.GetValues<TrainingKind>().Where(kind => kind != TrainingKind.Unspecified).ToDictionary(KindName, StringComparer.OrdinalIgnoreCase);
        return new("training_kind", false, row => row.TrainingKind == TrainingKind.Unspecified ? "" : KindName(row.TrainingKind), (row, cell) =>
        {
            var text = cell.Trim();
            row.TrainingKind = kinds.GetValueOrDefault(text);
            return text.Length == 0 || kinds.ContainsKey(text) ? null : $"must be {string.Join(", ", kinds.Keys.SkipLast(1))} or {kinds.Keys.Last()}";
        });
    }

    private static string KindName(TrainingKind kind) => CourseImport.Descriptor.FindFieldByName("training_kind").EnumType.FindValueByNumber((int)kind).Name["TRAINING_KIND_".Length..];

    private static string Day(Date? day) => day is null ? "" : string.Create(CultureInfo.InvariantCulture, $"{day.Year:0000}-{day.Month:00}-{day.Day:00}");

    private static Date? Day(string cell) => DateOnly.TryParseExact(cell.Trim(), "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day) ? day.ToProto() : null;

    private static string Text(Money money)
    {
        var amount = (money.Units + money.Nanos / NanosInAUnit).ToString("0.#########", CultureInfo.InvariantCulture);
        return money.CurrencyCode == Dollar ? amount : $"{amount} {money.CurrencyCode}";
    }

    private static Money? Money(string text)
    {
        var parts = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length > 2 || !decimal.TryParse(parts[0], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var amount) || amount > long.MaxValue || amount.Scale > 9)
            return null;
        var units = decimal.Truncate(amount);
        return new Money { CurrencyCode = parts.Length == 2 ? parts[1] : Dollar, Units = (long)units, Nanos = (int)((amount - units) * NanosInAUnit) };
    }
}
