using Dapper;
using Imet.Testing;
using Npgsql;
using NpgsqlTypes;

namespace Imet.Chassis.Tests;

public sealed class DatabaseTests(Servers servers)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(PostgresErrorCodes.SerializationFailure)]
    [InlineData(PostgresErrorCodes.DeadlockDetected)]
    public async Task The_whole_work_is_repeated_after(string sqlState)
    {
        await using var stage = await Stage.StartAsync(await Stage.NewDatabaseAsync(servers));
        var runs = 0;
        var committed = 0;
        await stage.Database.WriteAsync(async tx =>
        {
            tx.Enqueue("insert into note (id, version) values ($1, $2)", "a", 1L);
            tx.AfterCommit(() => committed++);
            if (++runs < 3)
                await tx.Connection.ExecuteAsync($"do $$ begin raise exception 'again' using errcode = '{sqlState}'; end $$");
            return true;
        }, Cancel);
        Assert.Equal((3, 1), (runs, committed));
        Assert.Equal(1, await stage.QueryOneAsync<int>("select count(*) from note"));
    }

    [Fact]
    public async Task Nothing_else_is_repeated_and_what_failed_leaves_nothing()
    {
        await using var stage = await Stage.StartAsync(await Stage.NewDatabaseAsync(servers), maximumConnections: 1);
        var runs = 0;
        var failure = await Assert.ThrowsAsync<PostgresException>(() => stage.Database.WriteAsync(tx =>
        {
            runs++;
            tx.Publish(Stage.NoteEvent("a", 1));
            tx.Enqueue("insert into note (id, version) values ('a', 1)");
            tx.Enqueue("insert into note (id, version) values ('a', 1)");
            return Task.FromResult(true);
        }, Cancel));
        Assert.Equal((PostgresErrorCodes.UniqueViolation, 1), (failure.SqlState, runs));
        Assert.Equal(0, await stage.QueryOneAsync<int>("select (select count(*) from note) + (select count(*) from outbox)"));
    }

    [Fact]
    public async Task A_work_that_always_collides_is_given_up()
    {
        await using var stage = await Stage.StartAsync(await Stage.NewDatabaseAsync(servers));
        var runs = 0;
        await Assert.ThrowsAsync<PostgresException>(() => stage.Database.WriteAsync(async tx =>
        {
            runs++;
            return await tx.Connection.ExecuteAsync("do $$ begin raise exception 'again' using errcode = '40001'; end $$");
        }, Cancel));
        Assert.Equal(5, runs);
    }

    [Fact]
    public async Task A_session_that_committed_with_its_last_write_serves_the_next()
    {
        await using var stage = await Stage.StartAsync(await Stage.NewDatabaseAsync(servers), maximumConnections: 1);
        for (var i = 0; i < 20; i++)
            await stage.WriteNoteAsync("a");
        Assert.Equal(20, await stage.QueryOneAsync<long>("select version from note"));
        Assert.Equal(0, await stage.QueryOneAsync<int>("select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'"));
    }

    [Fact]
    public async Task A_snapshot_sees_one_state_and_writes_nothing()
    {
        await using var stage = await Stage.StartAsync(await Stage.NewDatabaseAsync(servers));
        await stage.WriteNoteAsync("a");
        var seen = await stage.Database.SnapshotAsync(async connection =>
        {
            var before = await connection.ExecuteScalarAsync<long>("select version from note");
            await stage.WriteNoteAsync("a");
            return (before, after: await connection.ExecuteScalarAsync<long>("select version from note"));
        }, Cancel);
        Assert.Equal((1, 1), seen);
        var refused = await Assert.ThrowsAsync<PostgresException>(() => stage.Database.SnapshotAsync(c => c.ExecuteAsync("delete from note"), Cancel));
        Assert.Equal(PostgresErrorCodes.ReadOnlySqlTransaction, refused.SqlState);
    }

    [Fact]
    public async Task Values_of_every_kind_come_back_as_they_went()
    {
        await using var stage = await Stage.StartAsync(await Stage.NewDatabaseAsync(servers));
        var row = await stage.Database.ReadAsync(connection => connection.QuerySingleAsync<Row>("""
            select @day as start_date, @at as recorded_at, @nothing::date as end_date, @id as id, 'x' as some_text
            """, new { day = new DateOnly(2026, 10, 1), at = new DateTime(2026, 10, 1, 4, 0, 0, DateTimeKind.Utc), nothing = (DateOnly?)null, id = Guid.Empty }), Cancel);
        Assert.Equal(new Row { StartDate = new DateOnly(2026, 10, 1), RecordedAt = new DateTime(2026, 10, 1, 4, 0, 0, DateTimeKind.Utc), Id = Guid.Empty, SomeText = "x" }, row);
        Assert.Equal(DateTimeKind.Utc, row.RecordedAt.Kind);
    }

    [Fact]
    public async Task A_null_needs_a_type()
    {
        await using var stage = await Stage.StartAsync(await Stage.NewDatabaseAsync(servers));
        await stage.Database.WriteAsync(tx =>
        {
            Assert.Throws<ArgumentNullException>(() => tx.Enqueue("select $1", [null]));
            tx.Enqueue("insert into settings (name, value) values (coalesce($1, 'none'), convert_to($2::text, 'utf8'))", Sql.Null(NpgsqlDbType.Text), Sql.Json("""{"a":1}"""));
            return Task.FromResult(true);
        }, Cancel);
        Assert.Equal("none", await stage.QueryOneAsync<string>("select name from settings"));
    }

    private sealed record Row
    {
        public required DateOnly StartDate { get; init; }
        public DateOnly? EndDate { get; init; }
        public required DateTime RecordedAt { get; init; }
        public required Guid Id { get; init; }
        public required string SomeText { get; init; }
    }
}
