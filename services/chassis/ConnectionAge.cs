using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace Imet.Chassis;

/// <summary>Asks the client of an old connection to open another: with one for ever, no call would ever reach a replica that was added later. Calls under way are finished.</summary>
internal sealed class ConnectionAge(TimeSpan age)
{
    public ConnectionDelegate Limit(ConnectionDelegate next) => async connection =>
    {
        // Clients that came together shall not leave together.
        var due = age * (0.9 + (0.2 * Random.Shared.NextDouble()));
        var lifetime = connection.Features.Get<IConnectionLifetimeNotificationFeature>()!;
        await using var timer = new Timer(_ => lifetime.RequestClose(), null, due, Timeout.InfiniteTimeSpan);
        await next(connection);
    };
}
