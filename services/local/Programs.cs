using System.Globalization;
using System.Text.RegularExpressions;

namespace Imet.Local;

/// <summary>Where the server programs of this machine are.</summary>
public static partial class Programs
{
    public const int OldestPostgres = 15;
    public static readonly Version OldestRabbitMq = new(3, 10);

    private static readonly string[] RabbitMqRoots = ["/usr/lib/rabbitmq/lib", "/usr/local/lib/rabbitmq/lib", "/opt", "/usr/local"];

    public static bool IsRoot { get; } = Native.EffectiveUser() == 0;

    /// <summary>The folder of initdb and postgres, or a message that says what to install.</summary>
    public static string PostgresBin() => FindPostgres()?.Folder
        ?? throw new StackException($"PostgreSQL {OldestPostgres} or newer is not installed. Debian, Ubuntu: apt-get install postgresql");

    /// <summary>The folder of the rabbitmq-server script inside the package: the wrapper on PATH changes user and refuses most.</summary>
    public static string RabbitMqSbin() => FindRabbitMq()?.Folder
        ?? throw new StackException($"RabbitMQ {OldestRabbitMq} or newer is not installed. Debian, Ubuntu: apt-get install rabbitmq-server");

    public static (string Folder, int Version)? FindPostgres() => First(
        Folders("/usr/lib/postgresql", "*", "bin").Concat(Folders("/usr", "pgsql-*", "bin")).Concat(Folders("/opt/homebrew/opt", "postgresql@*", "bin"))
            .Concat(OnPath("postgres"))
            .Where(folder => File.Exists(Path.Combine(folder, "initdb")) && File.Exists(Path.Combine(folder, "postgres")))
            .Select(folder => (folder, Version: PostgresVersion(folder)))
            .Where(p => p.Version >= OldestPostgres).OrderByDescending(p => p.Version));

    public static (string Folder, Version Version)? FindRabbitMq() => First(
        RabbitMqRoots.SelectMany(root => Folders(root, "rabbitmq_server-*", "sbin"))
            .Where(folder => File.Exists(Path.Combine(folder, "rabbitmq-server")))
            .Select(folder => (folder, Version: Number(Path.GetFileName(Path.GetDirectoryName(folder))!)))
            .Where(r => r.Version >= OldestRabbitMq).OrderByDescending(r => r.Version));

    private static T? First<T>(IEnumerable<T> found) where T : struct => found.Select(f => (T?)f).FirstOrDefault();

    private static IEnumerable<string> Folders(string root, string pattern, string below) =>
        Directory.Exists(root) ? Directory.EnumerateDirectories(root, pattern).Select(d => Path.Combine(d, below)) : [];

    internal static IEnumerable<string> OnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Where(d => d.Length > 0 && File.Exists(Path.Combine(d, program)))
            .Select(d => Path.GetDirectoryName(new FileInfo(Path.Combine(d, program)).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? Path.Combine(d, program))!);

    private static int PostgresVersion(string folder)
    {
        // The folder's name saves a process: /usr/lib/postgresql/15/bin.
        var digits = Digits().Match(Path.GetFileName(Path.GetDirectoryName(folder)!));
        if (digits.Success)
        {
            return int.Parse(digits.Value, CultureInfo.InvariantCulture);
        }
        using var process = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo(Path.Combine(folder, "postgres"), ["--version"]) { RedirectStandardOutput = true })!;
        var said = Digits().Match(process.StandardOutput.ReadToEnd());
        return said.Success ? int.Parse(said.Value, CultureInfo.InvariantCulture) : 0;
    }

    private static Version Number(string name) => Version.TryParse(DottedNumber().Match(name).Value, out var version) ? version : new Version(0, 0);

    [GeneratedRegex(@"\d+")]
    private static partial Regex Digits();

    [GeneratedRegex(@"\d+\.\d+(\.\d+)?")]
    private static partial Regex DottedNumber();
}
