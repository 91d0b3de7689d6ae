using System.CommandLine;
using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Spectre.Console;

namespace Imet.Cli;

/// <summary>imet evaluate COUNTRY: one question to country-eligibility, with all that led to the answer.</summary>
public static class Evaluate
{
    public static Command Command()
    {
        var connection = new ConnectionOptions("eligibility.read");
        var country = new Argument<string>("COUNTRY") { Description = "Alpha-3 code." };
        var program = new Option<string>("--program") { Description = "The program that pays, for example IMET.", DefaultValueFactory = _ => "" };
        var kind = new Option<TrainingKind>("--kind") { Description = "The kind of training." };
        var school = new Option<string>("--school") { Description = "The school's code.", DefaultValueFactory = _ => "" };
        var course = new Option<string>("--masl") { Description = "The course's MASL number.", DefaultValueFactory = _ => "" };
        var place = new Option<Place>("--place") { Description = "Where the training takes place." };
        var start = Day("--start", "The day training starts.");
        var on = Day("--on", "The day the rules are asked for; else today in Washington.");
        var known = new Option<DateTimeOffset?>("--known-at") { Description = "As the record was known at this time; else now.", HelpName = "TIME" };
        var output = new Option<string>("--output", "-o") { Description = "table or json.", DefaultValueFactory = _ => "table" };
        output.AcceptOnlyFromAmong("table", "json");

        var command = new Command("evaluate", "Ask whether a country may train, and why. Exit codes: 0 eligible, 1 not or not without more, 2 it could not be asked.")
        {
            country, program, kind, school, course, place, start, on, known, output,
        };
        connection.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            await using var clients = connection.Open(parsed);
            var request = new EvaluateEligibilityRequest
            {
                Question = new Question
                {
                    Country = parsed.GetRequiredValue(country).ToUpperInvariant(),
                    FundingProgram = parsed.GetValue(program),
                    TrainingKind = parsed.GetValue(kind),
                    School = parsed.GetValue(school),
                    MaslNumber = parsed.GetValue(course),
                    Place = parsed.GetValue(place),
                    StartDate = parsed.GetValue(start)?.ToProto(),
                },
                On = parsed.GetValue(on)?.ToProto(),
                KnownTime = parsed.GetValue(known) is { } time ? Timestamp.FromDateTimeOffset(time) : null,
            };
            var verdict = (await clients.CountryEligibility.EvaluateEligibilityAsync(request, deadline: DateTime.UtcNow.AddSeconds(10), cancellationToken: cancel)).Verdict;
            if (parsed.GetValue(output) == "json")
                Console.WriteLine(JsonFormatter.Default.Format(verdict));
            else
                Write(AnsiConsole.Console, verdict);
            return verdict.Outcome is Outcome.Eligible or Outcome.EligibleWithConditions ? ExitCode.Done : ExitCode.SomeInError;
        });
        return command;
    }

    private static void Write(IAnsiConsole console, Verdict verdict)
    {
        console.WriteLine($"{verdict.Outcome}: {verdict.Summary}");
        if (verdict.Findings.Count > 0)
        {
            var table = new Table().Border(TableBorder.Simple).AddColumns("legal basis", "effect", "from", "to", "bearing", "why");
            foreach (var finding in verdict.Findings)
            {
                table.AddRow(
                    new Text($"{finding.LegalBasis}, {finding.Citation}"), new Text(finding.Effect.ToString()), new Text(Text(finding.EffectiveFrom)), new Text(Text(finding.EffectiveTo)),
                    new Text(finding.Bearing.ToString()), new Text(finding.Explanation));
            }
            console.Write(table);
        }
        console.WriteLine($"revision {verdict.Revision}, known at {verdict.KnownTime.ToDateTimeOffset():u}, rules of {Text(verdict.On)}" +
            (verdict.NextChangeDates.Count > 0 ? $"; may change by itself on {string.Join(", ", verdict.NextChangeDates.Select(Text))}" : ""));
    }

    private static string Text(Google.Type.Date? day) => day is null ? "" : new DateOnly(day.Year, day.Month, day.Day).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private static Option<DateOnly?> Day(string name, string about) => new(name) { Description = about, HelpName = "YYYY-MM-DD" };
}
