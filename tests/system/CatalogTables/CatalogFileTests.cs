using System.IO.Compression;
using System.Text;
using Imet.Cli;
using Imet.Cli.CatalogTables;
using Imet.Testing;
using Xunit;

namespace Imet.SystemTests.CatalogTables;

/// <summary>Files that people send, and files that are meant to hurt.</summary>
public sealed class CatalogFileTests(Servers servers)
{
    private const long Gigabyte = 1 << 30;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_line_of_a_gigabyte_is_one_row_in_error_and_costs_no_memory()
    {
        var file = await Table.WriteAsync(servers.Folder, "gigabyte.csv", [Table.Course(1, 2027, "Before")], Cancel);
        await using (var stream = new FileStream(file, FileMode.Open))
        {
            stream.Seek(0, SeekOrigin.End);
            stream.Write(Encoding.UTF8.GetBytes("2027,\"" + new string('x', 8192)));
            stream.SetLength(stream.Length + Gigabyte);
            stream.Seek(0, SeekOrigin.End);
            stream.Write(Encoding.UTF8.GetBytes("\n" + Table.Course(3, 2027, "After") + "\n"));
        }
        var before = GC.GetAllocatedBytesForCurrentThread();
        var rows = Rows(file);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 << 20);
        Assert.Equal(["Before", "After"], rows.Where(row => row.Course is not null).Select(row => row.Course!.Title));
        Assert.Equal((3, "the line is longer than 65,536 bytes"), (rows[1].Line, rows[1].Faults.Single().Why));
        File.Delete(file);
    }

    [Fact]
    public async Task A_bad_line_is_told_by_its_number_and_leaves_the_others_alone()
    {
        var lines = new[]
        {
            Table.Course(1, 2027, "One"), Table.Course(2, 2027, "Two, \"quoted\""), "2027,B000003,a \"stray\" quote" + new string(',', 20), "2027,B000004,\"never closed" + new string(',', 20), "2027,B000005",
            Table.Course(1, 2027, "One again"), Table.Row(("fiscal_year", "02027"), ("masl_number", " B000002 "), ("title", "Two again")), Table.Row(("fiscal_year", "x"), ("masl_number", "B000008"), ("dedicated", "perhaps")), Table.Course(1, 2028, "One"),
        };
        var file = await Table.WriteAsync(servers.Folder, "bad.csv", lines, Cancel);
        await using (var stream = new FileStream(file, FileMode.Append))
            stream.Write([.. "2027,B000010,"u8, 0xff, 0xfe, .. Encoding.UTF8.GetBytes(new string(',', 20) + "\n")]);
        var rows = Rows(file);
        Assert.Equal(["One", "Two, \"quoted\"", "One"], rows.Where(row => row.Course is not null).Select(row => row.Course!.Title));
        Assert.Equal(
        [
            "4 : a quote stands within a cell: a cell with a quote is quoted, and the quote doubled", "5 : a quote is not closed on its line", "6 : 23 cells are expected, 2 found", "7 masl_number: line 2 has this course and year already",
            "8 masl_number: line 3 has this course and year already", "9 fiscal_year: must be a whole number", "9 dedicated: must be yes or no", "11 : the line is not UTF-8 text",
        ], rows.SelectMany(row => row.Faults.Select(fault => $"{row.Line} {fault.Column}: {fault.Why}")));
    }

    [Theory]
    [InlineData("utf-16", true)]
    [InlineData("utf-16BE", true)]
    [InlineData("utf-8", true)]
    [InlineData("utf-8", false)]
    public async Task A_table_is_read_in_the_encoding_that_its_first_bytes_say(string encoding, bool marked)
    {
        var text = encoding == "utf-8" ? new UTF8Encoding(marked) : Encoding.GetEncoding(encoding);
        var file = await Table.WriteAsync(servers.Folder, $"{encoding}-{marked}.csv", [Table.Course(1, 2027, "École supérieure")], Cancel, text);
        Assert.Equal("École supérieure", Assert.Single(Rows(file)).Course?.Title);
    }

    [Fact]
    public async Task A_file_that_is_no_catalogue_is_refused_with_what_to_do()
    {
        var zip = Path.Combine(servers.Folder, "disguised.csv");
        await using (var archive = await ZipFile.OpenAsync(zip, ZipArchiveMode.Create, Cancel))
            archive.CreateEntry("xl/workbook.xml");
        AssertRefused(zip, "is a zip archive, as spreadsheet programs write: save it as CSV");
        AssertRefused(await WriteAsync("nul.csv", [0, 1, 2, 3]), "is not UTF-8 text");
        AssertRefused(await WriteAsync("empty.csv", []), "is empty");
        AssertRefused(Path.Combine(servers.Folder, "absent.csv"), "Can't read");
        AssertRefused(await WriteAsync("twice.csv", Encoding.UTF8.GetBytes(Table.Header + ",title\n")), "the header has the column title twice");
        AssertRefused(await WriteAsync("unnamed.csv", Encoding.UTF8.GetBytes(Table.Header + ",\n")), "\"\" is no column of a catalogue");
        AssertRefused(await WriteAsync("lacking.csv", "fiscal_year,masl_number,title\n"u8.ToArray()), "the header lacks school_code, ");
        AssertRefused(await WriteAsync("spelled.csv", Encoding.UTF8.GetBytes(Table.Header + ",titel\n")), "\"titel\" is no column of a catalogue");

        static void AssertRefused(string file, string why) => Assert.Contains(why, Assert.Throws<CouldNotRunException>(() => CatalogFile.Open(file)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rows_that_end_in_carriage_returns_alone_are_all_read()
    {
        var file = await WriteAsync("old.csv", Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(1, 3000).Select(number => Table.Course(number, 2027, $"Course {number}")).Prepend(Table.Header).Select(line => line + "\r"))));
        Assert.Equal(3000, Rows(file).Count(row => row.Course is not null));
    }

    private static List<CatalogRow> Rows(string file)
    {
        var table = CatalogFile.Open(file);
        var repeated = new RepeatedKeys();
        foreach (var key in table.Keys())
            repeated.Mark(key);
        return [.. table.Rows(repeated)];
    }

    private async Task<string> WriteAsync(string name, byte[] content)
    {
        var file = Path.Combine(servers.Folder, name);
        await File.WriteAllBytesAsync(file, content, Cancel);
        return file;
    }
}
