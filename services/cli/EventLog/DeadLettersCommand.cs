using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Imet.Cli.Partners;
using RabbitMQ.Client;
using Spectre.Console;

namespace Imet.Cli.EventLog;

/// <summary>A message that was put aside, and why, as RabbitMQ itself notes it.</summary>
public sealed record DeadLetter(string Id, string Type, string Subject, string From, string Reason, long Times, DateTimeOffset? Since, string Body)
{
    public static DeadLetter Of(BasicGetResult message)
    {
        var death = (Value(message.BasicProperties.Headers, "x-death") as List<object>)?.OfType<IDictionary<string, object?>>().FirstOrDefault();
        var body = Encoding.UTF8.GetString(message.Body.Span);
        var (type, subject) = Envelope(body);
        return new DeadLetter(
            message.BasicProperties.MessageId ?? "", type, subject, Text("queue"), Text("reason"), Value(death, "count") is long count ? count : 0,
            Value(death, "time") is AmqpTimestamp time ? DateTimeOffset.FromUnixTimeSeconds(time.UnixTime) : null, body);

        string Text(string name) => Value(death, name) is byte[] text ? Encoding.UTF8.GetString(text) : "";

        static object? Value(IDictionary<string, object?>? table, string name) => table is not null && table.TryGetValue(name, out var value) ? value : null;
    }

    /// <summary>RabbitMQ's word, explained.</summary>
    public string Why => Reason switch
    {
        "delivery_limit" => "given back by its reader more often than the queue allows",
        "rejected" => "refused by its reader",
        "expired" => "waited longer than the queue allows",
        "maxlen" => "the oldest of a full queue: its reader is away or too slow",
        _ => Reason,
    };

    private static (string Type, string Subject) Envelope(string body)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            return (json.RootElement.GetProperty("type").GetString() ?? "", json.RootElement.GetProperty("subject").GetString() ?? "");
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return ("not an event", "");
        }
    }
}

/// <summary>imet dead-letters list | show | redrive: messages that a reader could not take, services' and partners' alike.</summary>
public static class DeadLettersCommand
{
    private const string Suffix = ".dead";

    public static Command Command() => new("dead-letters", "Messages that were put aside: see them, and send them in again.") { List(), Show(), Redrive() };

    private static Command List()
    {
        var (rabbit, amqp) = (RabbitApi.Option(), Amqp());
        var command = new Command("list", "Queues of dead letters, and how many are in each. Exit code 1 when there are any.") { rabbit, amqp };
        command.SetAction(async (parsed, cancel) =>
        {
            using var api = RabbitApi.Open(parsed.GetValue(rabbit));
            await using var broker = await Republisher.ConnectAsync(StackOptions.Broker(parsed.GetValue(amqp)), cancel);
            var table = new Table().Border(TableBorder.Simple).AddColumns("dead letters of", "messages");
            var any = false;
            foreach (var queue in (await api.QueuesAsync(cancel)).Where(queue => queue.EndsWith(Suffix, StringComparison.Ordinal)))
            {
                var count = await broker.CountAsync(queue, cancel) ?? 0;
                any |= count > 0;
                table.AddRow(new Text(queue[..^Suffix.Length]), new Text(count.ToString(CultureInfo.InvariantCulture)));
            }
            AnsiConsole.Write(table);
            return any ? ExitCode.SomeInError : ExitCode.Done;
        });
        return command;
    }

    private static Command Show()
    {
        var (queue, amqp) = (Queue(), Amqp());
        var limit = new Option<int>("--limit") { Description = "Show so many at most.", DefaultValueFactory = _ => 20 };
        var bodies = new Option<bool>("--bodies") { Description = "With the events themselves." };
        var command = new Command("show", "The dead letters of a queue, the oldest first; they stay where they are.") { queue, limit, bodies, amqp };
        command.SetAction(async (parsed, cancel) =>
        {
            await using var broker = await Republisher.ConnectAsync(StackOptions.Broker(parsed.GetValue(amqp)), cancel);
            var dead = await DeadAsync(broker, parsed.GetRequiredValue(queue), cancel);
            ulong last = 0;
            for (var shown = 0; shown < parsed.GetValue(limit) && await broker.Channel.BasicGetAsync(dead, autoAck: false, cancel) is { } message; shown++)
            {
                last = message.DeliveryTag;
                var letter = DeadLetter.Of(message);
                Console.WriteLine($"{letter.Id}  {letter.Type}  {letter.Subject}");
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"    {letter.Why} ({letter.Reason}), from {letter.From}, {letter.Times} times, first at {letter.Since:u}"));
                if (parsed.GetValue(bodies))
                    Console.WriteLine($"    {letter.Body}");
            }
            if (last > 0)
                await broker.Channel.BasicNackAsync(last, multiple: true, requeue: true, cancel);
            return ExitCode.Done;
        });
        return command;
    }

    private static Command Redrive()
    {
        var (queue, amqp) = (Queue(), Amqp());
        var ids = new Option<string[]>("--id") { Description = "Only the messages with these ids. Else all that are there now.", AllowMultipleArgumentsPerToken = true };
        var command = new Command("redrive", "Put dead letters back into the queue that they came from, unchanged and with all their deliveries before them.") { queue, ids, amqp };
        command.SetAction(async (parsed, cancel) =>
        {
            var name = parsed.GetRequiredValue(queue);
            await using var broker = await Republisher.ConnectAsync(StackOptions.Broker(parsed.GetValue(amqp)), cancel);
            var dead = await DeadAsync(broker, name, cancel);
            var wanted = parsed.GetValue(ids) is { Length: > 0 } some ? some.ToHashSet(StringComparer.OrdinalIgnoreCase) : null;
            var (moved, left) = (0, new List<ulong>());
            // Only what is there now: one that dies again at once would else go round for ever.
            for (var most = await broker.CountAsync(dead, cancel) ?? 0; most > 0 && await broker.Channel.BasicGetAsync(dead, autoAck: false, cancel) is { } message; most--)
            {
                if (wanted?.Contains(message.BasicProperties.MessageId ?? "") == false)
                {
                    left.Add(message.DeliveryTag);
                    continue;
                }
                // Confirmed there before it is taken away here: it may come twice, and is never gone.
                await broker.SendAsync(name, message.BasicProperties.MessageId ?? "", message.BasicProperties.Type ?? "", message.Body, cancel);
                await broker.Channel.BasicAckAsync(message.DeliveryTag, multiple: false, cancel);
                moved++;
            }
            foreach (var tag in left)
                await broker.Channel.BasicNackAsync(tag, multiple: false, requeue: true, cancel);
            Console.WriteLine($"{moved} back in {name}, {left.Count} left");
            return ExitCode.Done;
        });
        return command;
    }

    private static Argument<string> Queue() => new("QUEUE") { Description = "The queue that the messages were meant for, e.g. partner.embassy-pak." };

    internal static Option<string?> Amqp() => new("--amqp") { Description = "RabbitMQ. Else IMET_AMQP, or the local stack.", HelpName = "URI" };

    private static async Task<string> DeadAsync(Republisher broker, string queue, CancellationToken cancel) =>
        await broker.CountAsync(queue + Suffix, cancel) is not null ? queue + Suffix : throw new CouldNotRunException($"There is no queue {queue}{Suffix}; imet dead-letters list names those there are.");
}
