using Microsoft.Extensions.DependencyInjection;

namespace Imet.Chassis;

public sealed record RelaySettings
{
    public required Uri Broker { get; init; }
    /// <summary>Topic exchange of the service's events, e.g. "imet.enrollment.v1".</summary>
    public required string Exchange { get; init; }
    /// <summary>Routing keys (with * and #) of events that one of our own consumers must get: one that comes back stops its aggregate until it can be routed.</summary>
    public IReadOnlyList<string> RequiredRoutes { get; init; } = [];
    public TimeSpan HeartbeatEvery { get; init; } = TimeSpan.FromMinutes(1);
}

public static class RelayRegistration
{
    public static IServiceCollection AddRelay(this IServiceCollection services, RelaySettings settings) => services.AddSingleton(settings);
}
