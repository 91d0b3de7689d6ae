using System.CommandLine;
using Imet.Enrollment.V1;

namespace Imet.Cli.Auditing;

/// <summary>imet audit verify: whether everything that enrollment ever entered is as it was entered.</summary>
public static class AuditCommand
{
    // A sealer that works leaves nothing for longer than seconds.
    private static readonly TimeSpan LongestUnsealed = TimeSpan.FromMinutes(1);

    public static Command Command()
    {
        var connection = new ConnectionOptions("enrollment.audit");
        var verify = new Command("verify", "Check every chain of enrollment's audit entries. Exit codes: 0 whole, 1 broken (the first broken entry is named), 2 it could not be checked.");
        connection.AddTo(verify);
        verify.SetAction(async (parsed, cancel) =>
        {
            await using var clients = connection.Open(parsed);
            var check = new ChainCheck();
            var request = new ListSealedEntriesRequest { PageSize = 1000 };
            while (true)
            {
                var page = await clients.Enrollment.ListSealedEntriesAsync(request, deadline: DateTime.UtcNow.AddMinutes(1), cancellationToken: cancel);
                if (!page.Entries.All(check.Add))
                    break;
                request.PageToken = page.NextPageToken;
                if (request.PageToken.Length > 0)
                    continue;
                if (page.OldestUnsealedTime?.ToDateTime() is { } oldest && DateTime.UtcNow - oldest > LongestUnsealed)
                    return Broken($"{page.Unsealed} entries since {oldest:u} are in no chain: either the sealer stands still, or they were put in by hand.");
                break;
            }
            if (check.FirstBroken is { } broken)
                return Broken(broken);
            Console.WriteLine($"Whole: {check.Entries} entries of {check.Resources} lines and other resources.");
            return ExitCode.Done;
        });
        return new Command("audit", "Enrollment's audit entries.") { verify };
    }

    private static int Broken(string what)
    {
        Console.WriteLine($"Broken: {what}");
        return ExitCode.SomeInError;
    }
}
