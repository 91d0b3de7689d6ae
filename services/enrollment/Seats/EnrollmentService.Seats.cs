using Grpc.Core;
using Imet.Chassis;
using Imet.Enrollment.Seats;
using Imet.Enrollment.V1;
using Imet.Options.V1;

namespace Imet.Enrollment;

public sealed partial class EnrollmentService
{
    public override async Task<GetOfferingSeatsResponse> GetOfferingSeats(GetOfferingSeatsRequest request, ServerCallContext context)
    {
        var offeringId = Guid.Parse(request.OfferingId);
        var seats = await database.SnapshotAsync(async connection => await classSeats.FindAsync(connection, offeringId, context.CancellationToken) is { } found
            ? SeatEvents.Resource(found, await classSeats.WaitingAsync(connection, offeringId, context.CancellationToken), Caller.Of(context).Countries)
            : null, context.CancellationToken);
        return new GetOfferingSeatsResponse { Seats = seats ?? throw NoSeats() };
    }

    public override Task<ReturnQuotaSeatsResponse> ReturnQuotaSeats(ReturnQuotaSeatsRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(request.Country);
        return writes.RunAsync<ReturnQuotaSeatsRequest, ReturnQuotaSeatsResponse>(request, context, async tx =>
        {
            var seats = await classSeats.LockAsync(tx, Guid.Parse(request.OfferingId), context.CancellationToken) ?? throw NoSeats();
            var change = SeatDecisions.Return(seats, request.Etag, request.Country, request.Seats, request.Reason).OrThrow();
            return new ReturnQuotaSeatsResponse { Seats = await WrittenAsync(tx, change, context) };
        });
    }

    public override Task<SwapQuotaSeatsResponse> SwapQuotaSeats(SwapQuotaSeatsRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(request.Country);
        Caller.Of(context).Require(request.OtherCountry);
        var wrong = Refusal.Of(CommonReason.InvalidFields, "The exchange makes no sense.");
        if (request.OtherCountry == request.Country)
            wrong = wrong.Field("other_country", "Must be another country.");
        if (request.Gets?.OfferingId == request.Gives.OfferingId)
            wrong = wrong.Field("gets.offering_id", "Must be another class: within one, only the difference changes hands.");
        if (wrong.Fields.Count > 0)
            throw wrong.ToException();
        return writes.RunAsync<SwapQuotaSeatsRequest, SwapQuotaSeatsResponse>(request, context, async tx =>
        {
            // Classes in the order of their ids, so that two exchanges never wait for each other.
            (QuotaTransfer Transfer, string From, string To)[] halves = request.Gets is { } gets
                ? [(request.Gives, request.Country, request.OtherCountry), (gets, request.OtherCountry, request.Country)]
                : [(request.Gives, request.Country, request.OtherCountry)];
            Dictionary<string, OfferingSeats> written = [];
            foreach (var (transfer, from, to) in halves.OrderBy(half => Guid.Parse(half.Transfer.OfferingId)))
            {
                var seats = await classSeats.LockAsync(tx, Guid.Parse(transfer.OfferingId), to, context.CancellationToken) ?? throw NoSeats();
                var change = SeatDecisions.Swap(seats, transfer.Etag, from, to, transfer.Seats, request.Reason).OrThrow();
                written[transfer.OfferingId] = await WrittenAsync(tx, change, context);
            }
            return new SwapQuotaSeatsResponse { Seats = { halves.Select(half => written[half.Transfer.OfferingId]) } };
        });
    }

    public override async Task<ListOverbookedOfferingsResponse> ListOverbookedOfferings(ListOverbookedOfferingsRequest request, ServerCallContext context)
    {
        var page = pages.Open(request, context);
        var after = page.After is [var last] ? Guid.Parse(last) : Guid.Empty;
        var found = await database.ReadAsync(connection => classSeats.OverbookedAsync(connection, Washington.Today(clock), after, page.Size + 1, context.CancellationToken), context.CancellationToken);
        var more = found.Count > page.Size;
        if (more)
            found.RemoveAt(page.Size);
        return new ListOverbookedOfferingsResponse
        {
            Offerings = { found.Select(seats => SeatEvents.Resource(seats, 0, null)) },
            NextPageToken = more ? pages.Next(page, found[^1].OfferingId.ToString()) : "",
        };
    }

    private async Task<OfferingSeats> WrittenAsync(Transaction tx, SeatsChange change, ServerCallContext context) => SeatEvents.Resource(
        seatRoom.Write(tx, change), await classSeats.WaitingAsync(tx.Connection, change.After.OfferingId, context.CancellationToken), Caller.Of(context).Countries);

    private static RpcException NoSeats() => NotFound("offering", "Nobody ever asked for a seat in a class with this id.");
}
