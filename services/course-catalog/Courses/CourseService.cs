using Google.Protobuf;
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
            return (row, row is null ? [] : await CourseStore.VersionsOfAsync(connection, row.Id, Today, context.CancellationToken));
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
            var wanted = CatalogEvents.NewRow(Guid.CreateVersion7(), version, Today, Caller.Of(context).Subject);
            await RequireReferencesAsync(tx, wanted with { SchoolId = null }, context.CancellationToken);
            var added = await CourseStore.AddAsync(tx, wanted, context.CancellationToken);
            var row = CatalogDecisions.Recorded(added, ErrorReason.CourseVersionExists, $"A version of the course for fiscal year {version.FiscalYear}").OrThrow();
            tx.Publish(CatalogEvents.Created(row));
            return new CreateCourseVersionResponse { CourseVersion = row.ToResource() };
        });
    }

    public override async Task<GetCourseVersionResponse> GetCourseVersion(GetCourseVersionRequest request, ServerCallContext context)
    {
        Check(CatalogDecisions.VersionKey(request));
        var asOf = request.AsOf?.ToDateOnly() ?? Today;
        var row = await database.ReadAsync(connection => request.CourseVersionId.Length > 0
            ? CourseStore.VersionAsync(connection, Guid.Parse(request.CourseVersionId), asOf, context.CancellationToken)
            : CourseStore.VersionAsync(connection, Guid.Parse(request.CourseId), request.FiscalYear, asOf, context.CancellationToken), context.CancellationToken);
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
            AsOf = request.AsOf?.ToDateOnly() ?? Today,
            WithRetired = request.WithRetired,
        };
        var found = await database.ReadAsync(
            connection => CourseStore.VersionsAsync(connection, filter, page, context.CancellationToken), context.CancellationToken);
        var (rows, next) = Cut(page, found, last => [last.Title, last.Id.ToString()]);
        return new() { CourseVersions = { rows.Select(row => row.ToResource()) }, NextPageToken = next };
    }

    public override Task<UpdateCourseVersionResponse> UpdateCourseVersion(UpdateCourseVersionRequest request, ServerCallContext context) =>
        ReviseAsync(request, request.CourseVersionId, context,
            (before, edition) => VersionDecisions.Edit(before, edition, request.CourseVersion, request.Etag, Today, Caller.Of(context).Subject),
            row => new UpdateCourseVersionResponse { CourseVersion = row.ToResource() });

    public override Task<AmendCourseVersionResponse> AmendCourseVersion(AmendCourseVersionRequest request, ServerCallContext context) =>
        ReviseAsync(request, request.CourseVersionId, context,
            (before, edition) => VersionDecisions.Amend(before, edition, request.CourseVersion, request.Etag, request.EffectiveFrom?.ToDateOnly() ?? Today, request.Reason, Today, Caller.Of(context).Subject),
            row => new AmendCourseVersionResponse { CourseVersion = row.ToResource() });

    public override Task<RetireCourseVersionResponse> RetireCourseVersion(RetireCourseVersionRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(EveryCountry);
        return writes.RunAsync(request, context, async tx =>
        {
            var before = await CourseStore.LockVersionAsync(tx, Guid.Parse(request.CourseVersionId), context.CancellationToken);
            var row = VersionDecisions.Retire(before, request.Etag, request.EffectiveFrom?.ToDateOnly() ?? Today, request.Reason, Today, Caller.Of(context).Subject).OrThrow();
            CourseStore.Revise(tx, row);
            tx.Publish(CatalogEvents.Retired(row));
            return new RetireCourseVersionResponse { CourseVersion = row.ToResource() };
        });
    }

    private Task<TResponse> ReviseAsync<TRequest, TResponse>(
        TRequest request, string versionId, ServerCallContext context, Func<CourseVersionRow?, EditionRow?, Outcome<VersionDecisions.Change>> decide, Func<CourseVersionRow, TResponse> reply)
        where TRequest : IMessage<TRequest>
        where TResponse : IMessage<TResponse>, new()
    {
        Caller.Of(context).Require(EveryCountry);
        return writes.RunAsync(request, context, async tx =>
        {
            var before = await CourseStore.LockVersionAsync(tx, Guid.Parse(versionId), context.CancellationToken);
            var edition = before is null ? null : await EditionStore.LockForCoursesAsync(tx, before.FiscalYear, context.CancellationToken);
            var change = decide(before, edition).OrThrow();
            await RequireReferencesAsync(tx, change.Row, context.CancellationToken);
            Revise(tx, change);
            return reply(change.Row);
        });
    }

    private void Revise(Transaction tx, VersionDecisions.Change change)
    {
        CourseStore.Revise(tx, change.Row);
        tx.Publish(CatalogEvents.Changed(change.Row, change.Fields));
        TakeOver.Due(tx, dueWork, change.Row.Id, change.Row.EffectiveFrom);
    }

    private static async Task RequireReferencesAsync(Transaction tx, CourseVersionRow version, CancellationToken cancel)
    {
        var missing = await CourseStore.MissingAsync(tx.Connection, VersionDecisions.ReferencesOf(version), cancel);
        if (VersionDecisions.Missing("course_version", version, missing) is { } reference)
            throw CatalogDecisions.NoReference(reference.Field, reference.Id).ToException();
    }
}
