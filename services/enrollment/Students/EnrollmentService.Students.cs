using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.Audit;
using Imet.Enrollment.Bars;
using Imet.Enrollment.Students;
using Imet.Enrollment.V1;
using Npgsql;
using ErrorReason = Imet.Enrollment.V1.ErrorReason;

namespace Imet.Enrollment;

public sealed partial class EnrollmentService
{
    private const string PersonalScope = "enrollment.personal";

    public override async Task<RegisterStudentResponse> RegisterStudent(RegisterStudentRequest request, ServerCallContext context)
    {
        var (wanted, cancel) = (request.Student, context.CancellationToken);
        Caller.Of(context).Require(wanted.Country);
        if (StudentDecisions.RefusalOf(wanted.Personal) is { } inconsistent)
            throw inconsistent.ToException();
        return await NamingStudentAsync(wanted, context, () => writes.RunAsync<RegisterStudentRequest, RegisterStudentResponse>(request, context, async tx =>
        {
            await RequireUnitAsync(tx, wanted, cancel);
            var student = new StudentRecord
            {
                StudentId = Guid.CreateVersion7(clock.GetUtcNow()),
                Country = wanted.Country,
                UnitId = Wishes.IdOrNull(wanted.UnitId),
                RecordedAt = await students.NowAsync(tx, cancel),
                Sources = [.. wanted.ExternalIds.Select(id => id.Source)],
                ExternalIds = [.. wanted.ExternalIds.Select(id => id.Id)],
            };
            var personal = Personal(wanted.Personal);
            student = Entered(tx, student, "registered", StudentDecisions.Changed(null, FieldsOf(student, personal)), "", Caller.Of(context).Subject, student.RecordedAt);
            students.Insert(tx, student, personal);
            tx.Publish(EventOf(student.StudentId, student.Tip, student.Country, new StudentRegistered { StudentId = $"{student.StudentId}", Country = student.Country }));
            return new RegisterStudentResponse { Student = Receipt(student, await bars.MatchStudentAsync(tx, student.StudentId, PersonKeys.Of(IdentityOf(student.Country, personal)), cancel)) };
        }));
    }

    public override async Task<UpdateStudentResponse> UpdateStudent(UpdateStudentRequest request, ServerCallContext context)
    {
        var (wanted, studentId, cancel) = (request.Student, Guid.Parse(request.StudentId), context.CancellationToken);
        if (StudentDecisions.RefusalOf(wanted.Personal) is { } inconsistent)
            throw inconsistent.ToException();
        return await NamingStudentAsync(wanted, context, () => writes.RunAsync<UpdateStudentRequest, UpdateStudentResponse>(request, context, async tx =>
        {
            var before = await students.LockAsync(tx, studentId, Countries(context), cancel) ?? throw NotFound("student", "There is no student with this id.");
            if (StudentDecisions.RefusalToUpdate(before, request.Etag, wanted.Country) is { } refusal)
                throw refusal.ToException();
            await RequireUnitAsync(tx, wanted, cancel);
            var now = await students.NowAsync(tx, cancel);
            var student = before with { UnitId = Wishes.IdOrNull(wanted.UnitId), Sources = [.. wanted.ExternalIds.Select(id => id.Source)], ExternalIds = [.. wanted.ExternalIds.Select(id => id.Id)] };
            var (was, personal) = (await students.FindPersonalAsync(tx.Connection, studentId, cancel), Personal(wanted.Personal));
            student = Entered(tx, student, "updated", StudentDecisions.Changed(was is null ? null : FieldsOf(before, was), FieldsOf(student, personal)), "", Caller.Of(context).Subject, now);
            students.Update(tx, student, personal);
            tx.Publish(EventOf(studentId, student.Tip, student.Country, new StudentUpdated { StudentId = request.StudentId, Country = student.Country }));
            var matched = await bars.MatchStudentAsync(tx, studentId, PersonKeys.Of(IdentityOf(student.Country, personal)), cancel);
            await RecheckAsync(tx, student.Country, await bars.LinesOfAsync(tx, [studentId], cancel), Caller.Of(context).Subject, cancel);
            return new UpdateStudentResponse { Student = Receipt(student, matched) };
        }));
    }

    public override async Task<PurgeStudentResponse> PurgeStudent(PurgeStudentRequest request, ServerCallContext context)
    {
        var studentId = Guid.Parse(request.StudentId);
        return await writes.RunAsync<PurgeStudentRequest, PurgeStudentResponse>(request, context, async tx =>
        {
            var purged = await purging.PurgeAsync(tx, studentId, Countries(context), request.Etag, Caller.Of(context).Subject, request.Reason, context.CancellationToken);
            return new PurgeStudentResponse { Student = Receipt(purged ?? throw NotFound("student", "There is no student with this id."), []) };
        });
    }

    public override async Task<GetStudentResponse> GetStudent(GetStudentRequest request, ServerCallContext context)
    {
        RequireOneOf(request.StudentId.Length > 0, request.ExternalId is not null, "student_id", "external_id");
        if (request.View == StudentView.Full)
            Caller.Of(context).RequireScope(PersonalScope);
        return await database.ReadAsync(async connection =>
        {
            var student = request.ExternalId is { } external
                ? await students.FindStudentByExternalIdAsync(connection, external.Source, external.Id, Countries(context), context.CancellationToken)
                : await students.FindStudentAsync(connection, Guid.Parse(request.StudentId), Countries(context), context.CancellationToken);
            if (student is null)
                throw NotFound("student", "There is no student with this id.");
            var personal = request.View == StudentView.Full ? await students.FindPersonalAsync(connection, student.StudentId, context.CancellationToken) : null;
            return new GetStudentResponse { Student = Resource(student, personal) };
        }, context.CancellationToken);
    }

    public override async Task<ListStudentsResponse> ListStudents(ListStudentsRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(request.Country);
        var page = pages.Open(request, context);
        Guid? after = page.After is [var last] ? Guid.Parse(last) : null;
        var found = await database.ReadAsync(
            connection => students.ListStudentsAsync(connection, request.Country, after, page.Size + 1, context.CancellationToken), context.CancellationToken);
        var more = found.Count > page.Size;
        if (more)
            found.RemoveAt(page.Size);
        return new ListStudentsResponse
        {
            Students = { found.Select(student => Resource(student, null)) },
            NextPageToken = more ? pages.Next(page, found[^1].StudentId.ToString()) : "",
        };
    }

    private async Task RequireUnitAsync(Transaction tx, Student wanted, CancellationToken cancel)
    {
        if (Wishes.IdOrNull(wanted.UnitId) is { } unit && await units.CountryAsync(tx, unit, cancel) != wanted.Country)
            throw Refusal.Of(ErrorReason.UnitUnknown, "The country has no unit with this id.").ToException();
    }

    private async Task<T> NamingStudentAsync<T>(Student wanted, ServerCallContext context, Func<Task<T>> write)
    {
        try
        {
            return await write();
        }
        catch (PostgresException e) when (IsTaken(e, "external_ids_unique"))
        {
            throw (await ExternalIdTakenAsync("STUDENT", wanted.ExternalIds, "student.external_ids", context)).ToException();
        }
    }

    private StudentRecord Entered(Transaction tx, StudentRecord student, string change, IReadOnlyList<(string, string)> fields, string cause, string actor, DateTime now)
    {
        var tip = audit.Enter(tx, new AuditChange("student", student.StudentId, student.Country, change, actor, cause, fields), student.Tip, now);
        return student with { Version = tip.Version, Digest = tip.Digest };
    }

    /// <summary>What a write of personal data answers.</summary>
    private static Student Receipt(StudentRecord student, Guid[] matched) => new() { Id = $"{student.StudentId}", Etag = student.Tip.Etag, MatchedBarIds = { matched.Select(bar => $"{bar}") } };

    private static Student Resource(StudentRecord student, PersonalRow? personal) => new()
    {
        Id = student.StudentId.ToString(),
        Country = student.Country,
        UnitId = student.UnitId?.ToString() ?? "",
        Personal = personal is null ? null : new PersonalData
        {
            Surname = personal.Surname,
            GivenNames = personal.GivenNames,
            Rank = personal.Rank,
            Service = personal.Service,
            ServiceNumber = personal.ServiceNumber,
            DateOfBirth = personal.DateOfBirth?.ToProto(),
            PlaceOfBirth = personal.PlaceOfBirth,
            Sex = personal.Sex,
            UsEquivalentRank = personal.UsEquivalentRank,
            UsGrade = personal.UsGrade,
            PassportNumber = personal.PassportNumber,
            Citizenship = personal.Citizenship,
            VisaNumber = personal.VisaNumber,
            VisaType = personal.VisaType,
        },
        ExternalIds = { ExternalIds(student.Sources, student.ExternalIds) },
        CreateTime = Timestamp.FromDateTime(student.RecordedAt),
        Etag = student.Tip.Etag,
        MatchedBarIds = { (student.BarIds ?? []).Select(bar => $"{bar}") },
        PurgeTime = student.PurgedAt is { } purged ? Timestamp.FromDateTime(purged) : null,
    };

    private static PersonalRow Personal(PersonalData personal) => new()
    {
        Surname = personal.Surname,
        GivenNames = personal.GivenNames,
        Rank = personal.Rank,
        Service = personal.Service,
        ServiceNumber = personal.ServiceNumber,
        DateOfBirth = personal.DateOfBirth?.ToDateOnly(),
        PlaceOfBirth = personal.PlaceOfBirth,
        Sex = personal.Sex,
        UsEquivalentRank = personal.UsEquivalentRank,
        UsGrade = personal.UsGrade,
        PassportNumber = personal.PassportNumber,
        Citizenship = personal.Citizenship,
        VisaNumber = personal.VisaNumber,
        VisaType = personal.VisaType,
    };

    private static Identity IdentityOf(string country, PersonalRow personal) => new(country, personal.Surname, personal.GivenNames, personal.DateOfBirth, personal.ServiceNumber, personal.PassportNumber);

    private static IReadOnlyList<(string, string)> FieldsOf(StudentRecord student, PersonalRow personal) =>
    [
        ("unit_id", $"{student.UnitId}"), ("external_ids", StudentDecisions.Joined(student.Sources, student.ExternalIds)),
        ("surname", personal.Surname), ("given_names", personal.GivenNames), ("rank", personal.Rank), ("service", personal.Service), ("service_number", personal.ServiceNumber),
        ("date_of_birth", $"{personal.DateOfBirth:O}"), ("place_of_birth", personal.PlaceOfBirth), ("sex", personal.Sex), ("us_equivalent_rank", personal.UsEquivalentRank), ("us_grade", personal.UsGrade),
        ("passport_number", personal.PassportNumber), ("citizenship", personal.Citizenship), ("visa_number", personal.VisaNumber), ("visa_type", personal.VisaType),
    ];

    private static IEnumerable<ExternalId> ExternalIds(string[]? sources, string[]? ids) =>
        sources is null || ids is null ? [] : sources.Zip(ids, (source, id) => new ExternalId { Source = source, Id = id });
}
