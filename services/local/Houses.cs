using System.Runtime.InteropServices;

namespace Imet.Local;

/// <summary>One of the three services: its name, its schema and the program that the build makes of it.</summary>
public sealed record House(string Name, string Schema, string Assembly, int Number)
{
    public static readonly House CountryEligibility = new("country-eligibility", "eligibility", "Imet.CountryEligibility", 1);
    public static readonly House CourseCatalog = new("course-catalog", "catalog", "Imet.CourseCatalog", 2);
    public static readonly House Enrollment = new("enrollment", "enrollment", "Imet.Enrollment", 3);
    public static readonly IReadOnlyList<House> All = [CountryEligibility, CourseCatalog, Enrollment];

    public static string Dotnet { get; } = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "../../../dotnet"));

    /// <summary>The built program, beside our own in the build's output: artifacts/bin/NAME/CONFIGURATION.</summary>
    public string Program
    {
        get
        {
            var own = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd('/'));
            var file = Path.Combine(own.Parent!.Parent!.FullName, Assembly, own.Name, $"{Assembly}.dll");
            return File.Exists(file) ? file : throw new StackException($"{file} is not built: dotnet build services/{Name}");
        }
    }
}

public sealed record HouseSettings
{
    public required int GrpcPort { get; init; }
    public required int HttpPort { get; init; }
    public required string Database { get; init; }
    /// <summary>Only for the migrate verb: a service that runs never holds it.</summary>
    public required string? OwnerDatabase { get; init; }
    public required string Broker { get; init; }
    public required string KeysFile { get; init; }
    public required string? TokenFile { get; init; }
    public required string CountryEligibility { get; init; }
    public required string CourseCatalog { get; init; }

    /// <summary>What every instance is told, by environment variables; a caller adds its own on top.</summary>
    public Dictionary<string, string?> ToEnvironment() => new()
    {
        ["DOTNET_ENVIRONMENT"] = "Development",
        ["DOTNET_gcServer"] = "0",
        ["Listen__Grpc"] = $"http://127.0.0.1:{GrpcPort}",
        ["Listen__Http"] = $"http://127.0.0.1:{HttpPort}",
        ["Database__ConnectionString"] = Database,
        ["Database__OwnerConnectionString"] = OwnerDatabase,
        ["Broker__Uri"] = Broker,
        ["Auth__Issuer"] = Cli.Tokens.Issuer,
        ["Auth__KeysFile"] = KeysFile,
        ["Auth__TokenFile"] = TokenFile,
        ["Reflection"] = "true",
        ["Peers__country-eligibility__Address"] = CountryEligibility,
        ["Peers__course-catalog__Address"] = CourseCatalog,
    };
}
