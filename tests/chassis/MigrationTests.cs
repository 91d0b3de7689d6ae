using Imet.Testing;
using Npgsql;

namespace Imet.Chassis.Tests;

public sealed class MigrationTests(Servers servers)
{
    private static readonly System.Reflection.Assembly House = typeof(MigrationTests).Assembly;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Of_five_starters_at_once_one_applies_the_scripts_and_four_apply_none()
    {
        var data = await servers.NewDatabaseAsync(Cancel);
        var applied = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => Task.Run(() => Migrator.RunAsync(data.Owner("catalog"), "catalog", House, Cancel))));
        var scripts = typeof(Migrator).Assembly.GetManifestResourceNames().Concat(House.GetManifestResourceNames()).Count(name => name.Contains(".Migrations.", StringComparison.Ordinal));
        Assert.Equal([0, 0, 0, 0, scripts], applied.Select(names => names.Count).Order());
    }

    [Fact]
    public async Task An_edited_script_is_refused_by_name()
    {
        var data = await Stage.NewDatabaseAsync(servers);
        await Stage.AdministerAsync(data, "update enrollment.schema_versions set scriptname = 'house/0001_notes.sql@0123456789abcdef' where scriptname like 'house/0001%'");
        var refused = await Assert.ThrowsAsync<MigrationException>(() => Migrator.RunAsync(data.Owner("enrollment"), "enrollment", House, Cancel));
        Assert.Contains("house/0001_notes.sql was edited", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_older_binary_on_a_newer_schema_applies_nothing_and_starts()
    {
        var data = await Stage.NewDatabaseAsync(servers);
        await Stage.AdministerAsync(data, "insert into enrollment.schema_versions (scriptname, applied) values ('house/0999_later.sql@0123456789abcdef', now())");
        Assert.Empty(await Migrator.RunAsync(data.Owner("enrollment"), "enrollment", House, Cancel));
        await using var stage = await Stage.StartAsync(data);
        Assert.Null(await Migrator.MismatchAsync(stage.Database, House, Cancel));
    }

    [Fact]
    public async Task A_schema_that_was_contracted_by_a_later_release_is_not_ready()
    {
        var data = await Stage.NewDatabaseAsync(servers);
        await Stage.AdministerAsync(data, "insert into enrollment.schema_versions (scriptname, applied) values ('house/0999_contract_old_names.sql@0123456789abcdef', now())");
        await using var stage = await Stage.StartAsync(data);
        Assert.Equal("the schema is newer than this binary can work with: house/0999_contract_old_names.sql took away what it uses; run the release that brought it, or a later one",
            await Migrator.MismatchAsync(stage.Database, House, Cancel));
    }

    [Fact]
    public async Task A_schema_that_lacks_scripts_is_not_ready()
    {
        var data = await servers.NewDatabaseAsync(Cancel);
        await using var stage = await Stage.StartAsync(data);
        Assert.Matches(@"^the schema is older than this binary and lacks \S+(, \S+)+; run the verb migrate first$", await Migrator.MismatchAsync(stage.Database, House, Cancel));
    }

    [Fact]
    public async Task A_database_that_was_not_provisioned_says_what_to_do()
    {
        var data = await servers.NewDatabaseAsync(Cancel);
        await Stage.AdministerAsync(data, "drop schema enrollment");
        var refused = await Assert.ThrowsAsync<MigrationException>(() => Migrator.RunAsync(data.Owner("enrollment"), "enrollment", House, Cancel));
        Assert.Contains("run provision.sql", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_runtime_role_may_neither_define_nor_look_elsewhere()
    {
        var data = await Stage.NewDatabaseAsync(servers);
        // A copied database starts with the rights that every database has; these are set anew.
        await servers.Postgres.ProvisionAsync(data.Name, new Dictionary<string, string>(), Cancel);
        await Migrator.RunAsync(data.Owner("catalog"), "catalog", House, Cancel);
        foreach (var sql in new[]
        {
            "create table enrollment.mine (id int)",
            "drop table enrollment.note",
            "alter table enrollment.note add column more text",
            "truncate enrollment.note",
            "create table public.mine (id int)",
            "create temporary table mine (id int)",
            "create schema mine",
            "update enrollment.schema_versions set applied = now()",
            "select count(*) from catalog.note",
            "select catalog.outbox_extend()",
            "create table eligibility.mine (id int)",
            "set role imet_enrollment_owner",
        })
            Assert.Equal((sql, PostgresErrorCodes.InsufficientPrivilege), (sql, (await Assert.ThrowsAsync<PostgresException>(() => RunAsync(data.Runtime("enrollment"), sql))).SqlState));
    }

    [Fact]
    public async Task The_runtime_role_changes_rows_and_has_partitions_made_ahead()
    {
        var data = await Stage.NewDatabaseAsync(servers);
        await RunAsync(data.Runtime("enrollment"), "insert into enrollment.note values ('a', 1); update enrollment.note set version = 2; delete from enrollment.note");
        await Stage.AdministerAsync(data, "drop table enrollment.outbox_" + DateTime.UtcNow.AddMonths(2).ToString("yyyy_MM", null));
        await RunAsync(data.Runtime("enrollment"), "select enrollment.outbox_extend()");
        await using var stage = await Stage.StartAsync(data);
        Assert.Equal(4, await stage.QueryOneAsync<int>("select count(*) from pg_inherits where inhparent = 'outbox'::regclass"));
    }

    private static async Task RunAsync(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(Cancel);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Cancel);
    }
}
