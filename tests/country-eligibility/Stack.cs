using Grpc.Core;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.Local;
using Imet.Testing;
using Npgsql;
using Xunit;
using Tokens = Imet.Cli.Tokens;
using Client = Imet.CountryEligibility.V1.CountryEligibilityService.CountryEligibilityServiceClient;

[assembly: AssemblyFixture(typeof(Servers))]

namespace Imet.CountryEligibility.Tests;

/// <summary>Replicas of country-eligibility alone, as built, on a database and virtual host of their own.</summary>
public sealed class Stack : IAsyncDisposable
{
    private readonly Servers _servers;
    private readonly List<ServiceProcess> _replicas = [];

    private Stack(Servers servers, TestDatabase database, string broker, Subscriber outside)
    {
        (_servers, Database, Broker, Outside) = (servers, database, broker, outside);
    }

    public TestDatabase Database { get; }
    public string Broker { get; }
    public Subscriber Outside { get; }
    public IReadOnlyList<ServiceProcess> Replicas => _replicas;

    /// <summary>The last replica reaches the database by another way, where one is given.</summary>
    public static async Task<Stack> StartAsync(Servers servers, int replicas, CancellationToken cancel, Func<string, string>? lastByWay = null)
    {
        var broker = await servers.NewBrokerVhostAsync(cancel);
        var database = await servers.NewDatabaseAsync("eligibility", typeof(EligibilityStore).Assembly, cancel);
        var stack = new Stack(servers, database, broker, await Subscriber.StartAsync(broker, cancel, "imet.country-eligibility.v1"));
        var ports = Ports.Free(2 * replicas);
        for (var i = 0; i < replicas; i++)
        {
            stack._replicas.Add(ServiceProcess.Start(servers, House.CountryEligibility, new HouseSettings
            {
                GrpcPort = ports[2 * i],
                HttpPort = ports[2 * i + 1],
                Database = lastByWay is not null && i == replicas - 1 ? lastByWay(database.Runtime("eligibility")) : database.Runtime("eligibility"),
                OwnerDatabase = null,
                Broker = broker,
                KeysFile = servers.Tokens.KeysFile,
                TokenFile = null,
                CountryEligibility = "http://127.0.0.1:1",
                CourseCatalog = "http://127.0.0.1:1",
            }, new Dictionary<string, string?> { ["Events__EnrollmentListens"] = "false" }));
        }
        await Task.WhenAll(stack._replicas.Select(replica => replica.WaitUntilReadyAsync(cancel)));
        return stack;
    }

    /// <summary>A caller with these scopes, without "eligibility.".</summary>
    public Client Caller(string subject, string scopes, int replica = 0, params string[] countries) => new(_replicas[replica].Invoker(_servers.Tokens.Mint(
        subject, scopes.Split(' ').Select(scope => $"eligibility.{scope}"), countries, Tokens.Audiences, TimeSpan.FromHours(1))));

    public Client Proposer => Caller("anna", "read propose");

    public Client Approver => Caller("bernd", "read approve");

    public Client Reader => Caller("carla", "read");

    public async Task<Decision> ProposeAsync(Decision decision, Client? by = null) =>
        (await (by ?? Proposer).ProposeDecisionAsync(new ProposeDecisionRequest { RequestId = NewId(), Decision = decision })).Decision;

    public async Task<ApproveDecisionResponse> ApproveAsync(Decision decision) =>
        await Approver.ApproveDecisionAsync(new ApproveDecisionRequest { RequestId = NewId(), DecisionId = decision.Id, Etag = decision.Etag });

    /// <summary>Proposed by one, approved by another.</summary>
    public async Task<ApproveDecisionResponse> DecideAsync(Decision decision, Client? by = null) => await ApproveAsync(await ProposeAsync(decision, by));

    public async Task<Verdict> AskAsync(string country, Client? by = null, Action<EvaluateEligibilityRequest>? more = null)
    {
        var request = new EvaluateEligibilityRequest { Question = new Question { Country = country, FundingProgram = "IMET", Stage = Stage.New } };
        more?.Invoke(request);
        return (await (by ?? Reader).EvaluateEligibilityAsync(request)).Verdict;
    }

    public static async Task ExecuteAsync(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Outside.DisposeAsync();
        foreach (var replica in _replicas)
            await replica.DisposeAsync();
    }

    public static string NewId() => Guid.CreateVersion7().ToString();

    public static DateOnly Today => Washington.Today(TimeProvider.System);

    public static Decision Suspend(string country, DateOnly? from = null, Action<Restriction>? more = null)
    {
        var restriction = new Restriction { Country = country, LegalBasis = "COUP_7008", Effect = Effect.Suspend, EffectiveFrom = (from ?? Today).ToProto() };
        more?.Invoke(restriction);
        return new Decision { Document = "Determination of the Secretary of State", Reason = "The elected head of government was deposed.", Restrictions = { restriction } };
    }

    public static Decision Lift(string restriction, DateOnly from, Scope? scope = null) => new()
    {
        Document = "Certification of the Secretary of State",
        Reason = "An elected government has taken office.",
        Lifts = { new Lift { RestrictionId = restriction, EffectiveFrom = from.ToProto(), Scope = scope } },
    };

    /// <summary>The refusal that a call meets.</summary>
    public static async Task<(StatusCode Code, Google.Rpc.ErrorInfo Info, Google.Rpc.BadRequest? Fields)> RefusalAsync(Func<Task> call)
    {
        var refused = await Assert.ThrowsAsync<RpcException>(call);
        var status = refused.GetRpcStatus()!;
        return (refused.StatusCode, status.GetDetail<Google.Rpc.ErrorInfo>(), status.GetDetail<Google.Rpc.BadRequest>());
    }

    public static async Task AssertRefusedAsync(string reason, StatusCode code, Func<Task> call)
    {
        var refusal = await RefusalAsync(call);
        Assert.Equal((reason, code, "imet.country-eligibility"), (refusal.Info.Reason, refusal.Code, refusal.Info.Domain));
    }
}

/// <summary>One stack of two replicas for the tests that keep to countries of their own.</summary>
public sealed class SharedStack(Servers servers) : IAsyncLifetime
{
    public Stack Stack { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Stack = await Stack.StartAsync(servers, 2, CancellationToken.None);

    public ValueTask DisposeAsync() => Stack.DisposeAsync();
}
