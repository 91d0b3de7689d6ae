using System.Text.RegularExpressions;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Imet.Options.V1;
using Xunit;
using static Imet.Protos.Tests.Contracts;

namespace Imet.Protos.Tests;

public sealed partial class ContractTests
{
    private static readonly string[] ReadVerbs = ["Get", "List", "BatchGet", "Evaluate", "BatchEvaluate", "Explain", "Preview", "Watch", "Resolve", "Search", "Check"];

    // Sets that are small by nature and always wanted whole.
    private static readonly string[] ListsWithoutPages = ["ListLegalBases", "ListFundingPrograms", "ListCountryRevisions", "ListEditions", "ListTuitionRates"];

    private static readonly Dictionary<string, string> ScopePrefixes = new()
    {
        ["imet.countryeligibility.v1"] = "eligibility.", ["imet.coursecatalog.v1"] = "catalog.", ["imet.enrollment.v1"] = "enrollment.", ["imet.events.v1"] = "events.",
    };

    [Fact]
    public void Every_method_says_which_scope_it_needs() =>
        Assert.Empty(Methods
            .Where(method => !ScopePattern().IsMatch(ScopeOf(method) ?? "") || !ScopeOf(method)!.StartsWith(ScopePrefixes[method.File.Package], StringComparison.Ordinal))
            .Select(method => $"{method.FullName}: '{ScopeOf(method)}'"));

    [Fact]
    public void Every_write_takes_a_request_id_that_must_be_a_uuid() =>
        Assert.Empty(Methods
            .Where(method => !ReadVerbs.Any(verb => method.Name.StartsWith(verb, StringComparison.Ordinal)))
            .Where(method => method.InputType.FindFieldByName("request_id") is not { FieldNumber: 1 } id || !IsRequired(id) || RulesOf(id)?.Format != Format.Uuid)
            .Select(method => method.FullName));

    [Fact]
    public void No_read_takes_a_request_id_and_no_resource_holds_one() =>
        Assert.Equal(
            Methods.Where(method => !ReadVerbs.Any(verb => method.Name.StartsWith(verb, StringComparison.Ordinal))).Select(method => method.InputType.FullName).Order(),
            Messages.Where(message => message.FindFieldByName("request_id") is not null).Select(message => message.FullName).Order());

    [Fact]
    public void Every_list_is_paged_the_same_way()
    {
        var wrong = new List<string>();
        foreach (var list in Methods.Where(method => (method.Name.StartsWith("List", StringComparison.Ordinal) || method.Name.StartsWith("Search", StringComparison.Ordinal)) && !ListsWithoutPages.Contains(method.Name)))
        {
            if (list.InputType.FindFieldByName("page_size") is not { FieldType: FieldType.Int32 })
                wrong.Add($"{list.InputType.FullName} needs int32 page_size");
            if (list.InputType.FindFieldByName("page_token") is not { FieldType: FieldType.String })
                wrong.Add($"{list.InputType.FullName} needs string page_token");
            if (list.OutputType.FindFieldByNumber(1) is not { IsRepeated: true })
                wrong.Add($"{list.OutputType.FullName} needs its rows as field 1");
            if (list.OutputType.FindFieldByName("next_page_token") is not { FieldType: FieldType.String })
                wrong.Add($"{list.OutputType.FullName} needs string next_page_token");
        }
        Assert.Empty(wrong);
    }

    [Fact]
    public void A_change_of_something_that_exists_takes_its_etag_as_text() =>
        Assert.Empty(Messages
            .SelectMany(message => message.Fields.InDeclarationOrder())
            .Where(field => field.Name == "etag" && (field.FieldType != FieldType.String || field.IsRepeated))
            .Select(field => field.FullName));

    [Fact]
    public void Every_reason_has_a_code_and_the_unspecified_one_has_none() =>
        Assert.Empty(Files
            .SelectMany(file => file.EnumTypes)
            .Where(type => type.Name.EndsWith("Reason", StringComparison.Ordinal) && type.File.Name.EndsWith("errors.proto", StringComparison.Ordinal))
            .SelectMany(type => type.Values)
            .Where(value => (value.Number == 0) != ((value.GetOptions()?.GetExtension(OptionsExtensions.Code) ?? Code.Ok) is Code.Ok))
            .Select(value => value.FullName));

    [Fact]
    public void A_reason_means_one_thing_in_all_services()
    {
        // Common reasons are given by every service, so no service may use the same word for something of its own.
        var common = Words(Imet.Options.V1.ErrorsReflection.Descriptor);
        Assert.Empty(Files.Where(file => file.Name.EndsWith("/errors.proto", StringComparison.Ordinal) && file.Package != "imet.options.v1").SelectMany(Words).Intersect(common));

        static IEnumerable<string> Words(FileDescriptor file) =>
            file.EnumTypes.SelectMany(type => type.Values).Where(value => value.Number > 0).Select(value => value.Name[(value.Name.IndexOf("REASON_", StringComparison.Ordinal) + 7)..]);
    }

    [Fact]
    public void Every_event_has_a_route_of_its_own()
    {
        var routes = Messages.Where(message => RouteOf(message) is not null).ToLookup(message => $"{message.File.Package} {RouteOf(message)!.Aggregate}.{RouteOf(message)!.Change}");
        Assert.Empty(routes.Where(route => route.Count() > 1 || !RoutePattern().IsMatch(route.Key.Split(' ')[1])).Select(route => route.Key));
        // Whatever stands in an events file and is no part of another message there is an event.
        Assert.Empty(Files.Where(file => file.Name.EndsWith("/events.proto", StringComparison.Ordinal)).SelectMany(file => file.MessageTypes
            .Except(file.MessageTypes.SelectMany(message => message.Fields.InDeclarationOrder()).Where(field => field.FieldType == FieldType.Message).Select(field => field.MessageType))
            .Where(message => RouteOf(message) is null)
            .Select(message => message.FullName)));
    }

    [Fact]
    public void No_event_can_say_who_a_person_is() =>
        Assert.Empty(Messages
            .Where(message => RouteOf(message) is not null)
            .SelectMany(FieldsWithin)
            .Where(found => found.Field.GetOptions()?.GetExtension(OptionsExtensions.Personal) == true)
            .Select(found => found.Path));

    [Fact]
    public void No_contract_has_a_binary_float() =>
        Assert.Empty(Messages
            .SelectMany(message => message.Fields.InDeclarationOrder())
            .Where(field => field.FieldType is FieldType.Float or FieldType.Double)
            .Select(field => field.FullName));

    [Fact]
    public void An_instant_is_called_a_time() =>
        Assert.Empty(Messages
            .SelectMany(message => message.Fields.InDeclarationOrder())
            .Where(field => field.FieldType == FieldType.Message && field.MessageType == Timestamp.Descriptor && !field.Name.EndsWith("time", StringComparison.Ordinal))
            .Select(field => field.FullName));

    [Fact]
    public void Everything_has_a_comment() =>
        Assert.Empty(Described.File.Where(file => file.Package.StartsWith("imet.", StringComparison.Ordinal)).SelectMany(Uncommented));

    [Fact]
    public void What_was_released_keeps_its_scopes_its_codes_and_its_routes()
    {
        // buf compares shapes; who may call, what a refusal's code is and where an event goes are options, which it lets change.
        var now = Promises(Described).ToDictionary();
        Assert.Empty(Promises(Released).Where(promise => now.GetValueOrDefault(promise.Key) != promise.Value).Select(promise => $"{promise.Key} was {promise.Value}"));
    }

    private static IEnumerable<KeyValuePair<string, string>> Promises(FileDescriptorSet set)
    {
        foreach (var file in set.File.Where(file => file.Package.StartsWith("imet.", StringComparison.Ordinal)))
        {
            foreach (var service in file.Service)
            {
                foreach (var method in service.Method)
                    yield return new($"scope of {file.Package}.{service.Name}.{method.Name}", method.Options?.GetExtension(OptionsExtensions.Scope) ?? "");
            }
            foreach (var value in file.EnumType.SelectMany(type => type.Value).Where(value => value.Options?.HasExtension(OptionsExtensions.Code) == true))
                yield return new($"code of {file.Package}.{value.Name}", value.Options.GetExtension(OptionsExtensions.Code).ToString());
            foreach (var message in file.MessageType.Where(message => message.Options?.HasExtension(OptionsExtensions.Event) == true))
                yield return new($"route of {file.Package}.{message.Name}", message.Options.GetExtension(OptionsExtensions.Event).ToString());
        }
    }

    /// <summary>Paths as descriptor.proto numbers them: 4 message, 5 enum, 6 service, 7 extension; within a message 2 field, 3 nested message, 4 nested enum; within an enum and a service 2.</summary>
    private static IEnumerable<string> Uncommented(FileDescriptorProto file)
    {
        var commented = file.SourceCodeInfo.Location
            .Where(location => !string.IsNullOrWhiteSpace(location.LeadingComments))
            .Select(location => string.Join('.', location.Path))
            .ToHashSet();
        return file.MessageType.Index().SelectMany(m => InMessage(m.Item, $"4.{m.Index}", file.Package))
            .Concat(file.EnumType.Index().SelectMany(e => InEnum(e.Item, $"5.{e.Index}", file.Package)))
            .Concat(file.Service.Index().SelectMany(s => s.Item.Method.Index()
                .Select(m => ($"6.{s.Index}.2.{m.Index}", $"{file.Package}.{s.Item.Name}.{m.Item.Name}"))
                .Prepend(($"6.{s.Index}", $"{file.Package}.{s.Item.Name}"))))
            .Concat(file.Extension.Index().Select(x => ($"7.{x.Index}", $"{file.Package}.{x.Item.Name}")))
            .Where(thing => !commented.Contains(thing.Item1))
            .Select(thing => thing.Item2);

        static IEnumerable<(string, string)> InMessage(DescriptorProto message, string path, string within) =>
            message.Field.Index().Select(f => ($"{path}.2.{f.Index}", $"{within}.{message.Name}.{f.Item.Name}"))
                .Prepend((path, $"{within}.{message.Name}"))
                .Concat(message.NestedType.Where(nested => nested.Options?.MapEntry != true).Index().SelectMany(n => InMessage(n.Item, $"{path}.3.{n.Index}", $"{within}.{message.Name}")))
                .Concat(message.EnumType.Index().SelectMany(e => InEnum(e.Item, $"{path}.4.{e.Index}", $"{within}.{message.Name}")));

        static IEnumerable<(string, string)> InEnum(EnumDescriptorProto type, string path, string within) =>
            type.Value.Index().Select(v => ($"{path}.2.{v.Index}", $"{within}.{type.Name}.{v.Item.Name}")).Prepend((path, $"{within}.{type.Name}"));
    }

    [GeneratedRegex("^[a-z]+\\.[a-z]+$")]
    private static partial Regex ScopePattern();

    [GeneratedRegex("^[a-z]+(-[a-z]+)*\\.[a-z]+(-[a-z]+)*$")]
    private static partial Regex RoutePattern();
}
