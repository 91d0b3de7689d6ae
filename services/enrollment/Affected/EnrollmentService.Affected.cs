using Grpc.Core;
using Imet.Chassis;
using Imet.Enrollment.Affected;
using Imet.Enrollment.V1;

namespace Imet.Enrollment;

public sealed partial class EnrollmentService
{
    public override async Task<ListAffectedStudentsResponse> ListAffectedStudents(ListAffectedStudentsRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(request.Country);
        var page = pages.Open(request, context);
        (DateOnly, Guid)? after = page.After is [var start, var id] ? (DateOnly.ParseExact(start, "O"), Guid.Parse(id)) : null;
        var filter = new AffectedFilter
        {
            Country = request.Country,
            RestrictionId = request.RestrictionId.Length == 0 ? null : request.RestrictionId,
            SchoolCode = request.SchoolCode.Length == 0 ? null : request.SchoolCode,
            States = request.States.Any(state => state != TrainingLine.Types.State.Unspecified)
                ? [.. request.States.Where(state => state != TrainingLine.Types.State.Unspecified).Select(state => LineStates.Text((LineState)state))]
                : null,
        };
        // One picture for both, so that the lines are those that were counted.
        var (lines, groups) = await database.SnapshotAsync(async connection =>
            (await affected.PageAsync(connection, filter, after, page.Size + 1, context.CancellationToken), await affected.GroupsAsync(connection, filter, context.CancellationToken)), context.CancellationToken);
        var more = lines.Count > page.Size;
        if (more)
            lines.RemoveAt(page.Size);
        return new ListAffectedStudentsResponse
        {
            Lines = { await ResourcesAsync(lines, context.CancellationToken) },
            NextPageToken = more ? pages.Next(page, lines[^1].StartDate.ToString("O"), $"{lines[^1].Id}") : "",
            Groups = { groups },
        };
    }
}
