using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Xunit;

namespace Imet.CountryEligibility.Tests.History;

/// <summary>Saudi Arabia, December 2019 to March 2020: a pause of operational training, lifted by each department on its own conditions.</summary>
[Collection(Past.Collection)]
public sealed class SaudiArabiaTests(Past past)
{
    private Task<V1.Outcome> FlightAsync(string on, ImplementingAgency agency = ImplementingAgency.Navy) => past.OutcomeAsync("SAU", on, question =>
        (question.TrainingKind, question.ImplementingAgency, question.School, question.FundingProgram) = (TrainingKind.Operational, agency, "NONE", "FMS"));

    private Task<V1.Outcome> ClassroomAsync(string on, string school = "NONE") => past.OutcomeAsync("SAU", on, question =>
        (question.ImplementingAgency, question.School, question.FundingProgram) = (ImplementingAgency.Navy, school, "FMS"));

    [Fact]
    public async Task On_6_December_2019_the_day_of_the_attack_nothing_is_restricted_yet() => Assert.Equal((V1.Outcome.Eligible, V1.Outcome.Eligible), (await FlightAsync("2019-12-06"), await ClassroomAsync("2019-12-06")));

    [Fact]
    public async Task Over_the_weekend_of_7_December_classes_at_Pensacola_halt_CHOICE_a_pause_at_the_Navys_school_there()
    {
        Assert.Equal(V1.Outcome.Paused, await ClassroomAsync("2019-12-08", "NITC"));
        Assert.Equal(V1.Outcome.Eligible, await ClassroomAsync("2019-12-09", "NITC"));
        Assert.Equal(V1.Outcome.Eligible, await ClassroomAsync("2019-12-08", "NWC"));
    }

    [Fact]
    public async Task On_9_December_the_Navy_grounds_its_Saudi_students_and_the_others_fly_on()
    {
        Assert.Equal(V1.Outcome.Paused, await FlightAsync("2019-12-09"));
        Assert.Equal(V1.Outcome.Eligible, await FlightAsync("2019-12-09", ImplementingAgency.AirForce));
        Assert.Equal(V1.Outcome.Eligible, await ClassroomAsync("2019-12-09"));
    }

    [Theory]
    [InlineData(ImplementingAgency.Navy)]
    [InlineData(ImplementingAgency.AirForce)]
    [InlineData(ImplementingAgency.Army)]
    public async Task From_10_December_operational_training_of_all_departments_is_paused_and_nobody_is_cancelled(ImplementingAgency agency) => Assert.Equal(V1.Outcome.Paused, await FlightAsync("2019-12-10", agency));

    [Fact]
    public async Task From_10_December_classroom_training_continues_and_what_is_neither_known_depends()
    {
        Assert.Equal(V1.Outcome.Eligible, await ClassroomAsync("2019-12-10"));
        Assert.Equal(V1.Outcome.Depends, await past.OutcomeAsync("SAU", "2019-12-12", question => question.TrainingKind = TrainingKind.Unspecified));
        // Training under way pauses too.
        Assert.Equal(V1.Outcome.Paused, await past.OutcomeAsync("SAU", "2019-12-12", question =>
        {
            question.TrainingKind = TrainingKind.Operational;
            Past.Track("2019-06-01", Stage.InTraining, "2019-06-01")(question);
        }));
    }

    [Fact]
    public async Task The_review_of_all_international_students_from_10_December_restricts_no_other_country() => Assert.Equal(V1.Outcome.Eligible, await past.OutcomeAsync("JOR", "2019-12-15", question => question.TrainingKind = TrainingKind.Operational));

    [Fact]
    public async Task On_19_December_the_review_finds_no_threat_and_the_pause_stays() => Assert.Equal(V1.Outcome.Paused, await FlightAsync("2019-12-20"));

    [Fact]
    public async Task On_13_January_2020_21_students_are_sent_home_which_is_about_persons_and_changes_no_answer_for_the_country() =>
        Assert.Equal((V1.Outcome.Paused, V1.Outcome.Eligible), (await FlightAsync("2020-01-13"), await ClassroomAsync("2020-01-13")));

    [Theory]
    [InlineData(ImplementingAgency.Navy)]
    [InlineData(ImplementingAgency.AirForce)]
    [InlineData(ImplementingAgency.Army)]
    public async Task On_17_January_resumption_is_approved_on_conditions_and_acts_for_nobody_before_they_are_met(ImplementingAgency agency) => Assert.Equal(V1.Outcome.Paused, await FlightAsync("2020-01-20", agency));

    [Theory]
    [InlineData("2020-02-24", ImplementingAgency.Navy, V1.Outcome.Paused)]
    [InlineData("2020-02-25", ImplementingAgency.Navy, V1.Outcome.Eligible)]
    [InlineData("2020-02-25", ImplementingAgency.AirForce, V1.Outcome.Paused)]
    [InlineData("2020-02-25", ImplementingAgency.Army, V1.Outcome.Paused)]
    public async Task On_25_February_the_Navy_has_met_its_conditions_and_flies_again_alone(string on, ImplementingAgency agency, V1.Outcome expected) => Assert.Equal(expected, await FlightAsync(on, agency));

    [Theory]
    [InlineData("2020-03-12", V1.Outcome.Paused)]
    [InlineData("2020-03-13", V1.Outcome.Eligible)]
    public async Task On_13_March_continuous_review_is_in_force_CHOICE_the_day_is_taken_for_the_Army_and_the_Air_Force_too_since_no_text_gives_theirs(string on, V1.Outcome expected) =>
        Assert.Equal((expected, expected), (await FlightAsync(on, ImplementingAgency.AirForce), await FlightAsync(on, ImplementingAgency.Army)));
}
