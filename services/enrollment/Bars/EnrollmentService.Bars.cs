using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Imet.Chassis;
using Imet.Enrollment.Audit;
using Imet.Enrollment.Bars;
using Imet.Enrollment.V1;
using ErrorReason = Imet.Enrollment.V1.ErrorReason;

namespace Imet.Enrollment;

public sealed partial class EnrollmentService
{
    public override async Task<AddPersonBarResponse> AddPersonBar(AddPersonBarRequest request, ServerCallContext context)
    {
        var (wanted, cancel) = (request.Bar, context.CancellationToken);
        Caller.Of(context).Require(wanted.Country);
        if (BarDecisions.RefusalOf(wanted) is { } incomplete)
            throw incomplete.ToException();
        return await writes.RunAsync<AddPersonBarRequest, AddPersonBarResponse>(request, context, async tx =>
        {
            var bar = new BarRow
            {
                BarId = Guid.CreateVersion7(clock.GetUtcNow()),
                Country = wanted.Country,
                Cause = wanted.Cause,
                BarredFrom = wanted.From.ToDateOnly(),
                BarredUntil = wanted.Until?.ToDateOnly(),
                Document = wanted.Document,
                RecordedBy = Caller.Of(context).Subject,
                RecordedAt = await students.NowAsync(tx, cancel),
            };
            var identity = BarDecisions.IdentityOf(wanted);
            var (added, matched) = await BarAsync(tx, bar, row => bars.AddAsync(tx, row, identity, cancel),
            [
                ("surname", identity.Surname), ("given_names", identity.GivenNames), ("date_of_birth", $"{identity.DateOfBirth:O}"), ("service_number", identity.ServiceNumber), ("passport_number", identity.PassportNumber),
            ]);
            return new AddPersonBarResponse
            {
                Bar = new PersonBar { Id = $"{added.BarId}", Etag = added.Tip.Etag, StudentIds = { matched.Select(student => $"{student}") } },
                Lines = { await RecheckAsync(tx, added.Country, await bars.LinesOfAsync(tx, matched, cancel), added.RecordedBy, cancel) },
            };
        });
    }

    public override async Task<EndPersonBarResponse> EndPersonBar(EndPersonBarRequest request, ServerCallContext context)
    {
        var (barId, until, cancel) = (Guid.Parse(request.BarId), request.Until.ToDateOnly(), context.CancellationToken);
        return await writes.RunAsync<EndPersonBarRequest, EndPersonBarResponse>(request, context, async tx =>
        {
            var actor = Caller.Of(context).Subject;
            var bar = await bars.LockBarAsync(tx, barId, Countries(context), cancel) ?? throw NotFound("person_bar", "There is no bar with this id.");
            if ((BarDecisions.RefusalOfEtag(bar.Tip.Etag, request.Etag, "bar") ?? BarDecisions.RefusalOfDays(bar.BarredFrom, until, "until")) is { } refusal)
                throw refusal.ToException();
            var now = await students.NowAsync(tx, cancel);
            var tip = audit.Enter(tx, new AuditChange("person-bar", bar.BarId, bar.Country, "ended", actor, request.Document, [("until", $"{until:O}")]), bar.Tip, now);
            bars.End(tx, bar, until, tip);
            tx.Publish(EventOf(bar.BarId, tip, bar.Country, new PersonBarEnded { BarId = request.BarId, Country = bar.Country, Until = request.Until }));
            await tx.FlushAsync(cancel);
            return new EndPersonBarResponse
            {
                Bar = new PersonBar { Id = request.BarId, Etag = tip.Etag },
                Lines = { await RecheckAsync(tx, bar.Country, await bars.LinesOfAsync(tx, bar.StudentIds ?? [], cancel), actor, cancel) },
            };
        });
    }

    public override async Task<ListPersonBarsResponse> ListPersonBars(ListPersonBarsRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(request.Country);
        if (request.View == StudentView.Full)
            Caller.Of(context).RequireScope(PersonalScope);
        var page = pages.Open(request, context);
        return await database.ReadAsync(async connection =>
        {
            var found = await bars.ListBarsAsync(connection, request.Country, page.After is [var last] ? Guid.Parse(last) : null, page.Size + 1, context.CancellationToken);
            var more = found.Count > page.Size;
            if (more)
                found.RemoveAt(page.Size);
            var identities = request.View == StudentView.Full ? await bars.IdentitiesAsync(connection, [.. found.Select(bar => bar.BarId)], context.CancellationToken) : null;
            return new ListPersonBarsResponse { Bars = { found.Select(bar => Resource(bar, identities?.GetValueOrDefault(bar.BarId))) }, NextPageToken = more ? pages.Next(page, $"{found[^1].BarId}") : "" };
        }, context.CancellationToken);
    }

    public override async Task<AddUnitFlagResponse> AddUnitFlag(AddUnitFlagRequest request, ServerCallContext context)
    {
        var (wanted, unitId, cancel) = (request.Flag, Guid.Parse(request.Flag.UnitId), context.CancellationToken);
        if (BarDecisions.RefusalOfDays(wanted.From.ToDateOnly(), wanted.Until?.ToDateOnly(), "flag.until") is { } refusal)
            throw refusal.ToException();
        return await writes.RunAsync<AddUnitFlagRequest, AddUnitFlagResponse>(request, context, async tx =>
        {
            if (await gateRows.LockSubjectAsync(tx, null, unitId, cancel) is not { } unit || !Caller.Of(context).MaySee(unit.Country))
                throw Refusal.Of(ErrorReason.UnitUnknown, "There is no unit with this id.").ToException();
            var flag = new FlagRow
            {
                FlagId = Guid.CreateVersion7(clock.GetUtcNow()),
                Country = unit.Country,
                UnitId = unitId,
                Cause = wanted.Cause,
                FlaggedFrom = wanted.From.ToDateOnly(),
                FlaggedUntil = wanted.Until?.ToDateOnly(),
                Document = wanted.Document,
                RecordedBy = Caller.Of(context).Subject,
                RecordedAt = unit.Now,
            };
            var tip = audit.Enter(tx, new AuditChange("unit-flag", flag.FlagId, flag.Country, "added", flag.RecordedBy, flag.Document,
                [("unit_id", wanted.UnitId), ("cause", flag.Cause), ("from", $"{flag.FlaggedFrom:O}"), ("until", $"{flag.FlaggedUntil:O}")]), AuditTip.None, unit.Now);
            flag = flag with { Version = tip.Version, Digest = tip.Digest };
            bars.Add(tx, flag);
            tx.Publish(EventOf(flag.FlagId, tip, flag.Country, new UnitFlagAdded { FlagId = $"{flag.FlagId}", Country = flag.Country, UnitId = wanted.UnitId }));
            await tx.FlushAsync(cancel);
            return new AddUnitFlagResponse { Flag = Resource(flag), Lines = { await RecheckAsync(tx, flag.Country, await gateRows.LinesOfAsync(tx, null, unitId, cancel), flag.RecordedBy, cancel) } };
        });
    }

    public override async Task<EndUnitFlagResponse> EndUnitFlag(EndUnitFlagRequest request, ServerCallContext context)
    {
        var (flagId, until, cancel) = (Guid.Parse(request.FlagId), request.Until.ToDateOnly(), context.CancellationToken);
        return await writes.RunAsync<EndUnitFlagRequest, EndUnitFlagResponse>(request, context, async tx =>
        {
            var actor = Caller.Of(context).Subject;
            var flag = await bars.LockFlagAsync(tx, flagId, Countries(context), cancel) ?? throw NotFound("unit_flag", "There is no flag with this id.");
            if ((BarDecisions.RefusalOfEtag(flag.Tip.Etag, request.Etag, "flag") ?? BarDecisions.RefusalOfDays(flag.FlaggedFrom, until, "until")) is { } refusal)
                throw refusal.ToException();
            var now = await students.NowAsync(tx, cancel);
            var tip = audit.Enter(tx, new AuditChange("unit-flag", flag.FlagId, flag.Country, "ended", actor, request.Document, [("until", $"{until:O}")]), flag.Tip, now);
            bars.End(tx, flag, until, tip);
            tx.Publish(EventOf(flag.FlagId, tip, flag.Country, new UnitFlagEnded { FlagId = request.FlagId, Country = flag.Country, UnitId = $"{flag.UnitId}", Until = request.Until }));
            await tx.FlushAsync(cancel);
            return new EndUnitFlagResponse
            {
                Flag = Resource(flag with { FlaggedUntil = until, Version = tip.Version }),
                Lines = { await RecheckAsync(tx, flag.Country, await gateRows.LinesOfAsync(tx, null, flag.UnitId, cancel), actor, cancel) },
            };
        });
    }

    public override async Task<ListUnitFlagsResponse> ListUnitFlags(ListUnitFlagsRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(request.Country);
        var page = pages.Open(request, context);
        var found = await database.ReadAsync(
            connection => bars.ListFlagsAsync(connection, request.Country, page.After is [var last] ? Guid.Parse(last) : null, page.Size + 1, context.CancellationToken), context.CancellationToken);
        var more = found.Count > page.Size;
        if (more)
            found.RemoveAt(page.Size);
        return new ListUnitFlagsResponse { Flags = { found.Select(Resource) }, NextPageToken = more ? pages.Next(page, $"{found[^1].FlagId}") : "" };
    }

    /// <summary>The bar that follows from a removal, once.</summary>
    private async Task BarRemovedAsync(Transaction tx, Guid studentId, string country, DateOnly endedOn, string document, string actor, DateTime now, CancellationToken cancel)
    {
        if (await bars.HasBarOfRemovalAsync(tx, studentId, cancel))
            return;
        var bar = new BarRow
        {
            BarId = Guid.CreateVersion7(clock.GetUtcNow()),
            Country = country,
            Cause = "Removed from training for cause.",
            BarredFrom = endedOn,
            BarredUntil = null,
            Document = document,
            RecordedBy = actor,
            RecordedAt = now,
            RemovedStudentId = studentId,
        };
        await BarAsync(tx, bar, row => bars.AddOfRemovedAsync(tx, row, cancel), [("removed_student_id", $"{studentId}")]);
    }

    private async Task<(BarRow Bar, Guid[] Matched)> BarAsync(Transaction tx, BarRow bar, Func<BarRow, Task<Guid[]>> add, IReadOnlyList<(string, string)> fields)
    {
        var tip = audit.Enter(tx, new AuditChange("person-bar", bar.BarId, bar.Country, "added", bar.RecordedBy, bar.Document,
            [.. fields, ("cause", bar.Cause), ("from", $"{bar.BarredFrom:O}"), ("until", $"{bar.BarredUntil:O}")]), AuditTip.None, bar.RecordedAt);
        var added = bar with { Version = tip.Version, Digest = tip.Digest };
        var matched = await add(added);
        tx.Publish(EventOf(bar.BarId, tip, bar.Country, new PersonBarAdded { BarId = $"{bar.BarId}", Country = bar.Country, StudentIds = { matched.Select(student => $"{student}") } }));
        return (added, matched);
    }

    /// <summary>Looks at the gates of lines whose person or unit something was recorded about: those whose holds changed, with who must be told.</summary>
    private async Task<IEnumerable<TouchedLine>> RecheckAsync(Transaction tx, string country, Guid[] lineIds, string actor, CancellationToken cancel)
    {
        // Orders that are being issued at this moment are found by a second look.
        gateWork.Add(tx, country);
        var changes = await gateReexamination.RecheckAsync(tx, lineIds, actor, cancel);
        var copies = await offerings.OfAsync(tx.Connection, changes.Select(change => change.After), cancel);
        return changes.Select(change => (change.After, Offering: copies[(change.After.OfferingId, change.After.OfferingVersion)]))
            .Select(touched => new TouchedLine { Line = EnrollmentEvents.Resource(touched.After, touched.Offering), Addressees = { Addressees.Of(touched.After, touched.Offering) } });
    }

    private static OutboundEvent EventOf(Guid id, AuditTip tip, string country, Google.Protobuf.IMessage data) => new() { AggregateId = $"{id}", AggregateVersion = tip.Version, Country = country, Data = data };

    private static PersonBar Resource(BarRow bar, BarredIdentityRow? identity) => new()
    {
        Id = $"{bar.BarId}",
        Country = bar.Country,
        Identity = identity is null ? null : new BarredIdentity
        {
            Surname = identity.Surname,
            GivenNames = identity.GivenNames,
            DateOfBirth = identity.DateOfBirth?.ToProto(),
            ServiceNumber = identity.ServiceNumber,
            PassportNumber = identity.PassportNumber,
        },
        Cause = bar.Cause,
        From = bar.BarredFrom.ToProto(),
        Until = bar.BarredUntil?.ToProto(),
        Document = bar.Document,
        RecordedBy = bar.RecordedBy,
        CreateTime = Timestamp.FromDateTime(bar.RecordedAt),
        Etag = bar.Tip.Etag,
        StudentIds = { (bar.StudentIds ?? []).Select(student => $"{student}") },
    };

    private static UnitFlag Resource(FlagRow flag) => new()
    {
        Id = $"{flag.FlagId}",
        Country = flag.Country,
        UnitId = $"{flag.UnitId}",
        Cause = flag.Cause,
        From = flag.FlaggedFrom.ToProto(),
        Until = flag.FlaggedUntil?.ToProto(),
        Document = flag.Document,
        RecordedBy = flag.RecordedBy,
        CreateTime = Timestamp.FromDateTime(flag.RecordedAt),
        Etag = flag.Tip.Etag,
    };
}
