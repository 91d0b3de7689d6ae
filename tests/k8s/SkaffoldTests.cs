using System.Text.RegularExpressions;
using Xunit;
using YamlDotNet.RepresentationModel;

namespace Imet.K8s.Tests;

/// <summary>skaffold.yaml against the part of skaffold/v4beta13 that it uses: every key at its place, every file it names there.</summary>
public sealed class SkaffoldTests
{
    // Paths of keys; [] is an item of a list, * any key.
    private static readonly string[] Known =
    [
        "apiVersion", "kind", "metadata.name",
        "build.tagPolicy.inputDigest", "build.artifacts[].image", "build.artifacts[].custom.buildCommand", "build.artifacts[].custom.dependencies.paths[]", "build.artifacts[].custom.dependencies.ignore[]",
        "build.artifacts[].docker.dockerfile", "build.artifacts[].docker.target", "build.artifacts[].docker.buildArgs.*",
        "test[].image", "test[].custom[].command", "test[].custom[].timeoutSeconds", "manifests.kustomize.paths[]",
        "deploy.statusCheckDeadlineSeconds", "deploy.kubectl.defaultNamespace", "deploy.kubectl.hooks.before[].host.command[]",
        "portForward[].resourceType", "portForward[].resourceName", "portForward[].namespace", "portForward[].port", "portForward[].localPort",
        "verify[].name", "verify[].timeout", "verify[].container.name", "verify[].container.image", "verify[].executionMode.kubernetesCluster.jobManifestPath",
        "profiles[].name", "profiles[].activation[].command", "profiles[].patches[].op", "profiles[].patches[].path", "profiles[].patches[].value",
    ];

    private static readonly List<(string Path, string Value)> Said = Read();

    [Fact]
    public void Every_key_stands_where_the_schema_has_it()
    {
        var known = Known.Select(path => new Regex($"^{Regex.Escape(path).Replace(@"\*", "[^.]+", StringComparison.Ordinal)}$")).ToList();
        Assert.Equal([], Said.Select(pair => Regex.Replace(pair.Path, @"^profiles\[\]\.(build|manifests)", "$1")).Distinct().Where(path => !known.Any(pattern => pattern.IsMatch(path))));
        Assert.Contains(("apiVersion", "skaffold/v4beta13"), Said);
        Assert.Contains(("kind", "Config"), Said);
    }

    [Fact]
    public void It_builds_the_images_that_the_manifests_name_and_forwards_the_ports_they_have()
    {
        var dev = Manifests.Render("k8s/overlays/dev");
        var built = Said.Where(pair => pair.Path == "build.artifacts[].image").Select(pair => pair.Value).ToList();
        var named = dev.Workloads.Concat(Manifests.Load("k8s/tour.yaml").Workloads).SelectMany(workload => workload.Containers).Select(container => container.Image.Split(':')[0]).Where(image => image.StartsWith("imet/", StringComparison.Ordinal)).Distinct();
        Assert.Equal(named.Order(StringComparer.Ordinal), built.Order(StringComparer.Ordinal));
        var forwarded = Said.Where(pair => pair.Path == "portForward[].port").Select(pair => int.Parse(pair.Value, null));
        Assert.Equal(dev.Of<k8s.Models.V1Service>().SelectMany(service => service.Spec.Ports).Where(port => port.Name == "grpc").Select(port => port.Port).Order(), forwarded.Order());
    }

    [Fact]
    public void Files_and_targets_that_it_names_exist()
    {
        var paths = Said.Where(pair => Regex.IsMatch(pair.Path, @"(kustomize\.paths\[\]|dockerfile|jobManifestPath|hooks\.before\[\]\.host\.command\[\])$")).Select(pair => pair.Value).ToList();
        Assert.True(paths.Count >= 4);
        Assert.All(paths, path => Assert.True(Path.Exists(Manifests.PathOf(path)), path));
        var dockerfile = Manifests.Read("Dockerfile");
        foreach (var target in Said.Where(pair => pair.Path.EndsWith("docker.target", StringComparison.Ordinal)).Select(pair => pair.Value))
        {
            Assert.True(Directory.Exists(Manifests.PathOf($"services/{target}")), target);
            var program = Regex.Match(dockerfile, $@"FROM runtime AS {target}\nCOPY --from=build /app \.\nENTRYPOINT \[""dotnet"", ""(.+)\.dll""\]").Groups[1].Value;
            var project = Assert.Single(Directory.EnumerateFiles(Manifests.PathOf($"services/{target}"), "*.csproj"));
            Assert.Equal(program, Regex.Match(File.ReadAllText(project), "<AssemblyName>(.+)</AssemblyName>") is { Success: true } match ? match.Groups[1].Value : Path.GetFileNameWithoutExtension(project));
        }
    }

    private static List<(string, string)> Read()
    {
        var yaml = new YamlStream();
        using var reader = new StringReader(Manifests.Read("skaffold.yaml"));
        yaml.Load(reader);
        return [.. Walk(yaml.Documents.Single().RootNode, "")];
    }

    private static IEnumerable<(string, string)> Walk(YamlNode node, string path) => node switch
    {
        YamlMappingNode { Children.Count: > 0 } mapping => mapping.SelectMany(pair => Walk(pair.Value, path.Length == 0 ? pair.Key.ToString() : $"{path}.{pair.Key}")),
        YamlSequenceNode { Children.Count: > 0 } sequence => sequence.SelectMany(item => Walk(item, $"{path}[]")),
        YamlSequenceNode => [($"{path}[]", "")],
        _ => [(path, node.ToString())],
    };
}
