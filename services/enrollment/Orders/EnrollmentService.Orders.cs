using Grpc.Core;
using Imet.Chassis;
using Imet.Enrollment.Countries;
using Imet.Enrollment.Gates;
using Imet.Enrollment.Orders;
using Imet.Enrollment.V1;

namespace Imet.Enrollment;

public sealed partial class EnrollmentService
{
    public override async Task<IssueOrdersResponse> IssueOrders(IssueOrdersRequest request, ServerCallContext context)
    {
        var (lineId, today, cancel) = (Guid.Parse(request.LineId), Washington.Today(clock), context.CancellationToken);
        return await JudgedAsync(
            request,
            async () =>
            {
                var (line, offering) = await FindLineWithOfferingAsync(lineId, context);
                return (EnrollmentFacts.QuestionFor(line, offering, today), line);
            },
            (line, verdict) => writes.RunAsync<IssueOrdersRequest, IssueOrdersResponse>(request, context, async tx =>
            {
                var (seen, now, current) = await store.LockForOrdersAsync(tx, line, cancel);
                RequireLatest(seen, verdict);
                if (current.Version != line.Version || current.TrackBegunOn != line.TrackBegunOn)
                    throw new FactsOvertakenException(seen);
                var facts = (await gates.FactsAsync(tx.Connection, tx.Npgsql, [current], today, cancel))[0];
                var report = GateDecisions.Check(facts, verdict);
                var number = OrdersDecisions.Number(current, facts.Offering, await orders.CountAsync(tx, current.TrackId, cancel) + 1);
                var change = OrdersDecisions.Issue(current, request.Etag, report, verdict, number, Caller.Of(context).Subject, now).OrThrow();
                var written = await WriteAsync(tx, change, cancel);
                orders.Issue(tx, change, report);
                // What is recorded elsewhere without the locks taken above, and committed just now, is found by a second look.
                gateWork.Add(tx, current.Country);
                return new IssueOrdersResponse
                {
                    Line = written,
                    Orders = new TravelOrders { Number = number, LineId = request.LineId, Country = current.Country, Entries = { OrdersStore.Entry(0, "ISSUED", "", report, change.Actor, now) } },
                };
            }),
            context);
    }

    public override async Task<AmendOrdersResponse> AmendOrders(AmendOrdersRequest request, ServerCallContext context)
    {
        var found = await FindLineAsync(Guid.Parse(request.LineId), context);
        return await writes.RunAsync<AmendOrdersRequest, AmendOrdersResponse>(request, context, async tx =>
        {
            var (now, lines) = await store.LockLinesAsync(tx, [found.Id], context.CancellationToken);
            var change = OrdersDecisions.Amend(lines[0], request.Etag, request.Reason, Caller.Of(context).Subject, now).OrThrow();
            orders.Amend(tx, change);
            return new AmendOrdersResponse { Line = await WriteAsync(tx, change, context.CancellationToken) };
        });
    }

    public override async Task<RevokeOrdersResponse> RevokeOrders(RevokeOrdersRequest request, ServerCallContext context)
    {
        var (found, offering) = await FindLineWithOfferingAsync(Guid.Parse(request.LineId), context);
        return await writes.RunAsync<RevokeOrdersRequest, RevokeOrdersResponse>(request, context, async tx =>
        {
            var (now, lines) = await store.LockLinesAsync(tx, [found.Id], context.CancellationToken);
            var change = OrdersDecisions.Revoke(lines[0], request.Etag, request.Reason, Caller.Of(context).Subject, now).OrThrow();
            return new RevokeOrdersResponse { Line = await WriteAsync(tx, change, context.CancellationToken), Addressees = { Addressees.Of(lines[0], offering) } };
        });
    }

    public override async Task<GetOrdersResponse> GetOrders(GetOrdersRequest request, ServerCallContext context)
    {
        var found = await database.ReadAsync(connection => orders.FindAsync(connection, request.Number, Countries(context), context.CancellationToken), context.CancellationToken);
        return found is null ? throw NotFound("orders", "There are no orders with this number.") : new GetOrdersResponse { Orders = found };
    }
}
