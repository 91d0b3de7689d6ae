using System.Globalization;
using Grpc.Core;
using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Imet.Options.V1;

namespace Imet.CourseCatalog;

internal sealed partial class CourseCatalogService
{
    private static readonly string[] SeatTakingStates = ["OPEN", "MOVED"];

    public override async Task<SearchOfferingsResponse> SearchOfferings(SearchOfferingsRequest request, ServerCallContext context)
    {
        if (request.Country.Length > 0)
            Caller.Of(context).Require(request.Country);
        if (request.QuotaOnly && request.Country.Length == 0)
            throw Refusal.Of(CommonReason.InvalidFields, "A quota is some country's.").Field("country", "is required with quota_only").ToException();
        var page = pages.Open(request, context);
        var words = SearchWords.Of(request.Text);
        var asGiven = words.Length > 0 ? SearchWords.Query(words) : null;
        var filter = new SearchFilter
        {
            // A later page goes on with what the first one found, whatever words there are by now.
            Query = page.After is { } last ? last[2].Length > 0 ? last[2] : null : asGiven,
            SchoolId = Optional(request.SchoolId),
            ImplementingAgency = Text(request.ImplementingAgency),
            TrainingKind = Text(request.TrainingKind),
            EImetOn = request.EImetOn?.ToDateOnly(),
            StartFrom = request.StartFrom?.ToDateOnly(),
            StartBefore = request.StartBefore?.ToDateOnly(),
            SeatsLeft = request.SeatsLeft,
            Country = request.Country.Length > 0 ? request.Country : null,
            QuotaOnly = request.QuotaOnly,
            States = request.States.Count > 0 ? [.. request.States.Select(CatalogEvents.Text)] : SeatTakingStates,
        };
        var after = page.After is { } key ? SearchStore.After(key) : (DateOnly.MinValue, Guid.Empty);
        var (found, query) = await database.SnapshotAsync(async connection =>
        {
            var rows = await SearchStore.SearchAsync(connection, filter, Countries(context), page, after, context.CancellationToken);
            if (rows.Count > 0 || words.Length == 0 || page.After is not null)
                return (rows, filter.Query);
            var alike = await SearchStore.AlikeAsync(connection, words, context.CancellationToken);
            if (alike.Count == 0)
                return (rows, filter.Query);
            var likely = SearchWords.Query(words, alike);
            return (await SearchStore.SearchAsync(connection, filter with { Query = likely }, Countries(context), page, after, context.CancellationToken), likely);
        }, context.CancellationToken);
        var (shown, next) = Cut(page, found, last => [last.StartDate.ToString("O", CultureInfo.InvariantCulture), last.Id.ToString(), query ?? ""]);
        return new()
        {
            Offerings = { shown.Select(row => new FoundOffering { Offering = row.ToResource(), Seats = OfferingEvents.SeatsLeft(row) }) },
            NextPageToken = next,
            Similar = query != asGiven,
        };
    }
}
