using Google.Protobuf;
using Grpc.Core;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.Affected;
using Imet.Enrollment.Audit;
using Imet.Enrollment.Bars;
using Imet.Enrollment.Charges;
using Imet.Enrollment.Countries;
using Imet.Enrollment.Allocations;
using Imet.Enrollment.Gates;
using Imet.Enrollment.History;
using Imet.Enrollment.Offerings;
using Imet.Enrollment.Orders;
using Imet.Enrollment.Preview;
using Imet.Enrollment.Reexamination;
using Imet.Enrollment.School;
using Imet.Enrollment.Seats;
using Imet.Enrollment.Students;
using Imet.Enrollment.Tracks;
using Imet.Enrollment.Units;
using Imet.Enrollment.V1;
using Imet.Enrollment.Waitlist;
using Imet.Options.V1;
using Npgsql;
using ErrorReason = Imet.Enrollment.V1.ErrorReason;

namespace Imet.Enrollment;

public sealed partial class EnrollmentService(
    Database database,
    Writes writes,
    Pages pages,
    TimeProvider clock,
    EnrollmentStore store,
    StudentStore students,
    SeatStore classSeats,
    SeatRoom seatRoom,
    WaitlistStore waitlist,
    OfferingCopies offerings,
    EnrollmentFacts facts,
    CountryLearning countries,
    RosterStore rosters,
    RemovalStore removals,
    GateRoom gates,
    GateStore gateRows,
    GateWork gateWork,
    GateReexamination gateReexamination,
    OrdersStore orders,
    MassActingSwitch massActing,
    AffectedStore affected,
    Previewing previewing,
    UnitStore units,
    BarStore bars,
    AuditStore audit,
    HistoryStore history,
    Purging purging,
    ChargeStore charges,
    AllocationStore allocations) : V1.EnrollmentService.EnrollmentServiceBase
{
    // Each new answer is needed only because a decision about the country was approved within the milliseconds before: five in a row are no accident worth waiting for.
    private const int MostQuestions = 5;

    private sealed record EnrollBasis(OfferingCopy Offering, DateOnly Start, DateOnly End, DateOnly? TrackBegunOn, DateOnly Today);

    public override async Task<EnrollStudentResponse> EnrollStudent(EnrollStudentRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(request.Country);
        var wish = Wishes.Of(request).OrThrow();
        try
        {
            var response = await JudgedAsync(request, () => GatherAsync(wish, context.CancellationToken), (basis, verdict) => EnrollAsync(
                request, wish, basis, verdict, EnrollmentDecisions.Enroll, line => new EnrollStudentResponse { Line = line }, context), context);
            await Failpoints.HitAsync("enrollment.between-commit-and-reply");
            return response;
        }
        catch (PostgresException e) when (IsTaken(e, "external_ids_unique"))
        {
            throw (await ExternalIdTakenAsync("LINE", wish.ExternalIds, "external_ids", context)).ToException();
        }
    }

    public override async Task<GetTrainingLineResponse> GetTrainingLine(GetTrainingLineRequest request, ServerCallContext context)
    {
        RequireOneOf(request.LineId.Length > 0, request.ExternalId is not null, "line_id", "external_id");
        var line = request.ExternalId is { } external
            ? await database.ReadAsync(connection => store.FindByExternalIdAsync(connection, external, Countries(context), context.CancellationToken), context.CancellationToken) ?? throw NoLine()
            : await FindLineAsync(Guid.Parse(request.LineId), context);
        return new GetTrainingLineResponse
        {
            Line = request.AsOfTime is { } asOf ? await AsOfAsync(line.Id, asOf, context.CancellationToken) : (await ResourcesAsync([line], context.CancellationToken))[0],
        };
    }

    public override async Task<ListTrainingLinesResponse> ListTrainingLines(ListTrainingLinesRequest request, ServerCallContext context)
    {
        if (request.Country.Length > 0)
            Caller.Of(context).Require(request.Country);
        var page = pages.Open(request, context);
        var filter = new LineFilter
        {
            Countries = request.Country.Length > 0 ? [request.Country] : Countries(context),
            OfferingId = Wishes.IdOrNull(request.OfferingId),
            StudentId = Wishes.IdOrNull(request.StudentId),
            State = request.State == TrainingLine.Types.State.Unspecified ? null : (LineState)request.State,
            StartFrom = request.StartFrom?.ToDateOnly(),
            StartBefore = request.StartBefore?.ToDateOnly(),
            NotRestored = request.NotRestored,
            After = page.After is [var start, var id] ? (DateOnly.ParseExact(start, "O"), Guid.Parse(id)) : null,
            // One more than asked for tells whether there is a next page.
            Size = page.Size + 1,
        };
        var lines = request.AsOfTime is { } asOf
            ? await AsOfAsync(filter, asOf, context.CancellationToken)
            : await ResourcesAsync(await database.ReadAsync(connection => store.ListAsync(connection, filter, context.CancellationToken), context.CancellationToken), context.CancellationToken);
        var more = lines.Count > page.Size;
        if (more)
            lines.RemoveAt(page.Size);
        return new ListTrainingLinesResponse { Lines = { lines }, NextPageToken = more ? pages.Next(page, lines[^1].StartDate.ToDateOnly().ToString("O"), lines[^1].Id) : "" };
    }

    /// <summary>Asks, then writes; asks again when the answer was overtaken between the two.</summary>
    private Task<TResponse> JudgedAsync<TRequest, TBasis, TResponse>(
        TRequest request, Func<Task<(Question Question, TBasis Basis)>> gather, Func<TBasis, Verdict, Task<TResponse>> write, ServerCallContext context)
        where TRequest : IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>, new() =>
        writes.RepeatableAsync(request, context, () => JudgedAsync(gather, write, context));

    private async Task<TResponse> JudgedAsync<TBasis, TResponse>(
        Func<Task<(Question Question, TBasis Basis)>> gather, Func<TBasis, Verdict, Task<TResponse>> write, ServerCallContext context)
    {
        var minimum = 0L;
        for (var asked = 0; asked < MostQuestions; asked++)
        {
            var (question, basis) = await gather();
            var verdict = await facts.AskAsync(question, minimum, context.CancellationToken);
            var answer = new SeenRevision(verdict.Epoch, verdict.Revision);
            await Failpoints.HitAsync("enrollment.between-question-and-commit");
            try
            {
                try
                {
                    return await write(basis, verdict);
                }
                catch (FactsOvertakenException e) when (e.Seen is not { } seen || answer.IsNewsTo(seen))
                {
                    await countries.LearnAsync(question.Country, answer, context.CancellationToken);
                    return await write(basis, verdict);
                }
            }
            catch (FactsOvertakenException e)
            {
                minimum = e.Seen?.Revision ?? 0;
            }
        }
        throw Refusal.Of(ErrorReason.CountryChanging, "The country's rules changed again and again while the answer was asked for. Nothing was written; try again.")
            .RetryAfter(TimeSpan.FromSeconds(1)).ToException();
    }

    private async Task<(Question, EnrollBasis)> GatherAsync(Wish wish, CancellationToken cancel)
    {
        var offering = await offerings.LatestAsync(wish.OfferingId, cancel) ?? await MeetAsync(wish.OfferingId, cancel);
        var (start, end) = EnrollmentDecisions.Days(offering, wish.StartDate, wish.EndDate).OrThrow();
        var track = wish.TrackId is { } trackId ? await database.ReadAsync(connection => store.FindTrackAsync(connection, trackId, cancel), cancel) : null;
        var basis = new EnrollBasis(offering, start, end, track?.BegunOn, Washington.Today(clock));
        return (EnrollmentFacts.QuestionFor(wish, offering, start, basis.TrackBegunOn, basis.Today), basis);
    }

    private async Task<OfferingCopy> MeetAsync(Guid offeringId, CancellationToken cancel)
    {
        var offering = await facts.FindOfferingAsync(offeringId, cancel)
            ?? throw Refusal.Of(ErrorReason.OfferingUnknown, "The catalogue has no class with this id.").ToException();
        await offerings.KeepAsync(offering, cancel);
        return offering.Copy;
    }

    private Task<TResponse> EnrollAsync<TRequest, TResponse>(TRequest request, Wish wish, EnrollBasis basis, Verdict verdict,
        Func<EnrollFacts, Outcome<LineChange>> decide, Func<TrainingLine, TResponse> reply, ServerCallContext context)
        where TRequest : IMessage<TRequest>
        where TResponse : IMessage<TResponse>, new() =>
        writes.RunAsync(request, context, batch => EnrollmentStore.LockForEnroll(batch, wish, basis.Start, basis.End),
            reader => EnrollmentStore.ReadForEnrollAsync(reader, wish, context.CancellationToken),
            (tx, read) => Task.FromResult(reply(NewLine(tx, wish, basis, verdict, read, decide, context))));

    private TrainingLine NewLine(
        Transaction tx, Wish wish, EnrollBasis basis, Verdict verdict, EnrollRead read, Func<EnrollFacts, Outcome<LineChange>> decide, ServerCallContext context)
    {
        RequireLatest(read.Seen, verdict);
        if (read.Seats?.Version != basis.Offering.Version)
            offerings.Forget(wish.OfferingId);
        if (read.Seats is not { } seats || seats.Version != basis.Offering.Version || read.Track?.BegunOn != basis.TrackBegunOn)
            throw new FactsOvertakenException(read.Seen);
        var change = decide(new EnrollFacts
        {
            Today = basis.Today,
            Now = read.Now,
            Actor = Caller.Of(context).Subject,
            LineId = Guid.CreateVersion7(clock.GetUtcNow()),
            TrackId = wish.TrackId ?? Guid.CreateVersion7(clock.GetUtcNow()),
            Wcn = read.Track?.Wcn ?? Wishes.Wcn(read.WcnNumber),
            Wish = wish,
            Offering = basis.Offering,
            Start = basis.Start,
            End = basis.End,
            Seats = seats,
            Student = read.Student,
            Track = read.Track,
            Verdict = verdict,
        }).OrThrow();
        var line = store.Write(tx, change, newTrack: wish.TrackId is null);
        store.TakeSeats(tx, change, seats.OwnUnused is not null);
        tx.Publish(EnrollmentEvents.Of(change, basis.Offering));
        return EnrollmentEvents.Resource(line, basis.Offering);
    }

    private async Task<(DateTime Now, Line Line)> LockJudgedAsync(Transaction tx, Line asked, Verdict verdict, CancellationToken cancel)
    {
        var (seen, now, lines) = await store.LockLinesAsync(tx, asked.Country, [asked.Id], andTracks: true, cancel);
        RequireLatest(seen, verdict);
        // The question told how far the line and its track had come.
        return lines[0].Version == asked.Version && lines[0].TrackBegunOn == asked.TrackBegunOn ? (now, lines[0]) : throw new FactsOvertakenException(seen);
    }

    private static void RequireLatest(SeenRevision? seen, Verdict verdict)
    {
        if (seen != new SeenRevision(verdict.Epoch, verdict.Revision))
            throw new FactsOvertakenException(seen);
    }

    private async Task<TrainingLine> WriteAsync(Transaction tx, LineChange change, CancellationToken cancel) => (await WriteAsync(tx, [change], cancel))[0];

    private async Task<List<TrainingLine>> WriteAsync(Transaction tx, IReadOnlyList<LineChange> changes, CancellationToken cancel)
    {
        var copies = await offerings.OfAsync(tx.Connection, changes.Select(change => change.After), cancel);
        List<TrainingLine> written = [];
        foreach (var change in changes)
        {
            var offering = copies[(change.After.OfferingId, change.After.OfferingVersion)];
            written.Add(EnrollmentEvents.Resource(store.Write(tx, change, newTrack: false), offering));
            tx.Publish(EnrollmentEvents.Of(change, offering));
        }
        store.MoveSeats(tx, changes);
        return written;
    }

    private async Task<Line> FindLineAsync(Guid lineId, ServerCallContext context) =>
        await database.ReadAsync(connection => store.FindAsync(connection, lineId, Countries(context), context.CancellationToken), context.CancellationToken) ?? throw NoLine();

    private async Task<(Line Line, OfferingCopy Offering)> FindLineWithOfferingAsync(Guid lineId, ServerCallContext context) =>
        await database.ReadAsync(async connection =>
        {
            var line = await store.FindAsync(connection, lineId, Countries(context), context.CancellationToken) ?? throw NoLine();
            return (line, (await offerings.OfAsync(connection, [line], context.CancellationToken)).Values.Single());
        }, context.CancellationToken);

    private async Task<List<TrainingLine>> ResourcesAsync(IReadOnlyCollection<Line> lines, CancellationToken cancel)
    {
        var copies = await database.ReadAsync(connection => offerings.OfAsync(connection, lines, cancel).AsTask(), cancel);
        return [.. lines.Select(line => EnrollmentEvents.Resource(line, copies[(line.OfferingId, line.OfferingVersion)]))];
    }

    private static string[]? Countries(ServerCallContext context) => Caller.Of(context).Countries is { } countries ? [.. countries] : null;

    private static bool IsTaken(PostgresException e, string constraint) => e.SqlState == PostgresErrorCodes.UniqueViolation && e.ConstraintName == constraint;

    private async Task<Refusal> ExternalIdTakenAsync(string kind, IReadOnlyList<ExternalId> ids, string path, ServerCallContext context)
    {
        var holder = await database.ReadAsync(connection => students.ExternalIdHolderAsync(
            connection, kind, [.. ids.Select(id => id.Source)], [.. ids.Select(id => id.Id)], context.CancellationToken), context.CancellationToken);
        if (holder is null)
            return Refusal.Of(CommonReason.InvalidFields, "An external id is given twice.").Field(path, "Must not name the same source and id twice.");
        var refusal = Refusal.Of(CommonReason.ExternalIdTaken, "An external id is already that of another resource.");
        return Caller.Of(context).MaySee(holder.Country) ? refusal.With("id", holder.ResourceId.ToString()) : refusal;
    }

    private static void RequireOneOf(bool one, bool other, string oneName, string otherName)
    {
        if (one == other)
        {
            throw Refusal.Of(CommonReason.InvalidFields, $"Exactly one of {oneName} and {otherName} must be given.")
                .Field(oneName, $"Give {oneName} or {otherName}, not {(one ? "both" : "none")}.").ToException();
        }
    }

    private static RpcException NoLine() => NotFound("training_line", "There is no training line with this id.");

    private static RpcException NotFound(string resource, string message) => Refusal.Of(CommonReason.NotFound, message).With("resource", resource).ToException();
}
