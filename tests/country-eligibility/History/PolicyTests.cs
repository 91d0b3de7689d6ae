using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Xunit;

namespace Imet.CountryEligibility.Tests.History;

/// <summary>Decisions of policy, and gaps in the reports that no determination explains.</summary>
[Collection(Past.Collection)]
public sealed class PolicyTests(Past past)
{
    [Theory]
    [InlineData("2013-07-03", V1.Outcome.Eligible)]
    [InlineData("2013-08-20", V1.Outcome.Eligible)]
    [InlineData("2013-09-15", V1.Outcome.OnHold)]
    [InlineData("2014-10-19", V1.Outcome.OnHold)]
    [InlineData("2014-10-20", V1.Outcome.Eligible)]
    public async Task Egypt_2013_no_coup_was_found_CHOICE_the_gap_is_a_policy_pause_not_a_suspension(string on, V1.Outcome expected) => Assert.Equal(expected, await past.OutcomeAsync("EGY", on));

    [Fact]
    public async Task Egypt_2013_the_War_College_follow_on_of_a_June_orientation_starts() =>
        Assert.Equal(V1.Outcome.Eligible, await past.OutcomeAsync("EGY", "2013-08-05", Past.Track("2013-06-10", starts: "2013-08-05")));

    [Theory]
    [InlineData("2009-06-28", V1.Outcome.Eligible)]
    [InlineData("2009-08-15", V1.Outcome.Eligible)]
    [InlineData("2009-09-01", V1.Outcome.OnHold)]
    [InlineData("2010-05-31", V1.Outcome.OnHold)]
    [InlineData("2010-06-01", V1.Outcome.Eligible)]
    public async Task Honduras_2009_starts_in_July_and_August_then_none_until_June_2010_CHOICE_a_policy_pause(string on, V1.Outcome expected) => Assert.Equal(expected, await past.OutcomeAsync("HND", on));

    [Theory]
    [InlineData("ZWE", "2001-09-30", V1.Outcome.Eligible)]
    [InlineData("ZWE", "2001-10-01", V1.Outcome.OnHold)]
    [InlineData("VEN", "2004-09-30", V1.Outcome.Eligible)]
    [InlineData("VEN", "2004-10-01", V1.Outcome.OnHold)]
    [InlineData("ERI", "2005-09-30", V1.Outcome.Eligible)]
    [InlineData("ERI", "2005-10-01", V1.Outcome.OnHold)]
    [InlineData("BOL", "2013-09-30", V1.Outcome.Eligible)]
    [InlineData("BOL", "2013-10-01", V1.Outcome.OnHold)]
    [InlineData("BOL", "2019-09-30", V1.Outcome.OnHold)]
    [InlineData("BOL", "2020-03-01", V1.Outcome.Eligible)]
    public async Task Zimbabwe_Venezuela_Eritrea_and_Bolivia_have_gaps_of_whole_fiscal_years_CHOICE_policy_pauses(string country, string on, V1.Outcome expected) => Assert.Equal(expected, await past.OutcomeAsync(country, on));

    [Theory]
    [InlineData("IMET", V1.Outcome.NotEligible)]
    [InlineData("REGIONAL_CENTERS", V1.Outcome.Eligible)]
    public async Task Myanmar_has_no_IMET_line_in_any_year_yet_265_of_Regional_Centers(string program, V1.Outcome expected) =>
        Assert.Equal(expected, await past.OutcomeAsync("MMR", "2012-06-01", question => question.FundingProgram = program));

    private Task<V1.Outcome> F35Async(string on, Action<Question>? more = null) => past.OutcomeAsync("TUR", on, question =>
    {
        (question.FundingProgram, question.Platform, question.TrainingKind, question.ImplementingAgency, question.School) = ("FMS", "F-35", TrainingKind.Operational, ImplementingAgency.AirForce, "AETC");
        more?.Invoke(question);
    });

    [Fact]
    public async Task Turkey_2019_nothing_new_starts_on_the_F35_from_the_letter_on()
    {
        Assert.Equal(V1.Outcome.Eligible, await F35Async("2019-06-05"));
        Assert.Equal(V1.Outcome.NotEligible, await F35Async("2019-06-07"));
        Assert.Equal(V1.Outcome.NotEligible, await F35Async("2019-08-01"));
    }

    [Fact]
    public async Task Turkey_2019_the_42_students_train_on_until_31_July_and_leave_no_617_for_a_stop()
    {
        var inTraining = Past.Track("2019-01-10", Stage.InTraining, "2019-01-10");
        Assert.Equal(V1.Outcome.Eligible, await F35Async("2019-07-30", inTraining));
        Assert.Equal(V1.Outcome.NotEligible, await F35Async("2019-07-31", inTraining));
    }

    [Fact]
    public async Task Turkey_2019_Luke_Air_Force_Base_stops_flying_on_its_own_on_about_10_June()
    {
        Action<Question> atLuke = question =>
        {
            question.School = "LUKE";
            Past.Track("2019-01-10", Stage.InTraining, "2019-01-10")(question);
        };
        Assert.Equal(V1.Outcome.Eligible, await F35Async("2019-06-09", atLuke));
        Assert.Equal(V1.Outcome.Paused, await F35Async("2019-06-10", atLuke));
    }

    [Fact]
    public async Task Turkey_2019_only_the_F35_is_closed_to_a_member_of_NATO_that_buys_its_training() =>
        Assert.Equal((V1.Outcome.Eligible, V1.Outcome.Eligible), (await F35Async("2019-08-01", question => question.Platform = "F-16"), await past.OutcomeAsync("TUR", "2019-08-01")));
}
