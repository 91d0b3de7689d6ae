using System.Text.Json;
using System.Text.RegularExpressions;
using k8s.Models;
using Xunit;
using YamlDotNet.Serialization;

namespace Imet.K8s.Tests;

/// <summary>What manifests, alerts, dashboards and pages name exists in the code.</summary>
public sealed partial class AgreementTests
{
    // Read by the runtime and by OpenTelemetry, not by us.
    private static readonly string[] ReadByOthers = ["DOTNET_EnableDiagnostics", "DOTNET_gcServer", "DOTNET_GCHeapHardLimitPercent"];

    // Series of others: Prometheus, RabbitMQ's own exporter, CloudNativePG's.
    private static readonly string[] SeriesOfOthers = ["up", "rabbitmq_queue_messages", "cnpg_pg_replication_lag"];

    private static readonly string Code = string.Join('\n', Directory.EnumerateFiles(Manifests.PathOf("services"), "*.cs", SearchOption.AllDirectories).Select(File.ReadAllText));

    public static TheoryData<string> Overlays => [.. Manifests.Overlays];

    [Theory, MemberData(nameof(Overlays))]
    public void Every_setting_is_one_that_the_code_reads(string overlay)
    {
        var manifests = Manifests.Render($"k8s/overlays/{overlay}");
        var read = Setting().Matches(Code).Select(match => "^" + Regex.Replace(match.Groups[1].Value.Replace(":", "__", StringComparison.Ordinal), @"\{\w+\}", "[a-z-]+") + "$").Distinct().ToList();
        Assert.True(read.Count > 20, $"only {read.Count} settings were found in the code");
        var set = Services(manifests).SelectMany(service => Settings(service, manifests).Keys).Distinct().Except(ReadByOthers).ToList();
        Assert.Equal([], set.Where(name => !read.Any(pattern => Regex.IsMatch(Regex.Replace(name, @"^(Auth__Subjects)__\d+__(Subject|Scopes)$", "$1"), pattern))));
    }

    [Theory, MemberData(nameof(Overlays))]
    public void Every_file_that_a_setting_names_is_mounted_and_every_port_is_declared(string overlay)
    {
        var manifests = Manifests.Render($"k8s/overlays/{overlay}");
        foreach (var service in Services(manifests))
        {
            var container = service.Pod.Containers[0];
            var settings = Settings(service, manifests);
            foreach (var (name, value) in settings.Where(pair => pair.Value.StartsWith('/')))
            {
                var mount = Assert.Single(container.VolumeMounts, m => value == m.MountPath || value.StartsWith(m.MountPath + "/", StringComparison.Ordinal));
                var volume = service.Pod.Volumes.Single(v => v.Name == mount.Name);
                if (volume.Projected is { } projected)
                    Assert.Contains(value[(mount.MountPath.Length + 1)..], projected.Sources.SelectMany(s => s.ServiceAccountToken is { } token ? [token.Path] : s.ConfigMap.Items.Select(i => i.Path)));
                Assert.True(name.Length > 0 && mount.ReadOnlyProperty == true);
            }
            Assert.Equal(new Uri(settings["Listen__Grpc"]).Port, container.Ports.Single(p => p.Name == "grpc").ContainerPort);
            Assert.Equal(new Uri(settings["Listen__Http"]).Port, container.Ports.Single(p => p.Name == "http").ContainerPort);
            Assert.Contains($"\"{container.StartupProbe.HttpGet.Path}\"", Code, StringComparison.Ordinal);
            Assert.Contains($"\"{container.ReadinessProbe.HttpGet.Path}\"", Code, StringComparison.Ordinal);
            Assert.Contains($"Map(\"{container.LivenessProbe.Grpc.Service}\"", Code, StringComparison.Ordinal);
            Assert.Contains($"ServiceHost.Create(args, \"{service.Source.Metadata.Name}\"", Code, StringComparison.Ordinal);
            // A drain that is as long as the stop may take would leave no time to finish.
            Assert.True(TimeSpan.Parse(settings["Shutdown__DrainDelay"], null) < TimeSpan.FromSeconds(25));
        }
    }

    [Fact]
    public void A_peers_address_token_and_scopes_fit_together()
    {
        var dev = Manifests.Render("k8s/overlays/dev");
        var services = Services(dev).ToDictionary(service => service.Source.Metadata.Name);
        var asked = Regex.Matches(Code, "AddPeer<[^>]+>\\(\"([a-z-]+)\"\\)").Select(match => match.Groups[1].Value).Distinct().ToList();
        Assert.NotEmpty(asked);
        foreach (var peer in asked)
        {
            var settings = Settings(services["enrollment"], dev);
            var address = new Uri(settings[$"Peers__{peer}__Address"]).AbsolutePath.Trim('/').Split(':');
            Assert.Equal([$"{peer}.imet.svc", $"{services[peer].Pod.Containers[0].Ports.Single(p => p.Name == "grpc").ContainerPort}"], address);
            var token = Assert.Single(services["enrollment"].Pod.Volumes.SelectMany(v => v.Projected?.Sources ?? []), s => s.ServiceAccountToken?.Audience == $"imet.{peer}").ServiceAccountToken;
            Assert.EndsWith($"/{token.Path}", settings[$"Peers__{peer}__TokenFile"], StringComparison.Ordinal);
            var granted = Settings(services[peer], dev);
            Assert.Equal("system:serviceaccount:imet:enrollment", granted["Auth__Subjects__0__Subject"]);
            foreach (var scope in granted["Auth__Subjects__0__Scopes"].Split(' '))
                Assert.Contains(scope, Manifests.Read($"protos/imet/{peer.Replace("-", "", StringComparison.Ordinal)}/v1/{peer.Replace('-', '_')}_service.proto"), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Every_series_in_alerts_and_dashboards_is_emitted()
    {
        var emitted = Instrument().Matches(Code).SelectMany(match => Series(match.Groups["kind"].Value, match.Groups["name"].Value, match.Groups["rest"].Value)).ToHashSet();
        var named = Expressions().SelectMany(expression => Series().Matches(Regex.Replace(expression, "\"[^\"]*\"|\\{[^}]*\\}|by \\([^)]*\\)|\\$\\w+", " ")).Select(match => match.Value)).Distinct().Where(name => name.Contains('_') || name == "up").Except(["histogram_quantile"]).ToList();
        Assert.True(named.Count > 10, string.Join(", ", named));
        Assert.Equal([], named.Except(emitted).Except(SeriesOfOthers));
    }

    [Fact]
    public void Every_alert_has_its_page_and_every_page_its_alert()
    {
        var rules = Alerts();
        var pages = Directory.EnumerateFiles(Manifests.PathOf("docs/operations/alerts"), "*.md").Select(file => Path.GetRelativePath(Manifests.Repository, file)).Order(StringComparer.Ordinal);
        Assert.Equal(pages, rules.Select(rule => (string)((Dictionary<object, object>)rule["annotations"])["runbook_url"]).Order(StringComparer.Ordinal));
        foreach (var rule in rules)
        {
            var page = Manifests.Read((string)((Dictionary<object, object>)rule["annotations"])["runbook_url"]);
            Assert.StartsWith($"# {rule["alert"]}\n", page, StringComparison.Ordinal);
            Assert.All(new[] { "## What it means", "## What to do", "## When it is over" }, heading => Assert.Contains($"\n{heading}\n", page, StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Links_and_files_that_the_pages_name_exist()
    {
        var pages = Directory.EnumerateFiles(Manifests.PathOf("docs/operations"), "*.md", SearchOption.AllDirectories).ToList();
        Assert.True(pages.Count > 20);
        foreach (var page in pages)
        {
            var text = File.ReadAllText(page);
            foreach (var link in Regex.Matches(text, @"\]\(([^)#]+)").Select(match => match.Groups[1].Value).Where(link => !link.Contains("://", StringComparison.Ordinal)))
                Assert.True(Path.Exists(Path.Combine(Path.GetDirectoryName(page)!, link)), $"{page} links to {link}");
            foreach (var file in Regex.Matches(text, @"\bk8s/[A-Za-z0-9./-]+").Select(match => match.Value.TrimEnd('.', '/')))
                Assert.True(Path.Exists(Manifests.PathOf(file)), $"{page} names {file}");
        }
    }

    private static IEnumerable<Workload> Services(Manifests manifests) => manifests.Workloads.Where(workload => workload.Labels["app.kubernetes.io/component"] == "service");

    private static Dictionary<string, string> Settings(Workload service, Manifests manifests)
    {
        var container = service.Pod.Containers[0];
        var maps = container.EnvFrom.SelectMany(from => manifests.Of<V1ConfigMap>().Single(map => map.Metadata.Name == from.ConfigMapRef.Name).Data);
        return maps.Concat(container.Env.Select(e => KeyValuePair.Create(e.Name, e.Value))).ToDictionary();
    }

    private static IEnumerable<string> Expressions()
    {
        using var dashboard = JsonDocument.Parse(Manifests.Read("k8s/components/monitoring/dashboards/imet.json"));
        return [.. Alerts().Select(rule => (string)rule["expr"]), .. dashboard.RootElement.GetProperty("panels").EnumerateArray().SelectMany(panel => panel.GetProperty("targets").EnumerateArray()).Select(target => target.GetProperty("expr").GetString()!)];
    }

    private static List<Dictionary<object, object>> Alerts()
    {
        var yaml = new DeserializerBuilder().Build().Deserialize<Dictionary<string, object>>(Manifests.Read("k8s/components/monitoring/alerts.yaml"));
        var groups = (List<object>)((Dictionary<object, object>)yaml["spec"])["groups"];
        return [.. groups.Cast<Dictionary<object, object>>().SelectMany(group => (List<object>)group["rules"]).Cast<Dictionary<object, object>>()];
    }

    // As the Prometheus exporter names an instrument.
    private static IEnumerable<string> Series(string kind, string name, string rest)
    {
        var unit = Regex.Match(rest, "^[^\"]*\"(s|By)\"").Groups[1].Value switch { "s" => "_seconds", "By" => "_bytes", _ => "" };
        var series = name.Replace('.', '_') + unit;
        return kind.Contains("Histogram", StringComparison.Ordinal) ? [$"{series}_bucket", $"{series}_count", $"{series}_sum"] : kind.Contains("Counter", StringComparison.Ordinal) ? [$"{series}_total"] : [series];
    }

    [GeneratedRegex("""\$?"((?:Auth|Broker|Database|Limits|Listen|PageTokens|Peers|Settings|Shutdown):[A-Za-z:{}]+|Reflection|OTEL_[A-Z_]+)"(?=[,;\]\)])""")]
    private static partial Regex Setting();

    [GeneratedRegex("""Create(?<kind>Counter|Histogram|UpDownCounter|Gauge|ObservableGauge|ObservableCounter)(?:<\w+>)?\("(?<name>imet\.[a-z_.]+)"(?<rest>[^;]{0,300})""")]
    private static partial Regex Instrument();

    [GeneratedRegex(@"\b[a-z][a-z0-9_]+\b")]
    private static partial Regex Series();
}
