using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Dapper;
using DbUp;
using DbUp.Engine;
using Npgsql;

namespace Imet.Chassis;

public sealed class MigrationException(string message, Exception? inner = null) : Exception(message, inner);

public static class Migrator
{
    private const int LockClass = 0x494d4554; // "IMET"
    // In the name of a script that takes away what the release before still uses, e.g. 0042_contract_old_names.sql.
    private const string Contracts = "_contract_";
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    /// <summary>Makes roles, schemas and extensions in the database of an administrator's connection string; repeating it changes passwords only.</summary>
    public static async Task ProvisionAsync(string administratorConnectionString, string ownerPassword, string runtimePassword, CancellationToken cancel)
    {
        await using var connection = new NpgsqlConnection(Unpooled(administratorConnectionString, ""));
        await connection.OpenAsync(cancel);
        await connection.ExecuteAsync(new CommandDefinition(
            "select set_config('imet.owner_password', @ownerPassword, false), set_config('imet.runtime_password', @runtimePassword, false)",
            new { ownerPassword, runtimePassword }, cancellationToken: cancel));
        await connection.ExecuteAsync(new CommandDefinition(Read(typeof(Migrator).Assembly, "provision.sql"), cancellationToken: cancel));
    }

    /// <summary>Applies the chassis' and the house's scripts to the schema as role imet_&lt;schema&gt;_owner and returns the names of those applied.</summary>
    public static async Task<IReadOnlyList<string>> RunAsync(string ownerConnectionString, string schema, Assembly house, CancellationToken cancel)
    {
        var connectionString = Unpooled(ownerConnectionString, $"-c role=imet_{schema}_owner -c search_path={schema},extensions,pg_temp -c lock_timeout=5s");
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(cancel);
        if (await connection.ExecuteScalarAsync<bool>(new CommandDefinition("select to_regnamespace(@schema) is null", new { schema }, cancellationToken: cancel)))
            throw new MigrationException($"Schema \"{schema}\" does not exist in database \"{connection.Database}\": run provision.sql there first.");
        // Polled: a session that waits inside pg_advisory_lock holds a snapshot, for which a concurrent index build of the holder would wait in turn.
        while (!await connection.ExecuteScalarAsync<bool>(new CommandDefinition(
            "select pg_try_advisory_lock(@LockClass, hashtext(@schema))", new { LockClass, schema }, cancellationToken: cancel)))
            await Task.Delay(100, cancel);

        var scripts = Scripts(house);
        var upgrade = DeployChanges.To
            .PostgresqlDatabase(connectionString)
            .WithScripts(scripts)
            .JournalToPostgresqlTable(schema, "schema_versions")
            .WithTransactionPerScript()
            .WithVariablesDisabled()
            .WithExecutionTimeout(TimeSpan.FromMinutes(30))
            .LogToNowhere()
            .Build();
        RefuseEdited(scripts, upgrade.GetExecutedScripts());
        var result = await Task.Run(upgrade.PerformUpgrade, cancel);
        if (!result.Successful)
            throw new MigrationException($"Schema \"{schema}\", script {result.ErrorScript?.Name ?? "(none)"}: {result.Error.Message}", result.Error);
        await connection.ExecuteAsync(new CommandDefinition(
            $"revoke all on schema_versions from imet_{schema}; grant select on schema_versions to imet_{schema}", cancellationToken: cancel));
        return [.. result.Scripts.Select(script => script.Name)];
    }

    /// <summary>Why this binary can't work with the schema, in words for an operator; null when it can. A newer schema is one it can work with until a script of a later release contracts it.</summary>
    public static Task<string?> MismatchAsync(Database database, Assembly house, CancellationToken cancel) => database.ReadAsync(async connection =>
    {
        string[] journal = await connection.ExecuteScalarAsync<bool>(new CommandDefinition("select to_regclass('schema_versions') is not null", cancellationToken: cancel))
            ? [.. await connection.QueryAsync<string>(new CommandDefinition("select scriptname from schema_versions", cancellationToken: cancel))]
            : [];
        string[] own = [.. Scripts(house).Select(script => script.Name)];
        if (own.Except(journal).Select(File).ToArray() is { Length: > 0 } pending)
            return $"the schema is older than this binary and lacks {string.Join(", ", pending)}; run the verb migrate first";
        return journal.Select(File).Except(own.Select(File)).Where(name => name.Contains(Contracts, StringComparison.Ordinal)).ToArray() is { Length: > 0 } contracted
            ? $"the schema is newer than this binary can work with: {string.Join(", ", contracted)} took away what it uses; run the release that brought it, or a later one"
            : null;

        static string File(string script) => script.Split('@')[0];
    }, cancel);

    // A script's name carries the hash of its text, so that the journal knows not only that it ran but what ran.
    private static List<SqlScript> Scripts(Assembly house) =>
    [
        .. from source in new[] { (Prefix: "chassis", Assembly: typeof(Migrator).Assembly), (Prefix: "house", Assembly: house) }.DistinctBy(s => s.Assembly)
           from resource in source.Assembly.GetManifestResourceNames()
           let file = resource.Split(".Migrations.", 2)
           where file.Length == 2 && file[1].EndsWith(".sql", StringComparison.Ordinal)
           let text = Read(source.Assembly, resource)
           let hash = Convert.ToHexStringLower(SHA256.HashData(Utf8.GetBytes(text)))[..16]
           select new SqlScript($"{source.Prefix}/{file[1]}@{hash}", text),
    ];

    private static void RefuseEdited(List<SqlScript> scripts, List<string> journal)
    {
        var applied = journal.Select(name => name.Split('@', 2)).ToDictionary(parts => parts[0], parts => parts[1]);
        foreach (var name in scripts.Select(script => script.Name.Split('@', 2)))
            if (applied.TryGetValue(name[0], out var hash) && hash != name[1])
                throw new MigrationException($"{name[0]} was edited after it had been applied (hash then {hash}, now {name[1]}): undo the edit and write a new script.");
    }

    private static string Read(Assembly assembly, string resource)
    {
        using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!, Utf8);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }

    // Roles, settings and locks belong to a session: it must end with its user, not go back to a pool.
    private static string Unpooled(string connectionString, string options) =>
        new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false, Options = options, CommandTimeout = 0 }.ConnectionString;
}
