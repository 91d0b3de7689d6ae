using System.Reflection;
using Grpc.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace Imet.Chassis;

public sealed class ServiceHost
{
    public IServiceCollection Services => throw new NotSupportedException();

    public IConfiguration Settings => throw new NotSupportedException();

    public static ServiceHost Create(string[] args, string service, string schema, Assembly house) => throw new NotSupportedException();

    public ServiceHost MapService<TService>(ServiceDescriptor descriptor) where TService : class => throw new NotSupportedException();

    public ServiceHost AddPeer<TClient>(string peer) where TClient : ClientBase<TClient> => throw new NotSupportedException();

    public ServiceHost Consume<TConsumer>(string exchange, params string[] routingKeys) where TConsumer : class, IEventConsumer => throw new NotSupportedException();

    public ServiceHost AddDueWork<THandler>() where THandler : class, IDueWorkHandler => throw new NotSupportedException();

    public ServiceHost AddBackground<T>() where T : class, IHostedService => throw new NotSupportedException();

    public ServiceHost RequireRoute(params string[] routingKeyPatterns) => throw new NotSupportedException();

    public ServiceHost AddReadiness<TCheck>(string name) where TCheck : class, IHealthCheck => throw new NotSupportedException();

    public Task<int> RunAsync() => throw new NotSupportedException();
}
