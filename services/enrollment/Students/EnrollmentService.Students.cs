using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.Students;
using Imet.Enrollment.V1;
using Npgsql;
using ErrorReason = Imet.Enrollment.V1.ErrorReason;

namespace Imet.Enrollment;

public sealed partial class EnrollmentService
{
    private const string PersonalScope = "enrollment.personal";

    public override async Task<RegisterUnitResponse> RegisterUnit(RegisterUnitRequest request, ServerCallContext context)
    {
        var wanted = request.Unit;
        Caller.Of(context).Require(wanted.Country);
        try
        {
            return await writes.RunAsync<RegisterUnitRequest, RegisterUnitResponse>(request, context, async tx =>
            {
                var unit = new UnitRow
                {
                    UnitId = Guid.CreateVersion7(clock.GetUtcNow()),
                    Country = wanted.Country,
                    Name = wanted.Name,
                    RecordedAt = await students.NowAsync(tx, context.CancellationToken),
                    Sources = [.. wanted.ExternalIds.Select(id => id.Source)],
                    ExternalIds = [.. wanted.ExternalIds.Select(id => id.Id)],
                };
                students.Insert(tx, unit);
                return new RegisterUnitResponse { Unit = Resource(unit) };
            });
        }
        catch (PostgresException e) when (IsTaken(e, "units_name_unique"))
        {
            var holder = await database.ReadAsync(connection => students.UnitNamedAsync(connection, wanted.Country, wanted.Name, context.CancellationToken), context.CancellationToken);
            throw Refusal.Of(ErrorReason.UnitNameTaken, "The country has a unit of this name already.").With("id", $"{holder}").ToException();
        }
        catch (PostgresException e) when (IsTaken(e, "external_ids_unique"))
        {
            throw (await ExternalIdTakenAsync("UNIT", wanted.ExternalIds, "unit.external_ids", context)).ToException();
        }
    }

    public override async Task<GetUnitResponse> GetUnit(GetUnitRequest request, ServerCallContext context)
    {
        var id = Guid.Parse(request.UnitId);
        var unit = await database.ReadAsync(connection => students.FindUnitAsync(connection, id, Countries(context), context.CancellationToken), context.CancellationToken);
        return unit is null ? throw NotFound("unit", "There is no unit with this id.") : new GetUnitResponse { Unit = Resource(unit) };
    }

    public override async Task<ListUnitsResponse> ListUnits(ListUnitsRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(request.Country);
        var page = pages.Open(request, context);
        var units = await database.ReadAsync(
            connection => students.ListUnitsAsync(connection, request.Country, page.After?[0], page.Size + 1, context.CancellationToken), context.CancellationToken);
        var more = units.Count > page.Size;
        if (more)
            units.RemoveAt(page.Size);
        return new ListUnitsResponse { Units = { units.Select(Resource) }, NextPageToken = more ? pages.Next(page, units[^1].Name) : "" };
    }

    public override async Task<RegisterStudentResponse> RegisterStudent(RegisterStudentRequest request, ServerCallContext context)
    {
        var wanted = request.Student;
        Caller.Of(context).Require(wanted.Country);
        try
        {
            return await writes.RunAsync<RegisterStudentRequest, RegisterStudentResponse>(request, context, async tx =>
            {
                var unitId = Wishes.IdOrNull(wanted.UnitId);
                if (unitId is { } unit && await students.UnitCountryAsync(tx, unit, context.CancellationToken) != wanted.Country)
                    throw Refusal.Of(ErrorReason.UnitUnknown, "The country has no unit with this id.").ToException();
                var student = new StudentRecord
                {
                    StudentId = Guid.CreateVersion7(clock.GetUtcNow()),
                    Country = wanted.Country,
                    UnitId = unitId,
                    RecordedAt = await students.NowAsync(tx, context.CancellationToken),
                    Sources = [.. wanted.ExternalIds.Select(id => id.Source)],
                    ExternalIds = [.. wanted.ExternalIds.Select(id => id.Id)],
                };
                students.Insert(tx, student, Personal(wanted.Personal));
                return new RegisterStudentResponse { Student = Resource(student, null) };
            });
        }
        catch (PostgresException e) when (IsTaken(e, "external_ids_unique"))
        {
            throw (await ExternalIdTakenAsync("STUDENT", wanted.ExternalIds, "student.external_ids", context)).ToException();
        }
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

    private static Unit Resource(UnitRow unit) => new()
    {
        Id = unit.UnitId.ToString(),
        Country = unit.Country,
        Name = unit.Name,
        ExternalIds = { ExternalIds(unit.Sources, unit.ExternalIds) },
        CreateTime = Timestamp.FromDateTime(unit.RecordedAt),
    };

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
        },
        ExternalIds = { ExternalIds(student.Sources, student.ExternalIds) },
        CreateTime = Timestamp.FromDateTime(student.RecordedAt),
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
    };

    private static IEnumerable<ExternalId> ExternalIds(string[]? sources, string[]? ids) =>
        sources is null || ids is null ? [] : sources.Zip(ids, (source, id) => new ExternalId { Source = source, Id = id });
}
