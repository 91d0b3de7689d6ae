using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Imet.Local;

/// <summary>A process told apart from a later one with the same number by the moment it started.</summary>
public sealed record ProcessId(int Pid, long StartTime)
{
    /// <summary>Dead ones that nobody has reaped yet (a container without an init) count as gone.</summary>
    public bool IsAlive => Stat(Pid) is { } stat && stat.State != 'Z' && stat.StartTime == StartTime;

    public DateTimeOffset StartedAt => File.Exists($"/proc/{Pid}/stat") ? new DirectoryInfo($"/proc/{Pid}").CreationTimeUtc : DateTimeOffset.MinValue;

    public static ProcessId? Of(int pid) => Stat(pid) is { } stat ? new ProcessId(pid, stat.StartTime) : null;

    public static ProcessId? Read(string file)
    {
        var words = File.Exists(file) ? File.ReadAllText(file).Split(' ', '\n') : [];
        return words.Length >= 2 && int.TryParse(words[0], out var pid) && long.TryParse(words[1], out var start) ? new ProcessId(pid, start) : null;
    }

    public void Signal(Signal signal)
    {
        if (IsAlive)
        {
            _ = Native.Kill(Pid, (int)signal);
        }
    }

    /// <summary>True when it is gone within the limit.</summary>
    public async Task<bool> WaitForExitAsync(TimeSpan limit, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        while (IsAlive)
        {
            if (clock.Elapsed > limit)
            {
                return false;
            }
            await Task.Delay(20, cancel);
        }
        return true;
    }

    public async Task StopAsync(Signal signal, TimeSpan limit, CancellationToken cancel)
    {
        Signal(signal);
        if (!await WaitForExitAsync(limit, cancel))
        {
            Signal(Local.Signal.Kill);
            await WaitForExitAsync(TimeSpan.FromSeconds(5), cancel);
        }
    }

    private static (char State, long StartTime)? Stat(int pid)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{pid}/stat");
            // The name stands in parentheses and may hold spaces; what follows has fixed places.
            var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            return (fields[0][0], long.Parse(fields[19], CultureInfo.InvariantCulture));
        }
        catch (IOException)
        {
            return null;
        }
        catch (UnauthorizedAccessException)
        {
            return null;
        }
    }
}

public enum Signal
{
    Interrupt = 2,
    Kill = 9,
    Terminate = 15,
    Continue = 18,
    Stop = 19,
}

/// <summary>Another account that a program runs under, where root itself is refused.</summary>
public sealed record Account(string Name, int Uid, int Gid)
{
    public static Account? Find(string name) =>
        File.ReadLines("/etc/passwd").Select(line => line.Split(':')).Where(f => f.Length >= 4 && f[0] == name)
            .Select(f => new Account(name, int.Parse(f[2], CultureInfo.InvariantCulture), int.Parse(f[3], CultureInfo.InvariantCulture))).FirstOrDefault();
}

public static class Processes
{
    /// <summary>
    /// Starts a program in a session of its own, so that it outlives the terminal and a Ctrl-C there does not reach it; output goes to the end of the log.
    /// Its number is in the pid file before it runs: whoever is killed here can find it again.
    /// </summary>
    public static ProcessId StartDetached(
        string program, IEnumerable<string> arguments, string folder, string log, string pidFile, IReadOnlyDictionary<string, string?> environment)
    {
        var start = new ProcessStartInfo("/bin/sh") { WorkingDirectory = folder, UseShellExecute = false };
        // A shell such as dash drops variables whose names it could not have set itself (Peers__country-eligibility__Address): env hands them over. None is a secret.
        var odd = environment.Where(setting => setting.Value is not null && !setting.Key.All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '_')).ToList();
        const string Script = "log=$1; echo $$ $(cut -d' ' -f22 /proc/$$/stat) >\"$2\"; shift 2; exec setsid env \"$@\" >>\"$log\" 2>&1 </dev/null";
        string[] shell = ["-c", Script, "sh", log, pidFile, .. odd.Select(setting => $"{setting.Key}={setting.Value}"), program, .. arguments];
        foreach (var argument in shell)
        {
            start.ArgumentList.Add(argument);
        }
        foreach (var (name, value) in environment.Except(odd))
        {
            start.Environment[name] = value;
        }
        using var process = Process.Start(start)!;
        return ProcessId.Of(process.Id) ?? new ProcessId(process.Id, 0);
    }

    /// <summary>Runs a program to its end; its output is the message when it fails.</summary>
    public static async Task<string> RunAsync(string program, IEnumerable<string> arguments, string folder, IReadOnlyDictionary<string, string?> environment, CancellationToken cancel)
    {
        var (code, output) = await TryRunAsync(program, arguments, folder, environment, null, cancel);
        return code == 0 ? output : throw new StackException($"{Path.GetFileName(program)} ended with {code}: {output.Trim()}");
    }

    public static async Task<(int Code, string Output)> TryRunAsync(string program, IEnumerable<string> arguments, string folder,
        IReadOnlyDictionary<string, string?> environment, string? input, CancellationToken cancel)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }
        using var process = Process.Start(start)!;
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(cancel);
            var error = process.StandardError.ReadToEndAsync(cancel);
            try
            {
                await process.StandardInput.WriteAsync(input.AsMemory(), cancel);
                process.StandardInput.Close();
            }
            catch (IOException)
            {
                // It ended without reading: its exit code and its output say why.
            }
            await process.WaitForExitAsync(cancel);
            return (process.ExitCode, await output + await error);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    /// <summary>Runs a program in this terminal to its end.</summary>
    public static async Task<int> RunInForegroundAsync(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string?> environment, CancellationToken cancel)
    {
        var start = new ProcessStartInfo(program, arguments) { UseShellExecute = false };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        await process.WaitForExitAsync(cancel);
        return process.ExitCode;
    }

    /// <summary>Processes that work in the folder, such as a server's that its master left behind.</summary>
    public static IEnumerable<ProcessId> In(string folder) =>
        Directory.EnumerateDirectories("/proc").Select(Path.GetFileName).Where(name => int.TryParse(name, out _)).Where(name => WorkingFolder(name!) == folder)
            .Select(name => ProcessId.Of(int.Parse(name!, CultureInfo.InvariantCulture))).OfType<ProcessId>().Where(process => process.IsAlive);

    private static string? WorkingFolder(string process)
    {
        try
        {
            return new FileInfo($"/proc/{process}/cwd").LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    public static string Tail(string log, int lines) =>
        File.Exists(log) ? string.Join('\n', File.ReadLines(log).TakeLast(lines)) : "";
}

public static class Ports
{
    private static readonly string[] Listeners = ["/proc/net/tcp", "/proc/net/tcp6"];

    /// <summary>Ports that were free a moment ago, all different.</summary>
    public static int[] Free(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        listeners.ForEach(l => l.Start());
        var ports = listeners.Select(l => ((IPEndPoint)l.LocalEndpoint).Port).ToArray();
        listeners.ForEach(l => l.Stop());
        return ports;
    }

    public static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>Who listens on the port, as far as this user may see it.</summary>
    public static string? Holder(int port)
    {
        var hex = $":{port:X4}";
        var inodes = Listeners.Where(File.Exists).SelectMany(File.ReadLines).Skip(1)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(f => f.Length > 9 && f[1].EndsWith(hex, StringComparison.Ordinal) && f[3] == "0A")
            .Select(f => $"socket:[{f[9]}]").ToHashSet();
        foreach (var process in Directory.EnumerateDirectories("/proc").Where(d => int.TryParse(Path.GetFileName(d), out _)))
        {
            try
            {
                if (Directory.EnumerateFiles($"{process}/fd").Any(fd => new FileInfo(fd).LinkTarget is { } target && inodes.Contains(target)))
                {
                    return $"{File.ReadAllText($"{process}/comm").Trim()} (process {Path.GetFileName(process)})";
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Another user's process, or one that has just ended.
            }
        }
        return null;
    }
}

/// <summary>Something the reader can act on; shown as one line, without a stack.</summary>
public sealed class StackException(string message) : Exception(message);

internal static class Native
{
    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    internal static extern int Kill(int pid, int signal);

    [DllImport("libc", EntryPoint = "geteuid")]
    internal static extern uint EffectiveUser();
}
