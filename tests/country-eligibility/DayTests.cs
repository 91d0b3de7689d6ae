using Imet.CountryEligibility.V1;
using Xunit;
using static Imet.CountryEligibility.Tests.Given;
using Kind = Imet.CountryEligibility.V1.DayChange.Types.Kind;

namespace Imet.CountryEligibility.Tests;

/// <summary>What is told on a day, from the rows as the tables hold them.</summary>
public sealed class DayTests
{
    [Fact]
    public void Each_day_tells_what_begins_and_what_ends_on_it()
    {
        var country = new Given("SOM", "Somalia");
        var child = country.Restrict("2020-10-01", Effect.Suspend, "CSPA_404", to: "2021-10-01");
        var waiver = country.Waive("CSPA_404", "2020-10-14", "2021-10-01");
        var stop = country.Restrict("2021-03-01", Effect.Suspend, "COUP_7008");
        var part = country.Lift(stop, "2021-05-01", Programs(SetMode.Only, "IMET"));
        var gone = country.Restrict("2021-05-01", Effect.Hold, "POLICY_PAUSE", announced: "2021-04-01");
        country.Void(gone, "2021-04-20");

        IEnumerable<(Kind, string)> Told(string day) => country.Days(day).Select(change => (change.Kind, change.Id));
        Assert.Equal([(Kind.RestrictionBegins, $"{child}")], Told("2020-10-01"));
        Assert.Equal([(Kind.WaiverBegins, $"{waiver}")], Told("2020-10-14"));
        // The fiscal year ends at Washington midnight, and with it the year's list and its waiver.
        Assert.Equal([(Kind.RestrictionEnds, $"{child}"), (Kind.WaiverLapses, $"{waiver}")], Told("2021-10-01"));
        Assert.Equal([(Kind.LiftBegins, $"{part}")], Told("2021-05-01"));
        // Eight months after: the last day was 1 November.
        Assert.Equal([(Kind.WindUpEnds, $"{stop}")], Told("2021-11-02"));
        Assert.Empty(Told("2021-06-01"));
    }
}
