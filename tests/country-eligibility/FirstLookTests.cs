using Grpc.Core;
using Imet.Testing;
using Xunit;

namespace Imet.CountryEligibility.Tests;

public sealed class FirstLookTests(Servers servers)
{
    [Fact]
    public async Task A_replica_that_has_not_seen_the_record_yet_answers_nothing_and_is_unready()
    {
        var cancel = TestContext.Current.CancellationToken;
        await using var stack = await Stack.StartAsync(servers, 1, cancel);
        await stack.DecideAsync(Stack.Suspend("GUY"));
        var replica = stack.Replicas[0];
        await replica.KillAsync(cancel);
        await Stack.ExecuteAsync(servers.Postgres.Administration("postgres"), $"""
            alter database "{stack.Database.Name}" allow_connections false;
            select pg_terminate_backend(pid) from pg_stat_activity where datname = '{stack.Database.Name}';
            """);

        var restarting = replica.RestartAsync(cancel);
        await Eventually.TrueAsync(async () =>
        {
            try
            {
                var verdict = await stack.AskAsync("GUY");
                throw new InvalidOperationException($"It answered {verdict.Outcome} before it saw the record.");
            }
            // Refused connections come first; then it listens, and says why it does not answer.
            catch (RpcException e)
            {
                return e.GetRpcStatus()?.GetDetail<Google.Rpc.ErrorInfo>()?.Reason == "SNAPSHOT_STALE";
            }
        }, cancel);
        Assert.False(await replica.IsReadyAsync(cancel));

        await Stack.ExecuteAsync(servers.Postgres.Administration("postgres"), $"""alter database "{stack.Database.Name}" allow_connections true""");
        await restarting;
        Assert.Equal(V1.Outcome.NotEligible, (await stack.AskAsync("GUY")).Outcome);
    }
}
