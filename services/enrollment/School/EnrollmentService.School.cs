using System.Diagnostics.Metrics;
using Grpc.Core;
using Imet.Chassis;
using Imet.Enrollment.School;
using Imet.Enrollment.Tracks;
using Imet.Enrollment.V1;
using Imet.Options.V1;

namespace Imet.Enrollment;

public sealed partial class EnrollmentService
{
    private static readonly Counter<long> Absences = Telemetry.Meter.CreateCounter<long>("imet.enrollment.absences", description: "Students reported gone without leave; each is an alert.");

    public override async Task<ReportArrivalResponse> ReportArrival(ReportArrivalRequest request, ServerCallContext context)
    {
        var (lineId, arrivedOn, today) = (Guid.Parse(request.LineId), request.ArrivedOn.ToDateOnly(), Washington.Today(clock));
        return await JudgedAsync(
            request,
            async () =>
            {
                var (line, offering) = await FindLineWithOfferingAsync(lineId, context);
                return (EnrollmentFacts.QuestionForArrival(line, offering, arrivedOn, today), line);
            },
            (line, verdict) => writes.RunAsync<ReportArrivalRequest, ReportArrivalResponse>(request, context, async tx =>
            {
                var (now, current) = await LockJudgedAsync(tx, line, verdict, context.CancellationToken);
                var change = SchoolDecisions.ReportArrival(current, verdict, arrivedOn, today, Caller.Of(context).Subject, now).OrThrow();
                return new ReportArrivalResponse { Line = await WriteAsync(tx, change, context.CancellationToken) };
            }),
            context);
    }

    public override async Task<ReportStartResponse> ReportStart(ReportStartRequest request, ServerCallContext context)
    {
        var (lineId, startedOn, today) = (Guid.Parse(request.LineId), request.StartedOn.ToDateOnly(), Washington.Today(clock));
        return await JudgedAsync(
            request,
            async () =>
            {
                var (line, offering) = await FindLineWithOfferingAsync(lineId, context);
                return (EnrollmentFacts.QuestionFor(line, offering, today), line);
            },
            (line, verdict) => writes.RunAsync<ReportStartRequest, ReportStartResponse>(request, context, async tx =>
            {
                var (now, current) = await LockJudgedAsync(tx, line, verdict, context.CancellationToken);
                var change = SchoolDecisions.ReportStart(current, verdict, startedOn, today, Caller.Of(context).Subject, now).OrThrow();
                return new ReportStartResponse { Line = await WriteAsync(tx, change, context.CancellationToken) };
            }),
            context);
    }

    public override async Task<ExtendTrainingResponse> ExtendTraining(ExtendTrainingRequest request, ServerCallContext context)
    {
        var (lineId, endDate, today) = (Guid.Parse(request.LineId), request.EndDate.ToDateOnly(), Washington.Today(clock));
        var price = request.Price is { } quoted ? Wishes.PriceOf(quoted, "price").OrThrow() : null;
        return await JudgedAsync(
            request,
            async () =>
            {
                var (line, offering) = await FindLineWithOfferingAsync(lineId, context);
                var funding = request.Funding ?? EnrollmentEvents.FundingOf(line);
                return (EnrollmentFacts.QuestionFor(line with { FundingProgram = funding.Program }, offering, today), (line, funding));
            },
            (basis, verdict) => writes.RunAsync<ExtendTrainingRequest, ExtendTrainingResponse>(request, context, async tx =>
            {
                var (now, current) = await LockJudgedAsync(tx, basis.line, verdict, context.CancellationToken);
                var (line, extension) = SchoolDecisions.Extend(current, verdict, request.Etag, endDate, basis.funding, price, request.Reason,
                    Guid.CreateVersion7(clock.GetUtcNow()), today, Caller.Of(context).Subject, now).OrThrow();
                var written = await WriteAsync(tx, [line, extension], context.CancellationToken);
                return new ExtendTrainingResponse { Line = written[0], Extension = written[1] };
            }),
            context);
    }

    public override async Task<ReportProgressResponse> ReportProgress(ReportProgressRequest request, ServerCallContext context)
    {
        var found = await FindLineAsync(Guid.Parse(request.LineId), context);
        return await writes.RunAsync<ReportProgressRequest, ReportProgressResponse>(request, context, async tx =>
        {
            var (now, lines) = await store.LockLinesAsync(tx, [found.Id], context.CancellationToken);
            var change = SchoolDecisions.ReportProgress(lines[0], request.Progress, request.Note, Caller.Of(context).Subject, now).OrThrow();
            return new ReportProgressResponse { Line = await WriteAsync(tx, change, context.CancellationToken) };
        });
    }

    public override async Task<ReportEndResponse> ReportEnd(ReportEndRequest request, ServerCallContext context)
    {
        var found = await FindLineAsync(Guid.Parse(request.LineId), context);
        return await writes.RunAsync<ReportEndRequest, ReportEndResponse>(request, context, async tx => new ReportEndResponse
        {
            Line = await EndAsync(tx, found.Id, (line, today, actor, now) => SchoolDecisions.ReportEnd(line, request.Result, request.EndedOn.ToDateOnly(), request.Note, today, actor, now), context),
        });
    }

    public override async Task<ReportEarlyReturnResponse> ReportEarlyReturn(ReportEarlyReturnRequest request, ServerCallContext context)
    {
        var found = await FindLineAsync(Guid.Parse(request.LineId), context);
        return await writes.RunAsync<ReportEarlyReturnRequest, ReportEarlyReturnResponse>(request, context, async tx => new ReportEarlyReturnResponse
        {
            Line = await EndAsync(tx, found.Id, (line, today, actor, now) => SchoolDecisions.ReportEarlyReturn(line, request.EndedOn.ToDateOnly(), request.Reason, today, actor, now), context),
        });
    }

    public override async Task<ReportAbsenceResponse> ReportAbsence(ReportAbsenceRequest request, ServerCallContext context)
    {
        var found = await FindLineAsync(Guid.Parse(request.LineId), context);
        return await writes.RunAsync<ReportAbsenceRequest, ReportAbsenceResponse>(request, context, async tx =>
        {
            var line = await EndAsync(tx, found.Id, (line, today, actor, now) => SchoolDecisions.ReportAbsence(line, request.AbsentSince.ToDateOnly(), request.Note, today, actor, now), context);
            tx.AfterCommit(() => Absences.Add(1));
            return new ReportAbsenceResponse { Line = line };
        });
    }

    public override async Task<ReportNoShowResponse> ReportNoShow(ReportNoShowRequest request, ServerCallContext context)
    {
        var found = await FindLineAsync(Guid.Parse(request.LineId), context);
        return await writes.RunAsync<ReportNoShowRequest, ReportNoShowResponse>(request, context, async tx => new ReportNoShowResponse { Line = await EndAsync(tx, found.Id, SchoolDecisions.ReportNoShow, context) });
    }

    public override async Task<DisenrollStudentResponse> DisenrollStudent(DisenrollStudentRequest request, ServerCallContext context)
    {
        var (studentId, endedOn, cancel) = (Guid.Parse(request.StudentId), request.EndedOn.ToDateOnly(), context.CancellationToken);
        var student = await database.ReadAsync(connection => students.FindStudentAsync(connection, studentId, Countries(context), cancel), cancel) ?? throw NotFound("student", "There is no student with this id.");
        if (endedOn > Washington.Today(clock))
            throw Refusal.Of(CommonReason.InvalidFields, "What is reported must have happened.").Field("ended_on", "Must not be in the future.").ToException();
        return await writes.RunAsync<DisenrollStudentRequest, DisenrollStudentResponse>(request, context, async tx =>
        {
            var actor = Caller.Of(context).Subject;
            var (_, ids) = await removals.LockPersonAsync(tx, studentId, cancel);
            var (now, lines) = await store.LockLinesAsync(tx, ids, cancel);
            List<LineChange> changes = [];
            foreach (var line in lines)
            {
                if (line.StudentId is null)
                {
                    rosters.TakeOff(tx, line.Id, studentId);
                    changes.Add(TrackDecisions.TakenOffRoster(line, actor, request.Cause, now));
                }
                else if (SchoolDecisions.Disenroll(line, endedOn, request.Cause, actor, now) is { } change)
                {
                    changes.Add(change);
                }
            }
            removals.Remove(tx, studentId, student.Country, endedOn, request.Cause, request.Document, actor);
            await BarRemovedAsync(tx, studentId, student.Country, endedOn, request.Document, actor, now, cancel);
            return new DisenrollStudentResponse { Lines = { await WriteAsync(tx, changes, cancel) } };
        });
    }

    /// <summary>Ends a course line and, in the same way, the extensions that are open.</summary>
    private async Task<TrainingLine> EndAsync(Transaction tx, Guid lineId, Func<Line, DateOnly, string, DateTime, Outcome<LineChange>> decide, ServerCallContext context)
    {
        var (now, lines) = await store.LockFamilyAsync(tx, lineId, context.CancellationToken);
        var ended = decide(lines.Single(line => line.Id == lineId), Washington.Today(clock), Caller.Of(context).Subject, now).OrThrow();
        LineChange[] changes = [ended, .. lines.Where(line => line.Id != lineId).Select(extension => SchoolDecisions.Follow(extension, ended))];
        return (await WriteAsync(tx, changes, context.CancellationToken))[0];
    }
}
