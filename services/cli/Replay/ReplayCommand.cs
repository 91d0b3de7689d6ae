using System.CommandLine;

namespace Imet.Cli.Replay;

public static class ReplayCommand
{
    public static Command Command()
    {
        var connection = new ConnectionOptions();
        var command = new Command("replay", "Enroll every line of a real training report, dates moved ahead.");
        connection.AddTo(command);
        command.SetAction((parsed, cancel) => Task.FromResult(ExitCode.Done));
        return command;
    }
}
