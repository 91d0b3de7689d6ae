using System.CommandLine;

namespace Imet.Cli;

/// <summary>Options of the verbs that act for several people on a development stack: they mint their tokens with the stack's own signing key.</summary>
public sealed class StackOptions
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(30);
    private readonly ConnectionOptions connection = new();

    public Option<DirectoryInfo?> Keys { get; } = new("--keys")
    {
        Description = "Folder with the development stack's signing key. Else IMET_KEYS, else the local stack's.",
        HelpName = "FOLDER",
    };

    public void AddTo(Command command)
    {
        command.Options.Add(connection.Eligibility);
        command.Options.Add(connection.Catalog);
        command.Options.Add(connection.Enrollment);
        command.Options.Add(Keys);
    }

    public People Open(ParseResult parsed)
    {
        var folder = parsed.GetValue(Keys)?.FullName ?? Environment.GetEnvironmentVariable("IMET_KEYS") ?? InStack("keys");
        if (folder is null || !File.Exists(Path.Combine(folder, "signing.pem")))
            throw new CouldNotRunException("No signing key: start the local stack with ./dev up, or give --keys.");
        var tokens = Tokens.Open(folder, TimeProvider.System);
        return new People(
            parsed.GetRequiredValue(connection.Eligibility), parsed.GetRequiredValue(connection.Catalog), parsed.GetRequiredValue(connection.Enrollment),
            person => tokens.Mint(person.Subject, person.Scopes.Split(' '), person.Country is null ? [] : [person.Country], Tokens.Audiences, Lifetime));
    }

    public static Uri Broker()
    {
        var text = Environment.GetEnvironmentVariable("IMET_AMQP");
        if (text is null && InStack("amqp") is { } file && File.Exists(file))
            text = File.ReadAllText(file).Trim();
        return Uri.TryCreate(text, UriKind.Absolute, out var uri)
            ? uri
            : throw new CouldNotRunException("No RabbitMQ named: start the local stack with ./dev up, or give --amqp.");
    }

    private static string? InStack(string name) => BearerToken.LocalStack() is { } stack ? Path.Combine(stack, name) : null;
}
