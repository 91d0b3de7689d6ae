using System.Globalization;
using Date = Google.Type.Date;

namespace Imet.Cli;

public static class Dates
{
    public static Date ToProto(this DateOnly day) => new() { Year = day.Year, Month = day.Month, Day = day.Day };

    public static DateOnly ToDateOnly(this Date date) => new(date.Year, date.Month, date.Day);

    /// <summary>1 October to 30 September, named by the year in which it ends.</summary>
    public static int FiscalYear(this DateOnly day) => day.Month >= 10 ? day.Year + 1 : day.Year;

    public static string Text(this DateOnly day) => day.ToString("d MMM yyyy", CultureInfo.InvariantCulture);
}
