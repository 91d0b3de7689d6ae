using Google.Type;
using Grpc.Core;
using Imet.Cli;
using Imet.CourseCatalog.V1;
using Imet.Local;
using Imet.Testing;
using Xunit;
using Client = Imet.CourseCatalog.V1.CourseCatalogService.CourseCatalogServiceClient;

[assembly: AssemblyFixture(typeof(Servers))]

namespace Imet.CourseCatalog.Tests;

[CollectionDefinition(nameof(Catalog))]
public sealed class CatalogTests : ICollectionFixture<Catalog>;

/// <summary>Two replicas of course-catalog on one database and one virtual host, and somebody outside who has listened from the start. Tests share them: each makes its own resources.</summary>
public sealed class Catalog(Servers servers) : IAsyncLifetime
{
    private const string Exchange = "imet.course-catalog.v1";

    private readonly List<ServiceProcess> _replicas = [];

    public Subscriber Outside { get; private set; } = null!;

    public TestDatabase Database { get; private set; } = null!;

    /// <summary>A caller who may read and write everything.</summary>
    public Client Writer => At(0);

    public static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Database = await servers.NewDatabaseAsync("catalog", typeof(CatalogStore).Assembly, Cancel);
        var broker = await servers.NewBrokerVhostAsync(Cancel);
        Outside = await Subscriber.StartAsync(broker, Cancel, Exchange);
        var ports = Ports.Free(4);
        foreach (var replica in Enumerable.Range(0, 2))
        {
            var settings = new HouseSettings
            {
                GrpcPort = ports[replica * 2],
                HttpPort = ports[replica * 2 + 1],
                Database = Database.Runtime("catalog"),
                OwnerDatabase = null,
                Broker = broker,
                KeysFile = servers.Tokens.KeysFile,
                TokenFile = null,
                CountryEligibility = "http://127.0.0.1:1",
                CourseCatalog = "http://127.0.0.1:1",
            };
            _replicas.Add(ServiceProcess.Start(servers, House.CourseCatalog, settings, new Dictionary<string, string?>()));
        }
        await Task.WhenAll(_replicas.Select(replica => replica.WaitUntilReadyAsync(Cancel)));
    }

    public async ValueTask DisposeAsync()
    {
        await Outside.DisposeAsync();
        foreach (var replica in _replicas)
            await replica.DisposeAsync();
    }

    public Client At(int replica) => As(replica, "catalog-tests", ["catalog.read", "catalog.write", "catalog.publish"]);

    public Client As(string subject, string[] scopes, params string[] countries) => As(0, subject, scopes, countries);

    public Client WithoutToken() => new(_replicas[0].Invoker(""));

    public static string NewId() => Guid.CreateVersion7().ToString();

    /// <summary>A word that no other test uses.</summary>
    public static string Unique(string prefix) => $"{prefix}{Guid.NewGuid():N}"[..(prefix.Length + 16)].ToUpperInvariant();

    public async Task<School> NewSchoolAsync(Action<School>? set = null)
    {
        var school = new School { Name = Unique("School "), Code = Unique("")[..8], Location = "Fort Leavenworth, KS", ImplementingAgency = ImplementingAgency.Army };
        set?.Invoke(school);
        return (await Writer.CreateSchoolAsync(new() { RequestId = NewId(), School = school }, cancellationToken: Cancel)).School;
    }

    public async Task<Course> NewCourseAsync(Action<Course>? set = null)
    {
        var course = new Course { MaslNumber = Unique("T-") };
        set?.Invoke(course);
        return (await Writer.CreateCourseAsync(new() { RequestId = NewId(), Course = course }, cancellationToken: Cancel)).Course;
    }

    public async Task<CourseVersion> NewVersionAsync(string courseId, Action<CourseVersion>? set = null)
    {
        var version = new CourseVersion { CourseId = courseId, FiscalYear = 2031, Title = "Command and General Staff Officer Course", TrainingKind = TrainingKind.Classroom, DurationDays = 306, EclMinimum = 80 };
        set?.Invoke(version);
        return (await Writer.CreateCourseVersionAsync(new() { RequestId = NewId(), CourseVersion = version }, cancellationToken: Cancel)).CourseVersion;
    }

    public async Task<Offering> NewOfferingAsync(string versionId, Action<Offering>? set = null)
    {
        var offering = AnOffering(versionId);
        set?.Invoke(offering);
        return (await Writer.CreateOfferingAsync(new() { RequestId = NewId(), Offering = offering }, cancellationToken: Cancel)).Offering;
    }

    public async Task<Offering> NewOfferingAsync(Action<Offering>? set = null) => await NewOfferingAsync((await NewVersionAsync((await NewCourseAsync()).Id)).Id, set);

    public static Offering AnOffering(string versionId) =>
        new() { CourseVersionId = versionId, StartDate = Day(2031, 1, 6), EndDate = Day(2031, 11, 7), Capacity = 60, Location = "Fort Leavenworth, KS" };

    public static Date Day(int year, int month, int day) => new() { Year = year, Month = month, Day = day };

    private Client As(int replica, string subject, string[] scopes, params string[] countries) =>
        new(_replicas[replica].Invoker(servers.Tokens.Mint(subject, scopes, countries, Tokens.Audiences, TimeSpan.FromHours(1))));
}
