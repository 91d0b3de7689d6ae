namespace Imet.Cli;

/// <summary>What every verb's exit code means.</summary>
public static class ExitCode
{
    public const int Done = 0;
    public const int SomeInError = 1;
    public const int CouldNotRun = 2;
}

/// <summary>The command can't be run as asked: its message is the one line that the user sees, with what to do.</summary>
public sealed class CouldNotRunException(string message) : Exception(message);
