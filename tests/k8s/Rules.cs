using System.Globalization;
using k8s;
using k8s.Models;

namespace Imet.K8s.Tests;

/// <summary>What holds for every workload: the rules of kube-score, kube-linter, Polaris, checkov and kubesec that matter here. An exception is an annotation imet/except-RULE on the object, with its reason.</summary>
internal static class Rules
{
    public const string Exception = "imet/except-";

    public static readonly IReadOnlyDictionary<string, Func<Workload, Manifests, IEnumerable<string>>> OfWorkloads = new Dictionary<string, Func<Workload, Manifests, IEnumerable<string>>>
    {
        ["non-root"] = (w, _) => If(w.Pod.SecurityContext?.RunAsNonRoot != true, "the pod may run as root"),
        ["high-user-id"] = (w, _) => If(w.Pod.SecurityContext is not { RunAsUser: >= 10000, RunAsGroup: >= 10000 }, "user or group below 10000"),
        ["seccomp"] = (w, _) => If(w.Pod.SecurityContext?.SeccompProfile?.Type != "RuntimeDefault", "no seccomp profile"),
        ["no-escalation"] = (w, _) => Each(w, c => c.SecurityContext?.AllowPrivilegeEscalation != false, "may gain privileges"),
        ["no-capabilities"] = (w, _) => Each(w, c => c.SecurityContext?.Capabilities is not { Drop: ["ALL"], Add: null }, "keeps capabilities"),
        ["not-privileged"] = (w, _) => Each(w, c => c.SecurityContext?.Privileged == true, "is privileged"),
        ["read-only-root"] = (w, _) => Each(w, c => c.SecurityContext?.ReadOnlyRootFilesystem != true, "may write to its root"),
        ["no-host"] = (w, _) => If(w.Pod.HostNetwork == true || w.Pod.HostPID == true || w.Pod.HostIPC == true || (w.Pod.Volumes ?? []).Any(v => v.HostPath is not null), "touches the host"),
        ["resources"] = (w, _) => Each(w, c => !Named(c.Resources?.Requests) || !Named(c.Resources?.Limits), "lacks requests or limits of cpu, memory or ephemeral-storage"),
        ["memory-reserved"] = (w, _) => Each(w, c => Memory(c.Resources?.Requests) is not { } reserved || reserved != Memory(c.Resources?.Limits), "may use memory that it did not reserve"),
        ["temporary-storage-limited"] = (w, _) => If((w.Pod.Volumes ?? []).Any(v => v.EmptyDir is { SizeLimit: null }), "an emptyDir without a limit"),
        ["own-account"] = (w, m) => If(w.Pod.ServiceAccountName is null or "default" || !m.Of<V1ServiceAccount>().Any(a => a.Metadata.Name == w.Pod.ServiceAccountName), "no service account of its own"),
        ["no-default-token"] = (w, m) => If(w.Pod.AutomountServiceAccountToken != false || m.Of<V1ServiceAccount>().Any(a => a.Metadata.Name == w.Pod.ServiceAccountName && a.AutomountServiceAccountToken != false), "gets a token that it does not ask for"),
        ["no-service-links"] = (w, _) => If(w.Pod.EnableServiceLinks != false, "every service of the namespace is put into its environment"),
        ["fixed-image"] = (w, _) => Each(w, c => c.Image.Split('/')[^1].Split(':') is not [_, { } tag] || tag is "latest" or "" ? !c.Image.Contains("@sha256:", StringComparison.Ordinal) : false, "has no fixed image"),
        ["pull-always"] = (w, _) => Each(w, c => c.ImagePullPolicy != "Always", "does not pull its image"),
        ["probes"] = (w, _) => EachLong(w, c => c.StartupProbe is null || c.ReadinessProbe is null || c.LivenessProbe is null, "lacks a probe"),
        ["probes-differ"] = (w, _) => EachLong(w, c => c.ReadinessProbe is not null && Ask(c.ReadinessProbe) == Ask(c.LivenessProbe), "asks the same for readiness and liveness: an outage elsewhere would restart it"),
        ["probe-ports"] = (w, _) => EachLong(w, c => new[] { c.StartupProbe, c.ReadinessProbe, c.LivenessProbe }.Any(p => !HasPort(c, p)), "probes a port that it does not declare"),
        ["prestop"] = (w, _) => EachLong(w, c => c.Lifecycle?.PreStop is null, "is told to stop before its address is taken out"),
        ["grace-period"] = (w, _) => EachLong(w, c => c.Lifecycle?.PreStop?.Sleep is { } sleep && w.Pod.TerminationGracePeriodSeconds < sleep.Seconds + 25 + 10, "is killed before it could finish: preStop, 25 s to stop, 10 s to spare"),
        ["rolling-update"] = (w, _) => If(w.Source is V1Deployment { Spec.Strategy: not { Type: "RollingUpdate", RollingUpdate.MaxUnavailable.Value: "0" } }, "an update takes away what it has not replaced"),
        ["replicas"] = (w, m) => If(w.Source is not V1Job && (Scaler(w, m) is { } scaler ? scaler.Spec.MinReplicas is null or < 2 || w.Replicas is not null : w.Replicas is null or < 2), "fewer than two replicas, or two who decide how many"),
        ["disruption-budget"] = (w, m) => If(w.Source is not V1Job && !m.Of<V1PodDisruptionBudget>().Any(b => Selects(b.Spec.Selector, w) && b.Spec.UnhealthyPodEvictionPolicy == "AlwaysAllow" && b.Spec.MaxUnavailable?.Value == "1"), "no disruption budget that keeps all but one and lets go of what is broken"),
        ["anti-affinity"] = (w, _) => If(w.Source is not V1Job && (w.Pod.Affinity?.PodAntiAffinity?.PreferredDuringSchedulingIgnoredDuringExecution ?? []).All(t => t.PodAffinityTerm.TopologyKey != "kubernetes.io/hostname" || !Selects(t.PodAffinityTerm.LabelSelector, w)), "replicas may share a node"),
        ["topology-spread"] = (w, _) => If(w.Source is not V1Job && (w.Pod.TopologySpreadConstraints ?? []).All(c => c.TopologyKey != "topology.kubernetes.io/zone" || !Selects(c.LabelSelector, w)), "replicas may share a zone"),
        ["selector"] = (w, _) => If(w.Selector is { } selector && !Selects(selector, w), "does not select its own pods"),
        ["environment-once"] = (w, _) => Each(w, c => (c.Env ?? []).GroupBy(e => e.Name).Any(g => g.Count() > 1), "has a variable twice"),
        ["no-secret-in-environment"] = (w, _) => Each(w, c => (c.EnvFrom ?? []).Any(e => e.SecretRef is not null) || (c.Env ?? []).Any(e => e.ValueFrom?.SecretKeyRef is not null || (Secret(e.Name) && e.Value?.StartsWith('/') != true)), "has a secret in its environment"),
        ["no-privileged-port"] = (w, _) => Each(w, c => (c.Ports ?? []).Any(p => p.ContainerPort < 1024 || p.HostPort is not null), "takes a port of the host or below 1024"),
        ["isolated"] = (w, m) => If(new[] { "Ingress", "Egress" }.Any(way => !m.Of<V1NetworkPolicy>().Any(p => p.Spec.PolicyTypes.Contains(way) && Selects(p.Spec.PodSelector, w))), "no network policy denies it what it does not need"),
        ["mounts"] = (w, m) => Each(w, c => (c.VolumeMounts ?? []).Any(mount => !Volumes(w).Contains(mount.Name)), "mounts a volume that there is not").Concat(If(Volumes(w).Except(w.Containers.SelectMany(c => c.VolumeMounts ?? []).Select(v => v.Name)).Any(), "a volume that no container mounts")),
        ["deadline"] = (w, _) => If(w.Source is V1Job job && (job.Spec.ActiveDeadlineSeconds is null || job.Spec.TtlSecondsAfterFinished is null || job.Spec.BackoffLimit is null), "a job without an end"),
        ["priority-class"] = (w, _) => If(w.Pod.PriorityClassName is null, "no priority class"),
    };

    public static bool Selects(V1LabelSelector? selector, Workload workload) => selector is not null && Selects(selector, workload.Labels);

    public static bool Selects(V1LabelSelector selector, IDictionary<string, string> labels) =>
        (selector.MatchLabels ?? new Dictionary<string, string>()).All(pair => labels.TryGetValue(pair.Key, out var value) && value == pair.Value)
        && (selector.MatchExpressions ?? []).All(e => e.OperatorProperty == "In" && labels.TryGetValue(e.Key, out var value) && e.Values.Contains(value));

    private static IEnumerable<string> If(bool violated, string what) => violated ? [what] : [];

    private static IEnumerable<string> Each(Workload w, Func<V1Container, bool> violated, string what) => w.Containers.Where(violated).Select(c => $"{c.Name} {what}");

    // Init containers and jobs end by themselves.
    private static IEnumerable<string> EachLong(Workload w, Func<V1Container, bool> violated, string what) => w.Source is V1Job ? [] : w.Pod.Containers.Where(violated).Select(c => $"{c.Name} {what}");

    private static bool Named(IDictionary<string, ResourceQuantity>? quantities) => quantities is not null && new[] { "cpu", "memory", "ephemeral-storage" }.All(quantities.ContainsKey);

    private static string? Memory(IDictionary<string, ResourceQuantity>? quantities) => quantities is not null && quantities.TryGetValue("memory", out var memory) ? memory.ToString() : null;

    private static bool Secret(string name) => new[] { "password", "secret", "token", "connectionstring", "uri", "key" }.Any(word => name.Contains(word, StringComparison.OrdinalIgnoreCase)) && !name.StartsWith("DOTNET_", StringComparison.Ordinal);

    private static string Ask(V1Probe? probe) => probe is null ? "" : $"{probe.HttpGet?.Path} {probe.HttpGet?.Port.Value} {probe.Grpc?.Port} {probe.Grpc?.Service} {probe.TcpSocket?.Port.Value} {string.Join(' ', probe.Exec?.Command ?? [])}";

    private static bool HasPort(V1Container container, V1Probe? probe)
    {
        var port = probe?.HttpGet?.Port.Value ?? probe?.TcpSocket?.Port.Value ?? probe?.Grpc?.Port.ToString(CultureInfo.InvariantCulture);
        return port is null || (container.Ports ?? []).Any(p => p.Name == port || p.ContainerPort.ToString(CultureInfo.InvariantCulture) == port);
    }

    private static V2HorizontalPodAutoscaler? Scaler(Workload w, Manifests m) => m.Of<V2HorizontalPodAutoscaler>().SingleOrDefault(h => h.Spec.ScaleTargetRef.Kind == w.Source.Kind && h.Spec.ScaleTargetRef.Name == w.Source.Metadata.Name);

    private static IEnumerable<string> Volumes(Workload w) => (w.Pod.Volumes ?? []).Select(v => v.Name).Concat(w.Source is V1StatefulSet set ? (set.Spec.VolumeClaimTemplates ?? []).Select(c => c.Metadata.Name) : []);
}
