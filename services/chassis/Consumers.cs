using Microsoft.Extensions.DependencyInjection;

namespace Imet.Chassis;

public sealed record ConsumerSettings
{
    public required Uri Broker { get; init; }
    public int DeliveryLimit { get; init; } = 20;
}

public sealed record Subscription(Type Consumer, string Exchange, string[] RoutingKeys);

public static class ConsumerRegistration
{
    /// <summary>Once for each exchange; its queue is "&lt;service&gt;.&lt;exchange&gt;".</summary>
    public static IServiceCollection AddConsumer<TConsumer>(this IServiceCollection services, string exchange, params string[] routingKeys)
        where TConsumer : class, IEventConsumer => services
        .AddSingleton<TConsumer>()
        .AddSingleton(new Subscription(typeof(TConsumer), exchange, routingKeys));

    /// <summary>Once: starts receiving for all that <see cref="AddConsumer"/> named.</summary>
    public static IServiceCollection AddConsumers(this IServiceCollection services, ConsumerSettings settings) => services.AddSingleton(settings);
}
