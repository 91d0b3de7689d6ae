using Date = Google.Type.Date;

namespace Imet.Chassis;

public static class Dates
{
    public static DateOnly ToDateOnly(this Date d) => new(d.Year, d.Month, d.Day);

    public static Date ToProto(this DateOnly d) => new() { Year = d.Year, Month = d.Month, Day = d.Day };
}

/// <summary>The business day is Washington's, wherever the service runs.</summary>
public static class Washington
{
    private static readonly TimeZoneInfo Zone = TimeZoneInfo.FindSystemTimeZoneById("America/New_York");

    public static DateOnly Today(TimeProvider clock) => DateOf(clock.GetUtcNow());

    public static DateOnly DateOf(DateTimeOffset instant) => DateOnly.FromDateTime(TimeZoneInfo.ConvertTime(instant, Zone).DateTime);

    /// <summary>The fiscal year begins on 1 October of the year before.</summary>
    public static int FiscalYear(DateOnly d) => d.Month >= 10 ? d.Year + 1 : d.Year;

    public static DateTimeOffset Midnight(DateOnly d)
    {
        var midnight = d.ToDateTime(TimeOnly.MinValue);
        return new DateTimeOffset(midnight, Zone.GetUtcOffset(midnight));
    }
}
