namespace Imet.Cli.Replay;

/// <summary>Dates of a report moved ahead by whole years.</summary>
public static class Moves
{
    /// <summary>The same day N years later; 29 February becomes the 28th where the year has none.</summary>
    public static DateOnly Move(this DateOnly day, int years) => day.AddYears(years);
}
