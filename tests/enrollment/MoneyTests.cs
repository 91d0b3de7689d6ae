using CsCheck;
using Google.Rpc;
using Grpc.Core;
using Imet.Chassis;
using Imet.Enrollment.Charges;
using Imet.Enrollment.V1;
using Imet.Testing;
using Xunit;
using Money = Google.Type.Money;
using Rule = Imet.Enrollment.V1.CancellationCharge.Types.Rule;
using State = Imet.Enrollment.V1.TrainingLine.Types.State;

namespace Imet.Enrollment.Tests;

[Collection(InOneWorld.Name)]
public sealed class MoneyTests(Servers servers, SharedWorld shared)
{
    private readonly World world = shared.World;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(WithdrawalCause.CountryRequest, 60, false, Rule.InTime, 0)]
    [InlineData(WithdrawalCause.CountryRequest, 59, false, Rule.Late, 5000)]
    [InlineData(WithdrawalCause.CountryRequest, 59, true, Rule.LateDedicated, 10000)]
    [InlineData(WithdrawalCause.CountryRequest, 60, true, Rule.InTime, 0)]
    [InlineData(WithdrawalCause.CountryRequest, 0, false, Rule.Late, 5000)]
    [InlineData(WithdrawalCause.UsDecision, 1, true, Rule.NotTheCountrys, 0)]
    [InlineData(WithdrawalCause.HomeEvent, 1, true, Rule.NotTheCountrys, 0)]
    [InlineData(WithdrawalCause.VisaLate, 1, true, Rule.NotTheCountrys, 0)]
    [InlineData(WithdrawalCause.Unspecified, 1, true, Rule.NotTheCountrys, 0)]
    public void What_a_withdrawal_costs_is_the_table_to_the_day(WithdrawalCause cause, int daysBefore, bool dedicated, Rule rule, int share)
    {
        var offering = Some.Offering();
        offering.Course.Dedicated = dedicated;
        var line = Some.Line() with { Price = new Price("USD", 1001, 10_000_000) };
        var charge = Charging.Withdrawn(line, offering, cause, line.StartDate.AddDays(-daysBefore));
        Assert.Equal((rule, share, daysBefore), (charge.Rule, charge.BasisPoints, charge.DaysBeforeStart));
        Assert.Equal(share switch { 0 => 0m, 5000 => 500.51m, _ => 1001.01m }, Amounts.Of(charge.Amount));
        Assert.Equal(Rule.NoPrice, Charging.Withdrawn(line with { Price = null }, offering, cause, line.StartDate).Rule);
        Assert.Equal(0, Amounts.Of(Charging.Withdrawn(line with { State = LineState.Approved }, offering, cause, line.StartDate).Amount));
    }

    [Theory]
    [InlineData(1, 10, 100.10)]
    [InlineData(10, 10, 1001.00)]
    [InlineData(40, 10, 1001.00)]
    public void Training_that_was_not_completed_costs_in_proportion_to_its_days(int trained, int planned, double expected)
    {
        var line = Some.Line(LineState.InTraining) with { Price = new Price("USD", 1001, 0) };
        var start = line.StartedOn!.Value;
        Assert.Equal((decimal)expected, Amounts.Of(Charging.NotCompleted(line, start.AddDays(planned - 1), start.AddDays(trained - 1)).Amount));
    }

    [Fact]
    public void A_charge_is_split_over_its_seats_to_the_cent_and_no_more_is_refilled_than_was_freed() =>
        Gen.Select(Gen.Long[0, 100_000_000], Gen.Int[1, 50], Gen.Int[0, 60], Gen.Int[0, 60]).Sample((cents, seats, capacity, taken) =>
        {
            var parts = Charging.Parts(cents / 100m, seats);
            return parts.Count == seats && parts.Sum() == cents / 100m && parts.Max() - parts.Min() <= 0.01m && Charging.Refilled(capacity, taken, seats) is var refilled && refilled >= 0 && refilled <= seats;
        });

    [Fact]
    public async Task A_late_withdrawal_is_forfeited_with_its_inputs_shown_and_taken_back_when_the_seat_is_taken_again()
    {
        var offering = await world.ScheduleAsync(2, startsIn: 30);
        var (first, second) = (await world.EnrollAsync(offering, "CYP"), await world.EnrollAsync(offering, "CYP"));
        var request = new WithdrawTrainingLineRequest { RequestId = World.NewId(), LineId = first.Id, Etag = first.Etag, Reason = "Needed at home.", Cause = WithdrawalCause.CountryRequest, ValidateOnly = true };
        var would = await world.Officer.Enrollment.WithdrawTrainingLineAsync(request);
        Assert.Equal(first, await world.GetAsync(first.Id));
        request.ValidateOnly = false;
        request.RequestId = World.NewId();
        var done = await world.Officer.Enrollment.WithdrawTrainingLineAsync(request);
        Assert.Equal((State.Forfeited, would.Charge), (done.Line.State, done.Charge));
        Assert.Equal((Rule.Late, 30, new Money { CurrencyCode = "USD", Units = 500, Nanos = 130_000_000 }), (done.Charge.Rule, done.Charge.DaysBeforeStart, done.Charge.Amount));
        Assert.Equal(1, (await world.SeatsAsync(offering)).Taken);

        await world.EnrollAsync(offering, "MLT");
        var reversed = await world.WhenAsync(first, line => line.Charge.Reversed is not null, Cancel);
        Assert.Equal((State.Forfeited, done.Charge.Amount), (reversed.State, reversed.Charge.Reversed));
        Assert.Equal(["enrolled", "forfeited", "charge-reversed"], (await world.HistoryAsync(first)).Select(entry => entry.Change));
        var statement = await StatementAsync(world, "CYP");
        Assert.Equal(second.Id, Assert.Single(statement.Items).LineId);
        Assert.Equal(second.Price, Assert.Single(statement.Totals).Amount);
    }

    [Fact]
    public async Task A_statement_adds_up_to_the_cent_whatever_became_of_its_lines()
    {
        var random = new Random(20260302);
        var offering = await world.ScheduleAsync(200, startsIn: 20);
        for (var i = 0; i < 25; i++)
        {
            var wish = World.Wish(offering, "LUX", random.Next(1, 4));
            wish.QuotedPrice = new Money { CurrencyCode = random.Next(4) == 0 ? "EUR" : "USD", Units = random.Next(0, 5000), Nanos = random.Next(0, 100) * 10_000_000 };
            wish.Funding.Program = random.Next(3) == 0 ? "FMS" : "IMET";
            var line = await world.EnrollAsync(wish);
            if (random.Next(2) == 0)
                await world.Officer.Enrollment.WithdrawTrainingLineAsync(new WithdrawTrainingLineRequest { RequestId = World.NewId(), LineId = line.Id, Etag = line.Etag, Reason = "No.", Cause = (WithdrawalCause)random.Next(0, 5) });
        }
        var statement = await StatementAsync(world, "LUX", pageSize: 4);
        var sums = statement.Items.GroupBy(item => (item.Funding.Program, item.Amount.CurrencyCode)).ToDictionary(group => group.Key, group => (group.Count(), group.Sum(item => Amounts.Of(item.Amount))));
        Assert.Equal(sums, statement.Totals.ToDictionary(total => (total.Program, total.Amount.CurrencyCode), total => (total.Lines, Amounts.Of(total.Amount))));
    }

    [Fact]
    public async Task A_ceiling_is_never_overspent_by_callers_of_two_replicas()
    {
        await using var alone = new World(await TestStack.StartAsync(servers, new TestStackOptions { Replicas = 2 }, Cancel));
        var offering = await alone.ScheduleAsync(100);
        await alone.EnrollAsync(offering, "BIH");
        // Room for five lines of 1,000.25, one of which is there already.
        var set = new SetAllocationRequest
        {
            RequestId = World.NewId(),
            Allocation = new Allocation { Country = "BIH", Program = "IMET", FiscalYear = Washington.FiscalYear(World.Today), Ceiling = new Money { CurrencyCode = "USD", Units = 5002 }, Document = "An act" },
        };
        var allocation = (await alone.Officer.Enrollment.SetAllocationAsync(set)).Allocation;
        Assert.Equal(new Money { CurrencyCode = "USD", Units = 1000, Nanos = 250_000_000 }, allocation.Committed);
        var calls = Enumerable.Range(0, 40).Select(async i =>
        {
            try
            {
                return (Line: (TrainingLine?)(await alone.Officer.At(i % 2).Enrollment.EnrollStudentAsync(World.Wish(offering, "BIH"))).Line, Reason: "");
            }
            catch (RpcException e)
            {
                return (Line: (TrainingLine?)null, Reason: e.GetRpcStatus()?.GetDetail<ErrorInfo>()?.Reason ?? $"{e.StatusCode}");
            }
        });
        var answers = await Task.WhenAll(calls);
        Assert.Equal(4, answers.Count(answer => answer.Line is not null));
        Assert.All(answers.Where(answer => answer.Line is null), answer => Assert.Equal("FUNDS_EXCEEDED", answer.Reason));
        // Another country and another program have no ceiling here; what is given back can be spent again.
        await alone.EnrollAsync(offering, "HRV");
        var line = answers.First(answer => answer.Line is not null).Line!;
        await alone.Officer.Enrollment.WithdrawTrainingLineAsync(new WithdrawTrainingLineRequest { RequestId = World.NewId(), LineId = line.Id, Etag = line.Etag, Reason = "No." });
        await alone.EnrollAsync(offering, "BIH");
        var now = Assert.Single((await alone.Officer.Enrollment.ListAllocationsAsync(new ListAllocationsRequest { Country = "BIH" })).Allocations);
        Assert.Equal(new Money { CurrencyCode = "USD", Units = 5001, Nanos = 250_000_000 }, now.Committed);
        set.RequestId = World.NewId();
        set.Etag = now.Etag;
        set.Allocation.Ceiling.Units = 5000;
        Assert.Equal("FUNDS_EXCEEDED", (await World.RefusedAsync(alone.Officer.Enrollment.SetAllocationAsync(set).ResponseAsync)).Reason);
    }

    private static async Task<GetStatementResponse> StatementAsync(World of, string country, int pageSize = 0)
    {
        var all = new GetStatementResponse();
        var request = new GetStatementRequest { Country = country, FiscalYear = Washington.FiscalYear(World.Today), PageSize = pageSize };
        do
        {
            var page = await of.Officer.Enrollment.GetStatementAsync(request);
            all.Items.Add(page.Items);
            all.Totals.Clear();
            all.Totals.Add(page.Totals);
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
        return all;
    }
}
