using Grpc.Core;
using Imet.Cli;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.V1;
using Imet.Local;

namespace Imet.Testing;

public sealed record TestStackOptions
{
    public int Replicas { get; init; } = 1;
    /// <summary>Settings for every service, such as Failpoints__NAME; they win over the usual ones.</summary>
    public IReadOnlyDictionary<string, string?> Settings { get; init; } = new Dictionary<string, string?>();
}

/// <summary>The three services, as built, on a fresh database and virtual host.</summary>
public sealed class TestStack : IAsyncDisposable
{
    public static readonly string[] Exchanges = ["imet.country-eligibility.v1", "imet.course-catalog.v1", "imet.enrollment.v1"];
    private readonly Dictionary<House, List<ServiceProcess>> services = [];
    private readonly Servers servers;

    private TestStack(Servers servers, TestDatabase database, string broker)
    {
        this.servers = servers;
        Database = database;
        Broker = broker;
    }

    public TestDatabase Database { get; }
    public string Broker { get; }
    public IReadOnlyList<ServiceProcess> CountryEligibility => services[House.CountryEligibility];
    public IReadOnlyList<ServiceProcess> CourseCatalog => services[House.CourseCatalog];
    public IReadOnlyList<ServiceProcess> Enrollment => services[House.Enrollment];

    public static async Task<TestStack> StartAsync(Servers servers, TestStackOptions options, CancellationToken cancel)
    {
        var broker = servers.NewBrokerVhostAsync(cancel);
        var database = await servers.NewDatabaseAsync("template_all", migrated => MigrateAsync(servers, migrated, cancel), cancel);
        var stack = new TestStack(servers, database, await broker);
        try
        {
            await stack.StartAsync(options, cancel);
            return stack;
        }
        catch
        {
            await stack.DisposeAsync();
            throw;
        }
    }

    /// <summary>Clients of one caller. No country means that it may act for all.</summary>
    public TestCaller Caller(string subject, IEnumerable<string> scopes, params string[] countries) =>
        new(this, servers.Tokens.Mint(subject, scopes, countries, Tokens.Audiences, TimeSpan.FromHours(12)), 0);

    /// <summary>A caller who may do everything.</summary>
    public TestCaller Anybody(string subject) => Caller(subject, Tokens.AllScopes);

    public async ValueTask DisposeAsync() => await Task.WhenAll(services.Values.SelectMany(replicas => replicas).Select(service => service.DisposeAsync().AsTask()));

    private static async Task MigrateAsync(Servers servers, TestDatabase database, CancellationToken cancel) => await Task.WhenAll(House.All.Select(house =>
        ServiceProcess.RunAsync(house, "migrate", Standard(servers, database, servers.RabbitMq.Uri(RabbitMq.VirtualHost), house, 1, 2) with { OwnerDatabase = database.Owner(house.Schema) }, cancel)));

    private static HouseSettings Standard(Servers servers, TestDatabase database, string broker, House house, int grpcPort, int httpPort) => new()
    {
        GrpcPort = grpcPort,
        HttpPort = httpPort,
        Database = database.Runtime(house.Schema),
        OwnerDatabase = null,
        Broker = broker,
        KeysFile = servers.Tokens.KeysFile,
        TokenFile = null,
        CountryEligibility = "http://127.0.0.1:1",
        CourseCatalog = "http://127.0.0.1:1",
    };

    private async Task StartAsync(TestStackOptions options, CancellationToken cancel)
    {
        var token = Path.Combine(servers.Folder, "enrollment.token");
        await File.WriteAllTextAsync(token, servers.Tokens.Mint(
            "service:enrollment", ["eligibility.read", "eligibility.preview", "catalog.read"], [], ["imet.country-eligibility", "imet.course-catalog"], TimeSpan.FromHours(12)), cancel);
        // All at once: nothing may rely on another having started first.
        var ports = Ports.Free(House.All.Count * options.Replicas * 2);
        string Address(House house, int replica) => $"http://127.0.0.1:{ports[((house.Number - 1) * options.Replicas + replica) * 2]}";
        foreach (var house in House.All)
        {
            services[house] = [.. Enumerable.Range(0, options.Replicas).Select(replica =>
            {
                var first = ((house.Number - 1) * options.Replicas + replica) * 2;
                return ServiceProcess.Start(servers, house, Standard(servers, Database, Broker, house, ports[first], ports[first + 1]) with
                {
                    TokenFile = token,
                    CountryEligibility = Address(House.CountryEligibility, replica),
                    CourseCatalog = Address(House.CourseCatalog, replica),
                }, options.Settings);
            })];
        }
        await Task.WhenAll(services.Values.SelectMany(replicas => replicas).Select(service => service.WaitUntilReadyAsync(cancel)));
    }
}

/// <summary>Typed clients with one caller's token, each to one replica.</summary>
public sealed class TestCaller(TestStack stack, string token, int replica)
{
    public string Token => token;
    public CountryEligibilityService.CountryEligibilityServiceClient CountryEligibility { get; } = new(stack.CountryEligibility[replica].Invoker(token));
    public CourseCatalogService.CourseCatalogServiceClient CourseCatalog { get; } = new(stack.CourseCatalog[replica].Invoker(token));
    public EnrollmentService.EnrollmentServiceClient Enrollment { get; } = new(stack.Enrollment[replica].Invoker(token));

    /// <summary>The same caller at another replica.</summary>
    public TestCaller At(int other) => new(stack, token, other);
}
