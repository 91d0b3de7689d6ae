using System.CommandLine;
using System.Diagnostics;
using Imet.Cli.Sample;

namespace Imet.Cli.Seeding;

public static class SeedCommand
{
    private static readonly Person CatalogOffice = new("sample.catalog-office", "catalog.read catalog.write", null);
    private static readonly Person ReferenceOffice = new("sample.reference-office", "eligibility.read eligibility.reference", null);
    private static readonly Person Proposer = new("sample.desk-officer", "eligibility.read eligibility.propose eligibility.unannounced eligibility.history", null);
    private static readonly Person Approver = new("sample.assistant-secretary", "eligibility.read eligibility.approve", null);

    public static Command Command()
    {
        var stack = new StackOptions();
        var command = new Command("seed", "Load the sample data (schools, courses, two years of classes, decisions of the past) into a development stack. A second run changes nothing.");
        stack.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            await using var people = stack.Open(parsed);
            var watch = Stopwatch.StartNew();
            var loaded = await new SampleLoad(people.As(CatalogOffice), people.As(ReferenceOffice), people.As(Proposer), people.As(Approver), SampleData.Read(), TimeProvider.System).RunAsync(cancel);
            foreach (var each in loaded)
                Console.WriteLine($"{each.Total,6} {each.What}{(each.New == 0 ? ", all there already" : $", {each.New} new")}");
            Console.WriteLine($"Sample data loaded in {watch.Elapsed.TotalSeconds:0.0} s.");
            return ExitCode.Done;
        });
        return command;
    }
}
