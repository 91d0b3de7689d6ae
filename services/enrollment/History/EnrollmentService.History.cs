using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Imet.Chassis;
using Imet.Enrollment.History;
using Imet.Enrollment.V1;
using Imet.Options.V1;

namespace Imet.Enrollment;

public sealed partial class EnrollmentService
{
    public override async Task<GetLineHistoryResponse> GetLineHistory(GetLineHistoryRequest request, ServerCallContext context)
    {
        var lineId = Guid.Parse(request.LineId);
        var entries = await database.ReadAsync(connection => history.EntriesAsync(connection, lineId, Countries(context), context.CancellationToken), context.CancellationToken);
        return entries.Count == 0 ? throw NoLine() : new GetLineHistoryResponse { Entries = { LineHistory.InForce(entries) } };
    }

    private async Task<TrainingLine> AsOfAsync(Guid lineId, Timestamp asOf, CancellationToken cancel)
    {
        var time = Past(asOf);
        var line = await database.ReadAsync(connection => history.FindAsync(connection, lineId, time, cancel), cancel) ?? throw NoLine();
        return (await WithCoursesAsync([line], cancel))[0];
    }

    private async Task<List<TrainingLine>> AsOfAsync(LineFilter filter, Timestamp asOf, CancellationToken cancel)
    {
        var time = Past(asOf);
        if (filter.NotRestored)
            throw Refusal.Of(CommonReason.InvalidFields, "What could not be restored is known of lines as they are now.").Field("not_restored", "Must not be given with as_of_time.").ToException();
        return await WithCoursesAsync(await database.ReadAsync(connection => history.ListAsync(connection, filter, time, cancel), cancel), cancel);
    }

    private DateTime Past(Timestamp asOf) => asOf.ToDateTime() is var time && time <= clock.GetUtcNow().UtcDateTime
        ? time
        : throw Refusal.Of(CommonReason.InvalidFields, "What will be recorded is not known.").Field("as_of_time", "Must not be in the future.").ToException();

    private async Task<List<TrainingLine>> WithCoursesAsync(List<TrainingLine> lines, CancellationToken cancel)
    {
        var copies = await database.ReadAsync(connection => offerings.OfAsync(connection, lines.Select(line => (Guid.Parse(line.OfferingId), line.OfferingVersion)), cancel).AsTask(), cancel);
        foreach (var line in lines)
            line.Course = copies[(Guid.Parse(line.OfferingId), line.OfferingVersion)].Course;
        return lines;
    }
}
