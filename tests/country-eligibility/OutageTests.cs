using Grpc.Core;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.Testing;
using Npgsql;
using Xunit;

namespace Imet.CountryEligibility.Tests;

public sealed class OutageTests(Servers servers)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Who_has_lost_sight_of_the_record_does_not_answer_and_recovers_by_itself()
    {
        await using var stack = await Stack.StartAsync(servers, 1, Cancel);
        Assert.Equal(V1.Outcome.Eligible, (await stack.AskAsync("NOR")).Outcome);
        await Stack.ExecuteAsync(servers.Postgres.Administration("postgres"), $"""
            alter database "{stack.Database.Name}" allow_connections false;
            select pg_terminate_backend(pid) from pg_stat_activity where datname = '{stack.Database.Name}';
            """);
        await Eventually.TrueAsync(async () =>
        {
            try
            {
                await stack.AskAsync("NOR");
                return false;
            }
            catch (RpcException e) when (e.GetRpcStatus()?.GetDetail<Google.Rpc.ErrorInfo>()?.Reason == "SNAPSHOT_STALE")
            {
                return true;
            }
        }, Cancel);
        Assert.False(await stack.Replicas[0].IsReadyAsync(Cancel));

        await Stack.ExecuteAsync(servers.Postgres.Administration("postgres"), $"""alter database "{stack.Database.Name}" allow_connections true""");
        await stack.Replicas[0].WaitUntilReadyAsync(Cancel);
        Assert.Equal(V1.Outcome.Eligible, (await stack.AskAsync("NOR")).Outcome);
    }

    [Fact]
    public async Task A_replica_cut_off_from_the_database_falls_silent_while_the_other_answers_and_catches_up_when_it_is_back()
    {
        var target = new NpgsqlConnectionStringBuilder(servers.Postgres.Administration("postgres"));
        await using var wire = new Wire(target.Host!, target.Port);
        await using var stack = await Stack.StartAsync(servers, 2, Cancel, connection => new NpgsqlConnectionStringBuilder(connection) { Port = wire.Port }.ConnectionString);
        var cut = stack.Caller("carla", "read", replica: 1);
        Assert.Equal(V1.Outcome.Eligible, (await stack.AskAsync("MOZ", cut)).Outcome);
        wire.Cut();
        await stack.DecideAsync(Stack.Suspend("MOZ"));
        Assert.Equal(V1.Outcome.NotEligible, (await stack.AskAsync("MOZ")).Outcome);

        // It may say what it last saw for 5 s, and then nothing more.
        await Eventually.TrueAsync(async () => await ReasonAsync() == "SNAPSHOT_STALE", Cancel);
        Assert.False(await stack.Replicas[1].IsReadyAsync(Cancel));
        for (var i = 0; i < 10; i++)
        {
            Assert.Equal("SNAPSHOT_STALE", await ReasonAsync());
            await Task.Delay(100, Cancel);
        }
        Assert.Equal(V1.Outcome.NotEligible, (await stack.AskAsync("MOZ")).Outcome);

        wire.Mend();
        await stack.Replicas[1].WaitUntilReadyAsync(Cancel);
        Assert.Equal(V1.Outcome.NotEligible, (await stack.AskAsync("MOZ", cut)).Outcome);

        async Task<string?> ReasonAsync()
        {
            try
            {
                await stack.AskAsync("MOZ", cut);
                return null;
            }
            catch (RpcException e)
            {
                return e.GetRpcStatus()?.GetDetail<Google.Rpc.ErrorInfo>()?.Reason;
            }
        }
    }

    [Fact]
    public async Task A_day_that_passed_while_no_service_ran_is_told_when_one_runs_again()
    {
        await using var stack = await Stack.StartAsync(servers, 1, Cancel);
        var tomorrow = Stack.Today.AddDays(1);
        var unannounced = Stack.Suspend("MMR");
        unannounced.AnnouncedOn = tomorrow.ToProto();
        await stack.DecideAsync(unannounced);
        await stack.DecideAsync(Stack.Suspend("ETH", tomorrow));
        await stack.Outside.WaitForAsync(e => e.PartitionKey == "ETH", Cancel);
        await stack.Replicas[0].StopAsync(Cancel);

        // The night passes: what was due tomorrow is due since yesterday.
        await Stack.ExecuteAsync(stack.Database.Administrator, $"""
            update eligibility.country_days set day = day - 2 where day = '{tomorrow:yyyy-MM-dd}';
            alter table eligibility.restrictions disable trigger restrictions_close_once;
            update eligibility.restrictions set effective_from = effective_from - 2, announced_on = announced_on - 2;
            alter table eligibility.restrictions enable trigger restrictions_close_once;
            update eligibility.due_work set due_at = due_at - interval '2 days', key = left(key, 4) || '{tomorrow.AddDays(-2):yyyy-MM-dd}' where kind = 'country-day' and key like '%/{tomorrow:yyyy-MM-dd}';
            """);
        await stack.Replicas[0].RestartAsync(Cancel);

        var changed = await stack.Outside.WaitForAsync(e => e.RoutingKey == "country.changed-on-date.ETH", Cancel);
        Assert.Equal(2, changed.AggregateVersion);
        // Revision 1 was the unannounced approval, of which nothing was told.
        var announced = await stack.Outside.WaitForAsync(e => e.RoutingKey == "country.restricted.MMR", Cancel);
        Assert.Equal(2, announced.AggregateVersion);
        Assert.Equal(2, (await stack.AskAsync("ETH", more: request => request.MinRevision = 2)).Revision);
        Assert.Single(stack.Outside.Received.DistinctBy(e => e.Id), e => e.PartitionKey == "MMR");
    }
}
