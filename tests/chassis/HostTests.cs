using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Grpc.Core;
using Grpc.Health.V1;
using Imet.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using HealthClient = Grpc.Health.V1.Health.HealthClient;

namespace Imet.Chassis.Tests;

public sealed class HostTests(Servers servers)
{
    private const string Schema = "enrollment";
    private static readonly System.Reflection.Assembly Assembly = typeof(HostTests).Assembly;
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private Task<TestDatabase> DatabaseAsync() => servers.NewDatabaseAsync(Schema, Assembly, Cancel);

    [Fact]
    public async Task What_is_wrong_in_the_settings_is_one_line_that_names_all_of_it_and_no_password()
    {
        var (code, line) = await RunAsync(ServiceHost.Create(
        [
            "--Listen:Grpc=localhost", "--Listen:Http=http://nowhere.test:80", "--Database:ConnectionString=Host=db;Password=hunter2", "--Broker:Uri=http://u:hunter2@mq",
            "--Auth:MaximumLifetime=10000.00:00:00", "--Auth:KeysFile=/does/not/exist", "--Limits:MessageBytes=many", "--Failpoints:a.b=kill",
        ], "echo", Schema, Assembly).AddPeer<EchoService.EchoServiceClient>("other"));
        Assert.Equal(2, code);
        Assert.StartsWith("imet echo: ", line, StringComparison.Ordinal);
        foreach (var key in new[]
                 {
                     "Listen__Grpc: found localhost,", "Listen__Http", "Database__ConnectionString", "Broker__Uri", "Auth__Issuer: found nothing,", "Auth__MaximumLifetime", "Auth__KeysFile",
                     "Limits__MessageBytes: found many,", "Failpoints", "Peers__other__Address",
                 })
            Assert.Contains(key, line, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Auth:TokenFile", "/no/token", "Auth__TokenFile: found /no/token, which does not exist or can't be read, expected a file with our bearer token for peers")]
    [InlineData("Peers:other:TokenFile", "/no/token", "Peers__other__TokenFile: found /no/token, which does not exist or can't be read, expected a file with our bearer token for this peer")]
    [InlineData("Peers:other:Address", "other", "Peers__other__Address: found other, expected an address such as ")]
    [InlineData("Peers:other:Tls", "on", "Peers__other__Tls: found on, expected true or false")]
    [InlineData("Settings:Folder", "/no/folder", "Settings__Folder: found /no/folder, which does not exist, expected a folder with one file for each setting, named as the setting")]
    [InlineData("PageTokens:KeyFile", "/no/key", "PageTokens__KeyFile: found /no/key, which does not exist, expected a file of at least 32 random bytes")]
    [InlineData("Auth:Authority", "issuer", "Auth__Authority: found issuer, expected the address of an OIDC issuer")]
    [InlineData("Auth:Subjects:0:Subject", "somebody", "Auth__Subjects__0: found no Scopes for somebody, expected a Subject, once, with its Scopes")]
    [InlineData("Auth:Cluster:Keys", "http://kubernetes/jwks", "Auth__Cluster__Keys: found http://kubernetes/jwks, expected an https address such as ")]
    [InlineData("Auth:Cluster:Keys", "https://kubernetes/jwks", "Auth__Cluster__TokenFile: found nothing, expected a file with our token for the API server; Auth__Cluster__CaFile: found nothing, ")]
    [InlineData("Limits:ConnectionAge", "never", "Limits__ConnectionAge: found never, expected a duration between 00:00:01 and 1.00:00:00")]
    [InlineData("Limits:Connections", "0", "Limits__Connections: found 0, expected a whole number between 1 and 1000000")]
    [InlineData("Limits:Deadline", "1h", "Limits__Deadline: found 1h, expected a duration between ")]
    [InlineData("Database:MaximumConnections", "1", "Database__MaximumConnections: found 1, expected a whole number between 2 and 500")]
    [InlineData("Shutdown:DrainDelay", "1.00:00", "Shutdown__DrainDelay: found 1.00:00, expected a duration between 00:00:00 and 00:00:20")]
    [InlineData("Reflection", "yes", "Reflection: found yes, expected true or false")]
    public async Task Each_setting_that_is_wrong_is_named_with_what_was_found_and_what_is_expected(string key, string value, string expected)
    {
        await using var house = EchoHouse.Build(host => host.AddPeer<EchoService.EchoServiceClient>("other"), ("Peers:other:Address", "http://127.0.0.1:1"), (key, value));
        var (code, line) = await RunAsync(house.Host);
        Assert.Equal(2, code);
        Assert.Contains(expected, line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_of_files_is_settings_and_wins_over_the_rest()
    {
        var folder = Directory.CreateTempSubdirectory("imet-settings-").FullName;
        try
        {
            File.WriteAllText(Path.Combine(folder, "Limits__Connections"), "many\n");
            await using var house = EchoHouse.Build(_ => { }, ("Settings:Folder", folder), ("Limits:Connections", "10"));
            Assert.Contains("Limits__Connections: found many, expected", (await RunAsync(house.Host)).Error, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_connection_that_is_old_is_left_for_another_and_no_call_fails()
    {
        await using var house = await EchoHouse.StartAsync(("Limits:ConnectionAge", "00:00:01"));
        var peers = new ConcurrentDictionary<string, bool>();
        house.Behavior.OnEcho = async (text, context) =>
        {
            peers.TryAdd(context.Peer, true);
            await Task.Delay(20, context.CancellationToken);
            return text;
        };
        var client = house.Anybody();
        var until = DateTime.UtcNow.AddSeconds(30);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            while (peers.Count < 3 && DateTime.UtcNow < until)
                await client.EchoAsync(new EchoRequest { Text = "hi" }, cancellationToken: Cancel);
        }));
        Assert.True(peers.Count >= 3, $"{peers.Count} connections in 30 seconds, each to last one");
    }

    [Fact]
    public async Task An_unknown_verb_and_a_missing_owner_are_one_line_each()
    {
        var (code, line) = await RunAsync(ServiceHost.Create(["fly"], "echo", Schema, Assembly));
        Assert.Equal((2, "imet echo: \"fly\" is no verb of this service: none serves, migrate brings the schema up to date"), (code, line));
        (code, line) = await RunAsync(ServiceHost.Create(["migrate"], "echo", Schema, Assembly).AddPeer<EchoService.EchoServiceClient>("other"));
        Assert.Equal(2, code);
        Assert.Contains("Database__OwnerConnectionString: found nothing", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_that_is_taken_is_one_line()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        await using var house = EchoHouse.Build(_ => { }, ("Listen:Grpc", $"http://127.0.0.1:{((IPEndPoint)taken.LocalEndpoint).Port}"));
        var (code, line) = await RunAsync(house.Host);
        Assert.Equal(2, code);
        Assert.Contains("another process", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Migrate_makes_the_schema_that_serving_asks_for()
    {
        var database = await servers.NewDatabaseAsync(Cancel);
        await using var early = EchoHouse.Build(_ => { }, ("Database:ConnectionString", database.Runtime(Schema)));
        var (code, line) = await RunAsync(early.Host);
        Assert.Equal(2, code);
        Assert.Contains("the schema is older than this binary and lacks", line, StringComparison.Ordinal);
        Assert.Contains("run the verb migrate first", line, StringComparison.Ordinal);

        foreach (var _ in Enumerable.Range(0, 2))
            Assert.Equal((0, ""), await RunAsync(ServiceHost.Create(["migrate", $"--Database:OwnerConnectionString={database.Owner(Schema)}"], "echo", Schema, Assembly)));

        await using var house = await EchoHouse.StartAsync(("Database:ConnectionString", database.Runtime(Schema)));
        await Eventually.TrueAsync(async () => (await house.GetAsync("/health/ready")).Code == HttpStatusCode.OK, Cancel);
    }

    [Fact]
    public async Task Ready_is_the_database_and_not_the_broker_and_live_is_the_process()
    {
        var database = await DatabaseAsync();
        await using var house = await EchoHouse.StartAsync(("Database:ConnectionString", database.Runtime(Schema)));
        var health = new HealthClient(house.Channel());
        foreach (var name in new[] { "", "ready", "live" })
            await Eventually.TrueAsync(async () => (await health.CheckAsync(new HealthCheckRequest { Service = name }, cancellationToken: Cancel)).Status == HealthCheckResponse.Types.ServingStatus.Serving, Cancel);
        Assert.Equal((HttpStatusCode.OK, "ready\n"), await house.GetAsync("/health/ready"));
        Assert.Equal(StatusCode.NotFound, (await Assert.ThrowsAsync<RpcException>(() => health.CheckAsync(new HealthCheckRequest { Service = "other" }, cancellationToken: Cancel).ResponseAsync)).StatusCode);

        using var watch = health.Watch(new HealthCheckRequest { Service = "ready" }, cancellationToken: Cancel);
        Assert.True(await watch.ResponseStream.MoveNext(Cancel));
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, watch.ResponseStream.Current.Status);
    }

    [Fact]
    public async Task Without_its_database_a_service_lives_unready_and_says_so()
    {
        await using var house = await EchoHouse.StartAsync();
        await Eventually.TrueAsync(async () => (await house.GetAsync("/health/ready")).Text.Contains("database: can't be reached", StringComparison.Ordinal), Cancel);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await house.GetAsync("/health/ready")).Code);
        Assert.Equal((HttpStatusCode.OK, "live\n"), await house.GetAsync("/health/live"));
        var health = new HealthClient(house.Channel());
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.NotServing, (await health.CheckAsync(new HealthCheckRequest(), cancellationToken: Cancel)).Status);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, (await health.CheckAsync(new HealthCheckRequest { Service = "live" }, cancellationToken: Cancel)).Status);
    }

    [Fact]
    public async Task A_house_may_add_to_what_ready_means()
    {
        var database = await DatabaseAsync();
        var snapshot = new Snapshot();
        await using var house = await EchoHouse.StartAsync(host =>
        {
            host.Services.AddSingleton(snapshot);
            host.AddReadiness<Snapshot>("snapshot");
        }, ("Database:ConnectionString", database.Runtime(Schema)));
        await Eventually.TrueAsync(async () => (await house.GetAsync("/health/ready")).Text == "not ready: snapshot: not loaded\n", Cancel);
        snapshot.Loaded = true;
        await Eventually.TrueAsync(async () => (await house.GetAsync("/health/ready")).Code == HttpStatusCode.OK, Cancel);
    }

    [Fact]
    public async Task Replicas_take_each_others_page_tokens_without_a_key_file()
    {
        var database = await DatabaseAsync();
        (string, string)[] settings = [("Database:ConnectionString", database.Runtime(Schema)), ("PageTokens:KeyFile", "")];
        await using var one = await EchoHouse.StartAsync(settings);
        await using var two = await EchoHouse.StartAsync(settings);
        one.Behavior.Things = two.Behavior.Things = ["a", "b"];
        var token = (await one.Anybody().ListThingsAsync(new ListThingsRequest { PageSize = 1 }, cancellationToken: Cancel)).NextPageToken;
        Assert.Equal(["b"], (await two.Anybody().ListThingsAsync(new ListThingsRequest { PageSize = 1, PageToken = token }, cancellationToken: Cancel)).Things);
    }

    [Fact]
    public async Task A_stop_finishes_what_it_began_and_says_first_that_it_is_not_ready()
    {
        var database = await DatabaseAsync();
        await using var house = await EchoHouse.StartAsync(("Database:ConnectionString", database.Runtime(Schema)), ("Shutdown:DrainDelay", "00:00:02"));
        await Eventually.TrueAsync(async () => (await house.GetAsync("/health/ready")).Code == HttpStatusCode.OK, Cancel);
        var (begun, finish) = (new TaskCompletionSource(), new TaskCompletionSource());
        house.Behavior.OnEcho = async (text, _) =>
        {
            begun.TrySetResult();
            await finish.Task;
            return text;
        };
        using var watch = new HealthClient(house.Channel()).Watch(new HealthCheckRequest(), cancellationToken: Cancel);
        Assert.True(await watch.ResponseStream.MoveNext(Cancel));
        var client = house.Anybody();
        var running = client.EchoAsync(new EchoRequest { Text = "to the end" }, cancellationToken: Cancel).ResponseAsync;
        await begun.Task.WaitAsync(Cancel);

        var stopped = house.Host.App!.StopAsync(Cancel);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "not ready: stopping\n"), await house.GetAsync("/health/ready"));
        // Until balancers have noticed, what they still send is done.
        house.Behavior.OnEcho = (text, _) => Task.FromResult(text);
        Assert.Equal("late", (await client.EchoAsync(new EchoRequest { Text = "late" }, cancellationToken: Cancel)).Text);
        await Assert.ThrowsAsync<HttpRequestException>(async () =>
        {
            for (; ; await Task.Delay(50, Cancel))
                await house.GetAsync("/health/live");
        });
        Assert.False(stopped.IsCompleted);
        finish.SetResult();
        Assert.Equal("to the end", (await running).Text);
        await stopped.WaitAsync(TimeSpan.FromSeconds(10), Cancel);
    }

    [Theory]
    [InlineData("true")]
    [InlineData("false")]
    public async Task Reflection_is_there_when_asked_for_and_only_then(string setting)
    {
        await using var house = await EchoHouse.StartAsync(("Reflection", setting));
        using var call = new Grpc.Reflection.V1Alpha.ServerReflection.ServerReflectionClient(house.Channel()).ServerReflectionInfo(cancellationToken: Cancel);
        if (setting == "false")
        {
            Assert.Equal(StatusCode.Unimplemented, (await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(Cancel))).StatusCode);
            return;
        }

        await call.RequestStream.WriteAsync(new Grpc.Reflection.V1Alpha.ServerReflectionRequest { ListServices = "" }, Cancel);
        Assert.True(await call.ResponseStream.MoveNext(Cancel));
        Assert.Contains(call.ResponseStream.Current.ListServicesResponse.Service, service => service.Name == "imet.chassis.tests.EchoService");
    }

    private static async Task<(int Code, string Error)> RunAsync(ServiceHost host)
    {
        var console = Console.Error;
        using var captured = new StringWriter();
        Console.SetError(captured);
        try
        {
            var code = await host.RunAsync().WaitAsync(TimeSpan.FromMinutes(1), Cancel);
            var text = captured.ToString().TrimEnd();
            Assert.DoesNotContain('\n', text);
            return (code, text);
        }
        finally
        {
            Console.SetError(console);
        }
    }

    private sealed class Snapshot : IHealthCheck
    {
        public bool Loaded { get; set; }

        public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
            Task.FromResult(Loaded ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("not loaded"));
    }
}
