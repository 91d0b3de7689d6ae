using System.Text.Unicode;
using CsvHelper;
using Imet.Cli.Replay;
using Imet.CourseCatalog.V1;

namespace Imet.Cli.CatalogTables;

/// <summary>A catalogue as a table (docs/import-catalog.md): a header, separated by comma, semicolon or tab, a line for each row. Read as a stream, as often as needed; only its header is judged here.</summary>
public sealed class CatalogFile
{
    private readonly string path;
    private readonly CatalogColumn[] columns;

    private CatalogFile(string path, CatalogColumn[] columns) => (this.path, this.columns) = (path, columns);

    public static CatalogFile Open(string path)
    {
        using var csv = Reader(path, []);
        var names = Header(path, csv);
        if (names.GroupBy(name => name).FirstOrDefault(same => same.Count() > 1)?.Key is { } twice)
            throw new CouldNotRunException($"{path}: the header has {(twice.Length > 0 ? $"the column {twice}" : "a column without a name")} twice.");
        if (names.FirstOrDefault(name => Find(name) is null) is { } unknown)
            throw new CouldNotRunException($"{path}: {Short(unknown)} is no column of a catalogue: {string.Join(" ", CatalogColumn.All.Select(column => column.Name))} {CatalogColumn.PricePrefix}RATE.");
        if (CatalogColumn.All.Where(column => !column.MayLack && !names.Contains(column.Name)).Select(column => column.Name).ToArray() is { Length: > 0 } missing)
            throw new CouldNotRunException($"{path}: the header lacks {string.Join(", ", missing)}. A row says all of a course in a year: what a table has no column for would be erased.");
        return new CatalogFile(path, [.. names.Select(name => Find(name)!)]);
    }

    /// <summary>The first line's columns, whatever the file is about.</summary>
    public static IReadOnlyList<string> Header(string path)
    {
        using var csv = Reader(path, []);
        return Header(path, csv);
    }

    /// <summary>Course and year of each row, as written: a quick pass.</summary>
    public IEnumerable<string> Keys()
    {
        var (year, number) = (Array.FindIndex(columns, column => column.Name == CatalogColumn.FiscalYear), Array.FindIndex(columns, column => column.Name == CatalogColumn.MaslNumber));
        using var csv = Reader(path, []);
        csv.ReadHeader();
        while (csv.Read())
            yield return csv.FieldCount == columns.Length ? Key(int.TryParse(csv.GetString(year), out var parsed) ? parsed : 0, Formula.Unescape(csv.GetString(number)).Trim()) : "";
    }

    public IEnumerable<CatalogRow> Rows(RepeatedKeys repeated)
    {
        var malformed = new Dictionary<long, CsvMalformedReason>();
        using var csv = Reader(path, malformed);
        csv.ReadHeader();
        while (csv.Read())
        {
            var row = Read(csv, malformed.Remove(csv.LineNumber, out var reason) ? reason : null);
            if (row.Course is { } course && repeated.Earlier(Key(course.FiscalYear, course.MaslNumber), row.Line) is { } earlier)
                row = row with { Course = null, Faults = [row.Fault(CatalogColumn.MaslNumber, $"line {earlier} has this course and year already")] };
            yield return row;
        }
    }

    private CatalogRow Read(CsvReader csv, CsvMalformedReason? malformed)
    {
        var line = (int)csv.LineNumber;
        CatalogRow Wrong(string why) => new(line, null, [new Fault("", "", why)]);
        if (csv.RawRecord.Length > TableStream.LongestLine)
            return Wrong($"the line is longer than {TableStream.LongestLine:N0} bytes");
        if (!Utf8.IsValid(csv.RawRecord))
            return Wrong("the line is not UTF-8 text");
        if (malformed is not null)
            return Wrong(malformed == CsvMalformedReason.StrayQuote || malformed == CsvMalformedReason.TextAfterClosingQuote ? "a quote stands within a cell: a cell with a quote is quoted, and the quote doubled" : "a quote is not closed on its line");
        if (csv.FieldCount != columns.Length)
            return Wrong($"{columns.Length} cells are expected, {csv.FieldCount} found");
        var course = new CourseImport();
        var faults = new List<Fault>();
        for (var i = 0; i < columns.Length; i++)
        {
            var cell = Formula.Unescape(csv.GetString(i));
            if (columns[i].Read(course, cell) is { } why)
                faults.Add(new Fault(columns[i].Name, cell, why));
        }
        return new CatalogRow(line, faults.Count == 0 ? course : null, faults);
    }

    private static string Key(int year, string number) => $"{year}\t{number}";

    private static CatalogColumn? Find(string name) =>
        name.StartsWith(CatalogColumn.PricePrefix, StringComparison.Ordinal) && name.Length > CatalogColumn.PricePrefix.Length ? CatalogColumn.Price(name[CatalogColumn.PricePrefix.Length..])
        : CatalogColumn.All.FirstOrDefault(column => column.Name == name);

    private static string[] Header(string path, CsvReader csv)
    {
        try
        {
            csv.ReadHeader();
            return [.. csv.Headers.Select(header => header.Trim())];
        }
        catch (CsvFormatException e)
        {
            throw new CouldNotRunException($"{path} is not a table: {e.Message}");
        }
    }

    // No cell of a catalogue has a line break, so a line is a row whatever its quotes: a stray one must not swallow the rest of the file.
    private static CsvReader Reader(string path, Dictionary<long, CsvMalformedReason> malformed) => CsvReader.Create(TableStream.Open(path), new CsvReaderOptions
    {
        TrackLineNumbers = true,
        AllowLineBreaksInQuotes = false,
        MaxRecordSize = 2 * TableStream.LongestLine,
        IncludeValuesInExceptions = false,
        OnMalformedRecord = record => malformed[record.LineNumber] = record.Reason,
    }, leaveOpen: false);

    private static string Short(string text) => text.Length > 60 ? $"\"{text[..60]}...\"" : $"\"{text}\"";
}
