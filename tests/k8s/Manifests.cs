using System.ComponentModel;
using System.Diagnostics;
using System.Reflection;
using System.Text.RegularExpressions;
using k8s;
using k8s.Models;
using Xunit;

namespace Imet.K8s.Tests;

/// <summary>A Deployment, StatefulSet or Job: whatever makes pods.</summary>
internal sealed record Workload(IKubernetesObject<V1ObjectMeta> Source, V1PodTemplateSpec Template, V1LabelSelector? Selector, int? Replicas)
{
    public string Name => $"{Source.Kind} {Source.Metadata.Name}";
    public V1PodSpec Pod => Template.Spec;
    public IEnumerable<V1Container> Containers => [.. Pod.InitContainers ?? [], .. Pod.Containers];
    public IDictionary<string, string> Labels => Template.Metadata.Labels;

    public static Workload? Of(IKubernetesObject<V1ObjectMeta> source) => source switch
    {
        V1Deployment deployment => new(source, deployment.Spec.Template, deployment.Spec.Selector, deployment.Spec.Replicas),
        V1StatefulSet set => new(source, set.Spec.Template, set.Spec.Selector, set.Spec.Replicas),
        V1Job job => new(source, job.Spec.Template, null, 1),
        _ => null,
    };
}

/// <summary>Everything that an overlay makes, as kubectl renders it.</summary>
internal sealed partial class Manifests
{
    /// <summary>Kinds of operators, whose models the official client lacks.</summary>
    public static readonly string[] Foreign =
    [
        "postgresql.cnpg.io/v1 Cluster", "postgresql.cnpg.io/v1 ScheduledBackup", "barmancloud.cnpg.io/v1 ObjectStore", "monitoring.coreos.com/v1 PodMonitor", "monitoring.coreos.com/v1 PrometheusRule",
        "rabbitmq.com/v1beta1 RabbitmqCluster", "rabbitmq.com/v1beta1 Vhost", "rabbitmq.com/v1beta1 User", "rabbitmq.com/v1beta1 Permission", "rabbitmq.com/v1beta1 TopicPermission", "rabbitmq.com/v1beta1 Policy",
    ];

    private Manifests(string text)
    {
        Text = text;
        var documents = Separator().Split(text).Where(document => document.Trim().Length > 0).ToList();
        Custom = [.. documents.Where(document => Foreign.Contains(Kind(document)))];
        // Strict: a field that the API does not have is an error, as it is with kubectl apply --validate=strict.
        Objects = [.. KubernetesYaml.LoadAllFromString(string.Join("---\n", documents.Except(Custom)), null, true).Cast<IKubernetesObject<V1ObjectMeta>>()];
        Workloads = [.. Objects.Select(Workload.Of).OfType<Workload>()];
    }

    public string Text { get; }
    public IReadOnlyList<string> Custom { get; }
    public IReadOnlyList<IKubernetesObject<V1ObjectMeta>> Objects { get; }
    public IReadOnlyList<Workload> Workloads { get; }

    public static string Repository { get; } = typeof(Manifests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(data => data.Key == "Repository").Value!;

    public static IEnumerable<string> Overlays => Directory.GetDirectories(PathOf("k8s/overlays")).Select(folder => Path.GetFileName(folder)!).Order(StringComparer.Ordinal);

    public static string PathOf(string path) => Path.Combine(Repository, path);

    public static string Read(string path) => File.ReadAllText(PathOf(path));

    public static Manifests Render(string folder) => new(Kubectl("kustomize", PathOf(folder)));

    /// <summary>A file that kustomize does not know, such as a Job that is made by hand.</summary>
    public static Manifests Load(string file) => new(Read(file));

    public IEnumerable<T> Of<T>() => Objects.OfType<T>();

    public static string Kind(string document) => $"{Field(document, "apiVersion")} {Field(document, "kind")}";

    public static string Kubectl(params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo("kubectl", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, errors.Result);
            return output;
        }
        catch (Win32Exception)
        {
            Assert.Skip("There is no kubectl on this machine, so nothing in k8s/ was rendered or checked here.");
            throw;
        }
    }

    private static string Field(string document, string name) => Regex.Match(document, $"^{name}: (.+)$", RegexOptions.Multiline).Groups[1].Value;

    [GeneratedRegex("^---\n", RegexOptions.Multiline)]
    private static partial Regex Separator();
}
