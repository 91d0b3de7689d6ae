using Grpc.Core;
using Imet.Testing;
using Microsoft.Extensions.DependencyInjection;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace Imet.Chassis.Tests;

public sealed class PeersTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>A house whose echo asks a peer.</summary>
    private static async Task<EchoHouse> AskerAsync(string peer, Clock? clock = null, params (string, string)[] settings)
    {
        var house = await EchoHouse.StartAsync(host =>
        {
            host.AddPeer<EchoService.EchoServiceClient>("other");
            if (clock is not null)
                host.Services.AddSingleton<TimeProvider>(clock);
        }, [("Peers:other:Address", peer), .. settings]);
        var client = house.Host.App!.Services.GetRequiredService<EchoService.EchoServiceClient>();
        house.Behavior.OnEcho = async (text, _) => (await client.EchoAsync(new EchoRequest { Text = text })).Text;
        return house;
    }

    private static (string, string) TokenOf(EchoHouse peer)
    {
        var file = Path.Combine(peer.Folder, "bearer");
        File.WriteAllText(file, peer.Keys.Token(subject: "asker"));
        return ("Auth:TokenFile", file);
    }

    [Theory]
    [InlineData("http://127.0.0.1:{0}")]
    [InlineData("dns:///localhost:{0}")]
    [InlineData("static:///127.0.0.1:{0}")]
    public async Task A_peer_is_asked_with_our_token_and_a_little_less_time_than_we_have(string form)
    {
        await using var peer = await EchoHouse.StartAsync();
        await using var asker = await AskerAsync(string.Format(null, form, peer.Grpc.Port), settings: TokenOf(peer));
        var seen = new TaskCompletionSource<(DateTime Deadline, string Subject)>();
        peer.Behavior.OnEcho = (text, context) =>
        {
            seen.SetResult((context.Deadline, Caller.Of(context).Subject));
            return Task.FromResult(text);
        };
        var deadline = DateTime.UtcNow.AddSeconds(8);
        Assert.Equal("hi", (await asker.Anybody().EchoAsync(new EchoRequest { Text = "hi" }, deadline: deadline, cancellationToken: Cancel)).Text);
        var (at, subject) = await seen.Task;
        Assert.Equal("asker", subject);
        // Deadlines travel as what is left of them, so the way itself adds some milliseconds.
        var ours = asker.Behavior.Calls.Single().Deadline;
        Assert.InRange(at, ours - TimeSpan.FromMilliseconds(25), ours + TimeSpan.FromSeconds(2));
    }

    [Fact]
    public async Task The_margin_is_taken_off_and_no_time_left_is_no_question()
    {
        var asked = new List<DateTime?>();
        var interceptor = new PeerInterceptor(new PeerSettings { Name = "other", Address = new Uri("http://127.0.0.1:1"), Tls = false }, token: null, TimeProvider.System);
        var method = new Method<EchoRequest, EchoResponse>(MethodType.Unary, "s", "m", Marshallers.Create(_ => Array.Empty<byte>(), _ => new EchoRequest()), Marshallers.Create(_ => Array.Empty<byte>(), _ => new EchoResponse()));
        Task<EchoResponse> AskAsync(DateTime? deadline) => interceptor.AsyncUnaryCall(new EchoRequest(), new Grpc.Core.Interceptors.ClientInterceptorContext<EchoRequest, EchoResponse>(method, null, new CallOptions(deadline: deadline)), (_, context) =>
        {
            asked.Add(context.Options.Deadline);
            return new AsyncUnaryCall<EchoResponse>(Task.FromResult(new EchoResponse()), Task.FromResult(Metadata.Empty), () => Status.DefaultSuccess, () => Metadata.Empty, () => { });
        }).ResponseAsync;

        await AskAsync(null);
        Assert.InRange(asked.Single()!.Value, DateTime.UtcNow.AddSeconds(1), DateTime.UtcNow.AddSeconds(5));

        var callers = DateTime.UtcNow.AddSeconds(3);
        CallInProgress.Enter(callers, Cancel);
        await AskAsync(null);
        Assert.Equal(callers - PeerInterceptor.Margin, asked[1]);
        var own = DateTime.UtcNow.AddSeconds(1);
        await AskAsync(own);
        Assert.Equal(own, asked[2]);

        CallInProgress.Enter(DateTime.UtcNow.AddMilliseconds(10), Cancel);
        Assert.Equal(StatusCode.DeadlineExceeded, (await Assert.ThrowsAnyAsync<RpcException>(() => AskAsync(null))).StatusCode);
        Assert.Equal(3, asked.Count);
    }

    [Fact]
    public async Task What_is_unavailable_for_a_moment_is_asked_again_and_nothing_else_is()
    {
        await using var peer = await EchoHouse.StartAsync();
        await using var asker = await AskerAsync(peer.Grpc.ToString(), settings: TokenOf(peer));
        var attempts = 0;
        peer.Behavior.OnEcho = (text, _) => ++attempts < 4 ? throw Refusal.Of(Options.V1.CommonReason.DependencyUnavailable, "not now").ToException() : Task.FromResult(text);
        Assert.Equal("hi", (await asker.Anybody().EchoAsync(new EchoRequest { Text = "hi" }, cancellationToken: Cancel)).Text);
        Assert.Equal(4, attempts);

        attempts = 0;
        peer.Behavior.OnEcho = (_, _) =>
        {
            attempts++;
            throw Refusal.Of(Options.V1.CommonReason.EtagMismatch, "changed").ToException();
        };
        // A peer's refusal is not our caller's: the house must make its own of it.
        Assert.Equal("INTERNAL", (await Refused.ByAsync(() => asker.Anybody().EchoAsync(new EchoRequest(), cancellationToken: Cancel).ResponseAsync)).Reason);
        Assert.Equal(1, attempts);
    }

    [Fact]
    public async Task A_peer_that_does_not_answer_is_left_alone_for_a_while_and_then_tried_again()
    {
        var clock = new Clock();
        await using var peer = await EchoHouse.StartAsync();
        await using var asker = await AskerAsync(peer.Grpc.ToString(), clock, TokenOf(peer));
        var calls = 0;
        var broken = true;
        peer.Behavior.OnEcho = (text, _) =>
        {
            calls++;
            return broken ? throw Refusal.Of(Options.V1.CommonReason.DependencyUnavailable, "no").ToException() : Task.FromResult(text);
        };
        async Task<(StatusCode, string, string)> AskAsync()
        {
            var (code, reason, status) = await Refused.ByAsync(() => asker.Anybody().EchoAsync(new EchoRequest(), cancellationToken: Cancel).ResponseAsync);
            return (code, reason, status.GetDetail<Google.Rpc.ErrorInfo>().Metadata["dependency"]);
        }

        for (var i = 0; i < 10; i++)
            Assert.Equal((StatusCode.Unavailable, "DEPENDENCY_UNAVAILABLE", "other"), await AskAsync());
        // Ten questions in an outage are not forty: the throttle stops retries before the breaker stops questions.
        Assert.InRange(calls, 10, 30);
        var before = calls;
        for (var i = 0; i < 20; i++)
            Assert.Equal((StatusCode.Unavailable, "DEPENDENCY_UNAVAILABLE", "other"), await AskAsync());
        Assert.Equal(before, calls);

        broken = false;
        clock.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal("hi", (await asker.Anybody().EchoAsync(new EchoRequest { Text = "hi" }, cancellationToken: Cancel)).Text);
    }

    [Fact]
    public async Task A_peers_refusals_do_not_open_the_breaker()
    {
        await using var peer = await EchoHouse.StartAsync();
        await using var asker = await AskerAsync(peer.Grpc.ToString(), settings: TokenOf(peer));
        peer.Behavior.OnEcho = (_, _) => throw Refusal.Of(Options.V1.CommonReason.NotFound, "none").ToException();
        for (var i = 0; i < 30; i++)
            Assert.Equal("INTERNAL", (await Refused.ByAsync(() => asker.Anybody().EchoAsync(new EchoRequest(), cancellationToken: Cancel).ResponseAsync)).Reason);
        Assert.Equal(30, peer.Behavior.Calls.Count);
    }

    [Fact]
    public async Task A_renewed_token_is_used_without_a_restart()
    {
        await using var peer = await EchoHouse.StartAsync();
        var (key, file) = TokenOf(peer);
        await using var asker = await AskerAsync(peer.Grpc.ToString(), settings: (key, file));
        string subject = "";
        peer.Behavior.OnEcho = (text, context) =>
        {
            subject = Caller.Of(context).Subject;
            return Task.FromResult(text);
        };
        await asker.Anybody().EchoAsync(new EchoRequest(), cancellationToken: Cancel);
        Assert.Equal("asker", subject);
        await File.WriteAllTextAsync(file, peer.Keys.Token(subject: "renewed"), Cancel);
        await Eventually.TrueAsync(async () =>
        {
            await asker.Anybody().EchoAsync(new EchoRequest(), cancellationToken: Cancel);
            return subject == "renewed";
        }, Cancel);
    }

    [Fact]
    public void The_published_service_config_repeats_only_what_may_be_repeated()
    {
        var config = PublishedServiceConfig.Read();
        var policy = config.MethodConfigs.Single().RetryPolicy!;
        Assert.Equal((4, StatusCode.Unavailable), (policy.MaxAttempts, policy.RetryableStatusCodes.Single()));
        Assert.Equal(TimeSpan.FromMilliseconds(50), policy.InitialBackoff);
        Assert.Equal("round_robin", config.LoadBalancingConfigs.Single().PolicyName);
        Assert.Equal(20, config.RetryThrottling!.MaxTokens);

        // It is for all methods alike, so all must bear it: they read, or they carry a request_id.
        string[] reads = ["Get", "List", "Search", "Resolve", "Evaluate", "Explain", "Check", "Preview", "Watch", "Verify"];
        foreach (var service in new ServiceDescriptor[]
                 {
                     CountryEligibility.V1.CountryEligibilityServiceReflection.Descriptor.Services[0], CourseCatalog.V1.CourseCatalogServiceReflection.Descriptor.Services[0],
                     Enrollment.V1.EnrollmentServiceReflection.Descriptor.Services[0],
                 })
            foreach (var method in service.Methods)
                Assert.True(
                    method.InputType.FindFieldByName("request_id") is not null || reads.Any(read => method.Name.StartsWith(read, StringComparison.Ordinal) || method.Name.StartsWith($"Batch{read}", StringComparison.Ordinal)),
                    $"{method.FullName} neither reads nor carries a request_id.");
    }
}
