using System.CommandLine;
using Imet.Enrollment.V1;

namespace Imet.Cli;

/// <summary>imet halt and imet resume: the operator's switch for all that enrollment does to many lines by itself.</summary>
public static class MassActingCommand
{
    public static Command Halt() => Command("halt", "Halt all mass acting of enrollment: nothing is cancelled or held by itself until it is resumed. What is barred still does not go on.",
        async (clients, reason, cancel) => (await clients.Enrollment.HaltMassActingAsync(new HaltMassActingRequest { Reason = reason }.WithNewRequestId(), deadline: Deadline, cancellationToken: cancel)).MassActing);

    public static Command Resume() => Command("resume", "Let mass acting go on: what waited is done within half a minute, by the rules as they are then.",
        async (clients, reason, cancel) => (await clients.Enrollment.ResumeMassActingAsync(new ResumeMassActingRequest { Reason = reason }.WithNewRequestId(), deadline: Deadline, cancellationToken: cancel)).MassActing);

    private static DateTime Deadline => DateTime.UtcNow.AddSeconds(30);

    private static Command Command(string verb, string description, Func<Clients, string, CancellationToken, Task<MassActing>> say)
    {
        var connection = new ConnectionOptions("enrollment.operate");
        var reason = new Argument<string>("REASON") { Description = "Why; kept for ever." };
        var command = new Command(verb, $"{description} Exit codes: 0 done, 2 it could not be said.") { reason };
        connection.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            await using var clients = connection.Open(parsed);
            var acting = await say(clients, parsed.GetRequiredValue(reason), cancel);
            Console.WriteLine($"Mass acting is {(acting.Halted ? "HALTED" : "on")}, as {acting.Actor} said at {acting.SinceTime.ToDateTimeOffset():u}. Due: {acting.Waiting}.");
            return ExitCode.Done;
        });
        return command;
    }
}
