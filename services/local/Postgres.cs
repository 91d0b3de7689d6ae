using Npgsql;

namespace Imet.Local;

/// <summary>A private PostgreSQL on loopback, with its data in a folder of ours.</summary>
public sealed class Postgres(string folder, int port, string password, IReadOnlyDictionary<string, string> settings)
{
    public const string Superuser = "postgres";
    private readonly string data = Path.Combine(folder, "data");
    private ProcessId? process = ProcessId.Read(Path.Combine(folder, "pid"));

    public int Port => port;
    public string Log { get; init; } = Path.Combine(folder, "log");
    public ProcessId? Process => process;
    /// <summary>Told of the process right after its start, before it is ready.</summary>
    public Action<ProcessId>? Started { get; init; }
    public bool IsRunning => process is { IsAlive: true };

    public string ConnectionString(string database, string user, string secret) => new NpgsqlConnectionStringBuilder
    {
        Host = "127.0.0.1",
        Port = port,
        Database = database,
        Username = user,
        Password = secret,
        // Loopback: a session that can't be opened in this time never will be.
        Timeout = 5,
    }.ConnectionString;

    public string Administration(string database = "postgres") =>
        new NpgsqlConnectionStringBuilder(ConnectionString(database, Superuser, password)) { Pooling = false }.ConnectionString;

    public async Task StartAsync(CancellationToken cancel)
    {
        if (IsRunning)
        {
            await WaitUntilReadyAsync(cancel);
            return;
        }
        var bin = Programs.PostgresBin();
        // A folder under /root, say, is closed to the account that we drop to: it may then pass through folders that it can't read.
        var drop = await DropAsync(cancel);
        if (!Directory.Exists(data))
        {
            await InitializeAsync(bin, drop, cancel);
        }
        await RemoveStaleLockAsync(cancel);
        string[] arguments =
        [
            .. drop, Path.Combine(bin, "postgres"), "-D", data, "-p", $"{port}", "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
            "-c", "max_connections=300", "-c", "log_line_prefix=%m [%p] %q%u@%d ", .. settings.SelectMany(s => new[] { "-c", $"{s.Key}={s.Value}" }),
        ];
        process = Processes.StartDetached(arguments[0], arguments[1..], folder, Log, Path.Combine(folder, "pid"), Clean);
        Started?.Invoke(process);
        await WaitUntilReadyAsync(cancel);
    }

    /// <summary>Makes the services' roles and schemas in the database, with one password for each; harmless to repeat.</summary>
    public async Task ProvisionAsync(string database, IReadOnlyDictionary<string, string> passwords, CancellationToken cancel)
    {
        using var reader = new StreamReader(typeof(Postgres).Assembly.GetManifestResourceStream("provision.sql")!);
        await using var connection = new NpgsqlConnection(Administration(database));
        await connection.OpenAsync(cancel);
        await using var command = new NpgsqlCommand { Connection = connection };
        foreach (var (role, secret) in passwords)
        {
            command.CommandText = "select set_config($1, $2, false)";
            command.Parameters.Clear();
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = $"{role.Replace("imet_", "imet.", StringComparison.Ordinal)}_password" });
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = secret });
            await command.ExecuteNonQueryAsync(cancel);
        }
        command.Parameters.Clear();
        command.CommandText = await reader.ReadToEndAsync(cancel);
        await command.ExecuteNonQueryAsync(cancel);
    }

    public async Task EnsureDatabaseAsync(string name, CancellationToken cancel)
    {
        try
        {
            await CreateDatabaseAsync(name, "template1", cancel);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.DuplicateDatabase)
        {
        }
    }

    public async Task CreateDatabaseAsync(string name, string template, CancellationToken cancel)
    {
        await using var connection = new NpgsqlConnection(Administration());
        await connection.OpenAsync(cancel);
        await using var command = new NpgsqlCommand($"create database \"{name}\" template \"{template}\"", connection);
        await command.ExecuteNonQueryAsync(cancel);
    }

    /// <summary>A fast shutdown: sessions end, nothing is lost.</summary>
    public Task StopAsync(CancellationToken cancel) => process is null ? Task.CompletedTask : process.StopAsync(Signal.Interrupt, TimeSpan.FromSeconds(30), cancel);

    public async Task KillAsync(CancellationToken cancel)
    {
        process?.Signal(Signal.Kill);
        await (process?.WaitForExitAsync(TimeSpan.FromSeconds(10), cancel) ?? Task.FromResult(true));
    }

    // The program reads PG* variables for its defaults; none of the caller's are meant for it.
    private static Dictionary<string, string?> Clean =>
        Environment.GetEnvironmentVariables().Keys.Cast<string>().Where(k => k.StartsWith("PG", StringComparison.Ordinal)).ToDictionary(k => k, _ => (string?)null);

    private async Task<string[]> DropAsync(CancellationToken cancel)
    {
        Directory.CreateDirectory(folder);
        if (!Programs.IsRoot)
        {
            return [];
        }
        var account = Account.Find("postgres") ?? Account.Find("nobody") ?? throw new StackException("PostgreSQL refuses to run as root and there is no user postgres or nobody to run it as.");
        await Processes.RunAsync("chown", [$"{account.Uid}:{account.Gid}", folder], "/", Clean, cancel);
        string[] drop = ["setpriv", $"--reuid={account.Uid}", $"--regid={account.Gid}", "--clear-groups"];
        var (code, _) = await Processes.TryRunAsync(drop[0], [.. drop[1..], "test", "-w", folder], "/", Clean, null, cancel);
        return code == 0 ? drop : [.. drop, "--inh-caps=+dac_override", "--ambient-caps=+dac_override"];
    }

    private async Task InitializeAsync(string bin, string[] drop, CancellationToken cancel)
    {
        // Under another name until it is whole: a folder that a kill left half made is not taken for a database.
        foreach (var left in Directory.EnumerateDirectories(folder, "new-*"))
            Directory.Delete(left, recursive: true);
        var half = Path.Combine(folder, $"new-{Guid.CreateVersion7():N}");
        // The password goes by a file, since the other account may not open our pipe, that only that account reads and that is gone afterwards.
        const string Initialize = "secret=$1; shift; umask 077; cat >\"$secret\"; \"$@\" --pwfile=\"$secret\"; code=$?; rm -f \"$secret\"; exit $code";
        string[] arguments =
        [
            .. drop, "sh", "-c", Initialize, "sh", $"{half}.secret", Path.Combine(bin, "initdb"), "-D", half, "-U", Superuser, "-A", "scram-sha-256", "-E", "UTF8", "--no-locale",
            "--data-checksums", "--no-instructions", "--no-sync",
        ];
        var (code, output) = await Processes.TryRunAsync(arguments[0], arguments[1..], folder, Clean, password + "\n", cancel);
        if (code != 0)
        {
            throw new StackException($"PostgreSQL could not make its data folder {half}: {output.Trim()}");
        }
        Directory.Move(half, data);
    }

    // PostgreSQL takes any process with the number in its lock file for another postmaster, also a dead one that nobody reaped or a stranger after a reboot.
    // What a killed postmaster left behind ends by itself, soon.
    private async Task RemoveStaleLockAsync(CancellationToken cancel)
    {
        foreach (var left in Processes.In(data))
        {
            if (!await left.WaitForExitAsync(TimeSpan.FromSeconds(10), cancel))
                throw new StackException($"PostgreSQL process {left.Pid} still runs on {data} but was not started from here; end it first.");
        }
        File.Delete(Path.Combine(data, "postmaster.pid"));
    }

    private async Task WaitUntilReadyAsync(CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(TimeSpan.FromSeconds(60));
        while (true)
        {
            try
            {
                await using var connection = new NpgsqlConnection(Administration());
                await connection.OpenAsync(limit.Token);
                return;
            }
            catch (NpgsqlException) when (IsRunning && !limit.IsCancellationRequested)
            {
                await Task.Delay(50, cancel);
            }
            catch (Exception e) when (e is NpgsqlException or OperationCanceledException)
            {
                cancel.ThrowIfCancellationRequested();
                throw new StackException($"PostgreSQL did not start on port {port}: {e.Message}\n{Processes.Tail(Log, 8)}");
            }
        }
    }
}
