using System.Collections.Concurrent;

namespace Imet.Cli;

/// <summary>Somebody who calls: the subject of a token, what it allows, and for which country (null = all).</summary>
public sealed record Person(string Subject, string Scopes, string? Country);

/// <summary>Clients for several people at once: each call bears the token of who makes it.</summary>
public sealed class People(Uri eligibility, Uri catalog, Uri enrollment, Func<Person, string> mint) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<Person, Clients> clients = new();

    public Uri Eligibility => eligibility;
    public Uri Catalog => catalog;
    public Uri Enrollment => enrollment;

    public Clients As(Person person) => clients.GetOrAdd(person, who =>
    {
        var token = mint(who);
        return new Clients(eligibility, catalog, enrollment, () => token);
    });

    public async ValueTask DisposeAsync()
    {
        foreach (var each in clients.Values)
            await each.DisposeAsync();
    }
}
