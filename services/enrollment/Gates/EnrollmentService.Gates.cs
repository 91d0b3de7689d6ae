using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Imet.Chassis;
using Imet.Enrollment.Gates;
using Imet.Enrollment.V1;
using Imet.Options.V1;

namespace Imet.Enrollment;

public sealed partial class EnrollmentService
{
    public override async Task<RecordGateResultResponse> RecordGateResult(RecordGateResultRequest request, ServerCallContext context)
    {
        var cancel = context.CancellationToken;
        if (GateDecisions.RefusalOf(request.Result, Washington.Today(clock)) is { } incomplete)
            throw incomplete.ToException();
        var (studentId, unitId) = (Wishes.IdOrNull(request.Result.StudentId), Wishes.IdOrNull(request.Result.UnitId));
        return await writes.RunAsync<RecordGateResultRequest, RecordGateResultResponse>(request, context, async tx =>
        {
            if (await gateRows.LockSubjectAsync(tx, studentId, unitId, cancel) is not { } subject || !Caller.Of(context).MaySee(subject.Country))
                throw (studentId is null ? Refusal.Of(ErrorReason.UnitUnknown, "There is no unit with this id.") : Refusal.Of(ErrorReason.StudentUnknown, "There is no student with this id.")).ToException();
            var result = new GateResult(request.Result)
            {
                Id = Guid.CreateVersion7(clock.GetUtcNow()).ToString(),
                Country = subject.Country,
                RecordedBy = Caller.Of(context).Subject,
                RecordedTime = Timestamp.FromDateTime(subject.Now),
            };
            gateRows.Insert(tx, result, subject.Now);
            await tx.FlushAsync(cancel);
            var changes = await gateReexamination.RecheckAsync(tx, await gateRows.LinesOfAsync(tx, studentId, unitId, cancel), result.RecordedBy, cancel);
            var copies = await offerings.OfAsync(tx.Connection, changes.Select(change => change.After), cancel);
            return new RecordGateResultResponse
            {
                Result = result,
                Lines =
                {
                    changes.Select(change => (change.After, Offering: copies[(change.After.OfferingId, change.After.OfferingVersion)]))
                        .Select(touched => new TouchedLine { Line = EnrollmentEvents.Resource(touched.After, touched.Offering), Addressees = { Addressees.Of(touched.After, touched.Offering) } }),
                },
            };
        });
    }

    public override async Task<ListGateResultsResponse> ListGateResults(ListGateResultsRequest request, ServerCallContext context)
    {
        RequireOneOf(request.StudentId.Length > 0, request.UnitId.Length > 0, "student_id", "unit_id");
        var page = pages.Open(request, context);
        var results = await database.ReadAsync(connection => gateRows.ListAsync(connection, Wishes.IdOrNull(request.StudentId), Wishes.IdOrNull(request.UnitId), Countries(context),
            page.After is [var last] ? Guid.Parse(last) : null, page.Size + 1, context.CancellationToken), context.CancellationToken);
        var more = results.Count > page.Size;
        if (more)
            results.RemoveAt(page.Size);
        return new ListGateResultsResponse { Results = { results }, NextPageToken = more ? pages.Next(page, results[^1].Id) : "" };
    }

    public override async Task<SetEnglishExemptionResponse> SetEnglishExemption(SetEnglishExemptionRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(request.Exemption.Country);
        if (request.Exemption.Extent == EnglishExemption.Types.Extent.Unspecified)
            throw Refusal.Of(CommonReason.InvalidFields, "How far the country is exempt is not told.").Field("exemption.extent", "Must be NONE, IN_COUNTRY or FULL.").ToException();
        return await writes.RunAsync<SetEnglishExemptionRequest, SetEnglishExemptionResponse>(request, context, tx =>
        {
            gateRows.Exempt(tx, request.Exemption, Caller.Of(context).Subject);
            gateWork.Add(tx, request.Exemption.Country);
            return Task.FromResult(new SetEnglishExemptionResponse { Exemption = request.Exemption });
        });
    }

    public override async Task<CheckGatesResponse> CheckGates(CheckGatesRequest request, ServerCallContext context)
    {
        var today = Washington.Today(clock);
        var (line, offering) = await FindLineWithOfferingAsync(Guid.Parse(request.LineId), context);
        var verdict = await facts.AskAsync(EnrollmentFacts.QuestionFor(line, offering, today), 0, context.CancellationToken);
        var known = await database.ReadAsync(connection => gates.FactsAsync(connection, null, [line], today, context.CancellationToken), context.CancellationToken);
        return new CheckGatesResponse { Report = GateDecisions.Check(known[0], verdict) };
    }
}
