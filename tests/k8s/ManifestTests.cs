using System.Text.RegularExpressions;
using k8s.Models;
using Xunit;

namespace Imet.K8s.Tests;

public sealed class ManifestTests
{
    private static readonly string[] Services = ["country-eligibility", "course-catalog", "enrollment"];

    // Made by whoever installs, never kept in git: k8s/development-secrets, or what production has for secrets.
    private static readonly string[] SecretsFromElsewhere = [.. Services, .. Services.Select(service => $"{service}-owner"), "issuer", "postgresql", "postgresql-roles", "rabbitmq"];

    public static TheoryData<string> Overlays => [.. Manifests.Overlays];

    [Theory, MemberData(nameof(Overlays))]
    public void Every_workload_keeps_every_rule_or_says_why_not(string overlay)
    {
        var manifests = Manifests.Render($"k8s/overlays/{overlay}");
        Assert.NotEmpty(manifests.Workloads);
        Assert.Equal([], manifests.Workloads.SelectMany(workload => Complaints(workload, manifests)));
    }

    [Fact]
    public void The_tours_job_keeps_the_rules_too()
    {
        var dev = Manifests.Render("k8s/overlays/dev");
        foreach (var workload in Manifests.Load("k8s/tour.yaml").Workloads)
            Assert.Equal([], Complaints(workload, dev));
    }

    [Theory, MemberData(nameof(Overlays))]
    public void A_rule_that_is_broken_is_found(string overlay)
    {
        var manifests = Manifests.Render($"k8s/overlays/{overlay}");
        var workload = manifests.Workloads.First(w => w.Source is V1Deployment);
        workload.Pod.SecurityContext.RunAsUser = 1654;
        workload.Pod.Containers[0].SecurityContext.ReadOnlyRootFilesystem = false;
        workload.Pod.Containers[0].LivenessProbe = workload.Pod.Containers[0].ReadinessProbe;
        workload.Pod.Containers[0].Image = "imet/enrollment";
        workload.Pod.Containers[0].Resources.Limits.Remove("memory");
        workload.Pod.Containers[0].VolumeMounts[0].Name = "no-such-volume";
        workload.Pod.TerminationGracePeriodSeconds = 30;
        workload.Source.Metadata.Annotations[$"{Rules.Exception}seccomp"] = "no reason";
        var complaints = Complaints(workload, manifests).ToList();
        foreach (var rule in new[] { "high-user-id", "read-only-root", "probes-differ", "fixed-image", "resources", "mounts", "grace-period", "seccomp" })
            Assert.Contains(complaints, complaint => complaint.Contains($" {rule}: ", StringComparison.Ordinal));
    }

    [Fact]
    public void A_field_that_the_api_does_not_have_is_refused() =>
        Assert.ThrowsAny<Exception>(() => k8s.KubernetesYaml.LoadAllFromString("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {clusterIp: None}\n", null, true));

    [Theory, MemberData(nameof(Overlays))]
    public void Every_object_has_its_namespace_and_the_recommended_labels(string overlay)
    {
        var manifests = Manifests.Render($"k8s/overlays/{overlay}");
        string[] labels = ["name", "instance", "version", "component", "part-of", "managed-by"];
        foreach (var thing in manifests.Objects)
        {
            Assert.True(thing is V1Namespace || thing.Metadata.NamespaceProperty == "imet", $"{thing.Kind} {thing.Metadata.Name} has no namespace");
            Assert.Equal((thing.Metadata.Name, ""), (thing.Metadata.Name, string.Join(", ", labels.Where(label => thing.Metadata.Labels?.ContainsKey($"app.kubernetes.io/{label}") != true))));
        }
        foreach (var document in manifests.Custom)
            Assert.All(labels, label => Assert.Contains($"app.kubernetes.io/{label}:", document, StringComparison.Ordinal));
        Assert.All(manifests.Workloads, workload => Assert.All(labels, label => Assert.True(workload.Labels.ContainsKey($"app.kubernetes.io/{label}"), $"{workload.Name}: {label}")));
    }

    [Theory, MemberData(nameof(Overlays))]
    public void The_namespace_enforces_the_restricted_standard_of_a_fixed_version(string overlay)
    {
        var labels = Manifests.Render($"k8s/overlays/{overlay}").Of<V1Namespace>().Single().Metadata.Labels;
        foreach (var mode in new[] { "enforce", "audit", "warn" })
        {
            Assert.Equal("restricted", labels[$"pod-security.kubernetes.io/{mode}"]);
            Assert.Matches(@"^v1\.\d+$", labels[$"pod-security.kubernetes.io/{mode}-version"]);
        }
    }

    [Theory, MemberData(nameof(Overlays))]
    public void What_is_named_is_there(string overlay)
    {
        var manifests = Manifests.Render($"k8s/overlays/{overlay}");
        var maps = manifests.Of<V1ConfigMap>().Select(map => map.Metadata.Name).Append("kube-root-ca.crt").ToHashSet();
        foreach (var workload in manifests.Workloads)
        {
            var projected = (workload.Pod.Volumes ?? []).SelectMany(volume => volume.Projected?.Sources ?? []).ToList();
            string?[] mapped = [.. workload.Containers.SelectMany(c => c.EnvFrom ?? []).Select(e => e.ConfigMapRef.Name), .. (workload.Pod.Volumes ?? []).Select(v => v.ConfigMap?.Name), .. projected.Select(s => s.ConfigMap?.Name)];
            Assert.Equal([], mapped.OfType<string>().Except(maps));
            string?[] secret = [.. (workload.Pod.Volumes ?? []).Select(v => v.Secret?.SecretName), .. projected.Select(s => s.Secret?.Name)];
            Assert.Equal([], secret.OfType<string>().Except(SecretsFromElsewhere));
        }
        foreach (var service in manifests.Of<V1Service>())
        {
            var target = Assert.Single(manifests.Workloads, workload => Rules.Selects(new V1LabelSelector { MatchLabels = service.Spec.Selector }, workload));
            Assert.All(service.Spec.Ports, port => Assert.Contains(target.Pod.Containers.SelectMany(c => c.Ports), p => p.Name == port.TargetPort.Value && p.ContainerPort == port.Port));
            Assert.Equal("None", service.Spec.ClusterIP);
        }
        foreach (var scaler in manifests.Of<V2HorizontalPodAutoscaler>())
            Assert.Contains(manifests.Workloads, workload => workload.Name == $"{scaler.Spec.ScaleTargetRef.Kind} {scaler.Spec.ScaleTargetRef.Name}");
        if (overlay == "dev")
            Assert.All(manifests.Of<V1NetworkPolicy>().Where(policy => policy.Metadata.Name is not "callers-to-services"), policy => Assert.Contains(manifests.Workloads, workload => Rules.Selects(policy.Spec.PodSelector, workload)));
    }

    [Theory, MemberData(nameof(Overlays))]
    public void No_secret_and_no_right_to_the_api_is_in_git(string overlay) =>
        Assert.DoesNotMatch(@"(?m)^kind: (Secret|Role|ClusterRole|RoleBinding|ClusterRoleBinding|Ingress)$", Manifests.Render($"k8s/overlays/{overlay}").Text);

    [Theory, MemberData(nameof(Overlays))]
    public void Rendering_twice_gives_the_same(string overlay) =>
        Assert.Equal(Manifests.Render($"k8s/overlays/{overlay}").Text, Manifests.Render($"k8s/overlays/{overlay}").Text);

    [Fact]
    public void Production_has_three_replicas_and_keeps_zones_apart()
    {
        var prod = Manifests.Render("k8s/overlays/prod");
        Assert.All(prod.Of<V2HorizontalPodAutoscaler>(), scaler => Assert.True(scaler.Spec.MinReplicas >= 3));
        Assert.All(prod.Of<V1Deployment>(), deployment => Assert.All(deployment.Spec.Template.Spec.TopologySpreadConstraints, constraint => Assert.Equal("DoNotSchedule", constraint.WhenUnsatisfiable)));
        Assert.DoesNotContain("Reflection", prod.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void The_network_lets_through_exactly_the_flows_there_are()
    {
        var dev = Manifests.Render("k8s/overlays/dev");
        var policies = dev.Of<V1NetworkPolicy>().ToList();
        var flows =
            from source in dev.Workloads
            from target in dev.Workloads
            from port in target.Pod.Containers.SelectMany(c => c.Ports ?? []).Select(p => p.ContainerPort)
            where policies.Any(p => Rules.Selects(p.Spec.PodSelector, source) && (p.Spec.Egress ?? []).Any(rule => Opens(rule.Ports, port) && rule.To.Any(peer => Is(peer, target))))
            where policies.Any(p => Rules.Selects(p.Spec.PodSelector, target) && (p.Spec.Ingress ?? []).Any(rule => Opens(rule.Ports, port) && rule.FromProperty.Any(peer => Is(peer, source))))
            select $"{source.Source.Metadata.Name} -> {target.Source.Metadata.Name}:{port}";
        Assert.Equal(
        [
            "country-eligibility -> postgresql:5432", "country-eligibility -> rabbitmq:5672", "course-catalog -> postgresql:5432", "course-catalog -> rabbitmq:5672",
            "enrollment -> country-eligibility:5101", "enrollment -> course-catalog:5102", "enrollment -> postgresql:5432", "enrollment -> rabbitmq:5672",
        ], flows.Order(StringComparer.Ordinal));

        static bool Is(V1NetworkPolicyPeer peer, Workload workload) => peer.PodSelector is not null && peer.NamespaceSelector is null && Rules.Selects(peer.PodSelector, workload);
        static bool Opens(IList<V1NetworkPolicyPort>? ports, int port) => ports is not null && ports.Any(p => p.Protocol == "TCP" && p.Port.Value == $"{port}");
    }

    [Fact]
    public void The_three_services_differ_in_name_and_settings_only()
    {
        var texts = Services.Select(service =>
        {
            var text = Manifests.Read($"k8s/base/{service}.yaml");
            text = text[(text.IndexOf('\n', StringComparison.Ordinal) + 1)..];
            // What a service is told, and the tokens that only who asks others has.
            text = Regex.Replace(text, @" +- \{name: (Peers__|Auth__Subjects__)[^}]*\}\n", "");
            text = Regex.Replace(text, @" +- \{name: peers, mountPath[^}]*\}\n", "");
            text = Regex.Replace(text, @" +# Our own tokens for the others.*\n +- name: peers\n(?: {10,}.*\n)+", "");
            return text.Replace(service, "SERVICE", StringComparison.Ordinal).Replace($"510{Array.IndexOf(Services, service) + 1}", "5100", StringComparison.Ordinal).Replace($"520{Array.IndexOf(Services, service) + 1}", "5200", StringComparison.Ordinal);
        }).ToList();
        Assert.Equal(texts[0], texts[1]);
        Assert.Equal(texts[0], texts[2]);
    }

    [Fact]
    public void The_database_is_provisioned_by_the_chassis_own_script() =>
        Assert.Equal(Manifests.Read("services/chassis/provision.sql"), Manifests.Read("k8s/components/provision/provision.sql"));

    [Fact]
    public void Every_file_is_used()
    {
        var folder = Manifests.PathOf("k8s");
        var used = Directory.EnumerateFiles(folder, "kustomization.yaml", SearchOption.AllDirectories).ToDictionary(file => file, File.ReadAllText);
        var unused = Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .Where(file => Path.GetFileName(file) != "kustomization.yaml" && Path.GetDirectoryName(file) != folder)
            .Where(file => !used.Any(pair => file.StartsWith(Path.GetDirectoryName(pair.Key)! + "/", StringComparison.Ordinal) && pair.Value.Contains(Path.GetRelativePath(Path.GetDirectoryName(pair.Key)!, file), StringComparison.Ordinal)));
        Assert.Empty(unused);
    }

    [Fact]
    public void The_component_for_a_partner_renders_by_itself()
    {
        var folder = Directory.CreateDirectory(Path.Combine(Manifests.PathOf("artifacts"), $"partner-{Guid.NewGuid()}"));
        try
        {
            File.WriteAllText(Path.Combine(folder.FullName, "kustomization.yaml"), $"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: imet\ncomponents: [{Path.GetRelativePath(folder.FullName, Manifests.PathOf("k8s/components/partner"))}]\n");
            var partner = Manifests.Render(Path.GetRelativePath(Manifests.Repository, folder.FullName));
            Assert.Equal(3, partner.Custom.Count(document => Manifests.Kind(document).EndsWith(" TopicPermission", StringComparison.Ordinal)));
            Assert.All(Services, service => Assert.Contains($"exchange: imet.{service}.v1", partner.Text, StringComparison.Ordinal));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static IEnumerable<string> Complaints(Workload workload, Manifests manifests)
    {
        var annotations = workload.Source.Metadata.Annotations ?? new Dictionary<string, string>();
        foreach (var unknown in annotations.Keys.Where(key => key.StartsWith(Rules.Exception, StringComparison.Ordinal) && !Rules.OfWorkloads.ContainsKey(key[Rules.Exception.Length..])))
            yield return $"{workload.Name} {unknown} is an exception from no rule";
        foreach (var (rule, check) in Rules.OfWorkloads)
        {
            var excepted = annotations.TryGetValue(Rules.Exception + rule, out var reason) && reason.Length > 0;
            var found = check(workload, manifests).ToList();
            if (excepted && found.Count == 0)
                yield return $"{workload.Name} {rule}: an exception that is not needed";
            foreach (var complaint in excepted ? [] : found)
                yield return $"{workload.Name} {rule}: {complaint}";
        }
    }
}
