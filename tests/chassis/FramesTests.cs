using System.Buffers.Binary;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using Google.Protobuf;
using Grpc.Core;

namespace Imet.Chassis.Tests;

public sealed class FramesTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static readonly byte[] Good = new EchoRequest { Text = "hello" }.ToByteArray();

    public static TheoryData<string> Broken() => new(Frames.Keys);

    private static readonly Dictionary<string, byte[]> Frames = new()
    {
        ["garbage"] = Frame([0xff, 0xff, 0xff, 0xff, 0xff]),
        ["a field of no known type"] = Frame([0x0f, 0x01]),
        ["bad UTF-8"] = Frame([0x0a, 0x02, 0xc3, 0x28]),
        ["a length beyond the end"] = Frame([0x0a, 0x7f, 0x41]),
        ["groups 10,000 deep"] = Frame([.. Enumerable.Repeat((byte)0x0b, 10_000)]),
        ["truncated"] = Frame(Good)[..^2],
        ["half a header"] = [0, 0, 0],
        ["nothing"] = [],
        ["two messages"] = [.. Frame(Good), .. Frame(Good)],
        ["compressed without an encoding"] = Frame(Good, flag: 1),
        ["a flag of 7"] = Frame(Good, flag: 7),
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public async Task Bytes_that_are_not_the_message_are_the_callers_fault(string what)
    {
        await using var house = await EchoHouse.StartAsync();
        var answer = await SendAsync(house, Frames[what]);
        Assert.Equal((StatusCode.InvalidArgument, "MALFORMED_MESSAGE"), (answer.Code, answer.Reason));
        Assert.Empty(house.Behavior.Calls);
        Assert.Equal(0, house.Log.Errors);
        Assert.Equal((StatusCode.OK, ""), await SendAsync(house, Frame(Good)));
    }

    [Fact]
    public async Task A_message_beyond_the_limit_is_too_large_also_when_it_is_small_on_the_way()
    {
        await using var house = await EchoHouse.StartAsync();
        Assert.Equal((StatusCode.ResourceExhausted, "MESSAGE_TOO_LARGE"), await SendAsync(house, Frame(new EchoRequest { Text = new string('x', 300_000) }.ToByteArray())));

        using var squeezed = new MemoryStream();
        await using (var gzip = new GZipStream(squeezed, CompressionLevel.Optimal, leaveOpen: true))
            await gzip.WriteAsync(new byte[50_000_000], Cancel);
        Assert.Equal((StatusCode.ResourceExhausted, "MESSAGE_TOO_LARGE"), await SendAsync(house, Frame(squeezed.ToArray(), flag: 1), request => request.Headers.Add("grpc-encoding", "gzip")));

        Assert.Equal(StatusCode.Unimplemented, (await SendAsync(house, Frame(Good, flag: 1), request => request.Headers.Add("grpc-encoding", "zstd"))).Code);
        Assert.Equal(0, house.Log.Errors);
    }

    [Theory]
    [InlineData("", "MALFORMED_MESSAGE")]
    [InlineData("S", "MALFORMED_MESSAGE")]
    [InlineData("5", "MALFORMED_MESSAGE")]
    [InlineData("5s", "MALFORMED_MESSAGE")]
    [InlineData("-5S", "MALFORMED_MESSAGE")]
    [InlineData("+5S", "MALFORMED_MESSAGE")]
    [InlineData(" 5S", "MALFORMED_MESSAGE")]
    [InlineData("5.5S", "MALFORMED_MESSAGE")]
    [InlineData("123456789S", "MALFORMED_MESSAGE")]
    [InlineData("infinity", "MALFORMED_MESSAGE")]
    [InlineData("0n", "DEADLINE_EXCEEDED")]
    [InlineData("0S", "DEADLINE_EXCEEDED")]
    [InlineData("5S", "")]
    [InlineData("99999999H", "")]
    public async Task A_time_limit_is_understood_or_refused_never_ignored(string timeout, string reason)
    {
        await using var house = await EchoHouse.StartAsync();
        var answer = await SendAsync(house, Frame(Good), request => request.Headers.TryAddWithoutValidation("grpc-timeout", timeout));
        // An empty header does not leave every client.
        if (timeout.Length > 0)
            Assert.Equal(reason, answer.Reason);
    }

    [Fact]
    public async Task No_call_runs_longer_than_the_service_allows()
    {
        await using var house = await EchoHouse.StartAsync(("Limits:Deadline", "00:00:00.300"));
        var ended = new TaskCompletionSource();
        house.Behavior.OnEcho = async (text, context) =>
        {
            context.CancellationToken.Register(ended.SetResult);
            await Task.Delay(Timeout.Infinite, context.CancellationToken);
            return text;
        };
        foreach (var asked in new DateTime?[] { null, DateTime.UtcNow.AddHours(1) })
        {
            ended = new TaskCompletionSource();
            var (code, reason, _) = await Refused.ByAsync(() => house.Anybody().EchoAsync(new EchoRequest(), deadline: asked, cancellationToken: Cancel).ResponseAsync);
            Assert.Equal((StatusCode.DeadlineExceeded, "DEADLINE_EXCEEDED"), (code, reason));
            await ended.Task.WaitAsync(Cancel);
        }

        Assert.Equal(0, house.Log.Errors);
        Assert.Contains("imet_rpc_without_deadline", (await house.GetAsync("/metrics")).Text);
    }

    [Fact]
    public async Task A_fault_of_ours_gives_its_name_in_our_logs_and_nothing_else()
    {
        await using var house = await EchoHouse.StartAsync();
        house.Behavior.OnEcho = (_, _) => throw new InvalidOperationException("secret");
        var (code, reason, status) = await Refused.ByAsync(() => house.Anybody().EchoAsync(new EchoRequest(), cancellationToken: Cancel).ResponseAsync);
        Assert.Equal((StatusCode.Internal, "INTERNAL"), (code, reason));
        var correlation = status.GetDetail<Google.Rpc.ErrorInfo>().Metadata["correlation_id"];
        Assert.DoesNotContain("secret", status.ToString(), StringComparison.Ordinal);
        Assert.Contains(house.Log.Lines, line => line.Text.Contains(correlation, StringComparison.Ordinal) && line.Text.Contains("secret", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_a_database_or_a_peer_says_is_not_passed_on()
    {
        await using var house = await EchoHouse.StartAsync();
        var secret = "surname \"Ibsen\"";
        var cases = new (Exception Thrown, StatusCode Code, string Reason)[]
        {
            (new Npgsql.NpgsqlException(secret, new System.Net.Sockets.SocketException()), StatusCode.Unavailable, "DEPENDENCY_UNAVAILABLE"),
            (new Npgsql.PostgresException(secret, "FATAL", "FATAL", "57P01"), StatusCode.Unavailable, "DEPENDENCY_UNAVAILABLE"),
            (new Npgsql.PostgresException(secret, "ERROR", "ERROR", "40001"), StatusCode.Unavailable, "DEPENDENCY_UNAVAILABLE"),
            (new Npgsql.PostgresException(secret, "ERROR", "ERROR", "57014"), StatusCode.DeadlineExceeded, "DEADLINE_EXCEEDED"),
            (new Npgsql.PostgresException(secret, "ERROR", "ERROR", "23505"), StatusCode.Internal, "INTERNAL"),
            (new RpcException(new Status(StatusCode.Unavailable, secret)), StatusCode.Unavailable, "DEPENDENCY_UNAVAILABLE"),
            (new RpcException(new Status(StatusCode.PermissionDenied, secret)), StatusCode.Internal, "INTERNAL"),
            (new RpcException(new Status(StatusCode.DeadlineExceeded, secret)), StatusCode.DeadlineExceeded, "DEADLINE_EXCEEDED"),
            (new OperationCanceledException(secret), StatusCode.Internal, "INTERNAL"),
        };
        foreach (var (thrown, code, reason) in cases)
        {
            house.Behavior.OnEcho = (_, _) => throw thrown;
            var refused = await Refused.ByAsync(() => house.Anybody().EchoAsync(new EchoRequest(), cancellationToken: Cancel).ResponseAsync);
            Assert.Equal((thrown.ToString(), code, reason), (thrown.ToString(), refused.Code, refused.Reason));
            Assert.DoesNotContain("Ibsen", refused.Status.ToString(), StringComparison.Ordinal);
            if (code == StatusCode.Unavailable)
                Assert.NotNull(refused.Status.GetDetail<Google.Rpc.RetryInfo>());
        }

        Assert.DoesNotContain(house.Log.Lines, line => line.Text.Contains("23505", StringComparison.Ordinal) && line.Text.Contains("Ibsen", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Calls_are_counted_by_method_and_code()
    {
        await using var house = await EchoHouse.StartAsync();
        await house.Anybody().EchoAsync(new EchoRequest(), cancellationToken: Cancel);
        await Assert.ThrowsAsync<RpcException>(() => house.Client().EchoAsync(new EchoRequest(), cancellationToken: Cancel).ResponseAsync);
        var metrics = (await house.GetAsync("/metrics")).Text;
        foreach (var code in new[] { "OK", "Unauthenticated" })
            Assert.Contains(metrics.Split('\n'), line => line.StartsWith("imet_rpc_duration_seconds_count", StringComparison.Ordinal)
                && line.Contains($"code=\"{code}\"", StringComparison.Ordinal) && line.Contains("method=\"/imet.chassis.tests.EchoService/Echo\"", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Each_port_offers_only_its_own()
    {
        await using var house = await EchoHouse.StartAsync();
        using var http = new HttpClient(new SocketsHttpHandler()) { DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        foreach (var path in new[] { "/metrics", "/health/ready", "/health/live" })
        {
            using var response = await http.GetAsync(new Uri(house.Grpc, path), Cancel);
            Assert.DoesNotContain("imet_rpc", await response.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
            Assert.False(response.IsSuccessStatusCode && !response.Headers.Contains("grpc-status"), path);
        }

        Assert.Equal(HttpStatusCode.NotFound, (await house.GetAsync("/imet.chassis.tests.EchoService/Echo")).Code);
    }

    private static byte[] Frame(byte[] message, byte flag = 0)
    {
        var frame = new byte[5 + message.Length];
        frame[0] = flag;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), message.Length);
        message.CopyTo(frame, 5);
        return frame;
    }

    private static async Task<(StatusCode Code, string Reason)> SendAsync(EchoHouse house, byte[] body, Action<HttpRequestMessage>? change = null)
    {
        using var http = new HttpClient(new SocketsHttpHandler()) { DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(house.Grpc, "/imet.chassis.tests.EchoService/Echo"))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(body),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", house.Keys.Token());
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        change?.Invoke(request);
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
        if (!response.Headers.Contains("grpc-status"))
            await response.Content.ReadAsByteArrayAsync(Cancel);
        string? Header(string name) => response.Headers.TryGetValues(name, out var values) || response.TrailingHeaders.TryGetValues(name, out values) ? values.Single() : null;
        var code = (StatusCode)int.Parse(Header("grpc-status")!, null);
        var reason = Header("grpc-status-details-bin") is { } details
            ? Google.Rpc.Status.Parser.ParseFrom(Convert.FromBase64String(details.PadRight((details.Length + 3) / 4 * 4, '='))).GetDetail<Google.Rpc.ErrorInfo>().Reason
            : "";
        return (code, reason);
    }
}
