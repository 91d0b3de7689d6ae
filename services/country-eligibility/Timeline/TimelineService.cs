using System.Globalization;
using Grpc.Core;
using Imet.Chassis;
using Imet.CountryEligibility.V1;

namespace Imet.CountryEligibility;

public sealed partial class CountryEligibilityService
{
    public override async Task<ListRestrictionsResponse> ListRestrictions(ListRestrictionsRequest request, ServerCallContext context)
    {
        var caller = Caller.Of(context);
        var cancel = context.CancellationToken;
        if (request.Country.Length > 0)
            caller.Require(request.Country);
        var page = pages.Open(request, context);
        var known = KnownTime(request.KnownTime);
        var filter = new RestrictionFilter
        {
            KnownAt = known ?? DateTime.MaxValue,
            AnnouncedBy = AnnouncedBy(caller, known),
            Country = request.Country.Length == 0 ? null : request.Country,
            Countries = Permitted(context),
            LegalBasis = request.LegalBasis.Length == 0 ? null : request.LegalBasis,
            Effect = request.Effect == Effect.Unspecified ? null : request.Effect.ToText(),
            InForceOn = request.InForceOn?.ToDateOnly(),
            Limit = page.Size + 1,
        };
        if (page.After is [var country, var date, var id])
            filter = filter with { AfterCountry = country, AfterDate = DateOnly.FromDayNumber(int.Parse(date, CultureInfo.InvariantCulture)), AfterId = Guid.Parse(id) };
        var rows = await database.ReadAsync(connection => TimelineStore.ListRestrictionsAsync(connection, filter, cancel), cancel);
        var response = new ListRestrictionsResponse { Restrictions = { rows.Take(page.Size).Select(row => row.ToResource()) } };
        if (rows.Count > page.Size && rows[page.Size - 1] is var last)
            response.NextPageToken = pages.Next(page, last.Country, $"{last.EffectiveFrom.DayNumber}", last.Id.ToString());
        return response;
    }

    public override async Task<ListCountryTimelineResponse> ListCountryTimeline(ListCountryTimelineRequest request, ServerCallContext context)
    {
        var caller = Caller.Of(context);
        var cancel = context.CancellationToken;
        caller.Require(request.Country);
        var page = pages.Open(request, context);
        var after = page.After is [var time, var id, var version]
            ? new TimelineKey(DateTime.Parse(time, CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind), Guid.Parse(id), int.Parse(version, CultureInfo.InvariantCulture))
            : null;
        var known = KnownTime(request.KnownTime);
        var (versions, documents) = await database.SnapshotAsync(connection =>
            TimelineStore.ListAsync(connection, request.Country, known ?? DateTime.MaxValue, AnnouncedBy(caller, known), after, page.Size + 1, cancel), cancel);
        var response = new ListCountryTimelineResponse { Entries = { versions.Take(page.Size).Select(row => TimelineEvents.ToEntry(row, documents[row.ChangedBy])) } };
        if (versions.Count > page.Size && versions[page.Size - 1] is var last)
            response.NextPageToken = pages.Next(page, last.KnownFrom.ToString("O", CultureInfo.InvariantCulture), last.Id.ToString(), last.Version.ToString(CultureInfo.InvariantCulture));
        return response;
    }
}
