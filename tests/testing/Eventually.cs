using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Imet.Testing;

/// <summary>Waits for what happens soon, with a limit that only something broken reaches.</summary>
public static class Eventually
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    public static Task TrueAsync(Func<bool> probe, CancellationToken cancel, [CallerArgumentExpression(nameof(probe))] string what = "") =>
        TrueAsync(() => Task.FromResult(probe()), cancel, what);

    public static async Task TrueAsync(Func<Task<bool>> probe, CancellationToken cancel, [CallerArgumentExpression(nameof(probe))] string what = "")
    {
        var clock = Stopwatch.StartNew();
        while (!await probe())
        {
            if (clock.Elapsed > Limit)
                throw new TimeoutException($"Not within {Limit.TotalSeconds} s: {what}");
            await Task.Delay(20, cancel);
        }
    }

    /// <summary>The first answer that is not null.</summary>
    public static async Task<T> GetAsync<T>(Func<Task<T?>> probe, CancellationToken cancel, [CallerArgumentExpression(nameof(probe))] string what = "") where T : class
    {
        T? found = null;
        await TrueAsync(async () => (found = await probe()) is not null, cancel, what);
        return found!;
    }
}
