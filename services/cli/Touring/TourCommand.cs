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
        var amqpFile = new Option<FileInfo?>("--amqp-file") { Description = "File with that address: it holds a password." };
        var command = new Command("tour", "Show the main job on a development stack: questions, answers, reasons and events. Exits 1 when anything is not as promised.");
        stack.AddTo(command);
        command.Options.Add(amqp);
        command.Options.Add(amqpFile);
        command.SetAction(async (parsed, cancel) =>
        {
            await using var people = stack.Open(parsed);
            await using var outside = await OutsideSubscriber.StartAsync(StackOptions.Broker(parsed.GetValue(amqpFile) is { Exists: true } file ? File.ReadAllText(file.FullName).Trim() : parsed.GetValue(amqp)), cancel);
            var console = AnsiConsole.Console;
            if (Console.IsOutputRedirected)
                console.Profile.Width = 400;
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
        tell.Say($"country-eligibility {people.Eligibility.Authority}, course-catalog {people.Catalog.Authority}, enrollment {people.Enrollment.Authority}. Calls to copy (a gRPC client needs no files: reflection is on):");
        tell.Verbatim("");
        tell.Verbatim("./dev evaluate THA --program IMET --on 2015-06-01");
        tell.Verbatim($"grpcurl -plaintext -H \"authorization: Bearer $(./dev token)\" -d '{{\"country\": \"NER\"}}' {people.Eligibility.Authority} imet.countryeligibility.v1.CountryEligibilityService/ListRestrictions");
        tell.Verbatim($"./dev protos && (cd tests/system/outside && npm ci) && IMET_TOKEN=$(./dev token) node tests/system/outside/client.mjs {people.Eligibility.Authority} NER IMET 2031-06-01");
    }
}
