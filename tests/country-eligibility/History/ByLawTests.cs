using Google.Type;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Xunit;

namespace Imet.CountryEligibility.Tests.History;

/// <summary>What statutes and yearly acts say of countries by name, or by their wealth.</summary>
[Collection(Past.Collection)]
public sealed class ByLawTests(Past past)
{
    [Theory]
    [InlineData("AUT")]
    [InlineData("FIN")]
    [InlineData("KOR")]
    [InlineData("SGP")]
    [InlineData("ESP")]
    public async Task A_high_income_country_named_in_FAA_546_gets_no_grant_IMET_whatever_its_alliance_and_nothing_waives_it(string country)
    {
        Assert.Equal((V1.Outcome.NotEligible, "FAA_546"), (await past.OutcomeAsync(country, "2019-06-01"), await past.BasisAsync(country, "2019-06-01")));
        Assert.Equal(V1.Outcome.Eligible, await past.OutcomeAsync(country, "2019-06-01", question => question.FundingProgram = "FMS"));
        await Stack.AssertRefusedAsync("WAIVER_NOT_POSSIBLE", Grpc.Core.StatusCode.FailedPrecondition, () => past.Stack.ProposeAsync(new Decision
        {
            Document = "An attempt", Reason = "None", Waivers = { new Waiver { Country = country, LegalBasis = "FAA_546", EffectiveFrom = Stack.Today.ToProto() } },
        }));
    }

    [Theory]
    [InlineData("1992-10-05", false, V1.Outcome.Eligible)]
    [InlineData("1992-10-06", false, V1.Outcome.NotEligible)]
    [InlineData("1998-06-01", true, V1.Outcome.Eligible)]
    [InlineData("1999-11-29", false, V1.Outcome.NotEligible)]
    [InlineData("1999-11-29", true, V1.Outcome.Eligible)]
    [InlineData("2005-02-25", false, V1.Outcome.NotEligible)]
    [InlineData("2005-02-26", false, V1.Outcome.Eligible)]
    public async Task Indonesia_is_for_Expanded_IMET_alone_until_the_certification_of_26_February_2005_CHOICE_so_from_1992(string on, bool eImet, V1.Outcome expected) =>
        Assert.Equal(expected, await past.OutcomeAsync("IDN", on, question => question.EImet = eImet));

    [Fact]
    public async Task Whether_a_course_is_Expanded_IMET_must_be_known_where_it_decides() => Assert.Equal(V1.Outcome.Depends, await past.OutcomeAsync("IDN", "2001-06-01", question => question.ClearEImet()));

    [Fact]
    public async Task Guatemala_fiscal_year_2000_has_Expanded_IMET_alone_and_that_only_after_notification()
    {
        Assert.Equal((V1.Outcome.NotEligible, "YEARLY_ACT"), (await past.OutcomeAsync("GTM", "2000-03-01"), await past.BasisAsync("GTM", "2000-03-01")));
        Assert.Equal((V1.Outcome.NotEligible, "NOTIFICATION"), (await past.OutcomeAsync("GTM", "2000-03-01", question => question.EImet = true), await past.BasisAsync("GTM", "2000-03-01", question => question.EImet = true)));
        Assert.Equal(V1.Outcome.Eligible, await past.OutcomeAsync("GTM", "2000-10-01"));
        // As if the notification of 15 February were on record.
        var notice = await NoticeAsync("GTM", "2000-03-01", "2000-02-15", question => question.EImet = true);
        Assert.Equal(V1.Outcome.Eligible, (await past.AskAsync("GTM", "2000-03-01", question => question.EImet = true, proposal: notice)).Outcome);
        Assert.Equal(V1.Outcome.NotEligible, (await past.AskAsync("GTM", "2000-02-14", question => question.EImet = true, proposal: notice)).Outcome);
    }

    [Theory]
    [InlineData("AGO")]
    [InlineData("BGD")]
    [InlineData("CMR")]
    [InlineData("CAF")]
    [InlineData("TCD")]
    [InlineData("CIV")]
    [InlineData("COD")]
    [InlineData("ETH")]
    [InlineData("GTM")]
    [InlineData("GIN")]
    [InlineData("HTI")]
    [InlineData("KEN")]
    [InlineData("LBY")]
    [InlineData("NPL")]
    [InlineData("NGA")]
    [InlineData("LKA")]
    public async Task Fiscal_year_2010_sixteen_countries_train_only_after_a_notification_with_a_detailed_description(string country)
    {
        var before = await past.AskAsync(country, "2010-03-01");
        Assert.Equal(V1.Outcome.NotEligible, before.Outcome);
        Assert.Contains(before.Conditions, condition => condition.Requirement.Contains("detailed description", StringComparison.Ordinal));
        Assert.Equal(V1.Outcome.Eligible, await past.OutcomeAsync(country, "2009-12-15"));
        Assert.Equal(V1.Outcome.Eligible, await past.OutcomeAsync(country, "2010-10-01"));
        var notice = await NoticeAsync(country, "2010-03-01", "2010-02-20");
        Assert.Equal(V1.Outcome.Eligible, (await past.AskAsync(country, "2010-03-01", proposal: notice)).Outcome);
    }

    [Fact]
    public async Task Above_the_limit_of_national_product_a_country_pays_travel_and_living_allowance_and_is_notified_above_300000_dollars()
    {
        // The acts of fiscal years 1991 and 1993 name no country; this is the rule, as a proposal, for one.
        var decision = new Decision
        {
            Document = "Foreign operations act for fiscal year 1993, P.L. 102-391", Reason = "National product above 2,349 dollars a head.",
            Restrictions =
            {
                new Restriction
                {
                    Country = "BHS", LegalBasis = "GNP_PER_HEAD", Effect = Effect.ConditionCarried, EffectiveFrom = Given.Day("1992-10-06").ToProto(), EffectiveTo = Given.Day("1993-10-01").ToProto(),
                    Scope = Given.Programs(SetMode.Only, "IMET"),
                    Condition = new Condition { Requirement = "The country pays travel and living allowance", Duties = { Duty.CountryPaysTravel, Duty.CountryPaysLivingAllowance } },
                },
                new Restriction
                {
                    Country = "BHS", LegalBasis = "GNP_PER_HEAD", Effect = Effect.Ceiling, EffectiveFrom = Given.Day("1992-10-06").ToProto(), EffectiveTo = Given.Day("1993-10-01").ToProto(),
                    Scope = Given.Programs(SetMode.Only, "IMET"), Ceiling = new Ceiling { FiscalYear = 1993, Amount = new Money { CurrencyCode = "USD", Units = 300_000 } },
                },
            },
        };
        var proposal = (await past.Stack.ProposeAsync(decision)).Id;
        var verdict = await past.AskAsync("BHS", "1993-06-01", proposal: proposal);
        Assert.Equal(V1.Outcome.EligibleWithConditions, verdict.Outcome);
        Assert.Equal([Duty.CountryPaysTravel, Duty.CountryPaysLivingAllowance], Assert.Single(verdict.Conditions).Duties);
        Assert.Equal((1993, 300_000), (Assert.Single(verdict.Ceilings).FiscalYear, verdict.Ceilings[0].Amount.Units));
        Assert.Equal(V1.Outcome.Eligible, (await past.AskAsync("BHS", "1993-10-01", proposal: proposal)).Outcome);
    }

    // A proposal that the blocking conditions of a country on a day are fulfilled.
    private async Task<string> NoticeAsync(string country, string on, string fulfilled, Action<Question>? facts = null)
    {
        var blocking = (await past.AskAsync(country, on, facts)).Findings.Where(finding => finding is { Effect: Effect.ConditionBlocking, Bearing: Finding.Types.Bearing.Applies });
        return (await past.Stack.ProposeAsync(new Decision
        {
            Document = $"Notification for {country}, {fulfilled}", Reason = "To see what it would change.",
            Fulfilments = { blocking.Select(finding => new Fulfilment { RestrictionId = finding.RestrictionId, FulfilledOn = Given.Day(fulfilled).ToProto(), Document = "CN 10-000" }) },
        })).Id;
    }
}
