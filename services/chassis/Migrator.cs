using System.Reflection;

namespace Imet.Chassis;

public static class Migrator
{
    /// <summary>Applies the chassis' and the house's scripts to the schema as role imet_&lt;schema&gt;_owner and returns the names of those applied.</summary>
    public static Task<IReadOnlyList<string>> RunAsync(string ownerConnectionString, string schema, Assembly house, CancellationToken cancel) =>
        throw new NotSupportedException();

    /// <summary>The scripts of this binary that the schema lacks: none when the service may start.</summary>
    public static Task<IReadOnlyList<string>> PendingAsync(Database database, Assembly house, CancellationToken cancel) =>
        throw new NotSupportedException();
}
