using Imet.Cli.Auditing;
using Imet.Enrollment.V1;
using Imet.Testing;
using Npgsql;
using Dapper;
using Google.Protobuf.WellKnownTypes;
using Imet.CountryEligibility.V1;
using Xunit;
using State = Imet.Enrollment.V1.TrainingLine.Types.State;

namespace Imet.Enrollment.Tests;

[Collection(InOneWorld.Name)]
public sealed class HistoryTests(Servers servers, SharedWorld shared)
{
    private readonly World world = shared.World;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_line_is_read_as_it_was_recorded_at_a_time()
    {
        var offering = await world.ScheduleAsync(5, startsIn: 100);
        var line = await world.EnrollAsync(offering, "SLB");
        var between = Timestamp.FromDateTime(await world.SqlAsync<DateTime>("select clock_timestamp()"));
        await world.Officer.Enrollment.WithdrawTrainingLineAsync(new WithdrawTrainingLineRequest { RequestId = World.NewId(), LineId = line.Id, Etag = line.Etag, Reason = "Another will go." });
        Assert.Equal(State.Cancelled, (await world.GetAsync(line.Id)).State);
        Assert.Equal(line, (await world.Officer.Enrollment.GetTrainingLineAsync(new GetTrainingLineRequest { LineId = line.Id, AsOfTime = between })).Line);

        var listed = new ListTrainingLinesRequest { Country = "SLB", AsOfTime = between, State = State.SeatConfirmed, OfferingId = offering.Id };
        Assert.Equal(line, Assert.Single((await world.Officer.Enrollment.ListTrainingLinesAsync(listed)).Lines));
        listed.AsOfTime = null;
        Assert.Empty((await world.Officer.Enrollment.ListTrainingLinesAsync(listed)).Lines);
        listed.AsOfTime = Timestamp.FromDateTime(line.CreateTime.ToDateTime().AddMilliseconds(-1));
        Assert.Empty((await world.Officer.Enrollment.ListTrainingLinesAsync(listed)).Lines);
        listed.AsOfTime = Timestamp.FromDateTime(DateTime.UtcNow.AddDays(1));
        Assert.Equal("INVALID_FIELDS", (await World.RefusedAsync(world.Officer.Enrollment.ListTrainingLinesAsync(listed).ResponseAsync)).Reason);
    }

    [Fact]
    public async Task Each_entry_names_actor_cause_and_the_findings_in_force()
    {
        var line = await world.EnrollAsync(await world.ScheduleAsync(5), "VUT");
        var restriction = await world.RestrictAsync("VUT", Effect.Hold);
        await world.WhenAsync(line, now => now.Holds.Count > 0, Cancel);
        var held = await world.GetAsync(line.Id);
        await world.Officer.Enrollment.WithdrawTrainingLineAsync(new WithdrawTrainingLineRequest { RequestId = World.NewId(), LineId = line.Id, Etag = held.Etag, Reason = "Another will go." });
        var entries = await world.HistoryAsync(line);
        Assert.All(entries, entry => Assert.NotEmpty(entry.Actor));
        Assert.Equal("Another will go.", entries[^1].Cause);
        Assert.Null(entries[^1].Judgement);
        Assert.Contains(entries[^1].InForce.Findings, finding => finding.RestrictionId == restriction);
        Assert.Equal(entries[0].Judgement, entries[0].InForce);
    }

    [Fact]
    public async Task The_runtime_role_can_only_add_entries()
    {
        await using var runtime = new NpgsqlConnection(world.Stack.Database.Runtime("enrollment"));
        foreach (var table in new[] { "line_history", "audit_entries", "audit_seals" })
        {
            foreach (var sql in new[] { $"delete from enrollment.{table}", $"update enrollment.{table} set digest = digest", $"truncate enrollment.{table}" })
                Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, (await Assert.ThrowsAsync<PostgresException>(() => runtime.ExecuteAsync(sql))).SqlState);
        }
    }

    [Fact]
    public async Task Every_entry_is_sealed_and_the_first_one_that_was_touched_is_named()
    {
        await using var alone = await World.StartAsync(servers, Cancel);
        var offering = await alone.ScheduleAsync(20, startsIn: 100);
        var student = await alone.StudentAsync("PNG");
        List<TrainingLine> lines = [await alone.EnrollStudentAsync(offering, student, "PNG")];
        for (var i = 0; i < 4; i++)
            lines.Add(await alone.EnrollAsync(offering, "PNG"));
        await alone.Officer.Enrollment.WithdrawTrainingLineAsync(new WithdrawTrainingLineRequest { RequestId = World.NewId(), LineId = lines[2].Id, Etag = lines[2].Etag, Reason = "Another will go." });
        await Eventually.TrueAsync(async () => await PageAsync(alone) is { Unsealed: 0, Entries.Count: 8 }, Cancel);
        var whole = await CheckAsync(alone);
        Assert.Equal((null, 8L, 7), (whole.FirstBroken, whole.Entries, whole.Resources));

        // One byte of one entry, by somebody who may do everything.
        await SuperAsync(alone, "update enrollment.line_history set actor = 'offices' where line_id = @id and version = 1", lines[2].Id);
        Assert.Contains($"training-line {lines[2].Id} version 1 ", (await CheckAsync(alone)).FirstBroken, StringComparison.Ordinal);
        await SuperAsync(alone, "update enrollment.line_history set actor = 'officer' where line_id = @id and version = 1", lines[2].Id);
        Assert.Null((await CheckAsync(alone)).FirstBroken);

        await SuperAsync(alone, "update enrollment.audit_entries set cause = 'x' where resource_id = @id", student);
        Assert.Contains($"student {student} version 1 ", (await CheckAsync(alone)).FirstBroken, StringComparison.Ordinal);
        await SuperAsync(alone, "update enrollment.audit_entries set cause = '' where resource_id = @id", student);

        // A seal that was written anew, and an entry that went away with all its line.
        await SuperAsync(alone, "update enrollment.audit_seals set entry_digest = set_byte(entry_digest, 31, get_byte(entry_digest, 31) # 1) where resource_id = @id and version = 1", lines[1].Id);
        Assert.Contains($"training-line {lines[1].Id} version 1 ", (await CheckAsync(alone)).FirstBroken, StringComparison.Ordinal);
        await SuperAsync(alone, "update enrollment.audit_seals set entry_digest = set_byte(entry_digest, 31, get_byte(entry_digest, 31) # 1) where resource_id = @id and version = 1", lines[1].Id);
        await SuperAsync(alone, "delete from enrollment.line_history where line_id = @id and version = 2", lines[2].Id);
        Assert.EndsWith("the entry is gone.", (await CheckAsync(alone)).FirstBroken, StringComparison.Ordinal);

        // Put in by hand, without an event: never sealed.
        await SuperAsync(alone, "insert into enrollment.audit_entries select resource, resource_id, version + 1, country, change, actor, cause, field_names, field_digests, now() - interval '1 hour', digest from enrollment.audit_entries where resource_id = @id", student);
        Assert.True((await PageAsync(alone)).OldestUnsealedTime.ToDateTime() < DateTime.UtcNow.AddMinutes(-50));
    }

    private static async Task<ListSealedEntriesResponse> PageAsync(World of) => await of.Officer.Enrollment.ListSealedEntriesAsync(new ListSealedEntriesRequest { PageSize = 1000 });

    private static async Task<ChainCheck> CheckAsync(World of)
    {
        var check = new ChainCheck();
        foreach (var entry in (await PageAsync(of)).Entries)
            check.Add(entry);
        return check;
    }

    private static async Task SuperAsync(World of, string sql, string id)
    {
        await using var connection = new NpgsqlConnection(of.Stack.Database.Administrator);
        await connection.ExecuteAsync($"set session_replication_role = replica; {sql}", new { id = Guid.Parse(id) });
    }
}
