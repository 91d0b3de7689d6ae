namespace Imet.Local;

/// <summary>Gets the server programs from the system's packages, where that is allowed.</summary>
internal static class Install
{
    // Debian starts a service when its package is installed. For that time a policy forbids it; one that is there already is put back,
    // also on the next run if this one was killed.
    private const string Script = """
        set -e
        policy=/usr/sbin/policy-rc.d
        restore() { rm -f "$policy"; if [ -e "$policy.imet" ]; then mv "$policy.imet" "$policy"; fi; }
        if grep -qs '^# imet$' "$policy"; then restore; fi
        if [ -e "$policy" ]; then mv "$policy" "$policy.imet"; fi
        trap restore EXIT
        trap 'exit 1' INT TERM HUP
        printf '#!/bin/sh\n# imet\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        export DEBIAN_FRONTEND=noninteractive
        apt-get install -y -q --no-install-recommends "$@" || { apt-get update -q; apt-get install -y -q --no-install-recommends "$@"; }
        """;

    public static async Task MissingAsync(CancellationToken cancel)
    {
        var missing = Missing();
        if (missing.Length == 0)
            return;
        string[]? shell = !OperatingSystem.IsLinux() || !File.Exists("/usr/bin/apt-get") ? null : Programs.IsRoot ? ["sh"] : await MayBecomeRootAsync(cancel) ? ["sudo", "-n", "sh"] : null;
        if (shell is null)
            throw new StackException($"Missing on this machine: {Wanted()}. Install it, e.g. as root: apt-get install {string.Join(' ', missing)}");

        Console.WriteLine($"Installing {string.Join(", ", missing)} from the system's packages (their services are not started) ...");
        var (code, output) = await Processes.TryRunAsync(shell[0], [.. shell[1..], "-c", Script, "sh", .. missing], "/", new Dictionary<string, string?>(), "", cancel);
        if (Missing().Length > 0)
            throw new StackException($"Still missing: {Wanted()}. apt-get install {string.Join(' ', missing)} ended with {code}:\n{string.Join('\n', output.TrimEnd().Split('\n').TakeLast(10))}");
    }

    private static string[] Missing() =>
    [
        .. Programs.FindPostgres() is null ? ["postgresql"] : Array.Empty<string>(),
        .. Programs.FindRabbitMq() is null ? ["rabbitmq-server"] : Array.Empty<string>(),
        .. File.Exists("/usr/share/zoneinfo/America/New_York") ? Array.Empty<string>() : ["tzdata"],
    ];

    private static string Wanted() => string.Join(", ", Missing().Select(package => package switch
    {
        "postgresql" => $"PostgreSQL {Programs.OldestPostgres} or newer",
        "rabbitmq-server" => $"RabbitMQ {Programs.OldestRabbitMq} or newer",
        _ => "the time zone database",
    }));

    private static async Task<bool> MayBecomeRootAsync(CancellationToken cancel) => Programs.OnPath("sudo").Any()
        && (await Processes.TryRunAsync("sudo", ["-n", "true"], "/", new Dictionary<string, string?>(), "", cancel)).Code == 0;
}
