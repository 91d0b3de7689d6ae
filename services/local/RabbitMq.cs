using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Imet.Local;

public sealed record RabbitMqPorts(int Amqp, int Distribution, int Epmd, int Management);

/// <summary>A private RabbitMQ node on loopback with an epmd of its own.</summary>
public sealed class RabbitMq(string folder, RabbitMqPorts ports, string password)
{
    public const string User = "imet";
    public const string VirtualHost = "imet";
    private const string Node = "imet@localhost";
    private readonly string home = Path.Combine(folder, "home");
    private readonly string booted = Path.Combine(folder, "booted");
    private ProcessId? process = ProcessId.Read(Path.Combine(folder, "pid"));
    private ProcessId? epmd = ProcessId.Read(Path.Combine(folder, "epmd.pid"));

    public int Port => ports.Amqp;
    public string Log { get; init; } = Path.Combine(folder, "log");
    public ProcessId? Process => process;
    /// <summary>Told of each process right after its start, before the node is up.</summary>
    public Action<ProcessId>? Started { get; init; }
    public bool IsRunning => process is { IsAlive: true };

    /// <summary>RabbitMQ's HTTP API, by which partners are given access.</summary>
    public string Management(string virtualHost) => $"http://{User}:{password}@127.0.0.1:{ports.Management}/{virtualHost}";

    public string Uri(string virtualHost) => $"amqp://{User}:{password}@127.0.0.1:{ports.Amqp}/{virtualHost}";

    public async Task StartAsync(CancellationToken cancel)
    {
        if (IsRunning && epmd is { IsAlive: true })
        {
            await WaitUntilReadyAsync(cancel);
            return;
        }
        // Nodes find each other and our administration calls find the node by epmd; a node whose epmd has died can't be asked any more.
        await StopAsync(cancel);
        var server = Path.Combine(Programs.RabbitMqSbin(), "rabbitmq-server");
        if (!File.Exists(booted) && Directory.Exists(folder))
        {
            // A kill in the first boot leaves a schema that later boots refuse; there is nothing in it yet.
            Directory.Delete(folder, recursive: true);
        }
        Directory.CreateDirectory(home);
        await WriteSettingsAsync(cancel);
        epmd = Processes.StartDetached("epmd", ["-port", $"{ports.Epmd}", "-address", "127.0.0.1"], folder, Log, Path.Combine(folder, "epmd.pid"), Settings);
        Started?.Invoke(epmd);
        process = Processes.StartDetached(server, [], folder, Log, Path.Combine(folder, "pid"), Settings);
        Started?.Invoke(process);
        await WaitUntilReadyAsync(cancel);
        await File.WriteAllTextAsync(booted, "", cancel);
    }

    public async Task StopAsync(CancellationToken cancel)
    {
        await (process?.StopAsync(Signal.Terminate, TimeSpan.FromSeconds(30), cancel) ?? Task.CompletedTask);
        await (epmd?.StopAsync(Signal.Terminate, TimeSpan.FromSeconds(5), cancel) ?? Task.CompletedTask);
    }

    public async Task KillAsync(CancellationToken cancel)
    {
        process?.Signal(Signal.Kill);
        await (process?.WaitForExitAsync(TimeSpan.FromSeconds(10), cancel) ?? Task.FromResult(true));
    }

    /// <summary>Runs Erlang inside the node. The program for it is in C and takes milliseconds where rabbitmqctl takes a second of processor time.</summary>
    public async Task<string> EvaluateAsync(string erlang, CancellationToken cancel)
    {
        var cookie = (await File.ReadAllTextAsync(Path.Combine(home, ".erlang.cookie"), cancel)).Trim();
        for (var attempt = 1; ; attempt++)
        {
            var (code, output) = await Processes.TryRunAsync("erl_call", ["-sname", Node, "-c", cookie, "-timeout", "20", "-e"], folder, Settings, erlang + "\n", cancel);
            if (code == 0 && output.StartsWith("{ok,", StringComparison.Ordinal))
                return output;
            // A node under load sometimes lets the handshake lapse; nothing was run then.
            if (attempt == 5 || !output.Contains("failed to connect", StringComparison.Ordinal))
                throw new StackException($"RabbitMQ refused {erlang}: {output.Trim()}");
            await Task.Delay(200 * attempt, cancel);
        }
    }

    public Task AddVirtualHostAsync(string name, CancellationToken cancel) => EvaluateAsync(
        $"""rabbit_vhost:add(<<"{name}">>, <<"{User}">>), rabbit_auth_backend_internal:set_permissions(<<"{User}">>, <<"{name}">>, <<".*">>, <<".*">>, <<".*">>, <<"{User}">>).""", cancel);

    public Task DeleteVirtualHostAsync(string name, CancellationToken cancel) => EvaluateAsync($"""rabbit_vhost:delete(<<"{name}">>, <<"{User}">>).""", cancel);

    private Dictionary<string, string?> Settings => new()
    {
        ["HOME"] = home,
        ["ERL_EPMD_ADDRESS"] = "127.0.0.1",
        ["ERL_EPMD_PORT"] = $"{ports.Epmd}",
        ["RABBITMQ_CONF_ENV_FILE"] = Path.Combine(folder, "rabbitmq-env.conf"),
        ["RABBITMQ_CONFIG_FILE"] = Path.Combine(folder, "rabbitmq.conf"),
        ["RABBITMQ_ADVANCED_CONFIG_FILE"] = Path.Combine(folder, "advanced.config"),
        ["RABBITMQ_ENABLED_PLUGINS_FILE"] = Path.Combine(folder, "enabled_plugins"),
        ["RABBITMQ_NODENAME"] = Node,
        ["RABBITMQ_NODE_IP_ADDRESS"] = "127.0.0.1",
        ["RABBITMQ_NODE_PORT"] = $"{ports.Amqp}",
        ["RABBITMQ_DIST_PORT"] = $"{ports.Distribution}",
        ["RABBITMQ_MNESIA_BASE"] = Path.Combine(folder, "data"),
        ["RABBITMQ_LOG_BASE"] = folder,
        ["RABBITMQ_PID_FILE"] = Path.Combine(folder, "erlang.pid"),
        // The threads of an idle node would spin for work and take half a processor from the services beside it.
        ["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"] = "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none",
        // The script then becomes the node in place of waiting for it: one process, one number, signals arrive.
        ["RUNNING_UNDER_SYSTEMD"] = "true",
        ["NOTIFY_SOCKET"] = null,
    };

    private async Task WriteSettingsAsync(CancellationToken cancel)
    {
        await WriteAsync("rabbitmq-env.conf", "");
        await WriteAsync("enabled_plugins", "[rabbitmq_management].\n");
        await WriteAsync("rabbitmq.conf", $"""
            listeners.tcp.1 = 127.0.0.1:{ports.Amqp}
            loopback_users = none
            disk_free_limit.absolute = 200MB
            vm_memory_high_watermark.absolute = 512MB
            management.tcp.ip = 127.0.0.1
            management.tcp.port = {ports.Management}
            management_agent.disable_metrics_collector = true
            log.file = false
            log.console = true
            log.console.level = warning
            load_definitions = {Path.Combine(folder, "definitions.json")}

            """);
        await WriteAsync("definitions.json", $$"""
            {
              "users": [{"name": "{{User}}", "password_hash": "{{Hash(password)}}", "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": ["administrator"]}],
              "vhosts": [{"name": "{{VirtualHost}}"}],
              "permissions": [{"user": "{{User}}", "vhost": "{{VirtualHost}}", "configure": ".*", "write": ".*", "read": ".*"}]
            }

            """);

        Task WriteAsync(string name, string text) => File.WriteAllTextAsync(Path.Combine(folder, name), text, cancel);
    }

    private static string Hash(string password)
    {
        var salt = RandomNumberGenerator.GetBytes(4);
        return Convert.ToBase64String([.. salt, .. SHA256.HashData([.. salt, .. Encoding.UTF8.GetBytes(password)])]);
    }

    // The port opens at the end of the boot, after the definitions are in.
    private async Task WaitUntilReadyAsync(CancellationToken cancel)
    {
        var deadline = DateTime.UtcNow.AddSeconds(120);
        while (true)
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync("127.0.0.1", ports.Amqp, cancel);
                return;
            }
            catch (SocketException) when (IsRunning && DateTime.UtcNow < deadline)
            {
                await Task.Delay(50, cancel);
            }
            catch (SocketException e)
            {
                throw new StackException($"RabbitMQ did not start on port {ports.Amqp}: {e.Message}\n{Processes.Tail(Log, 8)}");
            }
        }
    }
}
