using System.Net;
using System.Net.Sockets;
using Grpc.Core;
using Imet.Testing;
using Microsoft.IdentityModel.Tokens;

namespace Imet.Chassis.Tests;

public sealed class AuthenticationTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(SecurityAlgorithms.EcdsaSha256)]
    [InlineData(SecurityAlgorithms.RsaSha256)]
    [InlineData(SecurityAlgorithms.RsaSsaPssSha256)]
    public async Task A_good_token_is_let_in(string algorithm)
    {
        await using var house = await EchoHouse.StartAsync();
        var client = house.Client(house.Keys.Token(algorithm: algorithm));
        for (var i = 0; i < 3; i++)
            Assert.Equal("hello", (await client.EchoAsync(new EchoRequest { Text = "hello" }, cancellationToken: Cancel)).Text);
    }

    [Fact]
    public async Task Every_token_that_is_not_ours_is_refused_without_saying_why()
    {
        await using var house = await EchoHouse.StartAsync();
        var keys = house.Keys;
        var tokens = new Dictionary<string, string>
        {
            ["garbage"] = "garbage",
            ["three parts of garbage"] = "a.b.c",
            ["alg none"] = Keys.Unsigned(),
            ["HS256 with the public key"] = keys.SignedWithThePublicKey(),
            ["PS384, not on the list"] = keys.Token(algorithm: SecurityAlgorithms.RsaSsaPssSha384),
            ["another audience"] = keys.Token(audience: "imet.enrollment"),
            ["another issuer"] = keys.Token(issuer: "https://elsewhere.test"),
            ["expired"] = keys.Token(from: TimeSpan.FromHours(-2)),
            ["not yet valid"] = keys.Token(from: TimeSpan.FromHours(2)),
            ["ten years"] = keys.Token(life: TimeSpan.FromDays(3653)),
            ["ten years, issued far ahead"] = keys.Token(from: TimeSpan.FromSeconds(50), life: TimeSpan.FromDays(3653)),
            ["another key under our name"] = keys.Token(key: Keys.AnotherKey()),
            ["a key nobody knows"] = keys.Token(key: new RsaSecurityKey(System.Security.Cryptography.RSA.Create(2048)) { KeyId = "../../keys" }, algorithm: SecurityAlgorithms.RsaSha256),
            ["nobody"] = keys.Token(subject: ""),
        };
        foreach (var (what, token) in tokens)
        {
            var (code, reason, status) = await Refused.ByAsync(() => house.Client(token).EchoAsync(new EchoRequest(), cancellationToken: Cancel).ResponseAsync);
            Assert.Equal((what, StatusCode.Unauthenticated, "TOKEN_INVALID"), (what, code, reason));
            Assert.Equal("The bearer token is not acceptable.", status.Message);
        }

        var missing = await Refused.ByAsync(() => house.Client().EchoAsync(new EchoRequest(), cancellationToken: Cancel).ResponseAsync);
        Assert.Equal((StatusCode.Unauthenticated, "TOKEN_MISSING"), (missing.Code, missing.Reason));
        Assert.Empty(house.Behavior.Calls);
        Assert.Equal(0, house.Log.Errors);
        Assert.Contains("why=\"algorithm\"", (await house.GetAsync("/metrics")).Text);
    }

    [Fact]
    public async Task A_key_that_a_token_points_to_is_never_fetched()
    {
        await using var house = await EchoHouse.StartAsync();
        using var trap = new TcpListener(IPAddress.Loopback, 0);
        trap.Start();
        var address = $"http://127.0.0.1:{((IPEndPoint)trap.LocalEndpoint).Port}/jwks";
        var token = house.Keys.Token(key: Keys.AnotherKey(), headers: new Dictionary<string, object> { ["jku"] = address, ["x5u"] = address });
        Assert.Equal("TOKEN_INVALID", (await Refused.ByAsync(() => house.Client(token).EchoAsync(new EchoRequest(), cancellationToken: Cancel).ResponseAsync)).Reason);
        Assert.False(trap.Pending());
    }

    [Fact]
    public async Task A_new_keys_file_is_taken_up_and_the_old_key_is_good_no_more()
    {
        await using var house = await EchoHouse.StartAsync();
        var old = house.Client(house.Keys.Token());
        await old.EchoAsync(new EchoRequest(), cancellationToken: Cancel);
        house.Keys.Replace();
        var renewed = house.Client(house.Keys.Token());
        await Eventually.TrueAsync(async () =>
        {
            try
            {
                await renewed.EchoAsync(new EchoRequest(), cancellationToken: Cancel);
                return true;
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.Unauthenticated)
            {
                return false;
            }
        }, Cancel);
        Assert.Equal("TOKEN_INVALID", (await Refused.ByAsync(() => old.EchoAsync(new EchoRequest(), cancellationToken: Cancel).ResponseAsync)).Reason);
    }

    [Fact]
    public async Task Each_method_asks_for_the_scope_in_its_proto_option_and_for_no_other()
    {
        await using var house = await EchoHouse.StartAsync();
        string[] scopes = ["echo.read", "echo.write", "echo.admin", "echo", "echo.readwrite", ""];
        var methods = new Dictionary<string, Func<EchoService.EchoServiceClient, Task>>
        {
            ["Echo"] = client => client.EchoAsync(new EchoRequest(), cancellationToken: Cancel).ResponseAsync,
            ["Change"] = client => client.ChangeAsync(RequestsTests.Good(), cancellationToken: Cancel).ResponseAsync,
            ["ListThings"] = client => client.ListThingsAsync(new ListThingsRequest(), cancellationToken: Cancel).ResponseAsync,
            ["WatchThings"] = client => client.WatchThings(new WatchThingsRequest(), cancellationToken: Cancel).ResponseStream.MoveNext(Cancel),
        };
        var service = TestEchoReflection.Descriptor.Services[0];
        Assert.Equal(service.Methods.Select(method => method.Name), methods.Keys);
        var required = Scopes.Of(service);
        foreach (var (method, call) in methods)
            foreach (var scope in scopes)
            {
                var client = house.Client(house.Keys.Token(scope));
                var needed = required[$"/{service.FullName}/{method}"];
                if (scope == needed)
                {
                    await call(client);
                    continue;
                }

                var (code, reason, status) = await Refused.ByAsync(() => call(client));
                Assert.Equal((method, scope, StatusCode.PermissionDenied, "SCOPE_REQUIRED"), (method, scope, code, reason));
                Assert.Equal(needed, status.GetDetail<Google.Rpc.ErrorInfo>().Metadata["scope"]);
            }
    }

    [Fact]
    public async Task What_there_is_not_is_unimplemented()
    {
        await using var house = await EchoHouse.StartAsync();
        var invoker = house.Channel(house.Keys.Token()).CreateCallInvoker();
        foreach (var (service, name) in new[] { ("imet.chassis.tests.NoService", "Nothing"), ("imet.chassis.tests.EchoService", "Nothing"), ("imet.chassis.tests.OpenService", "Echo") })
        {
            var method = new Method<EchoRequest, EchoResponse>(MethodType.Unary, service, name,
                Marshallers.Create(_ => Array.Empty<byte>(), EchoRequest.Parser.ParseFrom), Marshallers.Create(_ => Array.Empty<byte>(), EchoResponse.Parser.ParseFrom));
            var e = await Assert.ThrowsAsync<RpcException>(() => invoker.AsyncUnaryCall(method, null, new CallOptions(cancellationToken: Cancel), new EchoRequest()).ResponseAsync);
            Assert.Equal(StatusCode.Unimplemented, e.StatusCode);
        }
    }

    [Fact]
    public async Task A_caller_with_countries_may_touch_only_these()
    {
        await using var house = await EchoHouse.StartAsync();
        var client = house.Client(house.Keys.Token(countries: "FRA NOR"));
        var request = RequestsTests.Good();
        foreach (var own in new[] { "FRA", "NOR" })
        {
            request.Country = own;
            await client.ChangeAsync(request, cancellationToken: Cancel);
        }

        request.Country = "DEU";
        var (code, reason, status) = await Refused.ByAsync(() => client.ChangeAsync(request, cancellationToken: Cancel).ResponseAsync);
        Assert.Equal((StatusCode.PermissionDenied, "COUNTRY_NOT_PERMITTED"), (code, reason));
        Assert.Equal("DEU", status.GetDetail<Google.Rpc.ErrorInfo>().Metadata["country"]);

        // A claim without a country is a right to none, not to all.
        Assert.Equal("COUNTRY_NOT_PERMITTED", (await Refused.ByAsync(() => house.Client(house.Keys.Token(countries: "")).ChangeAsync(request, cancellationToken: Cancel).ResponseAsync)).Reason);
    }

    [Fact]
    public async Task A_subject_whose_token_has_no_scopes_gets_those_of_the_settings()
    {
        await using var house = await EchoHouse.StartAsync(
            ("Auth:Subjects:0:Subject", "system:serviceaccount:imet:enrollment"), ("Auth:Subjects:0:Scopes", "echo.read"));
        await house.Client(house.Keys.Token("", "system:serviceaccount:imet:enrollment")).EchoAsync(new EchoRequest(), cancellationToken: Cancel);
        Assert.Equal("SCOPE_REQUIRED", (await Refused.ByAsync(() => house.Client(house.Keys.Token("", "another")).EchoAsync(new EchoRequest(), cancellationToken: Cancel).ResponseAsync)).Reason);
    }

    [Fact]
    public void A_service_with_a_method_without_a_scope_does_not_start()
    {
        var e = Assert.Throws<InvalidOperationException>(() => EchoHouse.Build(host => host.MapService<Echoing>(TestEchoReflection.Descriptor.Services[1])));
        Assert.Contains("OpenService.Echo", e.Message, StringComparison.Ordinal);
    }
}
