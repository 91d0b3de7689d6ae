using System.Globalization;
using Grpc.Core;
using Imet.Chassis;
using Imet.Enrollment.V1;
using Imet.Enrollment.Waitlist;

namespace Imet.Enrollment;

public sealed partial class EnrollmentService
{
    public override async Task<AcceptSeatOfferResponse> AcceptSeatOffer(AcceptSeatOfferRequest request, ServerCallContext context)
    {
        var (lineId, today) = (Guid.Parse(request.LineId), Washington.Today(clock));
        return await JudgedAsync(
            request,
            async () =>
            {
                var (line, offering) = await FindLineWithOfferingAsync(lineId, context);
                return (EnrollmentFacts.QuestionFor(line, offering, today), line);
            },
            (line, verdict) => writes.RunAsync<AcceptSeatOfferRequest, AcceptSeatOfferResponse>(request, context, async tx =>
            {
                var (now, current) = await LockJudgedAsync(tx, line, verdict, context.CancellationToken);
                var change = WaitlistDecisions.Accept(current, request.Etag, verdict, clock.GetUtcNow().UtcDateTime, Caller.Of(context).Subject, now).OrThrow();
                return new AcceptSeatOfferResponse { Line = await WriteAsync(tx, change, context.CancellationToken) };
            }),
            context);
    }

    public override async Task<ListWaitingLinesResponse> ListWaitingLines(ListWaitingLinesRequest request, ServerCallContext context)
    {
        var page = pages.Open(request, context);
        var after = page.After is [var priority, var since, var id]
            ? (int.Parse(priority, CultureInfo.InvariantCulture), DateTime.ParseExact(since, "O", CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind), Guid.Parse(id))
            : (0, DateTime.UnixEpoch, Guid.Empty);
        var lines = await database.ReadAsync(connection => waitlist.PageAsync(
            connection, Guid.Parse(request.OfferingId), Countries(context), after, page.Size + 1, context.CancellationToken), context.CancellationToken);
        var more = lines.Count > page.Size;
        if (more)
            lines.RemoveAt(page.Size);
        return new ListWaitingLinesResponse
        {
            Lines = { await ResourcesAsync(lines, context.CancellationToken) },
            NextPageToken = more && lines[^1].Waiting is { } last
                ? pages.Next(page, last.Priority.ToString(CultureInfo.InvariantCulture), last.Since.ToString("O", CultureInfo.InvariantCulture), lines[^1].Id.ToString())
                : "",
        };
    }
}
