using System.CommandLine;
using Spectre.Console;

namespace Imet.Cli.Replay;

/// <summary>imet replay FILE: the main job on real input.</summary>
public static class ReplayCommand
{
    private const string About = """
        Enroll every line of a real training report, its dates moved ahead.

        FILE is tab-separated with the columns section, country, program, course_title, us_unit, start_date, end_date, location, quantity, total_cost. The schools, courses, yearly versions and classes
        that it names are recorded in course-catalog; then each row is enrolled as a line of its own with its headcount (no student is invented). A class has as many seats as its rows fill.

        Every row is accounted for: rows = enrolled + refused + in error. Refused rows are counted by reason code; rows in error are in the errors file with line number, column, value and why.
        Run twice, the second run changes nothing and says the same; stopped half-way, the next run completes it; while a service is away, it waits for it up to --patience.
        Dates move by whole years, 29 February to the 28th where the year has none; the fiscal year of the money moves with them.

        Exit codes: 0 every row was enrolled or refused; 1 some rows are in error; 2 it could not run (one line says why).
        """;

    public static Command Command()
    {
        var connection = new ConnectionOptions("eligibility.read", "catalog.read", "catalog.write", "enrollment.read", "enrollment.write");
        var file = new Argument<FileInfo>("FILE") { Description = "The report." };
        var years = new Option<int>("--shift-years") { Description = "Whole years by which dates move, 0 to 150.", HelpName = "N", Required = true };
        var concurrency = new Option<int>("--concurrency") { Description = "Requests in flight, 1 to 1000.", HelpName = "C", DefaultValueFactory = _ => 64 };
        var output = new Option<string>("--output", "-o") { Description = "table, or json: one object on standard output.", DefaultValueFactory = _ => "table" };
        output.AcceptOnlyFromAmong("table", "json");
        var errors = new Option<FileInfo?>("--errors") { Description = "Errors file (tab-separated: line, column, value, why). Else FILE's name with .errors.tsv, here." };
        var patience = new Option<int>("--patience") { Description = "Seconds to go on asking a service that does not answer.", HelpName = "S", DefaultValueFactory = _ => 300 };
        var metrics = new Option<Uri[]>("--metrics")
        {
            Description = "Metrics of the services, for events_published. Else those of the local stack, ports 5201 to 5203.",
            HelpName = "URI",
            CustomParser = result => [.. result.Tokens.Select(token => ConnectionOptions.ToUri(token.Value, "--metrics", result))],
            DefaultValueFactory = _ => [new("http://127.0.0.1:5201/metrics"), new("http://127.0.0.1:5202/metrics"), new("http://127.0.0.1:5203/metrics")],
        };
        InRange(years, 0, 150);
        InRange(concurrency, 1, 1000);
        InRange(patience, 1, 86_400);

        var command = new Command("replay", About) { file, years, concurrency, output, errors, patience, metrics };
        connection.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            await using var clients = connection.Open(parsed);
            var run = new ReplayRun
            {
                Report = parsed.GetRequiredValue(file),
                Years = parsed.GetValue(years),
                Concurrency = parsed.GetValue(concurrency),
                Patience = TimeSpan.FromSeconds(parsed.GetValue(patience)),
                Metrics = parsed.GetRequiredValue(metrics),
                Errors = parsed.GetValue(errors),
            };
            var (summary, programs, errorsFile) = await run.RunAsync(clients, cancel);
            if (parsed.GetValue(output) == "json")
            {
                Console.WriteLine(summary.ToJson());
            }
            else
            {
                var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Out) });
                if (Console.IsOutputRedirected)
                    console.Profile.Width = 160;
                summary.Write(console, programs, errorsFile);
            }
            return summary.InError > 0 ? ExitCode.SomeInError : ExitCode.Done;
        });
        return command;
    }

    private static void InRange(Option<int> option, int least, int most) => option.Validators.Add(result =>
    {
        if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out var value) && (value < least || value > most))
            result.AddError($"{option.Name} must be {least} to {most}, not {value}.");
    });
}
