using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Imet.Chassis;
using Imet.Enrollment.Audit;
using Imet.Enrollment.Bars;
using Imet.Enrollment.Students;
using Imet.Enrollment.Units;
using Imet.Enrollment.V1;
using Npgsql;
using ErrorReason = Imet.Enrollment.V1.ErrorReason;

namespace Imet.Enrollment;

public sealed partial class EnrollmentService
{
    public override async Task<RegisterUnitResponse> RegisterUnit(RegisterUnitRequest request, ServerCallContext context)
    {
        var wanted = request.Unit;
        Caller.Of(context).Require(wanted.Country);
        return await NamingUnitAsync(wanted, context, () => writes.RunAsync<RegisterUnitRequest, RegisterUnitResponse>(request, context, async tx =>
        {
            var now = await students.NowAsync(tx, context.CancellationToken);
            var unit = new UnitRow
            {
                UnitId = Guid.CreateVersion7(clock.GetUtcNow()),
                Country = wanted.Country,
                Name = wanted.Name,
                RecordedAt = now,
                Sources = [.. wanted.ExternalIds.Select(id => id.Source)],
                ExternalIds = [.. wanted.ExternalIds.Select(id => id.Id)],
            };
            unit = Entered(tx, unit, "registered", null, Caller.Of(context).Subject, now);
            units.Insert(tx, unit);
            tx.Publish(EventOf(unit.UnitId, unit.Tip, unit.Country, new UnitRegistered { UnitId = $"{unit.UnitId}", Country = unit.Country }));
            return new RegisterUnitResponse { Unit = Resource(unit) };
        }));
    }

    public override async Task<UpdateUnitResponse> UpdateUnit(UpdateUnitRequest request, ServerCallContext context)
    {
        var (wanted, unitId, cancel) = (request.Unit, Guid.Parse(request.UnitId), context.CancellationToken);
        return await NamingUnitAsync(wanted, context, () => writes.RunAsync<UpdateUnitRequest, UpdateUnitResponse>(request, context, async tx =>
        {
            var before = await units.LockAsync(tx, unitId, Countries(context), cancel) ?? throw NotFound("unit", "There is no unit with this id.");
            if ((BarDecisions.RefusalOfEtag(before.Tip.Etag, request.Etag, "unit") ?? StudentDecisions.RefusalOfCountry(before.Country, wanted.Country, "unit")) is { } refusal)
                throw refusal.ToException();
            var now = await students.NowAsync(tx, cancel);
            var unit = before with { Name = wanted.Name, Sources = [.. wanted.ExternalIds.Select(id => id.Source)], ExternalIds = [.. wanted.ExternalIds.Select(id => id.Id)] };
            unit = Entered(tx, unit, "updated", before, Caller.Of(context).Subject, now);
            units.Update(tx, unit);
            tx.Publish(EventOf(unit.UnitId, unit.Tip, unit.Country, new UnitUpdated { UnitId = request.UnitId, Country = unit.Country }));
            return new UpdateUnitResponse { Unit = Resource(unit) };
        }));
    }

    public override async Task<GetUnitResponse> GetUnit(GetUnitRequest request, ServerCallContext context)
    {
        RequireOneOf(request.UnitId.Length > 0, request.ExternalId is not null, "unit_id", "external_id");
        var unit = await database.ReadAsync(connection => request.ExternalId is { } external
            ? units.FindByExternalIdAsync(connection, external.Source, external.Id, Countries(context), context.CancellationToken)
            : units.FindAsync(connection, Guid.Parse(request.UnitId), Countries(context), context.CancellationToken), context.CancellationToken);
        return unit is null ? throw NotFound("unit", "There is no unit with this id.") : new GetUnitResponse { Unit = Resource(unit) };
    }

    public override async Task<ListUnitsResponse> ListUnits(ListUnitsRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(request.Country);
        var page = pages.Open(request, context);
        var found = await database.ReadAsync(
            connection => units.ListAsync(connection, request.Country, page.After?[0], page.Size + 1, context.CancellationToken), context.CancellationToken);
        var more = found.Count > page.Size;
        if (more)
            found.RemoveAt(page.Size);
        return new ListUnitsResponse { Units = { found.Select(Resource) }, NextPageToken = more ? pages.Next(page, found[^1].Name) : "" };
    }

    private async Task<T> NamingUnitAsync<T>(Unit wanted, ServerCallContext context, Func<Task<T>> write)
    {
        try
        {
            return await write();
        }
        catch (PostgresException e) when (IsTaken(e, "units_name_unique"))
        {
            var holder = await database.ReadAsync(connection => units.NamedAsync(connection, wanted.Country, wanted.Name, context.CancellationToken), context.CancellationToken);
            throw Refusal.Of(ErrorReason.UnitNameTaken, "The country has a unit of this name already.").With("id", $"{holder}").ToException();
        }
        catch (PostgresException e) when (IsTaken(e, "external_ids_unique"))
        {
            throw (await ExternalIdTakenAsync("UNIT", wanted.ExternalIds, "unit.external_ids", context)).ToException();
        }
    }

    private UnitRow Entered(Transaction tx, UnitRow unit, string change, UnitRow? before, string actor, DateTime now)
    {
        var tip = audit.Enter(tx, new AuditChange("unit", unit.UnitId, unit.Country, change, actor, "", StudentDecisions.Changed(before is null ? null : FieldsOf(before), FieldsOf(unit))), unit.Tip, now);
        return unit with { Version = tip.Version, Digest = tip.Digest };
    }

    private static IReadOnlyList<(string, string)> FieldsOf(UnitRow unit) => [("name", unit.Name), ("external_ids", StudentDecisions.Joined(unit.Sources, unit.ExternalIds))];

    private static Unit Resource(UnitRow unit) => new()
    {
        Id = unit.UnitId.ToString(),
        Country = unit.Country,
        Name = unit.Name,
        ExternalIds = { ExternalIds(unit.Sources, unit.ExternalIds) },
        CreateTime = Timestamp.FromDateTime(unit.RecordedAt),
        Etag = unit.Tip.Etag,
    };
}
