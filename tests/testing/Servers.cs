using System.Collections.Concurrent;
using System.Reflection;
using Imet.Chassis;
using Imet.Cli;
using Imet.Local;
using Xunit;

namespace Imet.Testing;

/// <summary>
/// One private PostgreSQL and one private RabbitMQ for a test process, on loopback, in a temporary folder. Use it as [assembly: AssemblyFixture(typeof(Servers))]
/// and take it in a test class's constructor. RabbitMQ, whose boot takes seconds of processor time, starts when the first test asks for a virtual host.
/// </summary>
public sealed class Servers : IAsyncLifetime
{
    public const string Password = "imet";
    private const string Template = "imet";
    private readonly Guard guard;
    private readonly Dictionary<string, Task> migrated = [];
    private readonly Lock gate = new();
    private readonly Lazy<Task> brokerStart;
    private readonly ConcurrentBag<TestDatabase> ofHouses = [];
    private int names;

    public Servers()
    {
        // Not a temporary folder of the library's making: those are closed to others, and the account that PostgreSQL drops to must get through.
        Folder = Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), $"imet-tests-{Guid.CreateVersion7():N}")).FullName;
        guard = new Guard(Folder);
        var ports = Ports.Free(5);
        Postgres = new Postgres(Path.Combine(Folder, "postgres"), ports[0], Password, new Dictionary<string, string>
        {
            // A killed process loses nothing by these; only a power cut would.
            ["fsync"] = "off",
            ["full_page_writes"] = "off",
            ["shared_buffers"] = "64MB",
            ["max_wal_size"] = "256MB",
        })
        { Started = process => guard.Watch(process, "QUIT") };
        RabbitMq = new RabbitMq(Path.Combine(Folder, "rabbitmq"), new RabbitMqPorts(ports[1], ports[2], ports[3], ports[4]), Password) { Started = Watch };
        brokerStart = new Lazy<Task>(() => StartRabbitMqAsync(CancellationToken.None));
        Tokens = Tokens.Open(Path.Combine(Folder, "keys"), TimeProvider.System);
    }

    public string Folder { get; }
    public Postgres Postgres { get; }
    public RabbitMq RabbitMq { get; }
    public Tokens Tokens { get; }

    public async ValueTask InitializeAsync()
    {
        await StartPostgresAsync(CancellationToken.None);
        await Postgres.CreateDatabaseAsync(Template, "template1", CancellationToken.None);
        await Postgres.ProvisionAsync(Template, TestDatabase.Roles.ToDictionary(role => role, _ => Password), CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await SentEvents.ExamineAsync([.. ofHouses]);
        }
        finally
        {
            guard.Dispose();
            Tokens.Dispose();
        }
    }

    public Task StartPostgresAsync(CancellationToken cancel) => Postgres.StartAsync(cancel);

    public Task StopPostgresAsync(CancellationToken cancel) => Postgres.StopAsync(cancel);

    public Task KillPostgresAsync(CancellationToken cancel) => Postgres.KillAsync(cancel);

    public Task StartRabbitMqAsync(CancellationToken cancel) => RabbitMq.StartAsync(cancel);

    public Task StopRabbitMqAsync(CancellationToken cancel) => RabbitMq.StopAsync(cancel);

    public Task KillRabbitMqAsync(CancellationToken cancel) => RabbitMq.KillAsync(cancel);

    /// <summary>A fresh database with the roles and the empty schemas of all services.</summary>
    public Task<TestDatabase> NewDatabaseAsync(CancellationToken cancel) => CopyAsync(Template, cancel);

    /// <summary>A fresh database with the migrations of the chassis and of a house applied to its schema; they run once, later calls copy.</summary>
    public async Task<TestDatabase> NewDatabaseAsync(string schema, Assembly house, CancellationToken cancel)
    {
        var template = $"template_{schema}_{house.GetName().Name}";
        await OnceAsync(template, database => Migrator.RunAsync(database.Owner(schema), schema, house, CancellationToken.None));
        return await CopyAsync(template, cancel);
    }

    /// <summary>A fresh virtual host, as the address of a broker.</summary>
    public async Task<string> NewBrokerVhostAsync(CancellationToken cancel)
    {
        await brokerStart.Value.WaitAsync(cancel);
        var name = $"test-{Interlocked.Increment(ref names)}";
        await RabbitMq.AddVirtualHostAsync(name, cancel);
        return RabbitMq.Uri(name);
    }

    internal async Task<TestDatabase> NewDatabaseAsync(string template, Func<TestDatabase, Task> prepare, CancellationToken cancel)
    {
        await OnceAsync(template, prepare);
        return await CopyAsync(template, cancel);
    }

    public void Watch(ProcessId process) => guard.Watch(process, "KILL");

    private Task OnceAsync(string template, Func<TestDatabase, Task> prepare)
    {
        lock (gate)
        {
            return migrated.TryGetValue(template, out var begun) ? begun : migrated[template] = PrepareAsync();
        }

        async Task PrepareAsync()
        {
            await Postgres.CreateDatabaseAsync(template, Template, CancellationToken.None);
            await prepare(new TestDatabase(Postgres, template));
        }
    }

    private async Task<TestDatabase> CopyAsync(string template, CancellationToken cancel)
    {
        var name = $"test_{Interlocked.Increment(ref names)}";
        await Postgres.CreateDatabaseAsync(name, template, cancel);
        var database = new TestDatabase(Postgres, name);
        // The chassis' tests have events of their own, which nobody outside gets.
        if (!template.EndsWith("Tests", StringComparison.Ordinal))
            ofHouses.Add(database);
        return database;
    }
}

/// <summary>A database of one test's own, and the strings to reach it by.</summary>
public sealed record TestDatabase(Postgres Server, string Name)
{
    internal static IEnumerable<string> Roles => House.All.SelectMany(house => new[] { $"imet_{house.Schema}_owner", $"imet_{house.Schema}" });

    /// <summary>The role that may change the schema.</summary>
    public string Owner(string schema) => Server.ConnectionString(Name, $"imet_{schema}_owner", Servers.Password);

    /// <summary>The role that a service runs under.</summary>
    public string Runtime(string schema) => Server.ConnectionString(Name, $"imet_{schema}", Servers.Password);

    /// <summary>The superuser, who sees every schema.</summary>
    public string Administrator => Server.Administration(Name);
}
