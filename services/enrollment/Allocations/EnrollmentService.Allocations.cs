using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Imet.Chassis;
using Imet.Enrollment.Audit;
using Imet.Enrollment.Bars;
using Imet.Enrollment.Charges;
using Imet.Enrollment.Allocations;
using Imet.Enrollment.V1;
using Imet.Options.V1;
using Npgsql;
using ErrorReason = Imet.Enrollment.V1.ErrorReason;

namespace Imet.Enrollment;

public sealed partial class EnrollmentService
{
    public override async Task<SetAllocationResponse> SetAllocation(SetAllocationRequest request, ServerCallContext context)
    {
        var (wanted, cancel) = (request.Allocation, context.CancellationToken);
        Caller.Of(context).Require(wanted.Country);
        if (wanted.Ceiling is { Units: < 0 } or { Nanos: < 0 })
            throw Refusal.Of(CommonReason.InvalidFields, "The ceiling can't be.").Field("allocation.ceiling", "Must not be negative.").ToException();
        return await writes.RunAsync<SetAllocationRequest, SetAllocationResponse>(request, context, async tx =>
        {
            var before = await allocations.LockAsync(tx, wanted.Country, wanted.Program, wanted.FiscalYear, cancel);
            if (BarDecisions.RefusalOfEtag(before?.Tip.Etag ?? "", request.Etag, "allocation") is { } stale)
                throw stale.ToException();
            if (before is not null && before.Currency != wanted.Ceiling.CurrencyCode)
                throw Refusal.Of(CommonReason.InvalidFields, "An allocation keeps its currency.").Field("allocation.ceiling.currency_code", $"Must be {before.Currency}, as it is.").ToException();
            var committed = before?.Committed ?? await allocations.CommittedAsync(tx, wanted.Country, wanted.Program, wanted.FiscalYear, wanted.Ceiling.CurrencyCode, cancel);
            var ceiling = Amounts.Of(wanted.Ceiling);
            if (committed > ceiling)
                throw FundsExceeded($"{ceiling}", $"{committed}", "0").ToException();
            var now = await students.NowAsync(tx, cancel);
            var id = before?.AllocationId ?? Guid.CreateVersion7(clock.GetUtcNow());
            var tip = audit.Enter(tx, new AuditChange("allocation", id, wanted.Country, "set", Caller.Of(context).Subject, wanted.Document,
                [("program", wanted.Program), ("fiscal_year", $"{wanted.FiscalYear}"), ("ceiling", $"{ceiling} {wanted.Ceiling.CurrencyCode}")]), before?.Tip ?? AuditTip.None, now);
            var row = new AllocationRow
            {
                AllocationId = id,
                Country = wanted.Country,
                Program = wanted.Program,
                FiscalYear = wanted.FiscalYear,
                Currency = wanted.Ceiling.CurrencyCode,
                Ceiling = ceiling,
                Committed = committed,
                Document = wanted.Document,
                ChangedAt = now,
                Version = tip.Version,
                Digest = tip.Digest,
            };
            if (before is null)
                allocations.Insert(tx, row);
            else
                allocations.Update(tx, row);
            tx.Publish(EventOf(id, tip, row.Country, new AllocationSet { Allocation = Resource(row) }));
            return new SetAllocationResponse { Allocation = Resource(row) };
        });
    }

    public override async Task<ListAllocationsResponse> ListAllocations(ListAllocationsRequest request, ServerCallContext context)
    {
        if (request.Country.Length > 0)
            Caller.Of(context).Require(request.Country);
        var page = pages.Open(request, context);
        (string, string, int)? after = page.After is [var country, var program, var year] ? (country, program, int.Parse(year, CultureInfo.InvariantCulture)) : null;
        var found = await database.ReadAsync(connection => allocations.ListAsync(
            connection, request.Country.Length > 0 ? [request.Country] : Countries(context), request.FiscalYear, after, page.Size + 1, context.CancellationToken), context.CancellationToken);
        var more = found.Count > page.Size;
        if (more)
            found.RemoveAt(page.Size);
        return new ListAllocationsResponse
        {
            Allocations = { found.Select(Resource) },
            NextPageToken = more ? pages.Next(page, found[^1].Country, found[^1].Program, found[^1].FiscalYear.ToString(CultureInfo.InvariantCulture)) : "",
        };
    }

    /// <summary>What the database says when a line would cost more than is left.</summary>
    public static Refusal FundsExceeded(PostgresException e)
    {
        var told = e.MessageText.Split(' ').Select(part => part.Split('=')).Where(part => part.Length == 2).ToDictionary(part => part[0], part => part[1]);
        return FundsExceeded(told.GetValueOrDefault("ceiling", ""), told.GetValueOrDefault("committed", ""), told.GetValueOrDefault("asked", ""));
    }

    private static Refusal FundsExceeded(string ceiling, string committed, string asked) =>
        Refusal.Of(ErrorReason.FundsExceeded, $"The country's money for the program and year does not reach: of {ceiling}, {committed} is committed.")
            .With("ceiling", ceiling).With("committed", committed).With("asked", asked);

    private static Allocation Resource(AllocationRow row) => new()
    {
        Id = $"{row.AllocationId}",
        Country = row.Country,
        Program = row.Program,
        FiscalYear = row.FiscalYear,
        Ceiling = Amounts.Money(row.Ceiling, row.Currency),
        Committed = Amounts.Money(row.Committed, row.Currency),
        Document = row.Document,
        Etag = row.Tip.Etag,
        UpdateTime = Timestamp.FromDateTime(row.ChangedAt),
    };
}
