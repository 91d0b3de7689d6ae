namespace Imet.Cli;

/// <summary>Where the caller's token comes from: said on the command line, a file, the environment, or the local stack.</summary>
public static class BearerToken
{
    public static Func<string> From(string? given, FileInfo? file)
    {
        if (given is not null)
            return () => given;
        if (file is not null)
            return FromFile(file.FullName);
        if (Environment.GetEnvironmentVariable("IMET_TOKEN") is { Length: > 0 } set)
            return () => set;
        if (LocalStack() is { } folder && File.Exists(Path.Combine(folder, "token")))
            return FromFile(Path.Combine(folder, "token"));
        throw new CouldNotRunException("No bearer token: give --token or --token-file, set IMET_TOKEN, or start the local stack with ./dev up.");
    }

    /// <summary>The folder .imet of the local stack: here or in a folder above.</summary>
    public static string? LocalStack()
    {
        for (var folder = new DirectoryInfo(Directory.GetCurrentDirectory()); folder is not null; folder = folder.Parent)
        {
            var stack = Path.Combine(folder.FullName, ".imet");
            if (Directory.Exists(stack))
                return stack;
        }
        return null;
    }

    // A token may be replaced while a long command runs: the file is read again when its time changes, looked at once a second at most.
    private static Func<string> FromFile(string path)
    {
        if (!File.Exists(path))
            throw new CouldNotRunException($"There is no token file {path}.");
        var gate = new Lock();
        var (token, written, looked) = (File.ReadAllText(path).Trim(), File.GetLastWriteTimeUtc(path), Environment.TickCount64);
        return () =>
        {
            lock (gate)
            {
                if (Environment.TickCount64 - looked > 1000)
                {
                    looked = Environment.TickCount64;
                    if (File.GetLastWriteTimeUtc(path) is var now && now != written && File.Exists(path))
                        (token, written) = (File.ReadAllText(path).Trim(), now);
                }
                return token;
            }
        };
    }
}
