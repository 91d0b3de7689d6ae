namespace Imet.Chassis.Tests;

public sealed class DatesTests
{
    [Theory]
    [InlineData("2026-10-01T03:59:59Z", "2026-09-30")]
    [InlineData("2026-10-01T04:00:00Z", "2026-10-01")]
    [InlineData("2026-01-01T04:59:59Z", "2025-12-31")]
    [InlineData("2026-01-01T05:00:00Z", "2026-01-01")]
    public void Today_is_Washingtons_day(string now, string today) =>
        Assert.Equal(DateOnly.Parse(today, null), Washington.Today(new Fixed(DateTimeOffset.Parse(now, null))));

    [Theory]
    [InlineData("2026-09-30", 2026)]
    [InlineData("2026-10-01", 2027)]
    public void The_fiscal_year_begins_in_October(string day, int year) => Assert.Equal(year, Washington.FiscalYear(DateOnly.Parse(day, null)));

    [Fact]
    public void Midnight_is_an_instant_in_summer_and_winter_time()
    {
        Assert.Equal(DateTimeOffset.Parse("2026-10-01T04:00:00Z", null), Washington.Midnight(new DateOnly(2026, 10, 1)));
        Assert.Equal(DateTimeOffset.Parse("2026-01-01T05:00:00Z", null), Washington.Midnight(new DateOnly(2026, 1, 1)));
    }

    [Fact]
    public void A_date_goes_to_proto_and_back() => Assert.Equal(new DateOnly(2024, 2, 29), new DateOnly(2024, 2, 29).ToProto().ToDateOnly());

    private sealed class Fixed(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
