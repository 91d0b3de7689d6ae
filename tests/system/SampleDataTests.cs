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
    public void Every_lift_of_the_past_lifts_a_restriction_made_before_it()
    {
        var made = new Dictionary<string, DateOnly>();
        foreach (var decision in Sample.Decisions)
        {
            Assert.All(decision.Lifts, lift => Assert.True(made[lift.Restriction] < lift.From, decision.Key));
            foreach (var restriction in decision.Restrictions)
                made.Add(restriction.Key, restriction.From);
        }
        Assert.Equal(Sample.Decisions.Select(decision => decision.AnnouncedOn).Order(), Sample.Decisions.Select(decision => decision.AnnouncedOn));
    }
}
