using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Xunit;
using static Imet.CountryEligibility.Tests.Given;
using Bearing = Imet.CountryEligibility.V1.Finding.Types.Bearing;

namespace Imet.CountryEligibility.Tests;

public sealed class EvaluationTests
{
    private static Given Pakistan()
    {
        var pakistan = new Given("PAK", "Pakistan");
        var suspension = pakistan.Restrict("2018-08-10", Effect.Suspend, "ASSISTANCE_SUSPENSION", Programs(SetMode.Only, "IMET", "FMF"));
        pakistan.Lift(suspension, "2020-01-03", Programs(SetMode.Only, "IMET"), announced: "2019-12-19");
        return pakistan;
    }

    private static (Given Saudi, Guid Pause) SaudiArabia()
    {
        var saudi = new Given("SAU", "Saudi Arabia");
        var pause = saudi.Restrict("2019-12-10", Effect.PauseTraining, "OPERATIONAL_STANDDOWN", Kinds(SetMode.Only, TrainingKind.Operational), windUp: WindUp.None);
        saudi.Lift(pause, "2020-02-25", new Scope { ImplementingAgencies = new ImplementingAgencySet { Mode = SetMode.Only, ImplementingAgencies = { ImplementingAgency.Navy } } });
        return (saudi, pause);
    }

    private static Given Thailand()
    {
        var thailand = new Given("THA", "Thailand");
        thailand.Restrict("2014-05-23", Effect.Suspend, "COUP_7008", Programs(SetMode.Only, "IMET", "FMF"));
        return thailand;
    }

    [Fact]
    public void A_country_without_restrictions_is_eligible()
    {
        var verdict = new Given("NOR", "Norway").Ask("2018-01-01");
        Assert.Equal(V1.Outcome.Eligible, verdict.Outcome);
        Assert.Empty(verdict.Findings);
        Assert.Empty(verdict.NextChangeDates);
        Assert.Contains("Norway", verdict.Summary, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("2018-08-09", "IMET", V1.Outcome.Eligible)]
    [InlineData("2018-08-10", "IMET", V1.Outcome.NotEligible)]
    [InlineData("2019-12-19", "IMET", V1.Outcome.NotEligible)]
    [InlineData("2020-01-02", "IMET", V1.Outcome.NotEligible)]
    [InlineData("2020-01-03", "IMET", V1.Outcome.Eligible)]
    [InlineData("2020-07-20", "IMET", V1.Outcome.Eligible)]
    [InlineData("2020-07-20", "FMF", V1.Outcome.NotEligible)]
    [InlineData("2018-10-01", "REGIONAL_CENTERS", V1.Outcome.Eligible)]
    [InlineData("2018-10-01", "PKO", V1.Outcome.Eligible)]
    public void Pakistan_loses_IMET_in_2018_and_regains_it_alone_in_2020(string on, string program, V1.Outcome expected) =>
        Assert.Equal(expected, Pakistan().Ask(on, question => question.FundingProgram = program).Outcome);

    [Fact]
    public void Pakistans_line_of_21_August_2018_follows_a_track_that_had_begun()
    {
        var verdict = Pakistan().Ask("2018-08-20", question =>
        {
            question.Stage = Stage.Continuing;
            question.TrackBegunOn = Day("2018-07-09").ToProto();
            question.StartDate = Day("2018-08-21").ToProto();
        });
        Assert.Equal(V1.Outcome.Eligible, verdict.Outcome);
        Assert.Equal(Bearing.WindingUp, Assert.Single(verdict.Findings).Bearing);
    }

    [Fact]
    public void Pakistans_students_in_class_finish_even_a_year_long_course() =>
        Assert.Equal(V1.Outcome.Eligible, Pakistan().Ask("2019-03-29", question =>
        {
            question.Stage = Stage.InTraining;
            question.TrackBegunOn = Day("2018-01-08").ToProto();
        }).Outcome);

    [Fact]
    public void Before_the_resumption_was_announced_nobody_could_count_on_it()
    {
        var asked = (string known) => Pakistan().Ask("2020-07-20", known: known).Outcome;
        Assert.Equal(V1.Outcome.NotEligible, asked("2019-12-18"));
        Assert.Equal(V1.Outcome.Eligible, asked("2019-12-20"));
    }

    [Fact]
    public void The_next_dates_of_change_are_told_as_far_as_they_bear_on_the_question()
    {
        var days = Pakistan().Ask("2018-01-01").NextChangeDates.Select(day => day.ToDateOnly());
        Assert.Equal([Day("2018-08-10"), Day("2020-01-03")], days);
        Assert.Empty(Pakistan().Ask("2018-01-01", question => question.FundingProgram = "CTFP").NextChangeDates);
    }

    [Theory]
    [InlineData("2019-12-09", TrainingKind.Operational, ImplementingAgency.Navy, V1.Outcome.Eligible)]
    [InlineData("2019-12-10", TrainingKind.Operational, ImplementingAgency.Navy, V1.Outcome.Paused)]
    [InlineData("2019-12-10", TrainingKind.Classroom, ImplementingAgency.Navy, V1.Outcome.Eligible)]
    [InlineData("2019-12-10", TrainingKind.Unspecified, ImplementingAgency.Navy, V1.Outcome.Depends)]
    [InlineData("2020-02-24", TrainingKind.Operational, ImplementingAgency.Navy, V1.Outcome.Paused)]
    [InlineData("2020-02-25", TrainingKind.Operational, ImplementingAgency.Navy, V1.Outcome.Eligible)]
    [InlineData("2020-02-25", TrainingKind.Operational, ImplementingAgency.AirForce, V1.Outcome.Paused)]
    [InlineData("2020-02-25", TrainingKind.Operational, ImplementingAgency.Unspecified, V1.Outcome.Depends)]
    public void Saudi_Arabias_pause_is_operational_and_each_department_lifts_its_own(string on, TrainingKind kind, ImplementingAgency agency, V1.Outcome expected)
    {
        var verdict = SaudiArabia().Saudi.Ask(on, question => (question.TrainingKind, question.ImplementingAgency) = (kind, agency));
        Assert.Equal(expected, verdict.Outcome);
        if (expected == V1.Outcome.Depends)
            Assert.Equal(kind == TrainingKind.Unspecified ? "training_kind" : "implementing_agency", Assert.Single(verdict.Findings).Dimension);
    }

    [Fact]
    public void Saudi_Arabias_pause_stops_lines_in_training_too() =>
        Assert.Equal(V1.Outcome.Paused, SaudiArabia().Saudi.Ask("2019-12-12", question =>
        {
            question.TrainingKind = TrainingKind.Operational;
            question.Stage = Stage.InTraining;
            question.TrackBegunOn = Day("2019-06-01").ToProto();
        }).Outcome);

    // The eight starts after the coup of 22 May 2014, each with the first line of its track.
    [Theory]
    [InlineData("2014-04-30", "2014-05-23")]
    [InlineData("2014-04-07", "2014-06-16")]
    [InlineData("2014-04-07", "2014-08-05")]
    [InlineData("2014-04-16", "2014-06-27")]
    [InlineData("2014-04-16", "2014-07-22")]
    [InlineData("2014-04-16", "2014-08-11")]
    [InlineData("2014-05-05", "2014-07-14")]
    [InlineData("2014-05-05", "2014-06-09")]
    public void Thailands_tracks_that_had_begun_go_on_to_their_later_lines(string begun, string starts)
    {
        Verdict Ask(Stage stage, string start) => Thailand().Ask("2014-05-23", question =>
        {
            question.Stage = stage;
            question.TrackBegunOn = Day(begun).ToProto();
            question.StartDate = Day(start).ToProto();
        });
        Assert.Equal(V1.Outcome.Eligible, Ask(Stage.Continuing, starts).Outcome);
        Assert.Equal(V1.Outcome.NotEligible, Ask(Stage.New, starts).Outcome);
    }

    [Theory]
    [InlineData("2014-05-22", "2015-01-23", Place.UnitedStates, V1.Outcome.Eligible)]
    [InlineData("2014-05-22", "2015-01-24", Place.UnitedStates, V1.Outcome.NotEligible)]
    [InlineData("2014-05-23", "2014-06-09", Place.UnitedStates, V1.Outcome.NotEligible)]
    [InlineData("2014-05-22", "2014-06-09", Place.InCountry, V1.Outcome.NotEligible)]
    [InlineData("2014-05-22", "2014-06-09", Place.Unspecified, V1.Outcome.Depends)]
    public void What_has_begun_winds_up_abroad_within_eight_months(string begun, string starts, Place place, V1.Outcome expected) =>
        Assert.Equal(expected, Thailand().Ask("2014-05-23", question =>
        {
            question.Stage = Stage.Continuing;
            question.TrackBegunOn = Day(begun).ToProto();
            question.StartDate = Day(starts).ToProto();
            question.Place = place;
        }).Outcome);

    [Fact]
    public void A_decision_may_say_that_nothing_winds_up()
    {
        var country = new Given("TUR", "Türkiye");
        country.Restrict("2019-07-31", Effect.Suspend, "ASSISTANCE_SUSPENSION", windUp: WindUp.None);
        Assert.Equal(V1.Outcome.NotEligible, country.Ask("2019-08-01", question =>
        {
            question.Stage = Stage.InTraining;
            question.TrackBegunOn = Day("2019-01-10").ToProto();
        }).Outcome);
    }

    [Fact]
    public void For_a_back_dated_restriction_begun_is_judged_by_when_it_was_known()
    {
        var country = new Given("MLI", "Mali");
        country.Restrict("2012-03-22", Effect.Suspend, "COUP_7008", known: "2012-04-10", announced: "2012-04-09");
        Assert.Equal(V1.Outcome.Eligible, country.Ask("2012-04-11", question =>
        {
            question.Stage = Stage.InTraining;
            question.TrackBegunOn = Day("2012-04-02").ToProto();
        }).Outcome);
    }

    [Theory]
    [InlineData("2022-01-30", V1.Outcome.Eligible)]
    [InlineData("2022-01-31", V1.Outcome.OnHold)]
    [InlineData("2022-02-17", V1.Outcome.OnHold)]
    [InlineData("2022-02-18", V1.Outcome.NotEligible)]
    public void Burkina_Faso_is_paused_before_it_is_determined(string on, V1.Outcome expected)
    {
        var burkina = new Given("BFA", "Burkina Faso");
        var pause = burkina.Restrict("2022-01-31", Effect.Hold, "POLICY_PAUSE");
        burkina.Lift(pause, "2022-02-18");
        burkina.Restrict("2022-02-18", Effect.Suspend, "COUP_7008");
        var verdict = burkina.Ask(on);
        Assert.Equal(expected, verdict.Outcome);
        if (expected == V1.Outcome.NotEligible)
            Assert.Equal([Bearing.Applies, Bearing.Lifted], verdict.Findings.Select(finding => finding.Bearing));
    }

    [Fact]
    public void Nigers_three_dates_give_three_answers()
    {
        var niger = new Given("NER", "Niger");
        niger.Restrict("2023-08-05", Effect.Hold, "POLICY_PAUSE");
        niger.Restrict("2023-10-10", Effect.Suspend, "COUP_7008");
        Assert.Equal(V1.Outcome.Eligible, niger.Ask("2023-07-27").Outcome);
        Assert.Equal(V1.Outcome.OnHold, niger.Ask("2023-09-01").Outcome);
        // Both hold; the stronger wins and stands first.
        var verdict = niger.Ask("2023-10-10");
        Assert.Equal(V1.Outcome.NotEligible, verdict.Outcome);
        Assert.Equal(["COUP_7008", "POLICY_PAUSE"], verdict.Findings.Select(finding => finding.LegalBasis));
        // What was known in September did not yet know of October.
        Assert.Equal(V1.Outcome.OnHold, niger.Ask("2023-10-10", known: "2023-09-01").Outcome);
    }

    [Fact]
    public void The_worse_of_the_two_dates_counts()
    {
        var country = new Given("GAB", "Gabon");
        country.Restrict("2023-10-23", Effect.Suspend, "COUP_7008", to: "2024-03-01");
        Verdict Ask(string act, string start) => country.Ask("2023-09-01", question =>
        {
            question.ActionDate = Day(act).ToProto();
            question.StartDate = Day(start).ToProto();
        });
        Assert.Equal(V1.Outcome.NotEligible, Ask("2023-09-01", "2023-11-01").Outcome);
        Assert.Equal(V1.Outcome.NotEligible, Ask("2023-11-01", "2024-06-01").Outcome);
        Assert.Equal(V1.Outcome.Eligible, Ask("2023-09-01", "2023-10-01").Outcome);
        Assert.Equal(V1.Outcome.Eligible, Ask("2024-03-01", "2024-06-01").Outcome);
    }

    [Fact]
    public void Training_on_hold_waits_but_what_has_begun_goes_on()
    {
        var country = new Given("EGY", "Egypt");
        country.Restrict("2013-09-15", Effect.Hold, "POLICY_PAUSE");
        Assert.Equal(V1.Outcome.OnHold, country.Ask("2013-09-20").Outcome);
        Assert.Equal(V1.Outcome.Eligible, country.Ask("2013-09-20", question =>
        {
            question.Stage = Stage.InTraining;
            question.Place = Place.InCountry;
            question.TrackBegunOn = Day("2013-06-20").ToProto();
        }).Outcome);
    }

    [Fact]
    public void A_certain_bar_is_not_softened_by_a_missing_fact()
    {
        var country = new Given("SDN", "Sudan");
        country.Restrict("1993-08-12", Effect.Suspend, "FAA_620A");
        country.Restrict("2000-01-01", Effect.PauseTraining, "OPERATIONAL_STANDDOWN", Kinds(SetMode.Only, TrainingKind.Operational));
        Assert.Equal(V1.Outcome.NotEligible, country.Ask("2005-01-01", question => question.TrainingKind = TrainingKind.Unspecified).Outcome);
    }

    [Fact]
    public void All_but_these_covers_the_rest()
    {
        var country = new Given("SSD", "South Sudan");
        country.Restrict("2020-10-14", Effect.Suspend, "CSPA_404", Programs(SetMode.Except, "PKO"));
        Assert.Equal(V1.Outcome.Eligible, country.Ask("2020-11-01", question => question.FundingProgram = "PKO").Outcome);
        Assert.Equal(V1.Outcome.NotEligible, country.Ask("2020-11-01", question => question.FundingProgram = "IMET").Outcome);
        Assert.Equal(V1.Outcome.Depends, country.Ask("2020-11-01", question => question.FundingProgram = "").Outcome);
    }

    [Fact]
    public void What_is_not_announced_is_seen_by_those_alone_who_may()
    {
        var country = new Given("GIN", "Guinea");
        country.Restrict("2021-09-20", Effect.Suspend, "COUP_7008", announced: "2021-09-15", known: "2021-09-10");
        Assert.Equal(V1.Outcome.Eligible, country.Ask("2021-09-21", known: "2021-09-12", unannounced: false).Outcome);
        Assert.Empty(country.Ask("2021-09-21", known: "2021-09-12", unannounced: false).NextChangeDates);
        Assert.Equal(V1.Outcome.NotEligible, country.Ask("2021-09-21", known: "2021-09-12").Outcome);
        Assert.Equal(V1.Outcome.NotEligible, country.Ask("2021-09-21", known: "2021-09-15", unannounced: false).Outcome);
    }

    [Fact]
    public void An_unannounced_lift_leaves_the_restriction_as_the_public_knows_it()
    {
        var country = new Given("FJI", "Fiji");
        var restriction = country.Restrict("2006-12-06", Effect.Suspend, "COUP_7008");
        country.Lift(restriction, "2014-10-31", announced: "2014-10-31", known: "2014-10-15");
        Assert.Equal(V1.Outcome.NotEligible, country.Ask("2014-11-15", known: "2014-10-20", unannounced: false).Outcome);
        Assert.Equal(V1.Outcome.Eligible, country.Ask("2014-11-15", known: "2014-10-20").Outcome);
    }

    [Fact]
    public void A_dimension_that_leaves_the_question_out_decides_without_the_missing_fact()
    {
        var country = new Given("BOL", "Bolivia");
        country.Restrict("2014-01-01", Effect.Suspend, "ASSISTANCE_SUSPENSION", new Scope
        {
            FundingPrograms = new CodeSet { Mode = SetMode.Only, Codes = { "FMF" } },
            Schools = new CodeSet { Mode = SetMode.Only, Codes = { "WHINSEC" } },
            Courses = new CodeSet { Mode = SetMode.Only, Codes = { "B171771" } },
        });
        Assert.Equal(V1.Outcome.Eligible, country.Ask("2014-02-01").Outcome);
        var depends = country.Ask("2014-02-01", question => question.FundingProgram = "FMF");
        Assert.Equal(V1.Outcome.Depends, depends.Outcome);
        Assert.Equal("school, masl_number", Assert.Single(depends.Findings).Dimension);
    }
    // The letter of 6 June 2019: no new start from then on, and what is under way ends on 31 July. Only the F-35.
    [Theory]
    [InlineData("2019-06-05", Stage.New, "2019-06-20", "F-35", V1.Outcome.NotEligible)]
    [InlineData("2019-06-05", Stage.New, "2019-06-05", "F-35", V1.Outcome.Eligible)]
    [InlineData("2019-06-07", Stage.New, "2019-06-20", "F-35", V1.Outcome.NotEligible)]
    [InlineData("2019-06-07", Stage.New, "2019-06-20", "F-16", V1.Outcome.Eligible)]
    [InlineData("2019-06-07", Stage.New, "2019-06-20", "NONE", V1.Outcome.Eligible)]
    [InlineData("2019-06-07", Stage.New, "2019-06-20", "", V1.Outcome.Depends)]
    [InlineData("2019-06-07", Stage.InTraining, "2019-02-01", "F-35", V1.Outcome.Eligible)]
    [InlineData("2019-07-30", Stage.InTraining, "2019-02-01", "F-35", V1.Outcome.Eligible)]
    [InlineData("2019-07-31", Stage.InTraining, "2019-02-01", "F-35", V1.Outcome.NotEligible)]
    [InlineData("2019-06-07", Stage.Continuing, "2019-07-01", "F-35", V1.Outcome.Eligible)]
    [InlineData("2019-06-07", Stage.Continuing, "2019-08-01", "F-35", V1.Outcome.NotEligible)]
    public void A_stop_lets_nothing_new_begin_from_its_announcement_and_ends_what_has_begun_on_its_day(string on, Stage stage, string starts, string platform, V1.Outcome expected)
    {
        var turkey = new Given("TUR", "Türkiye");
        turkey.Restrict("2019-07-31", Effect.Stop, "ASSISTANCE_SUSPENSION", new Scope { Platforms = new CodeSet { Mode = SetMode.Only, Codes = { "F-35" } } }, announced: "2019-06-06");
        Assert.Equal(expected, turkey.Ask(on, question =>
        {
            (question.Stage, question.Platform, question.StartDate) = (stage, platform, Day(starts).ToProto());
            question.TrackBegunOn = stage == Stage.New ? null : Day("2019-02-01").ToProto();
        }).Outcome);
    }

    [Theory]
    [InlineData(true, V1.Outcome.Eligible)]
    [InlineData(false, V1.Outcome.NotEligible)]
    [InlineData(null, V1.Outcome.Depends)]
    public void Expanded_IMET_only_is_a_bar_on_all_but_it(bool? share, V1.Outcome expected)
    {
        var indonesia = new Given("IDN", "Indonesia");
        indonesia.Restrict("1999-11-29", Effect.Suspend, "ASSISTANCE_SUSPENSION", new Scope { EImet = SetMode.Except }, to: "2005-02-26");
        Assert.Equal(expected, indonesia.Ask("2003-05-01", question =>
        {
            if (share is { } known)
                question.EImet = known;
        }).Outcome);
    }

    [Fact]
    public void Every_dimension_of_scope_covers_leaves_out_or_names_the_fact_that_it_lacks()
    {
        (Scope Scope, string Fact, Action<Question> Inside, Action<Question> Outside, Action<Question> Lacking)[] dimensions =
        [
            (Programs(SetMode.Only, "IMET"), "funding_program", q => q.FundingProgram = "IMET", q => q.FundingProgram = "FMF", q => q.FundingProgram = ""),
            (Kinds(SetMode.Only, TrainingKind.Language), "training_kind", q => q.TrainingKind = TrainingKind.Language, q => q.TrainingKind = TrainingKind.Observer, q => q.TrainingKind = TrainingKind.Unspecified),
            (new Scope { ImplementingAgencies = new ImplementingAgencySet { Mode = SetMode.Only, ImplementingAgencies = { ImplementingAgency.Navy } } }, "implementing_agency",
                q => q.ImplementingAgency = ImplementingAgency.Navy, q => q.ImplementingAgency = ImplementingAgency.Army, q => q.ImplementingAgency = ImplementingAgency.Unspecified),
            (new Scope { Schools = new CodeSet { Mode = SetMode.Only, Codes = { "DIILS" } } }, "school", q => q.School = "DIILS", q => q.School = "NONE", q => q.School = ""),
            (new Scope { Courses = new CodeSet { Mode = SetMode.Only, Codes = { "B171771" } } }, "masl_number", q => q.MaslNumber = "B171771", q => q.MaslNumber = "P173001", q => q.MaslNumber = ""),
            (new Scope { Places = new PlaceSet { Mode = SetMode.Only, Places = { Place.InCountry } } }, "place", q => q.Place = Place.InCountry, q => q.Place = Place.UnitedStates, q => q.Place = Place.Unspecified),
            (new Scope { EImet = SetMode.Only }, "e_imet", q => q.EImet = true, q => q.EImet = false, q => q.ClearEImet()),
            (new Scope { Purposes = new CodeSet { Mode = SetMode.Only, Codes = { "RESOURCES" } } }, "purpose", q => q.Purpose = "RESOURCES", q => q.Purpose = "NONE", q => q.Purpose = ""),
            (new Scope { Platforms = new CodeSet { Mode = SetMode.Only, Codes = { "F-35" } } }, "platform", q => q.Platform = "F-35", q => q.Platform = "NONE", q => q.Platform = ""),
            (new Scope { NomineeKinds = new NomineeKindSet { Mode = SetMode.Only, NomineeKinds = { NomineeKind.Police } } }, "nominee_kind",
                q => q.NomineeKind = NomineeKind.Police, q => q.NomineeKind = NomineeKind.Military, q => q.NomineeKind = NomineeKind.Unspecified),
            (new Scope { FiscalYears = new FiscalYearSet { Mode = SetMode.Only, FiscalYears = { 2021 } } }, "fiscal_year", q => q.FiscalYear = 2021, q => q.FiscalYear = 2022, q => q.FiscalYear = 0),
        ];
        // None is forgotten: a scope has a dimension for each of its fields.
        Assert.Equal(Scope.Descriptor.Fields.InDeclarationOrder().Count, dimensions.Length);
        foreach (var (scope, fact, inside, outside, lacking) in dimensions)
        {
            foreach (var mode in new[] { SetMode.Only, SetMode.Except })
            {
                var turned = Turned(scope, mode);
                var country = new Given("NOR", "Norway");
                country.Restrict("2020-01-01", Effect.Suspend, "POLICY_PAUSE", turned);
                Assert.Equal(mode == SetMode.Only ? V1.Outcome.NotEligible : V1.Outcome.Eligible, country.Ask("2021-01-01", inside).Outcome);
                Assert.Equal(mode == SetMode.Only ? V1.Outcome.Eligible : V1.Outcome.NotEligible, country.Ask("2021-01-01", outside).Outcome);
                var depends = country.Ask("2021-01-01", lacking);
                Assert.Equal((V1.Outcome.Depends, fact), (depends.Outcome, Assert.Single(depends.Findings).Dimension));
            }
        }

        // Every mode in the scope turned to the other.
        static Scope Turned(Scope scope, SetMode mode) => Scope.Parser.ParseJson(scope.ToString().Replace("SET_MODE_ONLY", mode == SetMode.Only ? "SET_MODE_ONLY" : "SET_MODE_EXCEPT", StringComparison.Ordinal));
    }

    [Fact]
    public void The_stronger_effect_wins_and_stands_first()
    {
        Effect[] fromStrongest = [Effect.Stop, Effect.Suspend, Effect.ConditionBlocking, Effect.Hold, Effect.PauseTraining, Effect.ConditionCarried];
        var country = new Given("PAK", "Pakistan");
        foreach (var effect in fromStrongest.Reverse())
            country.Restrict("2020-01-01", effect, "POLICY_PAUSE", requirement: effect is Effect.ConditionBlocking or Effect.ConditionCarried ? "Notification" : null);
        Assert.Equal(fromStrongest, country.Ask("2020-02-01").Findings.Select(finding => finding.Effect));
        Assert.Equal(System.Enum.GetValues<Effect>().Order(), System.Enum.GetValues<Effect>().OrderByDescending(Precedence.Of).Order());
    }

    [Fact]
    public void In_country_lines_wind_up_only_where_the_decision_says_so()
    {
        var mali = new Given("MLI", "Mali");
        mali.Restrict("2012-03-22", Effect.Suspend, "COUP_7008", windUp: WindUp.FinishBegunAnywhere);
        var verdict = mali.Ask("2012-04-01", question =>
        {
            (question.Stage, question.Place) = (Stage.InTraining, Place.InCountry);
            question.TrackBegunOn = Day("2012-03-12").ToProto();
        });
        Assert.Equal((V1.Outcome.Eligible, Bearing.WindingUp), (verdict.Outcome, Assert.Single(verdict.Findings).Bearing));
        Assert.Equal(Day("2012-11-22").ToProto(), verdict.Findings[0].WindUpUntil);
    }

    [Fact]
    public void A_waiver_of_one_basis_never_sets_aside_another()
    {
        var somalia = new Given("SOM", "Somalia");
        somalia.Restrict("2020-10-01", Effect.Suspend, "CSPA_404", to: "2021-10-01");
        somalia.Restrict("2020-10-01", Effect.Suspend, "TVPA_110", to: "2021-10-01");
        somalia.Waive("CSPA_404", "2020-10-14", "2021-10-01", Programs(SetMode.Only, "IMET", "PKO"));
        var verdict = somalia.Ask("2020-11-01");
        Assert.Equal(V1.Outcome.NotEligible, verdict.Outcome);
        Assert.Equal(["TVPA_110 Applies", "CSPA_404 Waived"], verdict.Findings.Select(finding => $"{finding.LegalBasis} {finding.Bearing}"));
    }

    [Fact]
    public void What_bears_on_a_question_can_be_had_alone()
    {
        var country = new Given("PAK", "Pakistan");
        country.Restrict("2000-01-01", Effect.Suspend, "COUP_7008", to: "2001-01-01");
        country.Restrict("2018-01-01", Effect.Suspend, "ASSISTANCE_SUSPENSION", Programs(SetMode.Only, "FMF"));
        country.Restrict("2018-01-01", Effect.Hold, "POLICY_PAUSE");
        var view = new Viewpoint(Day("2019-01-01"), Noon("2024-06-01"), null);
        Assert.Equal(3, Evaluation.Evaluate(country.QuestionWith(), country.Record(), view).Findings.Count);
        Assert.Equal("POLICY_PAUSE", Assert.Single(Evaluation.Evaluate(country.QuestionWith(), country.Record(), view, FindingsView.Bearing).Findings).LegalBasis);
    }
}
