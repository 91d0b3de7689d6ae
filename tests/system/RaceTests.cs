using Imet.Cli.Replay;
using Imet.Enrollment.V1;
using Imet.Testing;
using Npgsql;
using Xunit;

namespace Imet.SystemTests;

/// <summary>A restriction is approved after enrollment has its answer and before it commits: forced, both ways.</summary>
public sealed class RaceTests(Servers servers) : IAsyncLifetime
{
    private const string Failpoint = "Failpoints__enrollment.between-question-and-commit";
    private readonly string pause = Path.Combine(servers.Folder, $"pause-{Guid.CreateVersion7()}");
    private TestStack stack = null!;
    private World world = null!;

    public async ValueTask InitializeAsync()
    {
        stack = await TestStack.StartAsync(servers, new() { Settings = new Dictionary<string, string?> { [Failpoint] = $"pause:{pause}", ["Limits__Deadline"] = "00:01:00" } }, TestContext.Current.CancellationToken);
        world = new World(stack);
    }

    public async ValueTask DisposeAsync()
    {
        File.Delete(pause);
        await stack.DisposeAsync();
    }

    [Fact]
    public async Task Learned_before_the_commit_the_restriction_refuses_the_enrollment()
    {
        var cancel = TestContext.Current.CancellationToken;
        var offering = await world.ClassAsync(capacity: 5, cancel);
        var asking = await HeldAsync("MLI", offering, cancel);
        var revision = (await world.SuspendAsync("MLI", cancel)).Revisions.Single().Revision;
        await Eventually.TrueAsync(async () => await SeenAsync("MLI", cancel) >= revision, cancel, "enrollment has learned of the suspension");
        File.Delete(pause);

        var answer = await asking;

        Assert.Null(answer.Value);
        Assert.Equal("COUNTRY_NOT_ELIGIBLE", answer.Reason);
        var seats = await world.Office.Enrollment.GetOfferingSeatsAsync(new() { OfferingId = offering.Id }, cancellationToken: cancel);
        Assert.Equal(0, seats.Seats.Taken);
        await world.AssertInvariantsAsync([], null, cancel);
    }

    [Fact]
    public async Task Learned_after_the_commit_the_restriction_finds_the_line_and_cancels_it()
    {
        var cancel = TestContext.Current.CancellationToken;
        var offering = await world.ClassAsync(capacity: 5, cancel);
        var asking = await HeldAsync("MLI", offering, cancel);
        TrainingLine line;
        // While nobody can write to the inbox, enrollment receives the event and can't take it in.
        await using (var connection = new NpgsqlConnection(stack.Database.Administrator))
        {
            await connection.OpenAsync(cancel);
            await using var deaf = await connection.BeginTransactionAsync(cancel);
            await using (var command = new NpgsqlCommand("lock table enrollment.inbox in share mode", connection, deaf))
                await command.ExecuteNonQueryAsync(cancel);
            await world.SuspendAsync("MLI", cancel);
            File.Delete(pause);
            var answer = await asking;
            Assert.Equal("", answer.Reason);
            line = answer.Value!.Line;
            Assert.Equal(TrainingLine.Types.State.SeatConfirmed, line.State);
        }

        await Eventually.TrueAsync(async () => (await ReadAsync(line.Id, cancel)).State == TrainingLine.Types.State.Cancelled, cancel, "the line is cancelled");

        Assert.Equal(TrainingLine.Types.CancelCause.Restriction, (await ReadAsync(line.Id, cancel)).CancelCause);
        var seats = await world.Office.Enrollment.GetOfferingSeatsAsync(new() { OfferingId = offering.Id }, cancellationToken: cancel);
        Assert.Equal(0, seats.Seats.Taken);
        await world.AssertInvariantsAsync([Guid.Parse(line.Id)], null, cancel);
    }

    /// <summary>An enrollment that has its eligibility answer and stands before its transaction.</summary>
    private async Task<Task<Answer<EnrollStudentResponse>>> HeldAsync(string country, CourseCatalog.V1.Offering offering, CancellationToken cancel)
    {
        await File.WriteAllTextAsync(pause, "", cancel);
        var asking = World.AskAsync(world.Office, World.Ask(country, offering), cancel);
        await Eventually.TrueAsync(() => File.Exists($"{pause}.hit"), cancel, "the enrollment is between question and commit");
        Assert.False(asking.IsCompleted);
        return asking;
    }

    private async Task<long> SeenAsync(string country, CancellationToken cancel)
    {
        await using var connection = new NpgsqlConnection(stack.Database.Administrator);
        await connection.OpenAsync(cancel);
        await using var command = new NpgsqlCommand("select revision from enrollment.country_seen where country = $1", connection) { Parameters = { new() { Value = country } } };
        return await command.ExecuteScalarAsync(cancel) as long? ?? -1;
    }

    private async Task<TrainingLine> ReadAsync(string line, CancellationToken cancel) =>
        (await world.Office.Enrollment.GetTrainingLineAsync(new() { LineId = line }, cancellationToken: cancel)).Line;
}
