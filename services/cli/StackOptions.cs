using System.CommandLine;

namespace Imet.Cli;

/// <summary>Options of the verbs that act for several people on a development stack: they mint their tokens with the stack's own signing key.</summary>
public sealed class StackOptions
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(30);
    private readonly ConnectionOptions connection = new();

    public Option<DirectoryInfo?> Keys { get; } = BearerToken.KeysOption();

    public void AddTo(Command command)
    {
        command.Options.Add(connection.Eligibility);
        command.Options.Add(connection.Catalog);
        command.Options.Add(connection.Enrollment);
        command.Options.Add(Keys);
    }

    public People Open(ParseResult parsed)
    {
        var tokens = BearerToken.Issuer(parsed.GetValue(Keys));
        return new People(
            parsed.GetRequiredValue(connection.Eligibility), parsed.GetRequiredValue(connection.Catalog), parsed.GetRequiredValue(connection.Enrollment),
            person => tokens.Mint(person.Subject, person.Scopes.Split(' '), person.Country is null ? [] : [person.Country], Tokens.Audiences, Lifetime));
    }

    public static Uri Broker(string? given)
    {
        var text = given ?? Environment.GetEnvironmentVariable("IMET_AMQP");
        if (text is null && BearerToken.LocalStack() is { } stack && Path.Combine(stack, "amqp") is var file && File.Exists(file))
            text = File.ReadAllText(file).Trim();
        return Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "amqp" or "amqps"
            ? uri
            : throw new CouldNotRunException("No RabbitMQ: start the local stack with ./dev up, or give --amqp amqp://USER:PASSWORD@HOST:PORT/VHOST.");
    }
}
