namespace Imet.Chassis;

/// <summary>Wakes the background work of this process right after a commit. The database is polled as well, so a lost signal costs a moment, never an event.</summary>
public sealed class Signals
{
    public Signal Outbox { get; } = new();

    public Signal DueWork { get; } = new();
}

/// <summary>For one waiter: many calls of <see cref="Set"/> before it waits wake it once.</summary>
public sealed class Signal
{
    private volatile TaskCompletionSource _set = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Set() => _set.TrySetResult();

    /// <summary>True when set; false after the limit or when cancelled.</summary>
    public async Task<bool> WaitAsync(TimeSpan limit, CancellationToken cancel)
    {
        await _set.Task.WaitAsync(limit, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!_set.Task.IsCompleted)
            return false;
        _set = new(TaskCreationOptions.RunContinuationsAsynchronously);
        return true;
    }
}

/// <summary>How long to wait before the next of many attempts: 250 ms, doubling.</summary>
internal static class BackOff
{
    public static TimeSpan After(int failures, TimeSpan most) =>
        TimeSpan.FromMilliseconds(Math.Min(most.TotalMilliseconds, 250 * Math.Pow(2, Math.Min(failures - 1, 20))));
}
