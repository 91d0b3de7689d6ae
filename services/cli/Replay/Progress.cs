using System.Diagnostics;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Imet.Cli.Replay;

/// <summary>A part of the work whose size is known.</summary>
public sealed class Stage(string name)
{
    private readonly Stopwatch clock = new();
    private long done;

    public string Name => name;
    public long Total { get; private set; }
    public long Done => Interlocked.Read(ref done);
    public double Rate => clock.Elapsed.TotalSeconds > 0 ? Done / clock.Elapsed.TotalSeconds : 0;

    public void Begin(long total)
    {
        Total = total;
        clock.Start();
    }

    public void Step()
    {
        if (Interlocked.Increment(ref done) == Total)
            clock.Stop();
    }

    public override string ToString() => $"{name}: {Done:N0} of {Total:N0}, {Rate:N0}/s" + (Done < Total && Rate > 0 ? $", {(Total - Done) / Rate:N0} s left" : "");
}

/// <summary>Shows stages on standard error while work runs: bars on a terminal, a plain line every few seconds elsewhere.</summary>
public static class Progress
{
    private static readonly TimeSpan PlainEvery = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan BarsEvery = TimeSpan.FromMilliseconds(100);

    public static Task RunAsync(Stage[] stages, Task work, bool onTerminal) => onTerminal ? BarsAsync(stages, work) : LinesAsync(stages, work);

    private static async Task LinesAsync(Stage[] stages, Task work)
    {
        var shown = new string[stages.Length];
        do
        {
            await Task.WhenAny(work, Task.Delay(PlainEvery));
            for (var i = 0; i < stages.Length; i++)
            {
                if (stages[i] is { Total: > 0 } stage && stage.ToString() is var text && text != shown[i])
                    Console.Error.WriteLine(shown[i] = text);
            }
        }
        while (!work.IsCompleted);
        await work;
    }

    private static async Task BarsAsync(Stage[] stages, Task work)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        await console.Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RateColumn(stages), new RemainingTimeColumn())
            .StartAsync(async context =>
            {
                var bars = stages.Select(stage => context.AddTask(stage.Name, autoStart: false)).ToArray();
                do
                {
                    await Task.WhenAny(work, Task.Delay(BarsEvery));
                    foreach (var (stage, bar) in stages.Zip(bars))
                    {
                        if (stage.Total == 0)
                            continue;
                        if (!bar.IsStarted)
                            bar.StartTask();
                        bar.MaxValue = stage.Total;
                        bar.Value = stage.Done;
                    }
                }
                while (!work.IsCompleted);
            });
        await work;
    }

    private sealed class RateColumn(Stage[] stages) : ProgressColumn
    {
        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) =>
            new Text($"{stages.FirstOrDefault(stage => stage.Name == task.Description)?.Rate ?? 0:N0}/s");
    }
}
