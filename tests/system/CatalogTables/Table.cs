using System.Globalization;
using System.Text;
using Imet.Cli.CatalogTables;

namespace Imet.SystemTests.CatalogTables;

/// <summary>A catalogue table of a test: its header and rows of few words.</summary>
internal static class Table
{
    public static readonly string Header = string.Join(',', CatalogColumn.All.Select(column => column.Name)) + ",price_FULL,price_GRANT";

    /// <summary>A row with these cells and all others empty.</summary>
    public static string Row(params (string Column, string Cell)[] cells)
    {
        var given = cells.ToDictionary(cell => cell.Column, cell => cell.Cell);
        return string.Join(',', Header.Split(',').Select(column => given.Remove(column, out var cell) ? Quoted(cell) : "")) + (given.Count == 0 ? "" : throw new ArgumentException($"No column {given.Keys.First()}.", nameof(cells)));
    }

    public static string Course(int number, int year, string title, string school = "") => Row(("fiscal_year", Text(year)), ("masl_number", $"B{number:000000}"), ("title", title), ("school_name", school),
        ("training_kind", "CLASSROOM"), ("duration_days", Text(1 + number % 300)), ("price_GRANT", Text(1000 + number % 5000)));

    public static async Task<string> WriteAsync(string folder, string name, IEnumerable<string> lines, CancellationToken cancel, Encoding? encoding = null)
    {
        var file = Path.Combine(folder, name);
        await File.WriteAllLinesAsync(file, lines.Prepend(Header), encoding ?? new UTF8Encoding(false), cancel);
        return file;
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Quoted(string cell) => cell.AsSpan().ContainsAny(",\"") ? $"\"{cell.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : cell;
}
