using Google.Protobuf;
using Imet.Chassis;
using Imet.CourseCatalog.V1;
using static Imet.CourseCatalog.CatalogEvents;

namespace Imet.CourseCatalog;

/// <summary>Changes of classes and their quotas as events, their rows as resources, and back.</summary>
internal static class OfferingEvents
{
    public static OutboundEvent Created(OfferingRow offering) =>
        Event(offering.Id, offering.Version, offering.HostCountry, new OfferingCreated { Offering = offering.ToResource() });

    public static OutboundEvent Cancelled(OfferingRow offering) =>
        Event(offering.Id, offering.Version, offering.HostCountry, new OfferingCancelled
        {
            Offering = offering.ToResource(),
            Reason = offering.CancelledBecause,
            CancelledOn = offering.CancelledOn!.Value.ToProto(),
        });

    public static OutboundEvent Opened(OfferingRow offering) => Event(offering.Id, offering.Version, offering.HostCountry, new OfferingOpened { Offering = offering.ToResource() });

    /// <summary>A class that leaves a country is told there, too.</summary>
    public static IEnumerable<OutboundEvent> Moved(OfferingRow before, OfferingRow after, string reason) =>
        new[] { after.HostCountry, before.HostCountry }.Distinct().Select(country => Event(after.Id, after.Version, country, new OfferingMoved
        {
            Offering = after.ToResource(),
            PreviousReportDate = before.ReportDate.ToProto(),
            PreviousStartDate = before.StartDate.ToProto(),
            PreviousEndDate = before.EndDate.ToProto(),
            PreviousLocation = before.Location,
            PreviousHostCountry = before.HostCountry ?? "",
            Reason = reason,
        }));

    public static OutboundEvent CapacityChanged(OfferingRow before, OfferingRow after, string reason) =>
        Event(after.Id, after.Version, after.HostCountry, new OfferingCapacityChanged { Offering = after.ToResource(), PreviousCapacity = before.Capacity, Reason = reason });

    public static OutboundEvent Allocated(OfferingRow offering, QuotaRow before, QuotaRow after, string reason) => Event(offering.Id, offering.Version, after.Country, new QuotaAllocated
    {
        OfferingId = offering.Id.ToString(),
        Country = after.Country,
        Nominal = after.Nominal,
        PreviousNominal = before.Nominal,
        OpensOn = after.OpensOn?.ToProto(),
        OfferingVersion = offering.Version,
        Reason = reason,
    });

    public static OfferingRow NewRow(Guid id, Offering offering, bool planned)
    {
        var (sources, names) = Sorted(offering.ExternalIds);
        return new()
        {
            Id = id,
            CourseVersionId = Guid.Parse(offering.CourseVersionId),
            ReportDate = (offering.ReportDate ?? offering.StartDate).ToDateOnly(),
            StartDate = offering.StartDate.ToDateOnly(),
            EndDate = offering.EndDate.ToDateOnly(),
            Capacity = offering.Capacity,
            Location = offering.Location,
            HostCountry = offering.HostCountry.Length > 0 ? offering.HostCountry : null,
            State = planned ? "PLANNED" : "OPEN",
            AllInternational = offering.AllInternational,
            Sources = sources,
            Names = names,
            Version = 1,
        };
    }

    public static OutboundEvent CourseChanged(OfferingRow offering) =>
        Event(offering.Id, offering.Version, offering.HostCountry, new OfferingCourseChanged { Offering = offering.ToResource() });

    public static Offering ToResource(this OfferingRow row) => new()
    {
        Id = row.Id.ToString(),
        CourseVersionId = row.CourseVersionId.ToString(),
        ReportDate = row.ReportDate.ToProto(),
        StartDate = row.StartDate.ToProto(),
        EndDate = row.EndDate.ToProto(),
        Capacity = row.Capacity,
        Location = row.Location,
        HostCountry = row.HostCountry ?? "",
        State = Value<Offering.Types.State>(row.State),
        AllInternational = row.AllInternational,
        ExternalIds = { Names(row.Sources, row.Names) },
        Version = row.Version,
        Etag = row.Etag,
        Course = CourseOf(row),
        CreateTime = Time(row.CreatedAt),
        UpdateTime = Time(row.UpdatedAt),
    };

    private static CourseFacts CourseOf(OfferingRow row)
    {
        var facts = JsonParser.Default.Parse<CourseFacts>(row.Facts);
        facts.CourseId = row.CourseId.ToString();
        facts.MaslNumber = row.MaslNumber;
        facts.Title = row.Title;
        facts.SchoolId = row.SchoolId?.ToString() ?? "";
        facts.SchoolName = row.SchoolName ?? "";
        facts.SchoolCode = row.SchoolCode ?? "";
        facts.TrainingKind = Value<TrainingKind>(row.TrainingKind);
        facts.ImplementingAgency = Value<ImplementingAgency>(row.ImplementingAgency);
        facts.FiscalYear = row.FiscalYear;
        facts.Dedicated = row.Dedicated;
        facts.Prices.Add(Prices(row.Prices));
        return facts;
    }

    public static Quota ToResource(this QuotaRow row) => new()
    {
        Country = row.Country,
        Nominal = row.Nominal,
        OpensOn = row.OpensOn?.ToProto(),
        Held = row.Held,
        Taken = row.Taken,
        Opened = row.Opened,
    };

    public static SeatsLeft SeatsLeft(OfferingRow row) => new()
    {
        Taken = row.Taken,
        Left = Math.Max(0, row.Capacity - row.Taken),
        Open = Math.Max(0, row.Capacity - row.Taken - row.Reserved),
        Overbooked = row.Taken > row.Capacity,
        AsOfTime = row.SeatsAsOf is { } asOf ? Time(asOf) : null,
    };
}
