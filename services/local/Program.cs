using Imet.Local;

const string Usage = "imet-local FOLDER up|down|status|reset|install|doctor";
if (args is not [var where, var verb])
{
    Console.Error.WriteLine(Usage);
    return 2;
}
var folder = Path.GetFullPath(where);
using var interrupted = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;
    interrupted.Cancel();
};
try
{
    return await Verbs.RunAsync(verb, folder, interrupted.Token) ?? Wrong();
}
catch (StackException e)
{
    Console.Error.WriteLine(e.Message);
}
catch (UnauthorizedAccessException e)
{
    Console.Error.WriteLine($"{e.Message} The stack in {folder} was started by another user: go on as that user, or let that user ./dev reset.");
}
catch (OperationCanceledException)
{
    Console.Error.WriteLine("Interrupted. What was started keeps running: ./dev up goes on, ./dev down ends it.");
}
return 1;

int Wrong()
{
    Console.Error.WriteLine($"Unknown: {verb}. {Usage}");
    return 2;
}
