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
            var added = await OfferingStore.AddAsync(tx, OfferingEvents.NewRow(Guid.CreateVersion7(), offering, request.Planned), Today, context.CancellationToken);
            var row = CatalogDecisions.Recorded(added).OrThrow();
            tx.Publish(OfferingEvents.Created(row));
            return new CreateOfferingResponse { Offering = row.ToResource() };
        });
    }

    public override async Task<GetOfferingResponse> GetOffering(GetOfferingRequest request, ServerCallContext context)
    {
        Check(CatalogDecisions.ExactlyOne(("offering_id", request.OfferingId.Length > 0), ("external_id", request.ExternalId is not null)));
        // One snapshot: the version of the class says which quotas belong to it.
        var (row, quotas) = await database.SnapshotAsync(async connection =>
            await IdAsync(connection, request.OfferingId, "OFFERING", request.ExternalId, context.CancellationToken) is { } id
                ? (await OfferingStore.OfferingAsync(connection, id, Countries(context), context.CancellationToken), await QuotaStore.QuotasAsync(connection, id, Countries(context), context.CancellationToken))
                : (null, []), context.CancellationToken);
        return row is null
            ? throw CatalogDecisions.NotFound("offering").ToException()
            : new() { Offering = row.ToResource(), Quotas = { quotas.Select(quota => quota.ToResource()) }, Seats = OfferingEvents.SeatsLeft(row) };
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

    public override Task<OpenOfferingResponse> OpenOffering(OpenOfferingRequest request, ServerCallContext context) =>
        writes.RunAsync(request, context, async tx =>
        {
            var offering = await LockAsync(tx, request.OfferingId, context);
            var row = await OfferingStore.UpdateAsync(tx, OfferingDecisions.Open(offering, request.Etag).OrThrow(), context.CancellationToken);
            tx.Publish(OfferingEvents.Opened(row));
            return new OpenOfferingResponse { Offering = row.ToResource() };
        });

    public override Task<MoveOfferingResponse> MoveOffering(MoveOfferingRequest request, ServerCallContext context)
    {
        if (request.Place is { HostCountry.Length: > 0 } place)
            Caller.Of(context).Require(place.HostCountry);
        else if (request.Place is not null)
            Caller.Of(context).Require(EveryCountry);
        return writes.RunAsync(request, context, async tx =>
        {
            var offering = await LockAsync(tx, request.OfferingId, context);
            var row = await OfferingStore.UpdateAsync(tx, OfferingDecisions.Move(offering, request).OrThrow(), context.CancellationToken);
            foreach (var moved in OfferingEvents.Moved(offering!, row, request.Reason))
                tx.Publish(moved);
            // Another first day may be one on which another certificate holds.
            TakeOver.Due(tx, dueWork, row.CourseVersionId, Today);
            return new MoveOfferingResponse { Offering = row.ToResource() };
        });
    }

    public override Task<ChangeOfferingCapacityResponse> ChangeOfferingCapacity(ChangeOfferingCapacityRequest request, ServerCallContext context) =>
        writes.RunAsync(request, context, async tx =>
        {
            var offering = await LockAsync(tx, request.OfferingId, context);
            var quotas = await QuotaStore.QuotasAsync(tx.Connection, Guid.Parse(request.OfferingId), null, context.CancellationToken);
            var row = await OfferingStore.UpdateAsync(tx, OfferingDecisions.ChangeCapacity(offering, quotas, request.Etag, request.Capacity).OrThrow(), context.CancellationToken);
            tx.Publish(OfferingEvents.CapacityChanged(offering!, row, request.Reason));
            return new ChangeOfferingCapacityResponse { Offering = row.ToResource() };
        });

    public override Task<CancelOfferingResponse> CancelOffering(CancelOfferingRequest request, ServerCallContext context) =>
        writes.RunAsync(request, context, async tx =>
        {
            var offering = await LockAsync(tx, request.OfferingId, context);
            var row = await OfferingStore.UpdateAsync(tx, OfferingDecisions.Cancel(offering, request.Etag, request.Reason, Today).OrThrow(), context.CancellationToken);
            tx.Publish(OfferingEvents.Cancelled(row));
            return new CancelOfferingResponse { Offering = row.ToResource() };
        });

    private static async Task<OfferingRow?> LockAsync(Transaction tx, string offeringId, ServerCallContext context)
    {
        var offering = await OfferingStore.LockAsync(tx, Guid.Parse(offeringId), Countries(context), context.CancellationToken);
        if (offering is not null)
            Caller.Of(context).Require(offering.HostCountry ?? EveryCountry);
        return offering;
    }

    public override async Task<BatchGetOfferingVersionsResponse> BatchGetOfferingVersions(BatchGetOfferingVersionsRequest request, ServerCallContext context)
    {
        Guid[] ids = [.. request.OfferingIds.Select(Guid.Parse).Distinct()];
        var rows = await database.ReadAsync(
            connection => OfferingStore.VersionsAsync(connection, ids, Countries(context), context.CancellationToken), context.CancellationToken);
        return new() { OfferingVersions = { rows.Select(row => new OfferingVersion { OfferingId = row.Id.ToString(), Version = row.Version }) } };
    }
}
