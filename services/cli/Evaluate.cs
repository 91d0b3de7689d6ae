using System.CommandLine;

namespace Imet.Cli;

public static class Evaluate
{
    public static Command Command()
    {
        var connection = new ConnectionOptions();
        var command = new Command("evaluate", "Ask whether a country may train, and why.");
        connection.AddTo(command);
        command.SetAction((parsed, cancel) => Task.FromResult(ExitCode.Done));
        return command;
    }
}
