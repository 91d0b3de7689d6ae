using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Imet.Chassis;
using Imet.CountryEligibility.V1;

namespace Imet.CountryEligibility;

internal static class CountryEvents
{
    public static Country ToResource(this CountryRow row) => new()
    {
        Code = row.Code,
        Name = row.Name,
        Alpha2 = row.Alpha2 ?? "",
        NumericCode = row.NumericCode ?? "",
        DscaCode = row.DscaCode ?? "",
        Region = row.Region ?? "",
        CombatantCommand = row.CombatantCommand ?? "",
        ValidFrom = row.ValidFrom?.ToProto(),
        ValidTo = row.ValidTo?.ToProto(),
        Revision = row.Revision,
        SystemOfRecordSinceTime = Timestamp.FromDateTime(row.SystemOfRecordSince),
        Names = { row.Names },
        Etag = row.Etag,
    };

    public static CountryRow ToRow(this Country country) => new()
    {
        Code = country.Code,
        Name = country.Name.Trim(),
        Alpha2 = Text(country.Alpha2),
        NumericCode = Text(country.NumericCode),
        DscaCode = Text(country.DscaCode),
        Region = Text(country.Region),
        CombatantCommand = Text(country.CombatantCommand),
        ValidFrom = country.ValidFrom?.ToDateOnly(),
        ValidTo = country.ValidTo?.ToDateOnly(),
        Names = [.. country.Names.Select(name => name.Trim()).Order(StringComparer.Ordinal)],
        SystemOfRecordSince = default,
        Revision = 0,
        RecordedAt = default,
    };

    public static Designation ToResource(this DesignationRow row) => new()
    {
        Id = row.Id.ToString(),
        Country = row.Country,
        Kind = ToKind(row.Kind),
        ValidFrom = row.ValidFrom.ToProto(),
        ValidTo = row.ValidTo?.ToProto(),
        Source = row.Source,
        KnownFromTime = Timestamp.FromDateTime(row.KnownFrom),
        KnownToTime = row.KnownTo is { } to ? Timestamp.FromDateTime(to) : null,
        Etag = row.Etag,
    };

    public static DesignationRow ToRow(this Designation designation, string by, RecordRow record) => new()
    {
        Id = Guid.CreateVersion7(),
        Version = 1,
        Country = designation.Country,
        Kind = ToText(designation.Kind)!,
        Source = designation.Source,
        ValidFrom = designation.ValidFrom.ToDateOnly(),
        ValidTo = designation.ValidTo?.ToDateOnly(),
        KnownFrom = record.RecordedAt,
        RecordedBy = by,
    };

    public static OutboundEvent Created(CountryRow row, RecordRow record) => Of(row.Code, row.Revision, new CountryCreated
    {
        Country = row.Code, Revision = row.Revision, Epoch = record.Epoch.ToString(), Details = row.ToResource(), RecordedTime = Timestamp.FromDateTime(record.RecordedAt),
    });

    public static OutboundEvent Updated(CountryRow row, RecordRow record) => Of(row.Code, row.Revision, new CountryUpdated
    {
        Country = row.Code, Revision = row.Revision, Epoch = record.Epoch.ToString(), Details = row.ToResource(), RecordedTime = Timestamp.FromDateTime(record.RecordedAt),
    });

    public static OutboundEvent Designated(DesignationRow row, long revision, RecordRow record) => Of(row.Country, revision, new CountryDesignated
    {
        Country = row.Country, Revision = revision, Epoch = record.Epoch.ToString(), Designation = row.ToResource(), RecordedTime = Timestamp.FromDateTime(record.RecordedAt),
    });

    public static OutboundEvent Ended(DesignationRow row, long revision, RecordRow record) => Of(row.Country, revision, new CountryDesignationEnded
    {
        Country = row.Country, Revision = revision, Epoch = record.Epoch.ToString(), Designation = row.ToResource(), RecordedTime = Timestamp.FromDateTime(record.RecordedAt),
    });

    public static string? ToText(DesignationKind kind) => kind switch
    {
        DesignationKind.NatoMember => "NATO_MEMBER",
        DesignationKind.MajorNonNatoAlly => "MAJOR_NON_NATO_ALLY",
        DesignationKind.TreatedAsMajorNonNatoAlly => "TREATED_AS_MAJOR_NON_NATO_ALLY",
        DesignationKind.HighIncome => "HIGH_INCOME",
        DesignationKind.Unspecified => null,
    };

    private static DesignationKind ToKind(string text) => text switch
    {
        "NATO_MEMBER" => DesignationKind.NatoMember,
        "MAJOR_NON_NATO_ALLY" => DesignationKind.MajorNonNatoAlly,
        "TREATED_AS_MAJOR_NON_NATO_ALLY" => DesignationKind.TreatedAsMajorNonNatoAlly,
        "HIGH_INCOME" => DesignationKind.HighIncome,
        _ => throw new ArgumentOutOfRangeException(nameof(text), text, "The table's check holds every kind."),
    };

    private static OutboundEvent Of(string country, long revision, IMessage data) => new() { AggregateId = country, AggregateVersion = revision, Country = country, Data = data };

    private static string? Text(string text) => text.Trim() is { Length: > 0 } given ? given : null;
}
