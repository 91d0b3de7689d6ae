using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.Json;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Grpc.Net.Client.Configuration;
using Imet.Cli.Partners;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.V1;
using Imet.Events.V1;
using Duration = Google.Protobuf.WellKnownTypes.Duration;

namespace Imet.Cli;

/// <summary>Options of every verb that calls the services, and the connection that they describe.</summary>
/// <param name="scopes">What the verb needs, where its token is made with the local stack's key.</param>
public sealed class ConnectionOptions(params string[] scopes)
{
    public Option<Uri> Eligibility { get; } = Address("--eligibility", "IMET_ELIGIBILITY", "http://127.0.0.1:5101", "country-eligibility");
    public Option<Uri> Catalog { get; } = Address("--catalog", "IMET_CATALOG", "http://127.0.0.1:5102", "course-catalog");
    public Option<Uri> Enrollment { get; } = Address("--enrollment", "IMET_ENROLLMENT", "http://127.0.0.1:5103", "enrollment");
    public Option<string?> Token { get; } = new("--token") { Description = "Bearer token. Else --token-file, IMET_TOKEN, or the local stack's key in .imet." };
    public Option<FileInfo?> TokenFile { get; } = new("--token-file") { Description = "File with the bearer token; read again when it changes." };

    public Option<DirectoryInfo?> Keys { get; } = BearerToken.KeysOption();

    public void AddTo(Command command)
    {
        command.Options.Add(Eligibility);
        command.Options.Add(Catalog);
        command.Options.Add(Enrollment);
        command.Options.Add(Token);
        command.Options.Add(TokenFile);
        command.Options.Add(Keys);
    }

    public Clients Open(ParseResult parsed) => new(
        parsed.GetRequiredValue(Eligibility), parsed.GetRequiredValue(Catalog), parsed.GetRequiredValue(Enrollment),
        BearerToken.From(parsed.GetValue(Token), parsed.GetValue(TokenFile), parsed.GetValue(Keys), scopes));

    private static Option<Uri> Address(string name, string variable, string local, string service) => new(name)
    {
        Description = $"Address of {service}. Else {variable}, else {local}.",
        DefaultValueFactory = result => ToUri(Environment.GetEnvironmentVariable(variable) ?? local, variable, result),
        CustomParser = result => ToUri(result.Tokens[0].Value, name, result),
        HelpName = "URI",
    };

    public static Uri ToUri(string text, string named, ArgumentResult result)
    {
        if (Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https")
            return uri;
        result.AddError($"{named} must be an http or https address, not {text}.");
        return new Uri("http://127.0.0.1:1");
    }
}

/// <summary>Clients of the three services: one channel each, as many HTTP/2 connections as the calls in flight need.</summary>
public sealed class Clients : IAsyncDisposable
{
    private static readonly ServiceConfig Retries = PublishedRetries();

    private readonly GrpcChannel[] channels;
    private readonly Dictionary<string, EventService.EventServiceClient> events;

    public Clients(Uri eligibility, Uri catalog, Uri enrollment, Func<string> token)
    {
        channels = [Open(eligibility), Open(catalog), Open(enrollment)];
        CountryEligibility = new(Authorized(channels[0], token));
        CourseCatalog = new(Authorized(channels[1], token));
        Enrollment = new(Authorized(channels[2], token));
        events = EventKinds.Services.Zip(channels).ToDictionary(pair => pair.First, pair => new EventService.EventServiceClient(Authorized(pair.Second, token)));
    }

    public CountryEligibilityService.CountryEligibilityServiceClient CountryEligibility { get; }
    public CourseCatalogService.CourseCatalogServiceClient CourseCatalog { get; }
    public EnrollmentService.EnrollmentServiceClient Enrollment { get; }

    /// <summary>The log of events, which every service serves for its own.</summary>
    public EventService.EventServiceClient EventsOf(string service) => events[service];

    public ValueTask DisposeAsync()
    {
        foreach (var channel in channels)
            channel.Dispose();
        return ValueTask.CompletedTask;
    }

    private static GrpcChannel Open(Uri address) => GrpcChannel.ForAddress(address, new GrpcChannelOptions
    {
        HttpHandler = new SocketsHttpHandler
        {
            EnableMultipleHttp2Connections = true,
            KeepAlivePingDelay = TimeSpan.FromSeconds(20),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
            ConnectTimeout = TimeSpan.FromSeconds(5),
        },
        DisposeHttpClient = true,
        ServiceConfig = Retries,
    });

    private static CallInvoker Authorized(GrpcChannel channel, Func<string> token) => channel.Intercept(metadata =>
    {
        metadata.Add("authorization", "Bearer " + token());
        return metadata;
    });

    // What protos/service-config.json tells every client about retries. One address needs no balancing.
    private static ServiceConfig PublishedRetries()
    {
        using var stream = typeof(Clients).Assembly.GetManifestResourceStream("Imet.Cli.service-config.json")!;
        using var published = JsonDocument.Parse(stream);
        var retry = published.RootElement.GetProperty("methodConfig")[0].GetProperty("retryPolicy");
        var throttling = published.RootElement.GetProperty("retryThrottling");
        var policy = new RetryPolicy
        {
            MaxAttempts = retry.GetProperty("maxAttempts").GetInt32(),
            InitialBackoff = Duration.Parser.ParseJson(retry.GetProperty("initialBackoff").GetRawText()).ToTimeSpan(),
            MaxBackoff = Duration.Parser.ParseJson(retry.GetProperty("maxBackoff").GetRawText()).ToTimeSpan(),
            BackoffMultiplier = retry.GetProperty("backoffMultiplier").GetDouble(),
        };
        foreach (var code in retry.GetProperty("retryableStatusCodes").EnumerateArray())
            policy.RetryableStatusCodes.Add(Enum.Parse<StatusCode>(code.GetString()!.Replace("_", "", StringComparison.Ordinal), ignoreCase: true));
        return new ServiceConfig
        {
            MethodConfigs = { new MethodConfig { Names = { MethodName.Default }, RetryPolicy = policy } },
            RetryThrottling = new RetryThrottlingPolicy { MaxTokens = throttling.GetProperty("maxTokens").GetInt32(), TokenRatio = throttling.GetProperty("tokenRatio").GetDouble() },
        };
    }
}
