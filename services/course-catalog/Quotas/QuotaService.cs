using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Imet.Chassis;
using Imet.CourseCatalog.V1;

namespace Imet.CourseCatalog;

internal sealed partial class CourseCatalogService
{
    public override Task<AllocateQuotasResponse> AllocateQuotas(AllocateQuotasRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(EveryCountry);
        return writes.RunAsync(request, context, async tx =>
        {
            var offering = await OfferingStore.LockAsync(tx, Guid.Parse(request.OfferingId), null, context.CancellationToken);
            var quotas = await QuotaStore.QuotasAsync(tx.Connection, Guid.Parse(request.OfferingId), null, context.CancellationToken);
            var allocation = QuotaDecisions.Allocate(offering, quotas, request.Etag, request.Allocations).OrThrow();
            var row = await OfferingStore.UpdateAsync(tx, allocation.Offering, context.CancellationToken);
            await QuotaStore.AllocateAsync(tx, allocation, request.Reason, context.CancellationToken);
            foreach (var (before, after) in allocation.Changes)
                tx.Publish(OfferingEvents.Allocated(row, before, after, request.Reason));
            var now = await QuotaStore.QuotasAsync(tx.Connection, row.Id, null, context.CancellationToken);
            return new AllocateQuotasResponse { Offering = row.ToResource(), Quotas = { now.Select(quota => quota.ToResource()) } };
        });
    }

    public override async Task<ListQuotaEntriesResponse> ListQuotaEntries(ListQuotaEntriesRequest request, ServerCallContext context)
    {
        if (request.Country.Length > 0)
            Caller.Of(context).Require(request.Country);
        var page = pages.Open(request, context);
        var offeringId = Guid.Parse(request.OfferingId);
        var found = await database.ReadAsync(async connection =>
        {
            if (await OfferingStore.OfferingAsync(connection, offeringId, Countries(context), context.CancellationToken) is null)
                throw CatalogDecisions.NotFound("offering").ToException();
            return await QuotaStore.EntriesAsync(connection, offeringId, request.Country.Length > 0 ? [request.Country] : Countries(context), page, context.CancellationToken);
        }, context.CancellationToken);
        var (rows, next) = Cut(page, found, last => [last.Seq.ToString(CultureInfo.InvariantCulture)]);
        return new()
        {
            Entries =
            {
                rows.Select(row => new QuotaEntry
                {
                    Country = row.Country, Cause = CatalogEvents.Value<QuotaEntry.Types.Cause>(row.Cause), Change = row.Change, Held = row.Held, Reason = row.Reason,
                    RecordedTime = Timestamp.FromDateTime(row.RecordedAt),
                }),
            },
            NextPageToken = next,
        };
    }
}
