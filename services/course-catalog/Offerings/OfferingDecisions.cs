using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Imet.Options.V1;

namespace Imet.CourseCatalog;

/// <summary>What may become of a class. Each change is a version; enrollment acts on it.</summary>
internal static class OfferingDecisions
{
    public static Outcome<OfferingRow> Open(OfferingRow? offering, string etag) =>
        Changeable(offering, etag) is { } refusal ? refusal
        : offering!.State != "PLANNED" ? Refusal.Of(ErrorReason.OfferingNotPlanned, $"The offering is {offering.State}.").With("state", offering.State)
        : Next(offering) with { State = "OPEN" };

    public static Outcome<OfferingRow> Move(OfferingRow? offering, MoveOfferingRequest request)
    {
        if (Changeable(offering, request.Etag) is { } refusal)
            return refusal;
        var (start, end) = (request.StartDate.ToDateOnly(), request.EndDate.ToDateOnly());
        var moved = Next(offering!) with
        {
            // A class that is planned stays planned wherever it goes.
            State = offering!.State == "PLANNED" ? "PLANNED" : "MOVED",
            ReportDate = request.ReportDate?.ToDateOnly() ?? start,
            StartDate = start,
            EndDate = end,
            Location = request.Place is { } place ? place.Location : offering.Location,
            HostCountry = request.Place is { } country ? NullIfEmpty(country.HostCountry) : offering.HostCountry,
        };
        var wrong = Refusal.Of(CommonReason.InvalidFields, "The class can't be held then.");
        foreach (var (field, remedy) in CatalogDecisions.DayViolations(moved.ReportDate, start, end))
            wrong = wrong.Field(field, remedy);
        if (wrong.Fields.Count == 0 && (moved.ReportDate, start, end, moved.Location, moved.HostCountry)
            == (offering.ReportDate, offering.StartDate, offering.EndDate, offering.Location, offering.HostCountry))
            wrong = wrong.Field("start_date", "or another day, or the place, must differ from what it is");
        return wrong.Fields.Count > 0 ? wrong : moved;
    }

    public static Outcome<OfferingRow> ChangeCapacity(OfferingRow? offering, IReadOnlyList<QuotaRow> quotas, string etag, int capacity)
    {
        if (Changeable(offering, etag) is { } refusal)
            return refusal;
        if (capacity == offering!.Capacity)
            return Refusal.Of(CommonReason.InvalidFields, "The class has this capacity already.").Field("capacity", $"must differ from {capacity}");
        var changed = Next(offering) with { Capacity = capacity };
        return QuotaDecisions.Exceeding(changed, quotas) is { } exceeding ? exceeding : changed;
    }

    public static Outcome<OfferingRow> Cancel(OfferingRow? offering, string etag, string reason, DateOnly today) =>
        Changeable(offering, etag) is { } refusal ? refusal : Next(offering!) with { State = "CANCELLED", CancelledOn = today, CancelledBecause = reason };

    public static Refusal? Changeable(OfferingRow? offering, string etag) => offering switch
    {
        null => CatalogDecisions.NotFound("offering"),
        _ when etag != offering.Etag => Refusal.Of(CommonReason.EtagMismatch, "The offering has changed since it was read.").With("etag", offering.Etag),
        { State: "CANCELLED" } => Refusal.Of(ErrorReason.OfferingCancelled, $"The offering was cancelled on {offering.CancelledOn:yyyy-MM-dd}."),
        _ => null,
    };

    public static OfferingRow Next(OfferingRow offering) => offering with { Version = offering.Version + 1 };

    private static string? NullIfEmpty(string text) => text.Length > 0 ? text : null;
}
