using System.Collections.Frozen;
using System.Reflection;
using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Enum = System.Enum;

namespace Imet.CourseCatalog;

/// <summary>A change as an event, a row as a resource, and back.</summary>
internal static class CatalogEvents
{
    public static OutboundEvent Created(SchoolRow school) =>
        Event(school.Id, school.Version, country: null, new SchoolCreated { School = school.ToResource() });

    public static OutboundEvent Created(CourseRow course) =>
        Event(course.Id, course.Version, country: null, new CourseCreated { Course = course.ToResource() });

    public static OutboundEvent Created(CourseVersionRow version) =>
        Event(version.CourseId, version.CourseRevision, country: null, new CourseVersionCreated { CourseVersion = version.ToResource() });

    public static OutboundEvent Changed(CourseVersionRow version, IEnumerable<string> fields) =>
        Event(version.CourseId, version.CourseRevision, country: null, new CourseVersionChanged { CourseVersion = version.ToResource(), Fields = { fields }, Reason = version.Reason });

    public static OutboundEvent Retired(CourseVersionRow version) =>
        Event(version.CourseId, version.CourseRevision, country: null, new CourseVersionRetired { CourseVersion = version.ToResource(), Reason = version.Reason });

    public static OutboundEvent Changed(SchoolRow school) =>
        Event(school.Id, school.Version, country: null, new SchoolChanged { School = school.ToResource() });

    public static SchoolRow NewRow(Guid id, School school)
    {
        var (sources, names) = Sorted(school.ExternalIds);
        return new()
        {
            Id = id,
            Code = school.Code.Length > 0 ? school.Code : null,
            Name = school.Name,
            Location = school.Location,
            ImplementingAgency = Text(school.ImplementingAgency),
            Sources = sources,
            Names = names,
            Version = 1,
        };
    }

    public static CourseRow NewRow(Guid id, Course course)
    {
        var (sources, names) = Sorted(course.ExternalIds);
        return new()
        {
            Id = id,
            MaslNumber = course.MaslNumber,
            ImplementingAgency = Text(CatalogDecisions.AgencyOf(course.MaslNumber)),
            Sources = sources,
            Names = names,
            Version = 1,
        };
    }

    public static CourseVersionRow NewRow(Guid id, CourseVersion version, DateOnly today, string actor) => new()
    {
        Id = id,
        CourseId = Guid.Parse(version.CourseId),
        FiscalYear = version.FiscalYear,
        Title = version.Title,
        SchoolId = version.SchoolId.Length > 0 ? Guid.Parse(version.SchoolId) : null,
        Location = version.Location,
        TrainingKind = Text(version.TrainingKind),
        Platform = version.Platform,
        Purpose = version.Purpose,
        AnalysisCode = version.AnalysisCode,
        DurationDays = version.DurationDays,
        EclMinimum = version.EclMinimum,
        OpiMinimum = version.OpiMinimum,
        Prerequisites = Json(version.Prerequisites),
        Prices = Json(version.Prices),
        Dedicated = version.Dedicated,
        Charge = version.Charge,
        EffectiveFrom = today,
        Actor = actor,
    };

    public static School ToResource(this SchoolRow row) => new()
    {
        Id = row.Id.ToString(),
        Code = row.Code ?? "",
        Name = row.Name,
        Location = row.Location,
        ImplementingAgency = Value<ImplementingAgency>(row.ImplementingAgency),
        ExternalIds = { Names(row.Sources, row.Names) },
        Version = row.Version,
        CreateTime = Time(row.CreatedAt),
        Etag = row.Etag,
    };

    public static Course ToResource(this CourseRow row) => new()
    {
        Id = row.Id.ToString(),
        MaslNumber = row.MaslNumber,
        ImplementingAgency = Value<ImplementingAgency>(row.ImplementingAgency),
        ExternalIds = { Names(row.Sources, row.Names) },
        Version = row.Version,
        CreateTime = Time(row.CreatedAt),
    };

    public static CourseVersion ToResource(this CourseVersionRow row) => new()
    {
        Id = row.Id.ToString(),
        CourseId = row.CourseId.ToString(),
        FiscalYear = row.FiscalYear,
        Title = row.Title,
        SchoolId = row.SchoolId?.ToString() ?? "",
        TrainingKind = Value<TrainingKind>(row.TrainingKind),
        DurationDays = row.DurationDays,
        EclMinimum = row.EclMinimum,
        Prices = { Prices(row.Prices) },
        Dedicated = row.Dedicated,
        MaslNumber = row.MaslNumber,
        CreateTime = Time(row.CreatedAt),
        Location = row.Location,
        Platform = row.Platform,
        Purpose = row.Purpose,
        AnalysisCode = row.AnalysisCode,
        OpiMinimum = row.OpiMinimum,
        Prerequisites = { List<PrerequisiteGroup>(row.Prerequisites) },
        Charge = row.Charge,
        Revision = row.Revision,
        Etag = row.Etag,
        EffectiveFrom = row.EffectiveFrom.ToProto(),
        EffectiveTo = row.EffectiveTo?.ToProto(),
        Retired = row.Retired,
        Reason = row.Reason,
    };

    /// <summary>An enum value as the record keeps it: its name in the contract, less the prefix.</summary>
    public static string Text<T>(T value) where T : struct, Enum => Spelling<T>.Texts[value];

    /// <summary>Proto3 JSON: money as units and nanos, never a float.</summary>
    public static string Json<T>(IEnumerable<T> messages) where T : IMessage => $"[{string.Join(',', messages.Select(message => JsonFormatter.Default.Format(message)))}]";

    public static IEnumerable<TuitionPrice> Prices(string json) => List<TuitionPrice>(json);

    public static IEnumerable<T> List<T>(string json) where T : IMessage, new()
    {
        using var document = JsonDocument.Parse(json);
        return [.. document.RootElement.EnumerateArray().Select(message => JsonParser.Default.Parse<T>(message.GetRawText()))];
    }

    // In the order in which the record gives them back, so that a create and a later get show the same.
    public static (string[] Sources, string[] Names) Sorted(IEnumerable<ExternalId> ids)
    {
        ExternalId[] sorted = [.. ids.OrderBy(id => id.Source, StringComparer.Ordinal).ThenBy(id => id.Id, StringComparer.Ordinal)];
        return ([.. sorted.Select(id => id.Source)], [.. sorted.Select(id => id.Id)]);
    }

    public static IEnumerable<ExternalId> Names(string[] sources, string[] names) => sources.Zip(names, (source, name) => new ExternalId { Source = source, Id = name });

    public static T Value<T>(string text) where T : struct, Enum => Spelling<T>.Values[text];

    public static Timestamp Time(DateTime utc) => Timestamp.FromDateTime(utc);

    public static OutboundEvent Event(Guid id, long version, string? country, IMessage data) =>
        new() { AggregateId = id.ToString(), AggregateVersion = version, Country = country, Data = data };

    private static class Spelling<T> where T : struct, Enum
    {
        public static readonly FrozenDictionary<T, string> Texts = Enum.GetValues<T>().ToFrozenDictionary(value => value, value => Name(value)[Prefix..]);

        public static readonly FrozenDictionary<string, T> Values = Texts.ToFrozenDictionary(pair => pair.Value, pair => pair.Key);

        private static int Prefix => Name(default).Length - "UNSPECIFIED".Length;

        private static string Name(T value) => typeof(T).GetField(value.ToString())!.GetCustomAttribute<OriginalNameAttribute>()!.Name;
    }
}
