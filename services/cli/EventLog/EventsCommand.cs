using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Imet.Cli.Partners;
using Imet.Events.V1;

namespace Imet.Cli.EventLog;

/// <summary>imet events list | replay: the log of a service's events.</summary>
public static class EventsCommand
{
    public static Command Command() => new("events", "The log of a service's events.") { List(), Replay() };

    private static Command List()
    {
        var (connection, service, from, to) = (new ConnectionOptions("events.read"), Service(), From(), To());
        var command = new Command("list", "Print events, one CloudEvent a line, in the order of their positions.") { service, from, to };
        connection.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            await using var clients = connection.Open(parsed);
            await foreach (var e in ReadAsync(clients.EventsOf(parsed.GetRequiredValue(service)), parsed.GetRequiredValue(from), parsed.GetValue(to), cancel))
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{e.Position}\t{e.RoutingKey}\t{e.CloudEvent}"));
            return ExitCode.Done;
        });
        return command;
    }

    private static Command Replay()
    {
        var (connection, service, from, to) = (new ConnectionOptions("events.read"), Service(), From(), To());
        var queue = new Option<string>("--queue") { Description = "The one queue that gets them, e.g. partner.embassy-pak. Nobody else does.", Required = true };
        var (rabbit, amqp) = (RabbitApi.Option(), DeadLettersCommand.Amqp());
        var command = new Command("replay", "Send events once more, with their ids, to one queue: those that it is bound for. Readers drop what they have by its id.") { service, from, to, queue, rabbit, amqp };
        connection.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var (of, name) = (parsed.GetRequiredValue(service), parsed.GetRequiredValue(queue));
            using var api = RabbitApi.Open(parsed.GetValue(rabbit));
            // What it is bound for is what its reader may see.
            var keys = (await api.BindingsAsync(name, cancel) ?? throw new CouldNotRunException($"There is no queue {name}."))
                .Where(binding => binding.Exchange == $"imet.{of}.v1").Select(binding => binding.RoutingKey).ToArray();
            if (keys.Length == 0)
                throw new CouldNotRunException($"The queue {name} is not bound to imet.{of}.v1: it would get none of these events.");
            await using var clients = connection.Open(parsed);
            await using var broker = await Republisher.ConnectAsync(StackOptions.Broker(parsed.GetValue(amqp)), cancel);
            var (sent, others) = (0, 0);
            await foreach (var e in ReadAsync(clients.EventsOf(of), parsed.GetRequiredValue(from), parsed.GetValue(to), cancel))
            {
                if (!keys.Any(key => Topic.Matches(key, e.RoutingKey)))
                {
                    others++;
                    continue;
                }
                using var json = JsonDocument.Parse(e.CloudEvent);
                await broker.SendAsync(name, json.RootElement.GetProperty("id").GetString()!, json.RootElement.GetProperty("type").GetString()!, Encoding.UTF8.GetBytes(e.CloudEvent), cancel);
                sent++;
            }
            Console.WriteLine($"{sent} sent to {name}, {others} that it is not bound for left out");
            return ExitCode.Done;
        });
        return command;
    }

    private static async IAsyncEnumerable<LoggedEvent> ReadAsync(
        EventService.EventServiceClient client, long from, long? to, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel)
    {
        var request = new ListEventsRequest { AfterPosition = from - 1, PageSize = 500 };
        do
        {
            var page = await client.ListEventsAsync(request, deadline: DateTime.UtcNow.AddSeconds(10), cancellationToken: cancel);
            // Without an end it goes to where the log stood at the beginning: not after its own tail.
            to ??= page.Position;
            foreach (var e in page.Events.TakeWhile(e => e.Position <= to))
                yield return e;
            request.PageToken = page.Events.Count > 0 && page.Events[^1].Position >= to ? "" : page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
    }

    private static Option<string> Service()
    {
        var service = new Option<string>("--service") { Description = "Whose events.", DefaultValueFactory = _ => "enrollment" };
        service.AcceptOnlyFromAmong([.. EventKinds.Services]);
        return service;
    }

    private static Option<long> From()
    {
        var from = new Option<long>("--from") { Description = "The first position. Else the oldest event that is kept.", DefaultValueFactory = _ => 1 };
        from.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && long.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out var given) && given < 1)
                result.AddError("--from must be 1 or more.");
        });
        return from;
    }

    private static Option<long?> To() => new("--to") { Description = "The last position. Else where the log stands now." };
}
