using Google.Protobuf;
using Grpc.Core;
using Imet.Testing;

namespace Imet.Chassis.Tests;

public sealed class WritesTests(Servers servers)
{
    private const string Method = "/imet.Notes/Write";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_hundred_identical_calls_have_one_effect_and_a_hundred_equal_answers()
    {
        await using var stage = await StartAsync();
        var request = new WriteNoteRequest { RequestId = Guid.NewGuid().ToString(), Text = "once" };
        var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => Task.Run(() => WriteAsync(stage, request, "officer"))));
        Assert.Single(answers.Select(answer => answer.ToByteString()).Distinct());
        Assert.Equal(1, await stage.QueryOneAsync<int>("select count(*) from note"));
        Assert.Equal(1, await stage.QueryOneAsync<int>("select count(*) from outbox"));
    }

    [Fact]
    public async Task A_replayed_request_returns_the_first_response_without_running()
    {
        await using var stage = await StartAsync();
        var writes = stage.Get<Writes>();
        var request = new WriteNoteRequest { RequestId = Guid.NewGuid().ToString(), Text = "once" };
        Assert.Null(await writes.ReplayAsync<WriteNoteRequest, WriteNoteResponse>(request, "officer", Method, Cancel));
        var first = await WriteAsync(stage, request, "officer");
        Assert.Equal(first, await writes.RunAsync<WriteNoteRequest, WriteNoteResponse>(request, "officer", Method, _ => throw new InvalidOperationException("ran"), Cancel));
        Assert.Equal(first, await writes.ReplayAsync<WriteNoteRequest, WriteNoteResponse>(request, "officer", Method, Cancel));
    }

    [Fact]
    public async Task The_same_id_with_another_body_is_refused()
    {
        await using var stage = await StartAsync();
        var request = new WriteNoteRequest { RequestId = Guid.NewGuid().ToString(), Text = "once" };
        await WriteAsync(stage, request, "officer");
        var refused = await Assert.ThrowsAnyAsync<RpcException>(() => WriteAsync(stage, new WriteNoteRequest(request) { Text = "twice" }, "officer"));
        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        Assert.Equal(1, await stage.QueryOneAsync<int>("select count(*) from note"));
    }

    [Fact]
    public async Task Another_callers_id_is_another_request()
    {
        await using var stage = await StartAsync();
        var request = new WriteNoteRequest { RequestId = Guid.NewGuid().ToString(), Text = "once" };
        Assert.NotEqual(await WriteAsync(stage, request, "officer"), await WriteAsync(stage, request, "other"));
        Assert.Equal(2, await stage.QueryOneAsync<int>("select count(*) from note"));
    }

    [Fact]
    public async Task A_refusal_is_not_stored()
    {
        await using var stage = await StartAsync();
        var request = new WriteNoteRequest { RequestId = Guid.NewGuid().ToString(), Text = "once" };
        await Assert.ThrowsAsync<InvalidOperationException>(() => stage.Get<Writes>().RunAsync<WriteNoteRequest, WriteNoteResponse>(request, "officer", Method, tx =>
        {
            tx.Enqueue("insert into note (id, version) values ('a', 1)");
            throw new InvalidOperationException("refused");
        }, Cancel));
        Assert.Equal(0, await stage.QueryOneAsync<int>("select (select count(*) from note) + (select count(*) from request_log)"));
        await WriteAsync(stage, request, "officer");
    }

    [Fact]
    public async Task A_request_with_personal_data_is_hashed_with_a_salt_of_its_own()
    {
        await using var stage = await StartAsync();
        var writes = stage.Get<Writes>();
        for (var i = 0; i < 2; i++)
        {
            var request = new RegisterRequest { RequestId = Guid.NewGuid().ToString(), Person = new Person { Name = "A. Canary" } };
            var first = await writes.RunAsync(request, "officer", Method, _ => Task.FromResult(new WriteNoteResponse { Id = "x" }), Cancel);
            Assert.Equal(first, await writes.ReplayAsync<RegisterRequest, WriteNoteResponse>(request, "officer", Method, Cancel));
        }
        await WriteAsync(stage, new WriteNoteRequest { RequestId = Guid.NewGuid().ToString() }, "officer");
        Assert.Equal((2, 1), (await stage.QueryOneAsync<int>("select count(distinct salt) from request_log"), await stage.QueryOneAsync<int>("select count(*) from request_log where salt is null")));
    }

    [Fact]
    public async Task Answers_are_kept_for_their_time_and_then_deleted()
    {
        await using var stage = await Stage.StartAsync(await Stage.NewDatabaseAsync(servers));
        var old = new WriteNoteRequest { RequestId = Guid.NewGuid().ToString() };
        var young = new WriteNoteRequest { RequestId = Guid.NewGuid().ToString() };
        await WriteAsync(stage, old, "officer");
        await WriteAsync(stage, young, "officer");
        await Stage.AdministerAsync(stage.Data, $"update enrollment.request_log set recorded_at = now() - interval '8 days' where request_id = '{old.RequestId}'");
        await using var keeping = await Stage.StartAsync(stage.Data, services => services.AddHousekeeping(new HousekeepingSettings()));
        await Eventually.TrueAsync(async () => await stage.QueryOneAsync<int>("select count(*) from request_log") == 1, Cancel);
        Assert.NotNull(await stage.Get<Writes>().ReplayAsync<WriteNoteRequest, WriteNoteResponse>(young, "officer", Method, Cancel));
    }

    private async Task<Stage> StartAsync() => await Stage.StartAsync(await Stage.NewDatabaseAsync(servers));

    private static Task<WriteNoteResponse> WriteAsync(Stage stage, WriteNoteRequest request, string caller) => stage.Get<Writes>().RunAsync(request, caller, Method, tx =>
    {
        var id = Guid.CreateVersion7().ToString();
        tx.Enqueue("insert into note (id, version) values ($1, 1)", id);
        tx.Publish(Stage.NoteEvent(id, 1));
        return Task.FromResult(new WriteNoteResponse { Id = id });
    }, Cancel);
}
