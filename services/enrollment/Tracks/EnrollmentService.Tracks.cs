using Grpc.Core;
using Imet.Chassis;
using Imet.Enrollment.Offerings;
using Imet.Enrollment.Tracks;
using Imet.Enrollment.V1;
using Imet.Options.V1;
using Npgsql;

namespace Imet.Enrollment;

public sealed partial class EnrollmentService
{
    public override async Task<NominateStudentResponse> NominateStudent(NominateStudentRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(request.Country);
        var wish = Wishes.Of(request).OrThrow();
        try
        {
            return await JudgedAsync(request, () => GatherAsync(wish, context.CancellationToken), (basis, verdict) => EnrollAsync(
                request, wish, basis, verdict, EnrollmentDecisions.Nominate, line => new NominateStudentResponse { Line = line }, context), context);
        }
        catch (PostgresException e) when (IsTaken(e, "external_ids_unique"))
        {
            throw (await ExternalIdTakenAsync("LINE", wish.ExternalIds, "external_ids", context)).ToException();
        }
    }

    public override async Task<ApproveNominationResponse> ApproveNomination(ApproveNominationRequest request, ServerCallContext context)
    {
        var (lineId, today) = (Guid.Parse(request.LineId), Washington.Today(clock));
        return await JudgedAsync(
            request,
            async () =>
            {
                var (line, offering) = await FindLineWithOfferingAsync(lineId, context);
                return (EnrollmentFacts.QuestionFor(line, offering, today), line);
            },
            (line, verdict) => writes.RunAsync<ApproveNominationRequest, ApproveNominationResponse>(request, context, async tx =>
            {
                var (now, current) = await LockJudgedAsync(tx, line, verdict, context.CancellationToken);
                var change = TrackDecisions.Approve(current, request.Etag, verdict, Caller.Of(context).Subject, now).OrThrow();
                return new ApproveNominationResponse { Line = await WriteAsync(tx, change, context.CancellationToken) };
            }),
            context);
    }

    private sealed record SeatBasis(Line Line, OfferingCopy Offering, (DateOnly Report, DateOnly Start, DateOnly End) Days);

    public override async Task<ConfirmSeatResponse> ConfirmSeat(ConfirmSeatRequest request, ServerCallContext context)
    {
        var (lineId, today, cancel) = (Guid.Parse(request.LineId), Washington.Today(clock), context.CancellationToken);
        return await JudgedAsync(
            request,
            async () =>
            {
                var (line, judgedBy) = await FindLineWithOfferingAsync(lineId, context);
                var latest = await offerings.LatestAsync(line.OfferingId, cancel) ?? judgedBy;
                var days = TrackDecisions.DaysIn(line, judgedBy, latest).OrThrow();
                return (EnrollmentFacts.QuestionFor(line with { StartDate = days.Start }, latest, today), new SeatBasis(line, latest, days));
            },
            (basis, verdict) => writes.RunAsync<ConfirmSeatRequest, ConfirmSeatResponse>(request, context, async tx =>
            {
                var read = await store.LockForSeatAsync(tx, basis.Line, basis.Days.Start, basis.Days.End, cancel);
                RequireLatest(read.Seen, verdict);
                if (read.Seats.Version != basis.Offering.Version)
                    offerings.Forget(basis.Offering.Id);
                if (read.Seats.Version != basis.Offering.Version || read.Line.Version != basis.Line.Version || read.Line.TrackBegunOn != basis.Line.TrackBegunOn)
                    throw new Countries.FactsOvertakenException(read.Seen);
                var change = TrackDecisions.ConfirmSeat(read.Line, request.Etag, Wishes.WaitlistPriority(request.WaitlistIfFull, request.WaitlistPriority), verdict, basis.Offering, read.Seats, read.Student, basis.Days, today, Caller.Of(context).Subject, read.Now).OrThrow();
                return new ConfirmSeatResponse { Line = await WriteAsync(tx, change, cancel) };
            }),
            context);
    }

    public override async Task<AddToRosterResponse> AddToRoster(AddToRosterRequest request, ServerCallContext context)
    {
        var found = await FindLineAsync(Guid.Parse(request.LineId), context);
        Guid[] wanted = [.. request.StudentIds.Select(Guid.Parse)];
        return await writes.RunAsync<AddToRosterRequest, AddToRosterResponse>(request, context, async tx =>
        {
            var students = await rosters.LockStudentsAsync(tx, wanted, context.CancellationToken);
            var (now, lines) = await store.LockLinesAsync(tx, [found.Id], context.CancellationToken);
            var (named, already) = await rosters.NamedAsync(tx, found.Id, wanted, context.CancellationToken);
            if (already.Length > 0 || wanted.Distinct().Count() < wanted.Length)
                throw Refusal.Of(CommonReason.InvalidFields, "A student is named once.").Field("student_ids", $"Must not name {(already.Length > 0 ? $"{already[0]}, who is on the roster already" : "anybody twice")}.").ToException();
            var change = TrackDecisions.AddToRoster(lines[0], request.Etag, named, wanted, students, Washington.Today(clock), Caller.Of(context).Subject, now).OrThrow();
            rosters.Add(tx, found.Id, wanted);
            return new AddToRosterResponse { Line = await WriteAsync(tx, change, context.CancellationToken) };
        });
    }

    public override async Task<ListRosterResponse> ListRoster(ListRosterRequest request, ServerCallContext context)
    {
        var page = pages.Open(request, context);
        var line = await FindLineAsync(Guid.Parse(request.LineId), context);
        var after = page.After is [var last] ? Guid.Parse(last) : Guid.Empty;
        var named = await database.ReadAsync(connection => rosters.PageAsync(connection, line.Id, after, page.Size + 1, context.CancellationToken), context.CancellationToken);
        var more = named.Count > page.Size;
        if (more)
            named.RemoveAt(page.Size);
        return new ListRosterResponse { StudentIds = { named.Select(id => $"{id}") }, NextPageToken = more ? pages.Next(page, $"{named[^1]}") : "" };
    }

    public override async Task<AddChargeResponse> AddCharge(AddChargeRequest request, ServerCallContext context)
    {
        var found = await FindLineAsync(Guid.Parse(request.OfLineId), context);
        var price = Wishes.PriceOf(request.Price, "price").OrThrow();
        try
        {
            return await writes.RunAsync<AddChargeRequest, AddChargeResponse>(request, context, async tx =>
            {
                var (now, lines) = await store.LockLinesAsync(tx, [found.Id], context.CancellationToken);
                var change = TrackDecisions.Charge(lines[0], request.Funding ?? EnrollmentEvents.FundingOf(lines[0]), price, request.Reason, request.ExternalIds,
                    Guid.CreateVersion7(clock.GetUtcNow()), Washington.Today(clock), Caller.Of(context).Subject, now).OrThrow();
                return new AddChargeResponse { Line = await WriteAsync(tx, change, context.CancellationToken) };
            });
        }
        catch (PostgresException e) when (IsTaken(e, "external_ids_unique"))
        {
            throw (await ExternalIdTakenAsync("LINE", request.ExternalIds, "external_ids", context)).ToException();
        }
    }
}
