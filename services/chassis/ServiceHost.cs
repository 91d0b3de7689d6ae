using System.Reflection;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Imet.Events.V1;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;
using Npgsql;

namespace Imet.Chassis;

/// <summary>A service from its settings to its end. A house names what it offers, asks and follows; the rest is the same for all.</summary>
public sealed partial class ServiceHost
{
    /// <summary>Exit code for what an operator must put right: a setting, a schema, a port. There is one line about it on standard error.</summary>
    public const int CouldNotRun = 2;

    private const string Serve = "serve";
    private const string Migrate = "migrate";

    private readonly string _verb;
    private readonly string _service;
    private readonly string _schema;
    private readonly Assembly _house;
    private readonly Settings _settings;
    private readonly WebApplicationBuilder _builder;
    private readonly IGrpcServerBuilder _grpc;
    private readonly Requests _requests = new();
    private readonly List<Action<WebApplication>> _maps = [];
    private readonly List<string> _requiredRoutes = [];

    private ServiceHost(string[] args, string service, string schema, Assembly house)
    {
        (_service, _schema, _house) = (service, schema, house);
        _verb = args is [{ Length: > 0 } first, ..] && first[0] != '-' ? first : Serve;
        // The empty builder: nothing that we don't use costs time at the start, and no file is watched.
        _builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions
        {
            ApplicationName = house.GetName().Name,
            ContentRootPath = AppContext.BaseDirectory,
            EnvironmentName = Environment.GetEnvironmentVariable("DOTNET_ENVIRONMENT") ?? Environment.GetEnvironmentVariable("ASPNETCORE_ENVIRONMENT") ?? Environments.Production,
        });
        _builder.Configuration
            .AddJsonFile("appsettings.json", optional: true, reloadOnChange: false)
            .AddJsonFile($"appsettings.{_builder.Environment.EnvironmentName}.json", optional: true, reloadOnChange: false)
            .AddEnvironmentVariables()
            .AddCommandLine([.. args.Where(arg => arg.StartsWith('-'))]);
        _settings = new Settings(_builder.Configuration);
        if (_settings.TextOrNull("Settings:Folder") is { } folder)
            AddSettingsOf(folder);
        _grpc = _builder.Services.AddGrpc(options => options.MaxReceiveMessageSize = MaximumMessageBytes);
        Refusal.Domain = $"imet.{service}";
        if (_verb == Serve)
            ConfigureServing();
        MapService<EventLog>(EventServiceReflection.Descriptor.Services[0]);
    }

    public IServiceCollection Services => _builder.Services;

    public IConfiguration Settings => _builder.Configuration;

    /// <summary>Set once started: for tests, which listen on ports that are free.</summary>
    internal WebApplication? App { get; private set; }

    private int MaximumMessageBytes => _settings.Number("Limits:MessageBytes", 256 * 1024, 1024, 64 * 1024 * 1024);

    public static ServiceHost Create(string[] args, string service, string schema, Assembly house) => new(args, service, schema, house);

    public ServiceHost MapService<TService>(ServiceDescriptor descriptor) where TService : class
    {
        _ = Scopes.Of(descriptor);
        foreach (var method in descriptor.Methods)
            _requests.Prepare(method.InputType);
        Services.TryAddSingleton<TService>();
        _grpc.AddServiceOptions<TService>(options => options.Interceptors.Add<CallInterceptor>());
        _maps.Add(app => app.MapGrpcService<TService>().RequireScopes(descriptor));
        return this;
    }

    public ServiceHost AddPeer<TClient>(string peer) where TClient : ClientBase<TClient>
    {
        if (_verb != Serve)
            return this;
        var settings = PeerSettings.Read(_settings, peer);
        Services.AddSingleton(provider => (TClient)Activator.CreateInstance(typeof(TClient), provider.GetRequiredService<Peers>().Invoker(settings))!);
        return this;
    }

    public ServiceHost Consume<TConsumer>(string exchange, params string[] routingKeys) where TConsumer : class, IEventConsumer
    {
        Services.AddConsumer<TConsumer>(exchange, routingKeys);
        return this;
    }

    public ServiceHost AddDueWork<THandler>() where THandler : class, IDueWorkHandler
    {
        Services.AddDueWorkHandler<THandler>();
        return this;
    }

    public ServiceHost AddBackground<T>() where T : class, IHostedService
    {
        Services.AddHostedService<T>();
        return this;
    }

    /// <summary>A violation of the constraint is a refusal wherever it happens: for rules that only the database can hold, since many write at once.</summary>
    public ServiceHost RefuseConstraint(string name, Func<PostgresException, Refusal> refusal)
    {
        Faults.Constraints[name] = refusal;
        return this;
    }

    public ServiceHost RequireRoute(params string[] routingKeyPatterns)
    {
        _requiredRoutes.AddRange(routingKeyPatterns);
        return this;
    }

    public ServiceHost AddReadiness<TCheck>(string name) where TCheck : class, IHealthCheck
    {
        Services.TryAddSingleton<TCheck>();
        Services.AddHealthChecks().Add(new HealthCheckRegistration(
            name, provider => provider.GetRequiredService<TCheck>(), HealthStatus.Unhealthy, [Readiness.Deep], TimeSpan.FromSeconds(5)));
        return this;
    }

    public async Task<int> RunAsync()
    {
        if (_verb == Migrate)
            return await MigrateAsync();
        if (await StartAsync() is { } code)
            return code;
        await App!.WaitForShutdownAsync();
        await App!.DisposeAsync();
        return 0;
    }

    /// <summary>Null = it serves; else the exit code.</summary>
    internal async Task<int?> StartAsync()
    {
        if (_verb != Serve)
            return Fail($"\"{_verb}\" is no verb of this service: none serves, {Migrate} brings the schema up to date");
        if (_settings.Errors.Count > 0)
            return Fail(string.Join("; ", _settings.Errors));

        var app = _builder.Build();
        var schema = MeetSchemaAsync(app.Services);
        Map(app);
        if (await schema is { } wrong)
        {
            await app.DisposeAsync();
            return Fail(wrong);
        }

        try
        {
            await app.StartAsync();
        }
        catch (IOException e) when (e.InnerException is AddressInUseException)
        {
            await app.DisposeAsync();
            return Fail($"Listen__Grpc or Listen__Http: found {_settings.TextOrNull("Listen:Grpc")} and {_settings.TextOrNull("Listen:Http")}, of which another process holds one; expected free ports");
        }

        App = app;
        Started(app.Logger, _service, string.Join(" and ", Addresses(app)));
        return null;
    }

    internal static IReadOnlyList<string> Addresses(WebApplication app) => [.. app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses];

    private void ConfigureServing()
    {
        var grpc = _settings.Listen("Listen:Grpc");
        var http = _settings.Listen("Listen:Http");
        var broker = _settings.Broker("Broker:Uri");
        var age = new ConnectionAge(_settings.Duration("Limits:ConnectionAge", TimeSpan.FromMinutes(5), TimeSpan.FromSeconds(1), TimeSpan.FromDays(1)));
        var maximumConnections = _settings.Number("Limits:Connections", 2000, 1, 1_000_000);
        _ = MaximumMessageBytes;

        _builder.AddLogs();
        _builder.AddTelemetry(_service);
        _builder.WebHost.UseKestrelCore();
        _builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxConcurrentConnections = maximumConnections;
            kestrel.Limits.MaxRequestHeadersTotalSize = 16 * 1024;
            kestrel.Limits.MaxRequestHeaderCount = 64;
            kestrel.Limits.Http2.MaxStreamsPerConnection = 100;
            kestrel.Limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(30);
            kestrel.Limits.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(10);
            kestrel.Listen(grpc, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                listen.Use(age.Limit);
            });
            kestrel.Listen(http, listen =>
            {
                listen.Protocols = HttpProtocols.Http1;
                listen.Use(next => connection =>
                {
                    connection.Features.Set(OperatorListener.Mark);
                    return next(connection);
                });
            });
        });

        Services.AddRouting();
        Services.TryAddSingleton(ReadClock());
        Services.AddTokens(AuthenticationSettings.Read(_settings, Settings, _service));
        Services.AddSingleton(_requests);
        Services.AddSingleton<CallInterceptor>();
        Services.AddSingleton(new FrameLimits(_settings.Duration("Limits:Deadline", TimeSpan.FromSeconds(10), TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1))));
        Services.AddDatabase(new DatabaseSettings
        {
            Service = _service,
            Schema = _schema,
            ConnectionString = _settings.ConnectionString("Database:ConnectionString"),
            MaximumConnections = _settings.Number("Database:MaximumConnections", 32, 2, 500),
        });
        Services.AddSingleton(ReadPageKey());
        Services.AddSingleton(provider => new Pages(provider.GetRequiredService<PageKey>(), provider.GetRequiredService<TimeProvider>()));
        var token = _settings.FileOrNull("Auth:TokenFile", "a file with our bearer token for peers");
        Services.AddSingleton(provider =>
        {
            var clock = provider.GetRequiredService<TimeProvider>();
            return new Peers(token is null ? null : new BearerFile(token, clock), clock, provider.GetRequiredService<ILoggerFactory>());
        });
        Services.AddRelay(new RelaySettings { Broker = broker, Exchange = $"imet.{_service}.v1", RequiredRoutes = _requiredRoutes });
        Services.AddConsumers(new ConsumerSettings { Broker = broker });
        Services.AddDueWork(new DueWorkSettings());
        Services.AddHousekeeping(new HousekeepingSettings
        {
            // More than a fiscal year, so that whoever comes once a year can still catch up.
            EventsKept = _settings.Duration("Events:Kept", TimeSpan.FromDays(400), TimeSpan.FromDays(1), TimeSpan.FromDays(10_000)),
        });
        Services.AddEventLog(new EventLogSettings());
        Services.AddHealth(new HealthSettings
        {
            House = _house,
            DrainDelay = _settings.Duration("Shutdown:DrainDelay", TimeSpan.Zero, TimeSpan.Zero, TimeSpan.FromSeconds(20)),
        });
        Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(25));
        if (_settings.Flag("Reflection"))
        {
            Services.AddGrpcReflection();
            _maps.Add(app => app.MapGrpcReflectionService().AllowAnonymous());
        }

        ReadFailpoints();
    }

    // Secrets come as files, one a setting: what is in the environment is seen by whoever may describe the process.
    private void AddSettingsOf(string folder)
    {
        if (Directory.Exists(folder))
            _builder.Configuration.AddKeyPerFile(Path.GetFullPath(folder), optional: false, reloadOnChange: false);
        else
            _settings.Wrong("Settings:Folder", $"{folder}, which does not exist", "a folder with one file for each setting, named as the setting", 0);
    }

    private PageKey ReadPageKey()
    {
        const string expected = "a file of at least 32 random bytes";
        var key = new PageKey();
        if (_settings.TextOrNull("PageTokens:KeyFile") is not { } file)
            return key;
        if (!File.Exists(file))
            return _settings.Wrong("PageTokens:KeyFile", $"{file}, which does not exist", expected, key);
        key.Bytes = File.ReadAllBytes(file);
        return key.Bytes.Length >= 32 ? key : _settings.Wrong("PageTokens:KeyFile", $"{file}, which is shorter", expected, key);
    }

    private TimeProvider ReadClock() => _settings.TextOrNull("Clock:AheadFile") switch
    {
        null => TimeProvider.System,
        { } file when _builder.Environment.IsDevelopment() => new MovedClock(file),
        { } file => _settings.Wrong("Clock:AheadFile", file, "none outside of DOTNET_ENVIRONMENT=Development", TimeProvider.System),
    };

    private void ReadFailpoints()
    {
        var failpoints = Settings.GetSection("Failpoints").AsEnumerable(makePathsRelative: true).Where(pair => pair.Value is not null).ToDictionary(pair => pair.Key, pair => pair.Value!);
        if (failpoints.Count > 0 && !_builder.Environment.IsDevelopment())
            _settings.Wrong("Failpoints", string.Join(", ", failpoints.Keys), "none outside of DOTNET_ENVIRONMENT=Development", 0);
        else
            Failpoints.Configure(failpoints);
    }

    private void Map(WebApplication app)
    {
        app.MapWhen(context => context.Features.Get<OperatorListener>() is not null, operators => operators
            .UseOpenTelemetryPrometheusScrapingEndpoint()
            .Run(Health.AnswerAsync));
        app.UseRouting();
        app.UseMiddleware<Frames>();
        app.UseMiddleware<KnownCallers>();
        app.UseAuthentication();
        app.UseAuthorization();
        app.MapGrpcHealthChecksService().AllowAnonymous();
        _maps.ForEach(map => map(app));
    }

    // A database that can't be reached is waited for, unready; a schema that is too old is not, since only an operator can change it.
    private async Task<string?> MeetSchemaAsync(IServiceProvider services)
    {
        try
        {
            return await services.GetRequiredService<DatabaseReadiness>().MeetAsync(CancellationToken.None) is { } wrong ? $"{_schema}: {wrong}" : null;
        }
        catch (Exception e) when (e is System.Data.Common.DbException or TimeoutException)
        {
            return null;
        }
    }

    private async Task<int> MigrateAsync()
    {
        var owner = _settings.ConnectionString("Database:OwnerConnectionString");
        if (_settings.Errors.Count > 0)
            return Fail(string.Join("; ", _settings.Errors));
        try
        {
            var applied = await Migrator.RunAsync(owner, _schema, _house, CancellationToken.None);
            Console.Out.WriteLine(applied.Count == 0 ? $"{_schema}: nothing to do" : $"{_schema}: applied {string.Join(", ", applied.Select(name => name.Split('@')[0]))}");
            return 0;
        }
        catch (Exception e) when (e is MigrationException or System.Data.Common.DbException or TimeoutException)
        {
            return Fail($"migrate: {e.Message}");
        }
    }

    private int Fail(string line)
    {
        Console.Error.WriteLine($"imet {_service}: {line.ReplaceLineEndings(" ")}");
        return CouldNotRun;
    }

    [LoggerMessage(1, LogLevel.Information, "{Service} listens on {Addresses}")]
    private static partial void Started(ILogger log, string service, string addresses);
}

/// <summary>Marks connections of the port for health and metrics, which asks for no token and so must offer nothing else, whatever a Host header says.</summary>
internal sealed class OperatorListener
{
    public static readonly OperatorListener Mark = new();
}
