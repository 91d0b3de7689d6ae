using Grpc.Core;
using Imet.Chassis;
using Imet.Enrollment.Charges;
using Imet.Enrollment.V1;
using Imet.Options.V1;

namespace Imet.Enrollment;

public sealed partial class EnrollmentService
{
    public override async Task<WithdrawTrainingLineResponse> WithdrawTrainingLine(WithdrawTrainingLineRequest request, ServerCallContext context)
    {
        var (cancel, today) = (context.CancellationToken, Washington.Today(clock));
        var (found, offering) = await FindLineWithOfferingAsync(Guid.Parse(request.LineId), context);
        var askedOn = request.AskedOn?.ToDateOnly() ?? today;
        if (askedOn > today)
            throw Refusal.Of(CommonReason.InvalidFields, "What was asked for was asked for by now.").Field("asked_on", $"Must not be after {today:yyyy-MM-dd}, today in Washington.").ToException();
        if (request.ValidateOnly)
        {
            var charge = Charging.Withdrawn(found, offering, request.Cause, askedOn);
            var would = EnrollmentDecisions.Withdraw(found, request.Etag, request.Reason, charge, Caller.Of(context).Subject, clock.GetUtcNow().UtcDateTime).OrThrow();
            return new WithdrawTrainingLineResponse { Line = EnrollmentEvents.Resource(would.After, offering), Charge = charge };
        }
        return await writes.RunAsync<WithdrawTrainingLineRequest, WithdrawTrainingLineResponse>(request, context, async tx =>
        {
            var (now, lines) = await store.LockLinesAsync(tx, [found.Id], cancel);
            var judgedBy = (await offerings.OfAsync(tx.Connection, lines, cancel)).Values.Single();
            var charge = Charging.Withdrawn(lines[0], judgedBy, request.Cause, askedOn);
            var change = EnrollmentDecisions.Withdraw(lines[0], request.Etag, request.Reason, charge, Caller.Of(context).Subject, now).OrThrow();
            if (change.After.Charge is { } charged)
                charges.Free(tx, change.After, Charging.Parts(Amounts.Of(charged.Amount), change.SeatsFreed));
            return new WithdrawTrainingLineResponse { Line = await WriteAsync(tx, change, cancel), Charge = charge };
        });
    }

    public override async Task<GetStatementResponse> GetStatement(GetStatementRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(request.Country);
        var page = pages.Open(request, context);
        // In one snapshot, so that totals are those of the lines.
        var (lines, totals) = await database.SnapshotAsync(async connection => (
            await charges.PageAsync(connection, request.Country, request.FiscalYear, page.After is [var last] ? Guid.Parse(last) : Guid.Empty, page.Size + 1, context.CancellationToken),
            await charges.TotalsAsync(connection, request.Country, request.FiscalYear, context.CancellationToken)), context.CancellationToken);
        var more = lines.Count > page.Size;
        if (more)
            lines.RemoveAt(page.Size);
        return new GetStatementResponse
        {
            Items =
            {
                lines.Select(line => new StatementItem
                {
                    LineId = $"{line.Id}",
                    Wcn = line.Wcn,
                    Funding = EnrollmentEvents.FundingOf(line),
                    Kind = (TrainingLine.Types.Kind)line.Kind,
                    State = (TrainingLine.Types.State)line.State,
                    Amount = Amounts.Money(Charging.Cost(line), line.Price!.Currency),
                    Charge = line.Charge,
                }),
            },
            NextPageToken = more ? pages.Next(page, $"{lines[^1].Id}") : "",
            Totals = { totals },
        };
    }
}
