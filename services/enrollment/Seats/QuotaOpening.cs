using Imet.Chassis;

namespace Imet.Enrollment.Seats;

/// <summary>Opens what is unused of a class's quotas to all, on the day of their deadline, also when the service was down then.</summary>
public sealed class QuotaOpening(Database database, SeatStore seats, SeatRoom room, DueWork dueWork, TimeProvider clock) : IDueWorkHandler
{
    public static string Kind => "quota-opening";

    public Task HandleAsync(string key, CancellationToken cancel) => database.WriteAsync(async tx =>
    {
        if (await seats.LockAsync(tx, Guid.Parse(key), cancel) is not { } before)
            return false;
        if (SeatDecisions.Open(before, Washington.Today(clock)) is { } change)
            room.Write(tx, change);
        else if (SeatDecisions.NextOpening(before) is { } day)
            dueWork.Add(tx, Kind, key, Washington.Midnight(day));
        return true;
    }, cancel);
}
