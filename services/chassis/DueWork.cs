using Microsoft.Extensions.DependencyInjection;

namespace Imet.Chassis;

public interface IDueWorkHandler
{
    static abstract string Kind { get; }

    /// <summary>Does what is due for the key, asking anew what is true now. Whatever it throws, it is called again later, for ever.</summary>
    Task HandleAsync(string key, CancellationToken cancel);
}

public sealed class DueWork(Signals signals)
{
    public void Add(Transaction tx, string kind, string key, DateTimeOffset? notBefore = null) => throw new NotSupportedException();

    public void Signal() => signals.DueWork.Set();
}

public sealed record DueWorkSettings
{
    public int Parallel { get; init; } = 4;
}

public static class DueWorkRegistration
{
    public static IServiceCollection AddDueWorkHandler<THandler>(this IServiceCollection services) where THandler : class, IDueWorkHandler => services
        .AddSingleton<THandler>();

    /// <summary>Once: registers <see cref="DueWork"/> and starts working for all that <see cref="AddDueWorkHandler"/> named.</summary>
    public static IServiceCollection AddDueWork(this IServiceCollection services, DueWorkSettings settings) => services
        .AddSingleton(settings)
        .AddSingleton<DueWork>();
}
