using System.Globalization;
using Grpc.Core;
using Imet.Chassis;
using Imet.CourseCatalog.V1;

namespace Imet.CourseCatalog;

internal sealed partial class CourseCatalogService
{
    public override Task<CreateOfferingResponse> CreateOffering(CreateOfferingRequest request, ServerCallContext context)
    {
        var offering = CatalogDecisions.CheckNew(request.Offering).OrThrow();
        Caller.Of(context).Require(offering.HostCountry.Length > 0 ? offering.HostCountry : EveryCountry);
        return writes.RunAsync(request, context, async tx =>
        {
            var added = await OfferingStore.AddAsync(tx, CatalogEvents.NewRow(Guid.CreateVersion7(), offering), context.CancellationToken);
            var row = CatalogDecisions.Recorded(added).OrThrow();
            tx.Publish(CatalogEvents.Created(row));
            return new CreateOfferingResponse { Offering = row.ToResource() };
        });
    }

    public override async Task<GetOfferingResponse> GetOffering(GetOfferingRequest request, ServerCallContext context)
    {
        Check(CatalogDecisions.ExactlyOne(("offering_id", request.OfferingId.Length > 0), ("external_id", request.ExternalId is not null)));
        var row = await database.ReadAsync(async connection =>
            await IdAsync(connection, request.OfferingId, "OFFERING", request.ExternalId, context.CancellationToken) is { } id
                ? await OfferingStore.OfferingAsync(connection, id, Countries(context), context.CancellationToken)
                : null, context.CancellationToken);
        return new() { Offering = row?.ToResource() ?? throw CatalogDecisions.NotFound("offering").ToException() };
    }

    public override async Task<ListOfferingsResponse> ListOfferings(ListOfferingsRequest request, ServerCallContext context)
    {
        var page = pages.Open(request, context);
        var filter = new OfferingFilter
        {
            CourseId = Optional(request.CourseId),
            SchoolId = Optional(request.SchoolId),
            StartFrom = request.StartFrom?.ToDateOnly(),
            StartBefore = request.StartBefore?.ToDateOnly(),
            State = Text(request.State),
        };
        var found = await database.ReadAsync(
            connection => OfferingStore.OfferingsAsync(connection, filter, Countries(context), page, context.CancellationToken), context.CancellationToken);
        var (rows, next) = Cut(page, found, last => [last.StartDate.ToString("O", CultureInfo.InvariantCulture), last.Id.ToString()]);
        return new() { Offerings = { rows.Select(row => row.ToResource()) }, NextPageToken = next };
    }

    public override Task<CancelOfferingResponse> CancelOffering(CancelOfferingRequest request, ServerCallContext context) =>
        writes.RunAsync(request, context, async tx =>
        {
            var offering = await OfferingStore.LockAsync(tx, Guid.Parse(request.OfferingId), Countries(context), context.CancellationToken);
            if (offering is not null)
                Caller.Of(context).Require(offering.HostCountry ?? EveryCountry);
            var cancelled = CatalogDecisions.Cancel(offering, request.Etag, request.Reason, Washington.Today(clock)).OrThrow();
            var row = await OfferingStore.CancelAsync(tx, cancelled, context.CancellationToken);
            tx.Publish(CatalogEvents.Cancelled(row));
            return new CancelOfferingResponse { Offering = row.ToResource() };
        });

    public override async Task<BatchGetOfferingVersionsResponse> BatchGetOfferingVersions(BatchGetOfferingVersionsRequest request, ServerCallContext context)
    {
        Guid[] ids = [.. request.OfferingIds.Select(Guid.Parse).Distinct()];
        var rows = await database.ReadAsync(
            connection => OfferingStore.VersionsAsync(connection, ids, Countries(context), context.CancellationToken), context.CancellationToken);
        return new() { OfferingVersions = { rows.Select(row => new OfferingVersion { OfferingId = row.Id.ToString(), Version = row.Version }) } };
    }
}
