using System.Reflection;
using Google.Api;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Imet.Options.V1;
using CountryEligibilityContracts = Imet.CountryEligibility.V1;
using CourseCatalogContracts = Imet.CourseCatalog.V1;
using EnrollmentContracts = Imet.Enrollment.V1;

namespace Imet.Protos.Tests;

/// <summary>The contracts as the tests see them: generated descriptors, the files, and what was released.</summary>
internal static class Contracts
{
    public static readonly ExtensionRegistry Options =
    [
        OptionsExtensions.Scope, OptionsExtensions.Rules, OptionsExtensions.Personal, OptionsExtensions.Code, OptionsExtensions.Event,
        FieldBehaviorExtensions.FieldBehavior,
    ];

    public static readonly string Folder = Metadata("Protos");

    public static readonly string Bundle = Metadata("Bundle");

    public static readonly FileDescriptorSet Described = Read(Path.Combine(AppContext.BaseDirectory, "contracts.binpb"));

    public static readonly FileDescriptorSet Released = Read(Path.Combine(Folder, "released.binpb"));

    private static readonly FileDescriptor[] Roots =
    [
        CountryEligibilityContracts.CountryEligibilityServiceReflection.Descriptor,
        CountryEligibilityContracts.EventsReflection.Descriptor,
        CountryEligibilityContracts.ErrorsReflection.Descriptor,
        CourseCatalogContracts.CourseCatalogServiceReflection.Descriptor,
        CourseCatalogContracts.EventsReflection.Descriptor,
        CourseCatalogContracts.ErrorsReflection.Descriptor,
        EnrollmentContracts.EnrollmentServiceReflection.Descriptor,
        EnrollmentContracts.EventsReflection.Descriptor,
        EnrollmentContracts.ErrorsReflection.Descriptor,
        Imet.Events.V1.EventServiceReflection.Descriptor,
        Imet.Events.V1.ErrorsReflection.Descriptor,
        Imet.Options.V1.EventsReflection.Descriptor,
        Imet.Options.V1.ErrorsReflection.Descriptor,
    ];

    public static IEnumerable<FileDescriptor> Files =>
        Roots.SelectMany(root => root.Dependencies.Append(root)).Where(file => file.Package.StartsWith("imet.", StringComparison.Ordinal)).DistinctBy(file => file.Name);

    public static IEnumerable<MethodDescriptor> Methods => Files.SelectMany(file => file.Services).SelectMany(service => service.Methods);

    public static IEnumerable<MessageDescriptor> Messages => Files.SelectMany(file => file.MessageTypes).SelectMany(WithNested);

    public static string? ScopeOf(MethodDescriptor method) => method.GetOptions()?.GetExtension(OptionsExtensions.Scope);

    public static EventRoute? RouteOf(MessageDescriptor message) => message.GetOptions()?.GetExtension(OptionsExtensions.Event);

    public static FieldRules? RulesOf(FieldDescriptor field) => field.GetOptions()?.GetExtension(OptionsExtensions.Rules);

    public static bool IsRequired(FieldDescriptor field) =>
        field.GetOptions()?.GetExtension(FieldBehaviorExtensions.FieldBehavior)?.Contains(FieldBehavior.Required) == true;

    /// <summary>Every field that can stand somewhere in a message, with the path to it.</summary>
    public static IEnumerable<(string Path, FieldDescriptor Field)> FieldsWithin(MessageDescriptor message)
    {
        var seen = new HashSet<MessageDescriptor>();
        var open = new Queue<(string Path, MessageDescriptor Message)>([(message.Name, message)]);
        while (open.TryDequeue(out var at))
        {
            if (!seen.Add(at.Message))
                continue;
            foreach (var field in at.Message.Fields.InDeclarationOrder())
            {
                var path = $"{at.Path}.{field.Name}";
                yield return (path, field);
                if (field.FieldType == FieldType.Message)
                    open.Enqueue((path, field.MessageType));
            }
        }
    }

    private static IEnumerable<MessageDescriptor> WithNested(MessageDescriptor message) => message.NestedTypes.SelectMany(WithNested).Prepend(message);

    private static FileDescriptorSet Read(string path) => FileDescriptorSet.Parser.WithExtensionRegistry(Options).ParseFrom(File.ReadAllBytes(path));

    private static string Metadata(string key) =>
        typeof(Contracts).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(attribute => attribute.Key == key).Value!;
}
