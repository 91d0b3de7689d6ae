namespace Imet.Cli.CatalogTables;

/// <summary>
/// What a spreadsheet would run as a formula gets one apostrophe in front on export, and exactly that one is taken off on import. A cell that has such apostrophes of its own gets one more, so every text comes back as it was.
/// </summary>
public static class Formula
{
    // Also in full width, which spreadsheets of some languages take for the same.
    private const string Starts = "=+-@\t\r＝＋－＠";

    public static string Escape(string cell) => IsRun(cell) ? "'" + cell : cell;

    public static string Unescape(string cell) => cell.StartsWith('\'') && IsRun(cell) ? cell[1..] : cell;

    private static bool IsRun(string cell) => cell.AsSpan().TrimStart('\'') is [var first, ..] && Starts.Contains(first, StringComparison.Ordinal);
}
