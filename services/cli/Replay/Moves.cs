namespace Imet.Cli.Replay;

/// <summary>Dates of a report moved ahead by whole years.</summary>
public static class Moves
{
    /// <summary>The same day N years later; 29 February becomes the 28th where the year has none.</summary>
    public static DateOnly Move(this DateOnly day, int years) => day.AddYears(years);

    /// <summary>The fiscal year of a day: 1 October to 30 September, named by the year in which it ends.</summary>
    public static int FiscalYear(this DateOnly day) => day.Month >= 10 ? day.Year + 1 : day.Year;

    public static Google.Type.Date ToProto(this DateOnly day) => new() { Year = day.Year, Month = day.Month, Day = day.Day };
}
