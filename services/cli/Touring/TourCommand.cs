using System.CommandLine;
using System.Diagnostics;
using Grpc.Core;
using Spectre.Console;

namespace Imet.Cli.Touring;

public static class TourCommand
{
    public static Command Command()
    {
        var stack = new StackOptions();
        var amqp = new Option<string?>("--amqp") { Description = "RabbitMQ as an outside subscriber reaches it. Else IMET_AMQP, else the local stack's.", HelpName = "URI" };
        var command = new Command("tour", "Show the main job on a development stack: questions, answers, reasons and events. Exits 1 when anything is not as promised.");
        stack.AddTo(command);
        command.Options.Add(amqp);
        command.SetAction(async (parsed, cancel) =>
        {
            await using var people = stack.Open(parsed);
            await using var outside = await OutsideSubscriber.StartAsync(StackOptions.Broker(parsed.GetValue(amqp)), cancel);
            var console = AnsiConsole.Console;
            if (Console.IsOutputRedirected)
                console.Profile.Width = 200;
            var tell = new Telling(console);
            var watch = Stopwatch.StartNew();
            try
            {
                await new Tour(people, outside, TimeProvider.System, tell).RunAsync(cancel);
            }
            catch (RpcException e)
            {
                var refused = Refused.From(e);
                tell.Promise(false, $"a call failed: {refused.Code} {refused.Reason} {refused.Message}");
            }
            tell.Chapter(tell.Broken == 0
                ? $"The tour took {watch.Elapsed.TotalSeconds:0.0} s; everything was as promised."
                : $"The tour took {watch.Elapsed.TotalSeconds:0.0} s; {tell.Broken} {(tell.Broken == 1 ? "promise was" : "promises were")} broken.");
            if (tell.Broken == 0)
                WhereToGoOn(people, tell);
            return tell.Broken == 0 ? ExitCode.Done : ExitCode.SomeInError;
        });
        return command;
    }

    private static void WhereToGoOn(People people, Telling tell)
    {
        tell.Table(["service", "gRPC", "scopes"],
        [
            ["country-eligibility", people.Eligibility.Authority, "eligibility.read, propose, approve, history, ..."],
            ["course-catalog", people.Catalog.Authority, "catalog.read, write"],
            ["enrollment", people.Enrollment.Authority, "enrollment.read, write, personal"],
        ]);
        tell.Say("Try it (reflection is on, so a gRPC client needs no files):");
        tell.Verbatim("");
        tell.Verbatim("export IMET_TOKEN=$(./dev token --subject me --scopes \"eligibility.read catalog.read enrollment.read\")");
        tell.Verbatim("./dev evaluate NER --program IMET");
        tell.Verbatim($"grpcurl -plaintext -H \"authorization: Bearer $IMET_TOKEN\" -d '{{\"page_size\": 5}}' {people.Catalog.Authority} imet.coursecatalog.v1.CourseCatalogService/ListOfferings");
    }
}
