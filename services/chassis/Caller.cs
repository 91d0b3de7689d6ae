using Grpc.Core;
using Imet.Options.V1;

namespace Imet.Chassis;

/// <summary>Who calls, as the token says.</summary>
public sealed record Caller
{
    public required string Subject { get; init; }
    public required IReadOnlySet<string> Scopes { get; init; }

    /// <summary>The only countries the caller may see and change; null = all.</summary>
    public IReadOnlySet<string>? Countries { get; init; }

    public static Caller Of(ServerCallContext context) =>
        context.GetHttpContext().Features.Get<Caller>() ?? throw new InvalidOperationException("The call was not authenticated.");

    public bool MaySee(string country) => Countries is null || Countries.Contains(country);

    public void Require(string country)
    {
        if (!MaySee(country))
            throw Refusal.Of(CommonReason.CountryNotPermitted, $"The token is for {string.Join(", ", Countries!.Order(StringComparer.Ordinal))}, not {country}.")
                .With("country", country)
                .ToException();
    }

    public bool Has(string scope) => Scopes.Contains(scope);

    public void RequireScope(string scope)
    {
        if (!Has(scope))
            throw ScopeRequired(scope).ToException();
    }

    internal static Refusal ScopeRequired(string scope) =>
        Refusal.Of(CommonReason.ScopeRequired, $"The token lacks the scope {scope}.").With("scope", scope);
}
