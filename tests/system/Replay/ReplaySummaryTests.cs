using Imet.Cli.Replay;
using Spectre.Console;
using Xunit;

namespace Imet.SystemTests.Replay;

public sealed class ReplaySummaryTests
{
    private static readonly ReplaySummary Summary = new()
    {
        Rows = 10,
        Enrolled = 6,
        Seats = 1_234,
        Refused = new Dictionary<string, int> { ["COUNTRY_NOT_ELIGIBLE"] = 2, ["OFFERING_BEGUN"] = 1 },
        InError = 1,
        Offerings = 5,
        Courses = 4,
        Schools = 3,
        Countries = 2,
        Seconds = 1.5,
        EventsPublished = null,
    };

    [Fact]
    public void Json_has_exactly_the_promised_fields() => Assert.Equal(
        """{"rows":10,"enrolled":6,"seats":1234,"refused":{"COUNTRY_NOT_ELIGIBLE":2,"OFFERING_BEGUN":1},"in_error":1,"offerings":5,"courses":4,"schools":3,"countries":2,"seconds":1.5,"events_published":null}""",
        Summary.ToJson());

    [Fact]
    public void The_table_accounts_for_every_row_by_program_and_says_why_rows_were_refused()
    {
        using var text = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(text), Ansi = AnsiSupport.No });
        console.Profile.Width = 160;
        Summary.Write(console, new Dictionary<string, ProgramTally> { ["IMET-1"] = new() { Rows = 10, Enrolled = 6, Seats = 1_234, Refused = 3, InError = 1 } }, "report.errors.tsv");
        Assert.Matches(@"IMET-1\s+10\s+6\s+1,234\s+3\s+1", text.ToString());
        Assert.Matches(@"all\s+10\s+6\s+1,234\s+3\s+1", text.ToString());
        Assert.Contains("refused COUNTRY_NOT_ELIGIBLE: 2", text.ToString(), StringComparison.Ordinal);
        Assert.Contains("in report.errors.tsv", text.ToString(), StringComparison.Ordinal);
    }
}
