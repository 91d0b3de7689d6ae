using System.CommandLine;

namespace Imet.Cli.Steady;

/// <summary>imet steady: calls at a constant rate while an operator changes what is under them. Exits 1 when a call failed or an effect is missing or double.</summary>
public static class SteadyCommand
{
    public static Command Command()
    {
        var stack = new StackOptions();
        var rate = new Option<int>("--rate") { Description = "Calls a second.", DefaultValueFactory = _ => 30 };
        var seconds = new Option<int>("--seconds") { Description = "How long.", DefaultValueFactory = _ => 60 };
        rate.Validators.Add(result => Between(result, 1, 1000));
        seconds.Validators.Add(result => Between(result, 1, 86_400));
        var command = new Command("steady", "Call a development stack at a constant rate, retrying only as the published service config says, and count what failed and what was done twice.") { rate, seconds };
        stack.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            await using var people = stack.Open(parsed);
            var outcome = await new SteadyCalls(people, TimeProvider.System).RunAsync(parsed.GetValue(rate), TimeSpan.FromSeconds(parsed.GetValue(seconds)), cancel);
            foreach (var (kind, count) in outcome.Failures.OrderByDescending(pair => pair.Value))
                Console.Error.WriteLine($"imet: {count} x {kind}");
            Console.WriteLine($"{outcome.Calls} calls, {outcome.Failures.Values.Sum()} failed; {outcome.Acknowledged} seats acknowledged, {outcome.Taken} taken; slowest {outcome.Slowest.TotalMilliseconds:0} ms");
            return outcome.IsAsPromised ? ExitCode.Done : ExitCode.SomeInError;
        });
        return command;
    }

    private static void Between(System.CommandLine.Parsing.OptionResult result, int least, int most)
    {
        if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out var given) && (given < least || given > most))
            result.AddError($"{result.Option.Name} must be between {least} and {most}.");
    }
}
