using System.CommandLine;
using System.Security.Cryptography;
using Spectre.Console;

namespace Imet.Cli.Partners;

/// <summary>imet partner add | remove | list: who outside may read which events.</summary>
public static class PartnerCommand
{
    private const string Tag = "imet-partner";
    // Deliveries after the first that a partner's message gets before it is put aside.
    private const int Deliveries = 10;
    private const int MostDeadLetters = 10_000;
    private const int MostConnections = 10;
    private const int MostChannels = 50;

    public static Command Command() => new("partner", "Give partners their user, permissions and queue on RabbitMQ, and take them away.") { Add(), Remove(), List() };

    private static Command Add()
    {
        var name = new Argument<string>("NAME") { Description = "The partner, e.g. embassy-pak." };
        var countries = Words("--country", "The countries whose events it may read (alpha-3); those of no country come with them.");
        var all = new Option<bool>("--all-countries") { Description = "In place of --country: events of every country." };
        var events = Words("--events", "What it may read: aggregates such as training-line, or events such as training-line.enrolled. Else all.");
        var megabytes = new Option<int>("--megabytes") { Description = "What its queue holds at most; beyond that the oldest event goes.", DefaultValueFactory = _ => 256 };
        var renew = new Option<bool>("--new-password") { Description = "Give a partner that exists a new password." };
        var rabbit = RabbitApi.Option();
        var command = new Command("add", "Make a partner, or change what one may read; repeating it changes nothing. The password is shown once.") { name, countries, all, events, megabytes, renew, rabbit };
        command.SetAction(async (parsed, cancel) =>
        {
            var given = Split(parsed.GetValue(countries));
            if (given.Length == 0 == !parsed.GetValue(all))
                throw new CouldNotRunException("Give either --country or --all-countries.");
            if (parsed.GetValue(megabytes) is < 1 or > 100_000)
                throw new CouldNotRunException("--megabytes must be between 1 and 100000.");
            var access = Access.Of(parsed.GetRequiredValue(name), given, Split(parsed.GetValue(events)));
            using var api = RabbitApi.Open(parsed.GetValue(rabbit));
            var password = await GrantAsync(api, access, parsed.GetValue(megabytes), parsed.GetValue(renew), cancel);
            Console.WriteLine($"user      {access.User}");
            Console.WriteLine($"password  {password ?? "as it was"}");
            Console.WriteLine($"queue     {access.Queue}");
            foreach (var (exchange, key) in access.Bindings)
                Console.WriteLine($"gets      {exchange} {key}");
            return ExitCode.Done;
        });
        return command;
    }

    private static Command Remove()
    {
        var name = new Argument<string>("NAME") { Description = "The partner." };
        var rabbit = RabbitApi.Option();
        var command = new Command("remove", "Take a partner's access away: its user, its connections, its queue with what waits in it.") { name, rabbit };
        command.SetAction(async (parsed, cancel) =>
        {
            var user = Access.UserOf(parsed.GetRequiredValue(name));
            using var api = RabbitApi.Open(parsed.GetValue(rabbit));
            var existed = await api.HasUserAsync(user, cancel);
            // The user first: what it is connected by ends with it, so that nobody binds what is about to go.
            await api.DeleteUserAsync(user, cancel);
            await api.DeleteQueueAsync(user, cancel);
            await api.DeleteQueueAsync($"{user}.dead", cancel);
            Console.WriteLine(existed ? $"{user} is gone" : $"there was no {user}");
            return existed ? ExitCode.Done : ExitCode.SomeInError;
        });
        return command;
    }

    private static Command List()
    {
        var rabbit = RabbitApi.Option();
        var command = new Command("list", "Partners, and what each gets.") { rabbit };
        command.SetAction(async (parsed, cancel) =>
        {
            using var api = RabbitApi.Open(parsed.GetValue(rabbit));
            var table = new Table().Border(TableBorder.Simple).AddColumns("partner", "exchange", "gets");
            foreach (var user in await api.UsersAsync(Tag, cancel))
                foreach (var exchange in (await api.BindingsAsync(user, cancel) ?? []).GroupBy(binding => binding.Exchange))
                    table.AddRow(new Text(user["partner.".Length..]), new Text(exchange.Key), new Text(string.Join('\n', exchange.Select(binding => binding.RoutingKey).Order(StringComparer.Ordinal))));
            AnsiConsole.Write(table);
            return ExitCode.Done;
        });
        return command;
    }

    // Never a moment with more than it shall have: what limits comes before what allows, and what is no longer allowed is unbound at the end.
    private static async Task<string?> GrantAsync(RabbitApi api, Access access, int megabytes, bool renew, CancellationToken cancel)
    {
        string? password = null;
        if (renew || !await api.HasUserAsync(access.User, cancel))
            await api.PutUserAsync(access.User, password = RandomNumberGenerator.GetHexString(40, lowercase: true), Tag, cancel);
        await api.PutLimitAsync(access.User, "max-connections", MostConnections, cancel);
        await api.PutLimitAsync(access.User, "max-channels", MostChannels, cancel);
        foreach (var (exchange, keys) in access.Readable)
        {
            await api.PutExchangeAsync(exchange, cancel);
            await api.PutTopicPermissionsAsync(access.User, exchange, write: "^$", keys, cancel);
        }
        await api.PutPermissionsAsync(access.User, Access.Configure, access.Write, access.Read, cancel);

        await api.PutQueueAsync(access.DeadLetters, new() { ["x-queue-type"] = "quorum", ["x-max-length"] = MostDeadLetters, ["x-overflow"] = "drop-head" }, cancel);
        // A full queue gives up its oldest event: if it refused the newest, the exchange would refuse it to the service, and everybody would wait for this partner.
        await api.PutQueueAsync(access.Queue, new()
        {
            ["x-queue-type"] = "quorum", ["x-max-length-bytes"] = megabytes * 1_000_000L, ["x-overflow"] = "drop-head", ["x-delivery-limit"] = Deliveries,
            ["x-dead-letter-exchange"] = "", ["x-dead-letter-routing-key"] = access.DeadLetters, ["x-dead-letter-strategy"] = "at-most-once",
        }, cancel);
        var bound = await api.BindingsAsync(access.Queue, cancel) ?? [];
        foreach (var (exchange, key) in access.Bindings.Except(bound))
            await api.BindAsync(exchange, access.Queue, key, cancel);
        foreach (var (exchange, key) in bound.Except(access.Bindings))
            await api.UnbindAsync(exchange, access.Queue, key, cancel);
        return password;
    }

    private static Option<string[]> Words(string name, string about) => new(name) { Description = about, AllowMultipleArgumentsPerToken = true };

    private static string[] Split(string[]? values) => [.. (values ?? []).SelectMany(value => value.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries)).Distinct()];
}
