using System.Globalization;

namespace Imet.Chassis;

/// <summary>
/// A clock that is ahead by what a file says, so that a test can set a running service forward through a year. Only where the environment is Development. Time that passes (timers, deadlines, ages) stays real;
/// what moves is the date.
/// </summary>
internal sealed class MovedClock(string file) : TimeProvider
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(50);

    private long _looked;
    private long _ahead;

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Ahead();

    private TimeSpan Ahead()
    {
        if (Volatile.Read(ref _looked) is var looked && (looked == 0 || GetElapsedTime(looked) >= LookEvery))
        {
            Volatile.Write(ref _looked, GetTimestamp());
            // Whoever sets it replaces the file whole; between two files there may be none.
            if (File.Exists(file) && TimeSpan.TryParse(File.ReadAllText(file), CultureInfo.InvariantCulture, out var ahead))
                Volatile.Write(ref _ahead, ahead.Ticks);
        }
        return TimeSpan.FromTicks(Volatile.Read(ref _ahead));
    }
}
