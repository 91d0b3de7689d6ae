using System.Collections.Concurrent;
using Grpc.Core;
using Imet.CountryEligibility.V1;
using Imet.Testing;
using Npgsql;
using Xunit;

namespace Imet.CountryEligibility.Tests;

public sealed class KillTests(Servers servers)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_replica_killed_in_the_middle_of_approvals_loses_none_and_doubles_none()
    {
        await using var stack = await Stack.StartAsync(servers, 2, Cancel);
        var codes = (await stack.Reader.ListCountriesAsync(new ListCountriesRequest { PageSize = 60 }, cancellationToken: Cancel)).Countries
            .Where(country => country.ValidTo is null).Select(country => country.Code).Take(40).ToList();
        // Each decision is about two countries, and each country is in two decisions: half an approval would show.
        List<Decision> proposed = [];
        for (var i = 0; i < codes.Count; i++)
        {
            var decision = Stack.Suspend(codes[i]);
            decision.Restrictions.Add(Stack.Suspend(codes[(i + 1) % codes.Count]).Restrictions);
            proposed.Add(await stack.ProposeAsync(decision));
        }

        var requests = proposed.ConvertAll(decision => new ApproveDecisionRequest { RequestId = Stack.NewId(), DecisionId = decision.Id, Etag = decision.Etag });
        var acknowledged = new ConcurrentDictionary<string, ApproveDecisionResponse>();
        var approving = Parallel.ForEachAsync(requests.Index(), new ParallelOptions { MaxDegreeOfParallelism = 6, CancellationToken = Cancel }, async (one, cancel) =>
        {
            // Whoever gets no answer asks again, elsewhere, with the same request id.
            for (var replica = one.Index % 2; ; replica = 1 - replica)
            {
                try
                {
                    acknowledged[one.Item.DecisionId] = await stack.Caller("bernd", "read approve", replica).ApproveDecisionAsync(one.Item, deadline: DateTime.UtcNow.AddSeconds(20), cancellationToken: cancel);
                    return;
                }
                catch (RpcException e) when (e.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded or StatusCode.Cancelled)
                {
                    await Task.Delay(50, cancel);
                }
            }
        });
        await Eventually.TrueAsync(() => Task.FromResult(acknowledged.Count >= 8), Cancel);
        await stack.Replicas[0].KillAsync(Cancel);
        await approving;
        await stack.Replicas[0].RestartAsync(Cancel);
        await Eventually.TrueAsync(async () => await AnswersAsync(stack), Cancel);

        // Every approval took effect once: two restrictions for each, two revisions for each country, in an order that rises with time.
        Assert.Equal(codes.Count, acknowledged.Count);
        Assert.Equal((2L * codes.Count, 0L), (await CountAsync(stack, "select count(*) from eligibility.restrictions"),
            await CountAsync(stack, "select count(*) from eligibility.decisions where state <> 'APPROVED'")));
        Assert.Equal(0, await CountAsync(stack, """
            select count(*) from (select record_revision, lag(record_revision) over (order by recorded_at) as before from eligibility.decisions) d where record_revision <> coalesce(before, 0) + 1
            """));
        for (var replica = 0; replica < 2; replica++)
        {
            foreach (var code in codes)
            {
                var verdict = await stack.AskAsync(code, stack.Caller("carla", "read", replica), request => request.MinRevision = 2);
                Assert.Equal((V1.Outcome.NotEligible, 2L, 2), (verdict.Outcome, verdict.Revision, verdict.Findings.Count));
            }
        }
        // And is told once for each country, in the order of its revisions, the killed replica's approvals too.
        var told = await stack.Outside.WaitForAsync(2 * codes.Count, e => e.RoutingKey.StartsWith("country.restricted.", StringComparison.Ordinal), Cancel);
        Assert.All(told.DistinctBy(e => e.Id).GroupBy(e => e.PartitionKey), country => Assert.Equal([1, 2], country.Select(e => e.AggregateVersion)));
    }

    // A channel waits a while before it tries a server again that was gone.
    private static async Task<bool> AnswersAsync(Stack stack)
    {
        try
        {
            return (await stack.AskAsync("NOR")).Outcome == V1.Outcome.Eligible;
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.Unavailable)
        {
            return false;
        }
    }

    private static async Task<long> CountAsync(Stack stack, string sql)
    {
        await using var connection = new NpgsqlConnection(stack.Database.Administrator);
        await connection.OpenAsync(Cancel);
        await using var command = new NpgsqlCommand(sql, connection);
        return (long)(await command.ExecuteScalarAsync(Cancel))!;
    }
}
