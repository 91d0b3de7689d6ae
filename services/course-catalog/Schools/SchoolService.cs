using Grpc.Core;
using Imet.Chassis;
using Imet.CourseCatalog.V1;

namespace Imet.CourseCatalog;

internal sealed partial class CourseCatalogService
{
    public override Task<CreateSchoolResponse> CreateSchool(CreateSchoolRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(EveryCountry);
        var school = CatalogDecisions.CheckNew(request.School).OrThrow();
        return writes.RunAsync(request, context, async tx =>
        {
            var added = await SchoolStore.AddAsync(tx, CatalogEvents.NewRow(Guid.CreateVersion7(), school), context.CancellationToken);
            var row = CatalogDecisions.Recorded(added, ErrorReason.SchoolCodeTaken, $"A school with code {school.Code}").OrThrow();
            tx.Publish(CatalogEvents.Created(row));
            return new CreateSchoolResponse { School = row.ToResource() };
        });
    }

    public override Task<UpdateSchoolResponse> UpdateSchool(UpdateSchoolRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(EveryCountry);
        var school = CatalogDecisions.CheckNew(request.School).OrThrow();
        var cancel = context.CancellationToken;
        return writes.RunAsync(request, context, async tx =>
        {
            var before = await SchoolStore.LockAsync(tx, Guid.Parse(request.SchoolId), cancel);
            var updated = await SchoolStore.UpdateAsync(tx, CatalogDecisions.Update(before, school, request.Etag).OrThrow(), cancel);
            var row = CatalogDecisions.Recorded(updated, ErrorReason.SchoolCodeTaken, $"A school with code {school.Code}").OrThrow();
            tx.Publish(CatalogEvents.Changed(row));
            foreach (var version in await SchoolStore.VersionsWithClassesToComeAsync(tx.Connection, row.Id, Today, cancel))
                TakeOver.Due(tx, dueWork, version, Today);
            return new UpdateSchoolResponse { School = row.ToResource() };
        });
    }

    public override async Task<GetSchoolResponse> GetSchool(GetSchoolRequest request, ServerCallContext context)
    {
        Check(CatalogDecisions.ExactlyOne(("school_id", request.SchoolId.Length > 0), ("external_id", request.ExternalId is not null)));
        var row = await database.ReadAsync(async connection =>
            await IdAsync(connection, request.SchoolId, "SCHOOL", request.ExternalId, context.CancellationToken) is { } id
                ? await SchoolStore.SchoolAsync(connection, id, context.CancellationToken)
                : null, context.CancellationToken);
        return new() { School = row?.ToResource() ?? throw CatalogDecisions.NotFound("school").ToException() };
    }

    public override async Task<ListSchoolsResponse> ListSchools(ListSchoolsRequest request, ServerCallContext context)
    {
        var page = pages.Open(request, context);
        var found = await database.ReadAsync(
            connection => SchoolStore.SchoolsAsync(connection, request.NameContains, page, context.CancellationToken), context.CancellationToken);
        var (rows, next) = Cut(page, found, last => [last.Name, last.Id.ToString()]);
        return new() { Schools = { rows.Select(row => row.ToResource()) }, NextPageToken = next };
    }
}
