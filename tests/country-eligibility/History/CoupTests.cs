using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Xunit;

namespace Imet.CountryEligibility.Tests.History;

/// <summary>Coups (section 7008, formerly 508): the day of the coup, of the pause and of the determination are three.</summary>
[Collection(Past.Collection)]
public sealed class CoupTests(Past past)
{
    [Theory]
    [InlineData("2006-09-19", V1.Outcome.Eligible)]
    [InlineData("2006-09-27", V1.Outcome.Eligible)]
    [InlineData("2006-09-28", V1.Outcome.NotEligible)]
    [InlineData("2007-09-28", V1.Outcome.NotEligible)]
    [InlineData("2008-06-01", V1.Outcome.Eligible)]
    public async Task Thailand_2006_is_suspended_nine_days_after_the_coup_CHOICE_for_18_months(string on, V1.Outcome expected) => Assert.Equal(expected, await past.OutcomeAsync("THA", on));

    [Theory]
    [InlineData("2014-05-22", V1.Outcome.Eligible)]
    [InlineData("2014-05-23", V1.Outcome.NotEligible)]
    [InlineData("2019-11-03", V1.Outcome.NotEligible)]
    [InlineData("2019-11-04", V1.Outcome.Eligible)]
    public async Task Thailand_2014_is_suspended_the_day_after_and_starts_anew_on_4_November_2019(string on, V1.Outcome expected) => Assert.Equal(expected, await past.OutcomeAsync("THA", on));

    [Theory]
    [InlineData("2014-05-23")]
    [InlineData("2014-12-15")]
    public async Task Thailand_2014_the_19_students_in_class_finish_the_last_on_15_December(string on) =>
        Assert.Equal(V1.Outcome.Eligible, await past.OutcomeAsync("THA", on, Past.Track("2014-01-13", Stage.InTraining, "2014-01-13")));

    [Theory]
    [InlineData("2014-04-30", "2014-05-23")] // Artillery preparation -> Captains Career.
    [InlineData("2014-04-07", "2014-06-16")] // PME preparation -> officer school.
    [InlineData("2014-04-07", "2014-08-05")] // -> ACSC.
    [InlineData("2014-04-16", "2014-06-27")] // PME preparation -> officer preparation.
    [InlineData("2014-04-16", "2014-07-22")] // -> CGSC preparation.
    [InlineData("2014-04-16", "2014-08-11")] // -> CGSC.
    [InlineData("2014-05-05", "2014-07-14")] // English -> USMC staff college.
    [InlineData("2014-05-05", "2014-06-09")] // Airborne -> Special Forces.
    public async Task Thailand_2014_the_eight_later_starts_each_continue_a_track_CHOICE_begun_is_judged_by_its_first_line(string begun, string starts)
    {
        Assert.Equal(V1.Outcome.Eligible, await past.OutcomeAsync("THA", starts, Past.Track(begun, starts: starts)));
        Assert.Equal(V1.Outcome.NotEligible, await past.OutcomeAsync("THA", starts));
    }

    [Theory]
    [InlineData("2015-06-08")] // ACSC.
    [InlineData("2015-06-15")] // CGSC.
    public async Task Thailand_2014_what_started_within_the_8_months_runs_to_its_end_in_2015(string on) =>
        Assert.Equal(V1.Outcome.Eligible, await past.OutcomeAsync("THA", on, Past.Track("2014-04-07", Stage.InTraining, "2014-08-05")));

    [Theory]
    [InlineData("2012-03-12", V1.Outcome.Eligible)]
    [InlineData("2012-03-22", V1.Outcome.NotEligible)]
    [InlineData("2014-08-17", V1.Outcome.NotEligible)]
    public async Task Mali_2012_starts_stop_after_the_coup(string on, V1.Outcome expected) => Assert.Equal(expected, await past.OutcomeAsync("MLI", on));

    [Fact]
    public async Task Mali_2012_those_in_class_run_to_June_2012() => Assert.Equal(V1.Outcome.Eligible, await past.OutcomeAsync("MLI", "2012-06-15", Past.Track("2012-01-09", Stage.InTraining, "2012-01-09")));

    [Fact]
    public async Task Mali_2012_the_first_line_back_is_held_in_the_country_on_18_August_2014() =>
        Assert.Equal(V1.Outcome.Eligible, await past.OutcomeAsync("MLI", "2014-08-18", question => (question.Place, question.School, question.EImet) = (Place.InCountry, "DIILS", true)));

    [Theory]
    [InlineData("2006-12-04", V1.Outcome.Eligible)]
    [InlineData("2006-12-05", V1.Outcome.NotEligible)]
    [InlineData("2015-08-31", V1.Outcome.NotEligible)]
    [InlineData("2015-09-01", V1.Outcome.Eligible)]
    public async Task Fiji_2006_has_no_line_until_August_2015(string on, V1.Outcome expected) => Assert.Equal(expected, await past.OutcomeAsync("FJI", on));

    [Theory]
    [InlineData("2009-03-16", V1.Outcome.Eligible)]
    [InlineData("2009-03-17", V1.Outcome.NotEligible)]
    [InlineData("2015-01-31", V1.Outcome.NotEligible)]
    [InlineData("2015-02-01", V1.Outcome.Eligible)]
    public async Task Madagascar_2009_has_no_line_until_January_2015(string on, V1.Outcome expected) => Assert.Equal(expected, await past.OutcomeAsync("MDG", on));

    [Theory]
    [InlineData("2022-01-24", V1.Outcome.Eligible, "")]
    [InlineData("2022-01-31", V1.Outcome.OnHold, "POLICY_PAUSE")]
    [InlineData("2022-02-17", V1.Outcome.OnHold, "POLICY_PAUSE")]
    [InlineData("2022-02-18", V1.Outcome.NotEligible, "COUP_7008")]
    public async Task Burkina_Faso_2022_is_paused_on_31_January_and_determined_a_coup_on_18_February(string on, V1.Outcome expected, string basis) =>
        Assert.Equal((expected, basis), (await past.OutcomeAsync("BFA", on), await past.BasisAsync("BFA", on)));

    [Theory]
    [InlineData("2023-07-26", V1.Outcome.Eligible, "")]
    [InlineData("2023-09-01", V1.Outcome.OnHold, "POLICY_PAUSE")]
    [InlineData("2023-10-10", V1.Outcome.NotEligible, "COUP_7008")]
    public async Task Niger_2023_three_dates_give_three_answers(string on, V1.Outcome expected, string basis) =>
        Assert.Equal((expected, basis), (await past.OutcomeAsync("NER", on), await past.BasisAsync("NER", on)));

    [Fact]
    public async Task What_was_known_in_September_2023_did_not_yet_know_of_October() => Assert.Equal(V1.Outcome.OnHold, await past.OutcomeAsync("NER", "2023-10-15", known: "2023-09-01"));
}
