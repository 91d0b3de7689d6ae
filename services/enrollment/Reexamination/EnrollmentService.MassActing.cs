using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Imet.Chassis;
using Imet.Enrollment.Reexamination;
using Imet.Enrollment.V1;

namespace Imet.Enrollment;

public sealed partial class EnrollmentService
{
    public override async Task<GetMassActingResponse> GetMassActing(GetMassActingRequest request, ServerCallContext context) =>
        new() { MassActing = Resource(await massActing.ReadAsync(context.CancellationToken)) };

    public override Task<HaltMassActingResponse> HaltMassActing(HaltMassActingRequest request, ServerCallContext context) =>
        writes.RunAsync<HaltMassActingRequest, HaltMassActingResponse>(request, context, async tx => new HaltMassActingResponse { MassActing = await SayAsync(tx, true, request.Reason, context) });

    public override Task<ResumeMassActingResponse> ResumeMassActing(ResumeMassActingRequest request, ServerCallContext context) =>
        writes.RunAsync<ResumeMassActingRequest, ResumeMassActingResponse>(request, context, async tx => new ResumeMassActingResponse { MassActing = await SayAsync(tx, false, request.Reason, context) });

    private async Task<MassActing> SayAsync(Transaction tx, bool halted, string reason, ServerCallContext context)
    {
        await massActing.SayAsync(tx, halted, Caller.Of(context).Subject, reason, context.CancellationToken);
        return Resource(await massActing.ReadAsync(tx.Connection, tx.Npgsql, context.CancellationToken));
    }

    private static MassActing Resource(MassActingRow row) => new()
    {
        Halted = row.Halted,
        Actor = row.Actor,
        Reason = row.Reason,
        SinceTime = row.Since is { } since ? Timestamp.FromDateTime(since) : null,
        Waiting = row.Waiting,
    };
}
