using System.Text.RegularExpressions;
using Google.Rpc;
using Grpc.Core;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.Enrollment.V1;
using Imet.Testing;
using Xunit;
using Change = Imet.Enrollment.V1.OrdersEntry.Types.Change;
using Kind = Imet.Enrollment.V1.Gate.Types.Kind;
using State = Imet.Enrollment.V1.TrainingLine.Types.State;

namespace Imet.Enrollment.Tests;

[Collection(InOneWorld.Name)]
public sealed class OrdersTests(Servers servers, SharedWorld shared)
{
    private readonly World world = shared.World;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private V1.EnrollmentService.EnrollmentServiceClient Enrollment => world.Officer.Enrollment;

    [Fact]
    public async Task Orders_are_refused_naming_every_gate_that_is_not_green_and_what_is_missing()
    {
        var (student, line) = await SeatedAsync("PHL");
        var (code, reason, e) = await World.RefusedAsync(world.IssueOrdersAsync(line));
        Assert.Equal((StatusCode.FailedPrecondition, "GATES_NOT_GREEN"), (code, reason));
        Assert.Equal(["LEAHY_PERSON", "LEAHY_UNIT", "SECURITY", "ENGLISH", "MEDICAL"], e.GetRpcStatus()!.GetDetail<PreconditionFailure>()!.Violations.Select(violation => violation.Type));
        Assert.All(e.GetRpcStatus()!.GetDetail<PreconditionFailure>()!.Violations, violation => Assert.NotEmpty(violation.Description));
        await world.ClearAsync(student);
        var report = (await Enrollment.CheckGatesAsync(new CheckGatesRequest { LineId = line.Id })).Report;
        Assert.True(report.AllGreen, $"{report}");
        Assert.All(report.Gates, gate => Assert.NotEmpty(gate.Evidence));
        Assert.Equal(State.OrdersIssued, (await world.IssueOrdersAsync(line)).State);
    }

    [Fact]
    public async Task The_evidence_is_stored_with_the_orders_and_papers_are_numbered()
    {
        var (_, line) = await OrderedAsync("IDN");
        Assert.Matches(@"^IDN-[BDPX]-IMET\d\d-\d{7}-01$", line.OrdersNumber);
        line = (await Enrollment.AmendOrdersAsync(new AmendOrdersRequest { RequestId = World.NewId(), LineId = line.Id, Etag = line.Etag, Reason = "Reports a day earlier." })).Line;
        var number = line.OrdersNumber;
        var revoked = await Enrollment.RevokeOrdersAsync(new RevokeOrdersRequest { RequestId = World.NewId(), LineId = line.Id, Etag = line.Etag, Reason = "Another will go." });
        Assert.Equal((State.SeatConfirmed, ""), (revoked.Line.State, revoked.Line.OrdersNumber));
        Assert.NotEmpty(revoked.Addressees);
        var papers = (await Enrollment.GetOrdersAsync(new GetOrdersRequest { Number = number })).Orders;
        Assert.True(papers.Revoked);
        Assert.Equal([(0, Change.Issued), (1, Change.Amended), (2, Change.Revoked)], papers.Entries.Select(entry => (entry.Amendment, entry.Change)));
        Assert.True(papers.Entries[0].Gates.AllGreen);
        Assert.Equal(1, (await world.SeatsAsync(new CourseCatalog.V1.Offering { Id = line.OfferingId })).Taken);
        Assert.EndsWith("-02", (await world.IssueOrdersAsync(line)).OrdersNumber, StringComparison.Ordinal);
        var stranger = world.Stack.Caller("attache", ["enrollment.read"], "KHM");
        Assert.Equal(StatusCode.NotFound, (await World.RefusedAsync(stranger.Enrollment.GetOrdersAsync(new GetOrdersRequest { Number = number }).ResponseAsync)).Code);
    }

    [Fact]
    public async Task Nobody_arrives_without_orders()
    {
        var (_, line) = await SeatedAsync("LAO", startsIn: 0);
        var (_, reason, e) = await World.RefusedAsync(world.ArriveAsync(line, 0));
        Assert.Equal("INVALID_TRANSITION", reason);
        Assert.Contains("IssueOrders", e.GetRpcStatus()!.GetDetail<ErrorInfo>()!.Metadata["possible"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Kind.LeahyPerson)]
    [InlineData(Kind.LeahyUnit)]
    [InlineData(Kind.Medical)]
    public async Task A_gate_that_turns_red_holds_the_line_at_once_and_says_who_must_be_told(Kind gate)
    {
        await using var subscriber = await Subscriber.StartAsync(world.Stack.Broker, Cancel, "imet.enrollment.v1");
        var (student, line) = await OrderedAsync("VNM");
        var touched = Assert.Single((await world.RecordAsync(gate, student, passed: false, daysAgo: 0)).Lines);
        Assert.Equal((line.Id, Hold.Types.Cause.GateRed, GateName(gate)), (touched.Line.Id, touched.Line.Holds[0].Cause, touched.Line.Holds[0].SourceId));
        Assert.Contains(touched.Addressees, addressee => addressee is { Role: Addressee.Types.Role.Office, Code: "VNM" });
        var told = await subscriber.WaitForAsync(e => e.RoutingKey == "training-line.held.VNM" && e.Data.GetProperty("line").GetProperty("lineId").GetString() == line.Id, Cancel);
        Assert.True(told.Data.GetProperty("addressees").GetArrayLength() > 0);
        Assert.Equal("LINE_ON_HOLD", (await World.RefusedAsync(world.ArriveAsync(line, 0))).Reason);
        Assert.Empty(Assert.Single((await world.RecordAsync(gate, student, daysAgo: 0)).Lines).Line.Holds);
    }

    [Fact]
    public async Task A_restriction_revokes_orders_with_the_seat_and_the_paper_says_so()
    {
        var (_, line) = await OrderedAsync("LKA");
        await world.RestrictAsync("LKA", Effect.Suspend);
        var cancelled = await world.WhenAsync(line, now => now.State == State.Cancelled, Cancel);
        Assert.Equal("", cancelled.OrdersNumber);
        Assert.True((await Enrollment.GetOrdersAsync(new GetOrdersRequest { Number = line.OrdersNumber })).Orders.Revoked);
    }

    [Fact]
    public async Task Under_a_restriction_no_orders_go_out()
    {
        var (student, line) = await SeatedAsync("NPL");
        await world.ClearAsync(student);
        await world.RestrictAsync("NPL", Effect.PauseTraining);
        await world.WhenAsync(line, now => now.Holds.Count == 1, Cancel);
        Assert.Equal("LINE_ON_HOLD", (await World.RefusedAsync(world.IssueOrdersAsync(line))).Reason);
        var report = (await Enrollment.CheckGatesAsync(new CheckGatesRequest { LineId = line.Id })).Report;
        Assert.Equal([Kind.Eligibility], report.Gates.Where(gate => !gate.Green).Select(gate => gate.Kind));
    }

    [Fact]
    public async Task A_country_exempt_from_English_tests_needs_none_in_that_year()
    {
        var (student, line) = await SeatedAsync("AUS");
        foreach (var gate in new[] { Kind.LeahyPerson, Kind.LeahyUnit, Kind.Security, Kind.Medical })
            await world.RecordAsync(gate, student);
        Assert.Equal("GATES_NOT_GREEN", (await World.RefusedAsync(world.IssueOrdersAsync(line))).Reason);
        var exemption = new EnglishExemption { Country = "AUS", FiscalYear = line.Course.FiscalYear, Extent = EnglishExemption.Types.Extent.Full, Document = "A list" };
        await Enrollment.SetEnglishExemptionAsync(new SetEnglishExemptionRequest { RequestId = World.NewId(), Exemption = exemption });
        Assert.Equal(State.OrdersIssued, (await world.IssueOrdersAsync(line)).State);
    }

    [Fact]
    public async Task English_is_measured_against_what_the_course_asks_for()
    {
        var (student, line) = await SeatedAsync("PNG");
        await world.ClearAsync(student);
        Assert.Equal(80, line.Course.EclMinimum);
        var result = new GateResult { Gate = Kind.English, StudentId = student, Passed = true, EclScore = 79, DecidedOn = World.Today.ToProto() };
        await Enrollment.RecordGateResultAsync(new RecordGateResultRequest { RequestId = World.NewId(), Result = result });
        var (_, reason, e) = await World.RefusedAsync(world.IssueOrdersAsync(line));
        Assert.Equal(("GATES_NOT_GREEN", "ENGLISH"), (reason, e.GetRpcStatus()!.GetDetail<ErrorInfo>()!.Metadata["gates"]));
        result.EclScore = 80;
        await Enrollment.RecordGateResultAsync(new RecordGateResultRequest { RequestId = World.NewId(), Result = result });
        Assert.Equal(State.OrdersIssued, (await world.IssueOrdersAsync(line)).State);
    }

    [Fact]
    public async Task Data_for_the_security_check_must_be_in_early_enough_and_vetting_must_last()
    {
        var (student, line) = await SeatedAsync("SLB");
        await world.ClearAsync(student);
        // Thirty days ahead: sixteen days before is in a fortnight, so data handed in today is in time; a class in ten days is too near.
        await world.RecordAsync(Kind.Security, student, daysAgo: 0);
        Assert.True((await Enrollment.CheckGatesAsync(new CheckGatesRequest { LineId = line.Id })).Report.AllGreen);
        var near = await world.EnrollStudentAsync(await world.ScheduleAsync(5, startsIn: 10, days: 10), student, "SLB");
        var security = (await Enrollment.CheckGatesAsync(new CheckGatesRequest { LineId = near.Id })).Report.Gates.Single(gate => !gate.Green);
        Assert.Equal((Kind.Security, true), (security.Kind, security.Missing.Contains("latest day", StringComparison.Ordinal)));
        // Good for a year from a year ago less a week: over before training begins.
        await world.RecordAsync(Kind.LeahyPerson, student, daysAgo: 358);
        var vetting = (await Enrollment.CheckGatesAsync(new CheckGatesRequest { LineId = line.Id })).Report.Gates.Single(gate => !gate.Green);
        Assert.Equal(Kind.LeahyPerson, vetting.Kind);
    }

    [Fact]
    public async Task Results_are_kept_as_they_were_recorded_the_newest_first()
    {
        var student = await world.StudentAsync("NZL");
        var first = (await world.RecordAsync(Kind.Medical, student, passed: false)).Result;
        var second = (await world.RecordAsync(Kind.Medical, student)).Result;
        var page = await Enrollment.ListGateResultsAsync(new ListGateResultsRequest { StudentId = student, PageSize = 1 });
        Assert.Equal(second, Assert.Single(page.Results));
        Assert.Equal(first, Assert.Single((await Enrollment.ListGateResultsAsync(new ListGateResultsRequest { StudentId = student, PageSize = 1, PageToken = page.NextPageToken })).Results));
        var wrong = new GateResult { Gate = Kind.LeahyUnit, StudentId = student, DecidedOn = World.Today.AddDays(1).ToProto() };
        var (_, reason, e) = await World.RefusedAsync(Enrollment.RecordGateResultAsync(new RecordGateResultRequest { RequestId = World.NewId(), Result = wrong }).ResponseAsync);
        Assert.Equal(("INVALID_FIELDS", "result.unit_id, result.decided_on"), (reason, string.Join(", ", e.GetRpcStatus()!.GetDetail<BadRequest>()!.FieldViolations.Select(violation => violation.Field))));
    }

    [Fact]
    public async Task A_restriction_approved_while_orders_are_issued_is_not_lost()
    {
        var gate = Path.Combine(servers.Folder, World.NewId());
        await using var alone = await World.StartAsync(servers, Cancel, ("Failpoints__enrollment.between-question-and-commit", $"pause:{gate}"));
        var student = await alone.StudentAsync("BGD");
        var line = await alone.EnrollStudentAsync(await alone.ScheduleAsync(5), student, "BGD");
        await alone.ClearAsync(student);
        await File.WriteAllTextAsync(gate, "", Cancel);
        var issuing = alone.IssueOrdersAsync(line);
        await Eventually.TrueAsync(() => File.Exists($"{gate}.hit"), Cancel);
        await alone.RestrictAsync("BGD", Effect.Suspend);
        await alone.WhenAsync(line, now => now.State == State.Cancelled, Cancel);
        File.Delete(gate);
        Assert.Equal("ETAG_MISMATCH", (await World.RefusedAsync(issuing)).Reason);
        Assert.Equal(0, await alone.SqlAsync<int>("select count(*)::int from enrollment.travel_orders"));
    }

    [Fact]
    public async Task While_mass_acting_is_halted_nothing_is_cancelled_and_an_alert_stands()
    {
        await using var alone = await World.StartAsync(servers, Cancel);
        var line = await alone.EnrollAsync(await alone.ScheduleAsync(5), "TLS");
        await alone.Officer.Enrollment.HaltMassActingAsync(new HaltMassActingRequest { RequestId = World.NewId(), Reason = "The wrong country." });
        await alone.RestrictAsync("TLS", Effect.Suspend);
        await Eventually.TrueAsync(async () => Regex.IsMatch(await alone.Stack.Enrollment[0].MetricsAsync(Cancel), @"(?m)^imet_enrollment_mass_acting_halted\S* 1\b"), Cancel);
        await Eventually.TrueAsync(async () => (await alone.Officer.Enrollment.GetMassActingAsync(new GetMassActingRequest())).MassActing is { Halted: true, Waiting: > 0 }, Cancel);
        Assert.Equal(line, await alone.GetAsync(line.Id));
        // What is barred does not go on by that: only the acting waits.
        Assert.Equal("COUNTRY_NOT_ELIGIBLE", (await World.RefusedAsync(alone.EnrollAsync(await alone.ScheduleAsync(5), "TLS"))).Reason);
        await alone.Officer.Enrollment.ResumeMassActingAsync(new ResumeMassActingRequest { RequestId = World.NewId(), Reason = "The right one." });
        await alone.WhenAsync(line, now => now.State == State.Cancelled, Cancel);
        Assert.Equal("SCOPE_REQUIRED", (await World.RefusedAsync(alone.Stack.Caller("officer", ["enrollment.write"]).Enrollment.HaltMassActingAsync(
            new HaltMassActingRequest { RequestId = World.NewId(), Reason = "No." }).ResponseAsync)).Reason);
    }

    private async Task<(string Student, TrainingLine Line)> SeatedAsync(string country, int startsIn = 30)
    {
        var student = await world.StudentAsync(country);
        return (student, await world.EnrollStudentAsync(await world.ScheduleAsync(5, startsIn: startsIn, reportsIn: startsIn == 0 ? -1 : null), student, country));
    }

    private async Task<(string Student, TrainingLine Line)> OrderedAsync(string country)
    {
        var (student, line) = await SeatedAsync(country);
        await world.ClearAsync(student);
        return (student, await world.IssueOrdersAsync(line));
    }

    private static string GateName(Kind gate) => Gates.GateDecisions.Text(gate);
}
