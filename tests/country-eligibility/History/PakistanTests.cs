using Imet.CountryEligibility.V1;
using Xunit;

namespace Imet.CountryEligibility.Tests.History;

/// <summary>Pakistan, January 2018 to August 2020: an executive suspension, its exception, and what ran through it.</summary>
[Collection(Past.Collection)]
public sealed class PakistanTests(Past past)
{
    [Fact]
    public async Task January_2018_security_assistance_is_suspended_and_training_continues()
    {
        Assert.Equal(V1.Outcome.NotEligible, await past.OutcomeAsync("PAK", "2018-01-15", question => question.FundingProgram = "FMF"));
        Assert.Equal(V1.Outcome.Eligible, await past.OutcomeAsync("PAK", "2018-01-15"));
    }

    [Theory]
    [InlineData("2018-08-09", V1.Outcome.Eligible)]
    [InlineData("2018-08-10", V1.Outcome.NotEligible)]
    public async Task On_10_August_2018_IMET_closes(string on, V1.Outcome expected) => Assert.Equal(expected, await past.OutcomeAsync("PAK", on));

    [Theory]
    [InlineData("NDU")]
    [InlineData("USAWC")]
    [InlineData("NWC")]
    public async Task The_66_places_at_the_colleges_are_not_filled(string school) =>
        Assert.Equal(V1.Outcome.NotEligible, await past.OutcomeAsync("PAK", "2018-08-13", question => question.School = school));

    [Fact]
    public async Task Fiscal_year_2018_the_follow_on_line_of_21_August_at_Fort_Huachuca_goes_on_with_its_track() =>
        Assert.Equal(V1.Outcome.Eligible, await past.OutcomeAsync("PAK", "2018-08-21", Past.Track("2018-06-01", starts: "2018-08-21")));

    [Theory]
    [InlineData("2018-08-10")]
    [InlineData("2018-12-15")]
    [InlineData("2019-03-29")]
    public async Task The_eight_lines_in_progress_run_to_their_full_end_dates(string on) =>
        Assert.Equal(V1.Outcome.Eligible, await past.OutcomeAsync("PAK", on, Past.Track("2018-01-08", Stage.InTraining, "2018-01-08")));

    [Fact]
    public async Task Fiscal_year_2019_nothing_new_starts_from_September_2018_until_the_exception()
    {
        for (var day = new DateOnly(2018, 9, 1); day < new DateOnly(2020, 1, 3); day = day.AddMonths(1))
            Assert.Equal(V1.Outcome.NotEligible, await past.OutcomeAsync("PAK", day.ToString("yyyy-MM-dd")));
    }

    [Fact]
    public async Task On_19_December_2019_the_exception_is_announced_and_not_yet_effective_Congress_may_object_until_3_January()
    {
        var verdict = await past.AskAsync("PAK", "2019-12-20");
        Assert.Equal(V1.Outcome.NotEligible, verdict.Outcome);
        Assert.Contains(verdict.NextChangeDates, day => day is { Year: 2020, Month: 1, Day: 3 });
        // Nobody could count on it before.
        Assert.Equal(V1.Outcome.NotEligible, await past.OutcomeAsync("PAK", "2020-07-20", known: "2019-12-18"));
        Assert.Equal(V1.Outcome.Eligible, await past.OutcomeAsync("PAK", "2020-07-20", known: "2019-12-19"));
    }

    [Fact]
    public async Task On_3_January_2020_IMET_resumes_as_a_narrow_exception_and_the_overall_suspension_stays_CHOICE_recorded_as_a_waiver()
    {
        var imet = await past.AskAsync("PAK", "2020-01-03");
        Assert.Equal(V1.Outcome.Eligible, imet.Outcome);
        Assert.Contains(imet.Findings, finding => finding is { LegalBasis: "ASSISTANCE_SUSPENSION", Bearing: Finding.Types.Bearing.Waived });
        Assert.Equal(V1.Outcome.NotEligible, await past.OutcomeAsync("PAK", "2020-01-03", question => question.FundingProgram = "FMF"));
    }

    [Theory]
    [InlineData("USAWC", "2020-07-06")]
    [InlineData("NDU", "2020-07-13")]
    [InlineData("AU", "2020-08-03")]
    [InlineData("CGSC", "2020-08-10")]
    [InlineData("NPS", "2020-08-17")]
    public async Task July_and_August_2020_sixteen_lines_start_so_never_restored_is_false(string school, string on) =>
        Assert.Equal(V1.Outcome.Eligible, await past.OutcomeAsync("PAK", on, question => question.School = school));

    [Theory]
    [InlineData("REGIONAL_CENTERS")]
    [InlineData("PKO")]
    public async Task Regional_Centers_and_PKO_go_on_throughout(string program) =>
        Assert.Equal(V1.Outcome.Eligible, await past.OutcomeAsync("PAK", "2019-03-01", question => question.FundingProgram = program));
}
