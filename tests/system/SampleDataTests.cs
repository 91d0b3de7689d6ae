using Imet.Cli;
using Imet.Cli.Sample;
using Xunit;

namespace Imet.SystemTests;

public sealed class SampleDataTests
{
    private static readonly SampleData Sample = SampleData.Read();

    [Fact]
    public void Every_course_is_taught_at_a_school_of_the_sample_or_in_the_partners_country()
    {
        var schools = Sample.Schools.Select(school => school.Code).ToHashSet();
        Assert.All(Sample.Courses, course => Assert.True(schools.Contains(course.School) || course.Kind == CourseCatalog.V1.TrainingKind.MobileTeam, course.Title));
        Assert.InRange(Sample.Schools.Count, 25, 30);
        Assert.InRange(Sample.Courses.Count, 60, 80);
    }

    [Fact]
    public void A_masl_number_of_the_sample_says_that_it_is_not_a_real_one()
    {
        Assert.All(Sample.Courses, course => Assert.Matches("^[BDP]9[0-9]{5}$", course.MaslNumber));
        Assert.Distinct(Sample.Courses.Select(course => course.MaslNumber));
    }

    [Theory]
    [InlineData(2027)]
    [InlineData(2028)]
    public void Classes_begin_on_mondays_of_their_fiscal_year(int year)
    {
        var days = Sample.Courses.SelectMany(course => SampleData.StartDays(course, year)).ToList();
        Assert.All(days, day => Assert.Equal(DayOfWeek.Monday, day.DayOfWeek));
        Assert.All(days, day => Assert.Equal(year, day.FiscalYear()));
    }

    [Fact]
    public void Whatever_a_decision_of_the_past_builds_on_was_made_before_it()
    {
        var (restrictions, lifts, decisions) = (new Dictionary<string, DateOnly>(), new HashSet<string>(), new HashSet<string>());
        foreach (var decision in Sample.Decisions)
        {
            Assert.All(decision.Lifts, lift => Assert.True(restrictions[lift.Restriction] < lift.From, decision.Key));
            Assert.All(decision.ConditionsMet, met => Assert.Contains(met.Lift, lifts));
            Assert.All(decision.Voids, voided => Assert.Contains(voided, decisions));
            foreach (var (key, from) in decision.Restrictions.SelectMany(row => row.Each.Select(each => (each.Key, row.From))))
                restrictions.Add(key, from);
            lifts.UnionWith(decision.Lifts.Select(lift => lift.Key).OfType<string>());
            Assert.True(decisions.Add(decision.Key));
        }
        Assert.Equal(Sample.Decisions.Count, Sample.Decisions.Select(decision => decision.Document).Distinct().Count());
    }
}
