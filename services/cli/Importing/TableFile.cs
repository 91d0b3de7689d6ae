using CsvHelper;

namespace Imet.Cli.Importing;

/// <summary>Why a row, or one cell of it, can't be taken.</summary>
public sealed record Fault(string File, int Line, string Column, string Value, string Why)
{
    public override string ToString() => $"{File}:{Line}: {(Column.Length > 0 ? $"{Column}: " : "")}{Why}{(Value.Length > 0 ? $" (found \"{Value}\")" : "")}";
}

/// <summary>A row of a table by the names of its columns. A cell that is empty or NULL says nothing, and neither does one whose column the table lacks.</summary>
public sealed record TableRow(string File, int Line, IReadOnlyDictionary<string, string> Cells)
{
    public string? this[string column] => Cells.GetValueOrDefault(column) is { Length: > 0 } cell && cell != "NULL" ? cell : null;

    public Fault Fault(string column, string why) => new(File, Line, column, Cells.GetValueOrDefault(column, ""), why);
}

/// <summary>A table as text: UTF-8, a header, separated by comma, semicolon or tab, quoted where needed.</summary>
public sealed record TableFile(string Path, IReadOnlyList<string> Columns, IReadOnlyList<TableRow> Rows, IReadOnlyList<Fault> Malformed)
{
    public static TableFile Read(FileInfo file)
    {
        try
        {
            using var stream = file.OpenRead();
            return Read(file.ToString(), stream);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CouldNotRunException($"Can't read {file}: {e.Message}");
        }
        catch (CsvFormatException e)
        {
            throw new CouldNotRunException($"{file} is not a table: {e.Message}");
        }
    }

    public static TableFile Read(string name, Stream stream)
    {
        using var csv = CsvReader.Create(stream, new CsvReaderOptions { TrackLineNumbers = true, TrimWhitespace = true }, leaveOpen: true);
        csv.ReadHeader();
        var columns = csv.Headers.Select(header => header.Trim()).ToArray();
        var (rows, malformed) = (new List<TableRow>(), new List<Fault>());
        while (csv.Read())
        {
            if (csv.FieldCount != columns.Length)
                malformed.Add(new Fault(name, (int)csv.LineNumber, "", "", $"{columns.Length} cells are expected, {csv.FieldCount} found"));
            else
                rows.Add(new TableRow(name, (int)csv.LineNumber, columns.Select((column, i) => (column, cell: csv.GetString(i))).DistinctBy(pair => pair.column).ToDictionary(pair => pair.column, pair => pair.cell)));
        }
        return new TableFile(name, columns, rows, malformed);
    }
}
