using System.CommandLine;

namespace Imet.Cli.Importing;

/// <summary>imet import WHAT FILE...: tables into the record, row by row.</summary>
public static class ImportCommand
{
    public static Command Command() => new("import", "Bring tables into the record: good rows land, bad ones are told by line and column.") { Countries(), CatalogTables.ImportCatalogCommand.Command() };

    private static Command Countries()
    {
        var connection = new ConnectionOptions("eligibility.read", "eligibility.reference");
        var files = new Argument<FileInfo[]>("FILE") { Description = "Tables with a header, as CSV or tab-separated, UTF-8.", Arity = ArgumentArity.OneOrMore };
        var dryRun = new Option<bool>("--dry-run") { Description = "Check everything, at the service too, and write nothing." };
        var command = new Command("countries", """
            Countries, the spellings of them that reports use, and designations (NATO, major non-NATO allies, FAA 546), from tables that are known by their columns (docs/import-countries.md).

            Only what differs from the record is written: a second run changes nothing. An empty cell, or a column that is not there, leaves what is on record.
            Exit codes: 0 every row is in the record; 1 some rows are in error (standard error: file, line, column, why); 2 it could not run.
            """) { files, dryRun };
        connection.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var tables = parsed.GetRequiredValue(files).Select(file => CountryTables.Read(TableFile.Read(file))).ToList();
            await using var clients = connection.Open(parsed);
            var import = new CountryImport(clients.CountryEligibility, parsed.GetValue(dryRun), cancel);
            await import.RunAsync([.. tables.SelectMany(table => table.Said)]);
            Fault[] faults = [.. tables.SelectMany(table => table.Faults).Concat(import.Faults).OrderBy(fault => fault.File, StringComparer.Ordinal).ThenBy(fault => fault.Line)];
            foreach (var fault in faults)
                Console.Error.WriteLine(fault);
            Console.WriteLine(import.Countries);
            Console.WriteLine(import.Designations);
            if (faults.Length > 0)
                Console.WriteLine($"rows in error: {faults.DistinctBy(fault => (fault.File, fault.Line)).Count()}");
            if (parsed.GetValue(dryRun))
                Console.WriteLine("Nothing was written: --dry-run.");
            return faults.Length > 0 ? ExitCode.SomeInError : ExitCode.Done;
        });
        return command;
    }
}
