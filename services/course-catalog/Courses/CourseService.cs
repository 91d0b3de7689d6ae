using Grpc.Core;
using Imet.Chassis;
using Imet.CourseCatalog.V1;

namespace Imet.CourseCatalog;

internal sealed partial class CourseCatalogService
{
    public override Task<CreateCourseResponse> CreateCourse(CreateCourseRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(EveryCountry);
        var course = CatalogDecisions.CheckNew(request.Course).OrThrow();
        return writes.RunAsync(request, context, async tx =>
        {
            var added = await CourseStore.AddAsync(tx, CatalogEvents.NewRow(Guid.CreateVersion7(), course), context.CancellationToken);
            var row = CatalogDecisions.Recorded(added, ErrorReason.MaslNumberTaken, $"A course with MASL number {course.MaslNumber}").OrThrow();
            tx.Publish(CatalogEvents.Created(row));
            return new CreateCourseResponse { Course = row.ToResource() };
        });
    }

    public override async Task<GetCourseResponse> GetCourse(GetCourseRequest request, ServerCallContext context)
    {
        Check(CatalogDecisions.ExactlyOne(
            ("course_id", request.CourseId.Length > 0), ("masl_number", request.MaslNumber.Length > 0), ("external_id", request.ExternalId is not null)));
        // One snapshot: a course and its versions from two moments could show a version that the course's own number does not yet count.
        var (course, versions) = await database.SnapshotAsync(async connection =>
        {
            var row = request.MaslNumber.Length > 0
                ? await CourseStore.CourseAsync(connection, request.MaslNumber, context.CancellationToken)
                : await IdAsync(connection, request.CourseId, "COURSE", request.ExternalId, context.CancellationToken) is { } id
                    ? await CourseStore.CourseAsync(connection, id, context.CancellationToken)
                    : null;
            return (row, row is null ? [] : await CourseStore.VersionsOfAsync(connection, row.Id, context.CancellationToken));
        }, context.CancellationToken);
        return new()
        {
            Course = course?.ToResource() ?? throw CatalogDecisions.NotFound("course").ToException(),
            Versions = { versions.Select(version => version.ToResource()) },
        };
    }

    public override async Task<ListCoursesResponse> ListCourses(ListCoursesRequest request, ServerCallContext context)
    {
        var page = pages.Open(request, context);
        var found = await database.ReadAsync(
            connection => CourseStore.CoursesAsync(connection, Text(request.ImplementingAgency), page, context.CancellationToken), context.CancellationToken);
        var (rows, next) = Cut(page, found, last => [last.MaslNumber]);
        return new() { Courses = { rows.Select(row => row.ToResource()) }, NextPageToken = next };
    }

    public override Task<CreateCourseVersionResponse> CreateCourseVersion(CreateCourseVersionRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(EveryCountry);
        var version = CatalogDecisions.CheckNew(request.CourseVersion).OrThrow();
        return writes.RunAsync(request, context, async tx =>
        {
            var added = await CourseStore.AddAsync(tx, CatalogEvents.NewRow(Guid.CreateVersion7(), version), context.CancellationToken);
            var row = CatalogDecisions.Recorded(added, ErrorReason.CourseVersionExists, $"A version of the course for fiscal year {version.FiscalYear}").OrThrow();
            tx.Publish(CatalogEvents.Created(row));
            return new CreateCourseVersionResponse { CourseVersion = row.ToResource() };
        });
    }

    public override async Task<GetCourseVersionResponse> GetCourseVersion(GetCourseVersionRequest request, ServerCallContext context)
    {
        Check(CatalogDecisions.VersionKey(request));
        var row = await database.ReadAsync(connection => request.CourseVersionId.Length > 0
            ? CourseStore.VersionAsync(connection, Guid.Parse(request.CourseVersionId), context.CancellationToken)
            : CourseStore.VersionAsync(connection, Guid.Parse(request.CourseId), request.FiscalYear, context.CancellationToken), context.CancellationToken);
        return new() { CourseVersion = row?.ToResource() ?? throw CatalogDecisions.NotFound("course_version").ToException() };
    }

    public override async Task<ListCourseVersionsResponse> ListCourseVersions(ListCourseVersionsRequest request, ServerCallContext context)
    {
        var page = pages.Open(request, context);
        var filter = new VersionFilter
        {
            FiscalYear = request.FiscalYear,
            SchoolId = Optional(request.SchoolId),
            TrainingKind = Text(request.TrainingKind),
            TitleContains = request.TitleContains,
        };
        var found = await database.ReadAsync(
            connection => CourseStore.VersionsAsync(connection, filter, page, context.CancellationToken), context.CancellationToken);
        var (rows, next) = Cut(page, found, last => [last.Title, last.Id.ToString()]);
        return new() { CourseVersions = { rows.Select(row => row.ToResource()) }, NextPageToken = next };
    }
}
