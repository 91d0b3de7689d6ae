using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Xunit;

namespace Imet.CountryEligibility.Tests.History;

/// <summary>Lists by fiscal year: child soldiers (Presidential Determination 2021-01) and trafficking. They come with the year and lapse at its end, at midnight in Washington.</summary>
[Collection(Past.Collection)]
public sealed class YearlyListTests(Past past)
{
    [Theory]
    [InlineData("AFG", "IMET", V1.Outcome.Eligible)]
    [InlineData("AFG", "FMF", V1.Outcome.Eligible)]
    [InlineData("CMR", "IMET", V1.Outcome.Eligible)]
    [InlineData("IRQ", "IMET", V1.Outcome.Eligible)]
    [InlineData("LBY", "IMET", V1.Outcome.Eligible)]
    [InlineData("NGA", "FMF", V1.Outcome.Eligible)]
    [InlineData("COD", "IMET", V1.Outcome.Eligible)]
    [InlineData("COD", "PKO", V1.Outcome.Eligible)]
    [InlineData("COD", "FMF", V1.Outcome.NotEligible)]
    [InlineData("SOM", "IMET", V1.Outcome.Eligible)]
    [InlineData("SOM", "SECTION_333", V1.Outcome.Eligible)]
    [InlineData("SOM", "FMF", V1.Outcome.NotEligible)]
    [InlineData("YEM", "PKO", V1.Outcome.Eligible)]
    [InlineData("YEM", "SECTION_333", V1.Outcome.Eligible)]
    [InlineData("SSD", "PKO", V1.Outcome.Eligible)]
    [InlineData("SSD", "IMET", V1.Outcome.NotEligible)]
    public async Task The_determination_of_14_October_2020_waives_whole_or_by_program(string country, string program, V1.Outcome expected)
    {
        Task<V1.Outcome> On(string day) => past.OutcomeAsync(country, day, question => question.FundingProgram = program);
        Assert.Equal(expected, await On("2020-10-14"));
        // The year had begun a fortnight before: until the determination all were barred.
        Assert.Equal(V1.Outcome.NotEligible, await On("2020-10-13"));
        Assert.Equal(V1.Outcome.Eligible, await On("2020-09-30"));
    }

    [Theory]
    [InlineData("DIILS", V1.Outcome.Eligible)]
    [InlineData("CCMR", V1.Outcome.Eligible)]
    [InlineData("CGSC", V1.Outcome.NotEligible)]
    [InlineData("", V1.Outcome.Depends)]
    public async Task What_DIILS_and_CCMR_teach_with_IMET_money_is_excepted_from_the_ban(string school, V1.Outcome expected) =>
        Assert.Equal(expected, await past.OutcomeAsync("SSD", "2021-03-01", question => question.School = school));

    [Fact]
    public async Task The_exception_of_the_schools_is_for_IMET_alone() =>
        Assert.Equal(V1.Outcome.NotEligible, await past.OutcomeAsync("SSD", "2021-03-01", question => (question.School, question.FundingProgram) = ("DIILS", "FMF")));

    [Fact]
    public async Task The_list_and_its_waivers_lapse_together_at_the_end_of_the_fiscal_year_in_Washington()
    {
        var last = await past.AskAsync("SSD", "2021-09-30");
        Assert.Equal(V1.Outcome.NotEligible, last.Outcome);
        Assert.Contains(last.NextChangeDates, day => day is { Year: 2021, Month: 10, Day: 1 });
        Assert.Equal(V1.Outcome.Eligible, await past.OutcomeAsync("SSD", "2021-10-01"));
        // It is still 30 September in Washington when it is four in the morning of 1 October in Greenwich; the day begins at its midnight there.
        Assert.Equal(new DateTimeOffset(2021, 10, 1, 4, 0, 0, TimeSpan.Zero), Washington.Midnight(new DateOnly(2021, 10, 1)));
        Assert.Equal((new DateOnly(2021, 9, 30), new DateOnly(2021, 10, 1)), (Washington.DateOf(new DateTime(2021, 10, 1, 3, 59, 59, DateTimeKind.Utc)), Washington.DateOf(new DateTime(2021, 10, 1, 4, 0, 0, DateTimeKind.Utc))));
    }

    [Fact]
    public async Task A_waiver_of_one_basis_never_cancels_another_CHOICE_no_text_states_precedence()
    {
        // Eritrea's tier 3 is waived as a proposal; its policy pause stays.
        var proposal = await past.Stack.ProposeAsync(new Decision
        {
            Document = "A determination", Reason = "To see what it would change.",
            Waivers = { new Waiver { Country = "ERI", LegalBasis = "TVPA_110", EffectiveFrom = Given.Day("2020-10-01").ToProto(), EffectiveTo = Given.Day("2021-10-01").ToProto() } },
        });
        Assert.Equal((V1.Outcome.NotEligible, "TVPA_110"), (await past.OutcomeAsync("ERI", "2021-03-01"), await past.BasisAsync("ERI", "2021-03-01")));
        var waived = await past.AskAsync("ERI", "2021-03-01", proposal: proposal.Id);
        Assert.Equal(V1.Outcome.OnHold, waived.Outcome);
        Assert.Contains(waived.Findings, finding => finding is { LegalBasis: "TVPA_110", Bearing: Finding.Types.Bearing.Waived });
    }

    [Theory]
    [InlineData("CUB")]
    [InlineData("IRN")]
    [InlineData("PRK")]
    [InlineData("SYR")]
    [InlineData("ERI")]
    public async Task Tier_3_bars_foreign_assistance_in_the_next_fiscal_year_alone(string country)
    {
        async Task<bool> ListedAsync(string on) => (await past.AskAsync(country, on)).Findings.Any(finding => finding is { LegalBasis: "TVPA_110", Bearing: Finding.Types.Bearing.Applies });
        Assert.Equal((false, true, true, false), (await ListedAsync("2020-09-30"), await ListedAsync("2020-10-01"), await ListedAsync("2021-09-30"), await ListedAsync("2021-10-01")));
    }
}
