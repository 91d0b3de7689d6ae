using System.Text;

namespace Imet.Cli.Replay;

/// <summary>One line of the report: its number in the file (the header is 1) and its cells, unquoted, trimmed, inner runs of spaces folded to one.</summary>
public sealed record RawLine(int Number, string[] Cells);

/// <summary>A training report: tab-separated UTF-8 text with the columns of Columns. Read as a stream, as often as needed; only its header is judged here.</summary>
public sealed class ReportFile
{
    public static readonly string[] Columns =
        ["section", "country", "program", "course_title", "us_unit", "start_date", "end_date", "location", "quantity", "total_cost"];

    private readonly string path;

    private ReportFile(string path) => this.path = path;

    public static ReportFile Open(string path)
    {
        try
        {
            using var reader = Reader(path);
            var header = reader.ReadLine() ?? throw new CouldNotRunException($"{path} is empty.");
            var missing = Columns.Except(Cells(header), StringComparer.OrdinalIgnoreCase).ToArray();
            if (missing.Length > 0)
                throw new CouldNotRunException($"{path} is not a training report: its first line lacks {string.Join(", ", missing)} (tab-separated columns: {string.Join(" ", Columns)}).");
            if (!Cells(header).SequenceEqual(Columns, StringComparer.OrdinalIgnoreCase))
                throw new CouldNotRunException($"{path}: the columns must be, in this order: {string.Join(" ", Columns)}.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CouldNotRunException($"Can't read {path}: {e.Message}");
        }
        catch (DecoderFallbackException)
        {
            throw new CouldNotRunException($"{path} is not UTF-8 text.");
        }
        return new ReportFile(path);
    }

    public IEnumerable<RawLine> Lines()
    {
        using var reader = Reader(path);
        reader.ReadLine();
        for (var number = 2; ReadLine(reader) is { } line; number++)
        {
            // Only an empty last line is no row.
            if (line.Length > 0 || !reader.EndOfStream)
                yield return new RawLine(number, Cells(line));
        }
    }

    /// <summary>Trimmed, with every inner run of white space as one space.</summary>
    public static string Fold(string text)
    {
        var clean = true;
        for (var i = 0; i < text.Length && clean; i++)
            clean = !char.IsWhiteSpace(text[i]) || (text[i] == ' ' && i > 0 && i < text.Length - 1 && !char.IsWhiteSpace(text[i + 1]));
        return clean ? text : string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }

    private string? ReadLine(StreamReader reader)
    {
        try
        {
            return reader.ReadLine();
        }
        catch (DecoderFallbackException)
        {
            throw new CouldNotRunException($"{path} is not UTF-8 text.");
        }
    }

    // A row is a line, whatever its quotes: one stray quote must not swallow the rest of the file. Writers of these files quote a whole cell that holds a quote and double those inside.
    private static string[] Cells(string line)
    {
        var cells = line.Split('\t');
        for (var i = 0; i < cells.Length; i++)
            cells[i] = Fold(Unquoted(cells[i]));
        return cells;
    }

    private static string Unquoted(string cell)
    {
        var text = cell.AsSpan().Trim();
        if (text.Length < 2 || text[0] != '"' || text[^1] != '"')
            return cell;
        var inner = text[1..^1].ToString();
        var single = inner.Replace("\"\"", "", StringComparison.Ordinal);
        return single.Contains('"', StringComparison.Ordinal) ? cell : inner.Replace("\"\"", "\"", StringComparison.Ordinal);
    }

    private static StreamReader Reader(string path) => new(path, new UTF8Encoding(false, throwOnInvalidBytes: true), true, new FileStreamOptions
    {
        Access = FileAccess.Read,
        Share = FileShare.ReadWrite,
        Options = FileOptions.SequentialScan,
        BufferSize = 1 << 16,
    });
}
