using Google.Protobuf.Reflection;
using Grpc.AspNetCore.Server;
using Imet.Options.V1;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;

namespace Imet.Chassis;

/// <summary>The scope that a method's proto option asks for.</summary>
internal sealed class ScopeRequirement(string scope) : AuthorizationHandler<ScopeRequirement>, IAuthorizationRequirement
{
    public string Scope => scope;

    protected override Task HandleRequirementAsync(AuthorizationHandlerContext context, ScopeRequirement requirement)
    {
        if (context.User.Identity is CallerIdentity identity && identity.Caller.Has(requirement.Scope))
            context.Succeed(requirement);
        return Task.CompletedTask;
    }
}

internal static class Scopes
{
    /// <summary>The scope of every method by its full name; throws when one has none, so that no method is open by oversight.</summary>
    public static IReadOnlyDictionary<string, string> Of(ServiceDescriptor service) => service.Methods.ToDictionary(
        method => $"/{service.FullName}/{method.Name}",
        method => method.GetOptions()?.GetExtension(OptionsExtensions.Scope) is { Length: > 0 } scope
            ? scope
            : throw new InvalidOperationException($"{method.FullName} has no (imet.options.v1.scope)."),
        StringComparer.Ordinal);

    public static void RequireScopes(this GrpcServiceEndpointConventionBuilder endpoints, ServiceDescriptor service)
    {
        var requirements = Of(service).ToDictionary(pair => pair.Key, pair => new ScopeRequirement(pair.Value), StringComparer.Ordinal);
        endpoints.Add(endpoint =>
        {
            if (endpoint.Metadata.OfType<GrpcMethodMetadata>().FirstOrDefault() is not { } grpc)
                return;
            var requirement = requirements.TryGetValue(grpc.Method.FullName, out var known)
                ? known
                : throw new InvalidOperationException($"{grpc.Method.FullName} is not in the descriptor of {service.FullName}.");
            endpoint.Metadata.Add(requirement);
            endpoint.Metadata.Add(new AuthorizationPolicyBuilder().RequireAuthenticatedUser().AddRequirements(requirement).Build());
        });
    }
}
