using System.Diagnostics;
using Imet.Local;

namespace Imet.Testing;

/// <summary>
/// A shell that waits for the test process to end, however it ends, then ends what that started and deletes its folder. The kernel closes the pipe
/// between them also after a kill -9, so nothing is left behind.
/// </summary>
internal sealed class Guard : IDisposable
{
    // PostgreSQL gets QUIT: it ends at once too, but gives its shared memory segment back.
    private const string Script = """
        trap '' INT TERM HUP
        all=
        while read -r signal pid start; do all="$all $signal:$pid:$start"; done
        alive() { stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1; set -- "$2" ${stat##*) }; [ "${21}" = "$1" ] && [ "$2" != Z ]; }
        each() { for one in $all; do pid=${one#*:}; start=${pid#*:}; pid=${pid%:*}; if alive "$pid" "$start"; then kill -s "${1:-${one%%:*}}" "$pid"; fi; done; }
        each
        sleep 1
        each KILL
        sleep 0.2
        rm -rf "$0"
        """;

    private readonly Process shell;

    public Guard(string folder)
    {
        var start = new ProcessStartInfo("setsid", ["sh", "-c", Script, folder]) { RedirectStandardInput = true, WorkingDirectory = "/" };
        shell = Process.Start(start)!;
    }

    public void Watch(ProcessId process, string signal)
    {
        lock (shell)
        {
            shell.StandardInput.WriteLine($"{signal} {process.Pid} {process.StartTime}");
            shell.StandardInput.Flush();
        }
    }

    public void Dispose()
    {
        shell.StandardInput.Close();
        shell.WaitForExit(TimeSpan.FromSeconds(5));
        shell.Dispose();
    }
}
