using Dapper;
using Imet.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace Imet.Chassis.Tests;

/// <summary>A process' worth of the chassis on a database of the test's own; several stages on one database are several replicas.</summary>
internal sealed class Stage : IAsyncDisposable
{
    public const string Schema = "enrollment";
    public const string Exchange = "imet.enrollment.v1";

    private readonly IHost _host;

    private Stage(IHost host, TestDatabase data) => (_host, Data) = (host, data);

    public TestDatabase Data { get; }

    public Database Database => Get<Database>();

    public static Task<TestDatabase> NewDatabaseAsync(Servers servers) =>
        servers.NewDatabaseAsync(Schema, typeof(Stage).Assembly, TestContext.Current.CancellationToken);

    public static async Task<Stage> StartAsync(TestDatabase data, Action<IServiceCollection>? add = null, int maximumConnections = 20)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Services
            .AddMetrics()
            .AddSingleton(TimeProvider.System)
            .AddDatabase(new DatabaseSettings { Service = Schema, Schema = Schema, ConnectionString = data.Runtime(Schema), MaximumConnections = maximumConnections });
        add?.Invoke(builder.Services);
        var host = builder.Build();
        await host.StartAsync(TestContext.Current.CancellationToken);
        return new Stage(host, data);
    }

    public static Action<IServiceCollection> Relay(string broker, params string[] requiredRoutes) => services => services
        .AddRelay(new RelaySettings { Broker = new Uri(broker), Exchange = Exchange, RequiredRoutes = requiredRoutes });

    public T Get<T>() where T : notnull => _host.Services.GetRequiredService<T>();

    /// <summary>Writes the next version of a note and its event, as a service does: the row's lock is held when the event is queued.</summary>
    public Task<long> WriteNoteAsync(string note, Func<Task>? beforeCommit = null) => Database.WriteAsync(async tx =>
    {
        var version = await tx.Connection.ExecuteScalarAsync<long>(
            "insert into note (id, version) values (@note, 1) on conflict (id) do update set version = note.version + 1 returning version", new { note }, tx.Npgsql);
        tx.Publish(NoteEvent(note, version));
        if (beforeCommit is not null)
        {
            await tx.FlushAsync(TestContext.Current.CancellationToken);
            await beforeCommit();
        }
        return version;
    }, TestContext.Current.CancellationToken);

    public static OutboundEvent NoteEvent(string note, long version, string? country = null) =>
        new() { AggregateId = note, AggregateVersion = version, Country = country, Data = new NoteWritten { Text = note, Number = version } };

    public Task<List<T>> QueryAsync<T>(string sql) => Database.ReadAsync(async connection => (await connection.QueryAsync<T>(sql)).AsList(), TestContext.Current.CancellationToken);

    public async Task<T> QueryOneAsync<T>(string sql) => (await QueryAsync<T>(sql)).Single();

    public static async Task AdministerAsync(TestDatabase data, string sql)
    {
        await using var connection = new NpgsqlConnection(data.Administrator);
        await connection.ExecuteAsync(sql);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync(CancellationToken.None);
        _host.Dispose();
    }
}
