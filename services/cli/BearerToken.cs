using System.CommandLine;

namespace Imet.Cli;

/// <summary>Where the caller's token comes from: said on the command line, a file, the environment, or the local stack's own key.</summary>
public static class BearerToken
{
    private const string Subject = "imet-cli";
    private static readonly TimeSpan Lifetime = TimeSpan.FromHours(1);

    public static Option<DirectoryInfo?> KeysOption() => new("--keys") { Description = "Folder with the signing key of a development stack. Else IMET_KEYS, else the local stack's.", HelpName = "FOLDER" };

    /// <param name="scopes">What a token made with the stack's key allows: no more than the verb needs.</param>
    public static Func<string> From(string? given, FileInfo? file, DirectoryInfo? keys, string[] scopes)
    {
        if (given is not null)
            return () => given;
        if (file is not null)
            return FromFile(file.FullName);
        if (Environment.GetEnvironmentVariable("IMET_TOKEN") is { Length: > 0 } set)
            return () => set;
        if (KeysFolder(keys) is null)
            throw new CouldNotRunException("No bearer token: give --token or --token-file, set IMET_TOKEN, or start the local stack with ./dev up.");
        var issuer = Issuer(keys);
        return Renewed(Lifetime / 2, () => issuer.Mint(Subject, scopes, [], Tokens.Audiences, Lifetime));
    }

    public static Tokens Issuer(DirectoryInfo? keys) => Tokens.Open(
        KeysFolder(keys) ?? throw new CouldNotRunException("No signing key: start the local stack with ./dev up, or give --keys."), TimeProvider.System);

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

    private static string? KeysFolder(DirectoryInfo? named)
    {
        var folder = named?.FullName ?? Environment.GetEnvironmentVariable("IMET_KEYS") ?? (LocalStack() is { } stack ? Path.Combine(stack, "keys") : null);
        return folder is not null && File.Exists(Path.Combine(folder, "signing.pem")) ? folder : null;
    }

    // A token may be replaced while a long command runs.
    private static Func<string> FromFile(string path)
    {
        if (!File.Exists(path))
            throw new CouldNotRunException($"There is no token file {path}.");
        return Renewed(TimeSpan.FromSeconds(1), () => File.ReadAllText(path).Trim());
    }

    private static Func<string> Renewed(TimeSpan every, Func<string> make)
    {
        var gate = new Lock();
        var (token, made) = (make(), Environment.TickCount64);
        return () =>
        {
            lock (gate)
            {
                if (Environment.TickCount64 - made > every.TotalMilliseconds)
                    (token, made) = (make(), Environment.TickCount64);
                return token;
            }
        };
    }
}
