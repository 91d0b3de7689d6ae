using System.CommandLine;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;

namespace Imet.Cli.Partners;

/// <summary>The part of RabbitMQ's HTTP API by which access is given and taken.</summary>
public sealed class RabbitApi : IDisposable
{
    private readonly HttpClient http;
    private readonly string vhost;

    private RabbitApi(Uri address)
    {
        var user = address.UserInfo.Split(':', 2).Select(Uri.UnescapeDataString).ToArray();
        http = new HttpClient { BaseAddress = new Uri($"{address.Scheme}://{address.Authority[(address.Authority.LastIndexOf('@') + 1)..]}/api/"), Timeout = TimeSpan.FromSeconds(30) };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(string.Join(':', user))));
        vhost = Path(Uri.UnescapeDataString(address.AbsolutePath.TrimStart('/')) is { Length: > 0 } name ? name : "/");
    }

    public static Option<string?> Option() => new("--rabbitmq")
    {
        Description = "RabbitMQ's HTTP API, as http://USER:PASSWORD@HOST:PORT/VHOST. Else IMET_RABBITMQ.", HelpName = "URI",
    };

    public static RabbitApi Open(string? given) =>
        Uri.TryCreate(given ?? Environment.GetEnvironmentVariable("IMET_RABBITMQ"), UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.UserInfo.Contains(':', StringComparison.Ordinal)
            ? new RabbitApi(uri)
            : throw new CouldNotRunException("No RabbitMQ: start the local stack with ./dev up, or give --rabbitmq http://USER:PASSWORD@HOST:PORT/VHOST (its management plugin must be on).");

    public void Dispose() => http.Dispose();

    public async Task<bool> HasUserAsync(string user, CancellationToken cancel) => await GetAsync($"users/{Path(user)}", cancel) is not null;

    public Task PutUserAsync(string user, string password, string tag, CancellationToken cancel) => PutAsync($"users/{Path(user)}", new { password, tags = tag }, cancel);

    public Task PutLimitAsync(string user, string limit, int value, CancellationToken cancel) => PutAsync($"user-limits/{Path(user)}/{limit}", new { value }, cancel);

    public Task PutPermissionsAsync(string user, string configure, string write, string read, CancellationToken cancel) =>
        PutAsync($"permissions/{vhost}/{Path(user)}", new { configure, write, read }, cancel);

    public Task PutTopicPermissionsAsync(string user, string exchange, string write, string read, CancellationToken cancel) =>
        PutAsync($"topic-permissions/{vhost}/{Path(user)}", new { exchange, write, read }, cancel);

    public Task PutExchangeAsync(string exchange, CancellationToken cancel) => PutAsync($"exchanges/{vhost}/{Path(exchange)}", new { type = "topic", durable = true, auto_delete = false }, cancel);

    public Task PutQueueAsync(string queue, Dictionary<string, object> arguments, CancellationToken cancel) =>
        PutAsync($"queues/{vhost}/{Path(queue)}", new { durable = true, auto_delete = false, arguments }, cancel);

    public Task BindAsync(string exchange, string queue, string routingKey, CancellationToken cancel) =>
        SendAsync(HttpMethod.Post, $"bindings/{vhost}/e/{Path(exchange)}/q/{Path(queue)}", new { routing_key = routingKey }, cancel);

    /// <summary>What a queue is bound for, besides its own name; null when there is no such queue.</summary>
    public async Task<IReadOnlyList<(string Exchange, string RoutingKey)>?> BindingsAsync(string queue, CancellationToken cancel) =>
        await GetAsync($"queues/{vhost}/{Path(queue)}/bindings", cancel) is { } bindings
            ? [.. bindings.EnumerateArray().Select(binding => (Text(binding, "source"), Text(binding, "routing_key"))).Where(binding => binding.Item1.Length > 0)]
            : null;

    public async Task UnbindAsync(string exchange, string queue, string routingKey, CancellationToken cancel)
    {
        if (await GetAsync($"bindings/{vhost}/e/{Path(exchange)}/q/{Path(queue)}", cancel) is not { } bindings)
            return;
        foreach (var binding in bindings.EnumerateArray().Where(binding => Text(binding, "routing_key") == routingKey))
            await DeleteAsync($"bindings/{vhost}/e/{Path(exchange)}/q/{Path(queue)}/{Path(Text(binding, "properties_key"))}", cancel);
    }

    public async Task<IReadOnlyList<string>> UsersAsync(string tag, CancellationToken cancel) =>
    [
        .. (await GetAsync("users", cancel))!.Value.EnumerateArray()
            .Where(user => user.GetProperty("tags") is var tags && (tags.ValueKind == JsonValueKind.Array ? tags.EnumerateArray().Any(one => one.GetString() == tag) : tags.GetString() == tag))
            .Select(user => Text(user, "name")).Order(StringComparer.Ordinal),
    ];

    public async Task<IReadOnlyList<string>> QueuesAsync(CancellationToken cancel) =>
        [.. (await GetAsync($"queues/{vhost}", cancel))!.Value.EnumerateArray().Select(queue => Text(queue, "name")).Order(StringComparer.Ordinal)];

    public async Task<IReadOnlyList<string>> ExchangesAsync(CancellationToken cancel) =>
        [.. (await GetAsync($"exchanges/{vhost}", cancel))!.Value.EnumerateArray().Select(exchange => Text(exchange, "name")).Order(StringComparer.Ordinal)];

    public Task DeleteUserAsync(string user, CancellationToken cancel) => DeleteAsync($"users/{Path(user)}", cancel);

    public Task DeleteQueueAsync(string queue, CancellationToken cancel) => DeleteAsync($"queues/{vhost}/{Path(queue)}", cancel);

    private static string Path(string name) => Uri.EscapeDataString(name);

    private static string Text(JsonElement json, string name) => json.GetProperty(name).GetString()!;

    private async Task<JsonElement?> GetAsync(string path, CancellationToken cancel)
    {
        using var response = await SendAsync(HttpMethod.Get, path, null, cancel);
        return response.StatusCode == HttpStatusCode.NotFound ? null : await response.Content.ReadFromJsonAsync<JsonElement>(cancel);
    }

    private async Task PutAsync(string path, object body, CancellationToken cancel) => (await SendAsync(HttpMethod.Put, path, body, cancel)).Dispose();

    private async Task DeleteAsync(string path, CancellationToken cancel) => (await SendAsync(HttpMethod.Delete, path, null, cancel)).Dispose();

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, object? body, CancellationToken cancel)
    {
        try
        {
            using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : JsonContent.Create(body) };
            // Of known length: RabbitMQ takes no chunked body.
            if (request.Content is { } content)
                await content.LoadIntoBufferAsync(cancel);
            var response = await http.SendAsync(request, cancel);
            if (response.IsSuccessStatusCode || (response.StatusCode == HttpStatusCode.NotFound && method != HttpMethod.Put))
                return response;
            var why = await response.Content.ReadAsStringAsync(cancel);
            throw new CouldNotRunException($"RabbitMQ refuses {method} {path}: {(int)response.StatusCode} {why.ReplaceLineEndings(" ")}");
        }
        catch (HttpRequestException e)
        {
            throw new CouldNotRunException($"RabbitMQ's HTTP API does not answer at {http.BaseAddress}: {e.Message}");
        }
    }
}
