using System.Globalization;
using System.Net;
using Microsoft.Extensions.Configuration;
using Npgsql;

namespace Imet.Chassis;

/// <summary>Reads what the service needs and remembers what is wrong, so that all of it can be told at once. Values that may hold a password are never repeated.</summary>
internal sealed class Settings(IConfiguration configuration)
{
    private readonly List<string> _errors = [];

    public IReadOnlyList<string> Errors => _errors;

    public string Text(string key, string expected) => configuration[key] is { Length: > 0 } value ? value : Wrong(key, "nothing", expected, "");

    public string? TextOrNull(string key) => configuration[key] is { Length: > 0 } value ? value : null;

    public string? FileOrNull(string key, string expected) =>
        TextOrNull(key) is not { } file ? null : File.Exists(file) ? file : Wrong(key, $"{file}, which does not exist or can't be read", expected, file);

    public string ConnectionString(string key)
    {
        const string expected = "a PostgreSQL connection string with Host, Database and Username";
        var value = Text(key, expected);
        if (value.Length == 0)
            return "Host=nowhere";
        try
        {
            return new NpgsqlConnectionStringBuilder(value) is { Host.Length: > 0, Database.Length: > 0, Username.Length: > 0 }
                ? value
                : Wrong(key, "one that lacks a part", expected, "Host=nowhere");
        }
        catch (ArgumentException)
        {
            return Wrong(key, "something else", expected, "Host=nowhere");
        }
    }

    public Uri Broker(string key)
    {
        const string expected = "amqp://user:password@host:port/vhost";
        var value = Text(key, expected);
        return value.Length > 0 && Uri.TryCreate(value, UriKind.Absolute, out var uri) && uri.Scheme is "amqp" or "amqps"
            ? uri
            : value.Length > 0 ? Wrong(key, "something else", expected, new Uri("amqp://nowhere")) : new Uri("amqp://nowhere");
    }

    public IPEndPoint Listen(string key)
    {
        const string expected = "an address such as http://127.0.0.1:5103 or http://0.0.0.0:5103";
        var value = Text(key, expected);
        var nowhere = new IPEndPoint(IPAddress.Loopback, 0);
        if (value.Length == 0)
            return nowhere;
        if (!Uri.TryCreate(value, UriKind.Absolute, out var uri) || uri.Scheme != Uri.UriSchemeHttp || uri.AbsolutePath != "/")
            return Wrong(key, value, expected, nowhere);
        return uri.Host == "localhost" ? new IPEndPoint(IPAddress.Loopback, uri.Port)
            : IPAddress.TryParse(uri.Host.Trim('[', ']'), out var address) ? new IPEndPoint(address, uri.Port)
            : Wrong(key, value, expected, nowhere);
    }

    public TimeSpan Duration(string key, TimeSpan otherwise, TimeSpan atLeast, TimeSpan atMost) =>
        TextOrNull(key) is not { } value ? otherwise
        : TimeSpan.TryParse(value, CultureInfo.InvariantCulture, out var duration) && duration >= atLeast && duration <= atMost ? duration
        : Wrong(key, value, $"a duration between {atLeast:c} and {atMost:c}", otherwise);

    public int Number(string key, int otherwise, int atLeast, int atMost) =>
        TextOrNull(key) is not { } value ? otherwise
        : int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= atLeast && number <= atMost ? number
        : Wrong(key, value, string.Create(CultureInfo.InvariantCulture, $"a whole number between {atLeast} and {atMost}"), otherwise);

    public bool Flag(string key) =>
        TextOrNull(key) is { } value && (bool.TryParse(value, out var flag) ? flag : Wrong(key, value, "true or false", false));

    public T Wrong<T>(string key, string found, string expected, T insteadOf)
    {
        _errors.Add($"{key.Replace(":", "__", StringComparison.Ordinal)}: found {found}, expected {expected}");
        return insteadOf;
    }
}
