using System.Collections.Frozen;
using System.Diagnostics;
using System.Globalization;

namespace Imet.Chassis;

/// <summary>Named places where a fault test may kill, hold or delay the process. Off, and free of cost, unless settings under "Failpoints" name one.</summary>
public static class Failpoints
{
    private static FrozenDictionary<string, string> _active = FrozenDictionary<string, string>.Empty;

    public static void Configure(IEnumerable<KeyValuePair<string, string>> actions) => _active = actions.ToFrozenDictionary();

    public static Task HitAsync(string name) =>
        _active.Count > 0 && _active.TryGetValue(name, out var action) ? RunAsync(action) : Task.CompletedTask;

    private static async Task RunAsync(string action)
    {
        var (verb, argument) = action.Split(':', 2) is [var first, var rest] ? (first, rest) : (action, "");
        switch (verb)
        {
            case "kill":
                Process.GetCurrentProcess().Kill();
                break;
            case "delay":
                await Task.Delay(TimeSpan.FromMilliseconds(int.Parse(argument, CultureInfo.InvariantCulture)));
                break;
            case "pause" when File.Exists(argument):
                // Whoever holds us here learns by this second file that we have arrived.
                await File.WriteAllTextAsync($"{argument}.hit", "");
                while (File.Exists(argument))
                    await Task.Delay(10);
                break;
            case "pause":
                break;
            default:
                throw new FormatException($"A failpoint is kill, pause:<file> or delay:<ms>, not \"{action}\".");
        }
    }
}
