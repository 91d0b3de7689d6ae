using Imet.CountryEligibility.V1;
using Xunit;

namespace Imet.CountryEligibility.Tests.History;

/// <summary>State sponsors of terrorism (FAA 620A), by the dates of their lists.</summary>
[Collection(Past.Collection)]
public sealed class StateSponsorTests(Past past)
{
    [Theory]
    [InlineData("SYR", "1979-12-28", V1.Outcome.Eligible)]
    [InlineData("SYR", "1979-12-29", V1.Outcome.NotEligible)]
    [InlineData("SYR", "2026-06-01", V1.Outcome.NotEligible)]
    [InlineData("IRN", "1984-01-18", V1.Outcome.Eligible)]
    [InlineData("IRN", "1984-01-19", V1.Outcome.NotEligible)]
    [InlineData("IRN", "2026-06-01", V1.Outcome.NotEligible)]
    [InlineData("PRK", "2007-06-01", V1.Outcome.NotEligible)]
    [InlineData("PRK", "2009-06-01", V1.Outcome.Eligible)]
    [InlineData("PRK", "2017-11-19", V1.Outcome.Eligible)]
    [InlineData("PRK", "2017-11-20", V1.Outcome.NotEligible)]
    [InlineData("PRK", "2026-06-01", V1.Outcome.NotEligible)]
    [InlineData("CUB", "1982-02-28", V1.Outcome.Eligible)]
    [InlineData("CUB", "1982-03-01", V1.Outcome.NotEligible)]
    [InlineData("CUB", "2015-05-28", V1.Outcome.NotEligible)]
    [InlineData("CUB", "2015-05-29", V1.Outcome.Eligible)]
    [InlineData("CUB", "2021-01-11", V1.Outcome.NotEligible)] // Trafficking list of fiscal year 2021, not as a sponsor.
    [InlineData("CUB", "2021-01-12", V1.Outcome.NotEligible)]
    [InlineData("CUB", "2026-06-01", V1.Outcome.NotEligible)]
    [InlineData("SDN", "1993-08-11", V1.Outcome.Eligible)]
    [InlineData("SDN", "1993-08-12", V1.Outcome.NotEligible)]
    [InlineData("SDN", "2020-12-13", V1.Outcome.NotEligible)]
    [InlineData("SDN", "2020-12-14", V1.Outcome.Eligible)]
    [InlineData("IRQ", "1981-06-01", V1.Outcome.NotEligible)]
    [InlineData("IRQ", "1985-06-01", V1.Outcome.Eligible)]
    [InlineData("IRQ", "1995-06-01", V1.Outcome.NotEligible)]
    [InlineData("IRQ", "2005-06-01", V1.Outcome.Eligible)]
    [InlineData("LBY", "1995-06-01", V1.Outcome.NotEligible)]
    [InlineData("LBY", "2007-06-01", V1.Outcome.Eligible)]
    [InlineData("YMD", "1985-06-01", V1.Outcome.NotEligible)]
    [InlineData("YMD", "1990-06-01", V1.Outcome.Eligible)]
    public async Task A_sponsor_is_not_eligible_while_it_is_listed(string country, string on, V1.Outcome expected) => Assert.Equal(expected, await past.OutcomeAsync(country, on));

    [Fact]
    public async Task No_assistance_means_none_of_the_act_and_leaves_training_that_is_sold()
    {
        Assert.Equal(V1.Outcome.NotEligible, await past.OutcomeAsync("SDN", "2005-06-01", question => question.FundingProgram = "FMF"));
        Assert.Equal(V1.Outcome.NotEligible, await past.OutcomeAsync("SDN", "2005-06-01", question => question.FundingProgram = "PKO"));
        Assert.Equal(V1.Outcome.Eligible, await past.OutcomeAsync("SDN", "2005-06-01", question => question.FundingProgram = "FMS"));
    }

    [Fact]
    public async Task Cubas_removal_was_announced_and_withdrawn_inside_the_45_days_so_it_never_took_effect()
    {
        // Announced is not effective: on the next day it was still listed, and to be removed on 28 February.
        var announced = await past.AskAsync("CUB", "2025-01-15");
        Assert.Equal(V1.Outcome.NotEligible, announced.Outcome);
        Assert.Contains(announced.NextChangeDates, day => day is { Year: 2025, Month: 2, Day: 28 });
        // As it was known on 19 January, March would have been free; from 20 January on it was known that it would not.
        Assert.Equal(V1.Outcome.Eligible, await past.OutcomeAsync("CUB", "2025-03-15", known: "2025-01-19"));
        Assert.Equal(V1.Outcome.NotEligible, await past.OutcomeAsync("CUB", "2025-03-15", known: "2025-01-20"));
        Assert.Equal(V1.Outcome.NotEligible, await past.OutcomeAsync("CUB", "2025-03-15"));
    }
}
