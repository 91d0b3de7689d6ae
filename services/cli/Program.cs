using System.CommandLine;
using Grpc.Core;
using Imet.Cli;
using Imet.Cli.Auditing;
using Imet.Cli.CatalogTables;
using Imet.Cli.EventLog;
using Imet.Cli.Importing;
using Imet.Cli.Partners;
using Imet.Cli.Replay;
using Imet.Cli.Seeding;
using Imet.Cli.Steady;
using Imet.Cli.Touring;

// One line a verb. A verb is a file (or a folder) of its own with a static Command(); its action returns the exit code.
var imet = new RootCommand("Imet: which country may train where, which classes there are, and who has a seat in them.")
{
    Evaluate.Command(),
    AuditCommand.Command(),
    ReplayCommand.Command(),
    ImportCommand.Command(),
    new Command("export", "Write tables from the record.") { ExportCatalogCommand.Command() },
    SeedCommand.Command(),
    TourCommand.Command(),
    SteadyCommand.Command(),
    TokenCommand.Command(),
    MassActingCommand.Halt(),
    MassActingCommand.Resume(),
    EventsCommand.Command(),
    PartnerCommand.Command(),
    DeadLettersCommand.Command(),
};

var parsed = imet.Parse(args);
if (parsed.Errors.Count > 0)
{
    // To scripts 1 means "done, but not for every row": a command that can't be run at all is 2.
    Console.Error.WriteLine($"imet: {string.Join(" ", parsed.Errors.Select(error => error.Message))} See imet {parsed.CommandResult.Command.Name} --help.");
    return ExitCode.CouldNotRun;
}
try
{
    return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (CouldNotRunException e)
{
    Console.Error.WriteLine("imet: " + e.Message);
}
catch (RpcException e)
{
    Console.Error.WriteLine($"imet: {e.StatusCode}: {e.Status.Detail}");
}
catch (OperationCanceledException)
{
    Console.Error.WriteLine("imet: stopped");
}
return ExitCode.CouldNotRun;
