using Grpc.Core;
using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Npgsql;

namespace Imet.CourseCatalog;

internal sealed partial class CourseCatalogService
{
    private const int ImportAttempts = 3;

    public override async Task<ImportCoursesResponse> ImportCourses(ImportCoursesRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(EveryCountry);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await (request.ValidateOnly
                    ? database.WriteAsync(async tx => new ImportCoursesResponse { Results = { (await PlanAsync(tx, request, context)).Results } }, context.CancellationToken)
                    : writes.RunAsync(request, context, async tx => Written(tx, await PlanAsync(tx, request, context))));
            }
            // Somebody recorded one of the courses or schools by hand between the look and the write.
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation && attempt < ImportAttempts)
            {
            }
        }
    }

    private async Task<ImportPlan> PlanAsync(Transaction tx, ImportCoursesRequest request, ServerCallContext context) => ImportDecisions.Plan(
        request.Courses, await ImportStore.ReadAsync(tx, request.Courses, context.CancellationToken), Today, request.EffectiveFrom?.ToDateOnly(), request.Reason, Caller.Of(context).Subject,
        () => Guid.CreateVersion7(clock.GetUtcNow()));

    private ImportCoursesResponse Written(Transaction tx, ImportPlan plan)
    {
        ImportStore.Write(tx, plan);
        foreach (var revision in plan.Revisions)
            TakeOver.Due(tx, dueWork, revision.Id, revision.EffectiveFrom);
        return new() { Results = { plan.Results } };
    }
}
