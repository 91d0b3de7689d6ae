using Imet.Cli;
using Imet.Cli.Replay;
using Xunit;

namespace Imet.SystemTests.Replay;

public sealed class ReportFileTests : IDisposable
{
    private readonly string path = Path.GetTempFileName();

    public void Dispose() => File.Delete(path);

    [Fact]
    public void Cells_are_trimmed_folded_and_unquoted_and_a_stray_quote_swallows_nothing()
    {
        File.WriteAllText(path, Header + "a\tb  c \t\"say \"\"x\"\"  y \"\t\"odd\t'\r\n" + "second\t\t\t\t\t\t\t\t\t\n");
        var lines = ReportFile.Open(path).Lines().ToArray();
        Assert.Equal([2, 3], lines.Select(line => line.Number));
        Assert.Equal(["a", "b c", "say \"x\" y", "\"odd", "'"], lines[0].Cells);
        Assert.Equal(10, lines[1].Cells.Length);
    }

    [Fact]
    public void An_empty_line_in_the_middle_is_a_row_and_the_end_of_the_file_is_none()
    {
        File.WriteAllText(path, Header + "a\n\nb\n");
        Assert.Equal(["a", "", "b"], ReportFile.Open(path).Lines().Select(line => line.Cells[0]));
        File.WriteAllText(path, Header);
        Assert.Empty(ReportFile.Open(path).Lines());
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("country\tprogram\n", "lacks section, course_title")]
    [InlineData("country\tsection\tprogram\tcourse_title\tus_unit\tstart_date\tend_date\tlocation\tquantity\ttotal_cost\n", "in this order")]
    public void A_file_that_is_no_report_could_not_run(string text, string why)
    {
        File.WriteAllText(path, text);
        Assert.Contains(why, Assert.Throws<CouldNotRunException>(() => ReportFile.Open(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_missing_or_not_text_could_not_run()
    {
        Assert.Throws<CouldNotRunException>(() => ReportFile.Open(path + ".none"));
        File.WriteAllBytes(path, [0xff, 0xfe, 0xfd, (byte)'\n']);
        Assert.Throws<CouldNotRunException>(() => ReportFile.Open(path));
    }

    private static string Header => string.Join('\t', ReportFile.Columns) + "\n";
}
