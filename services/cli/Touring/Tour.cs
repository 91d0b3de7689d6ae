using System.Diagnostics;
using Google.Type;
using Grpc.Core;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.V1;
using Decision = Imet.CountryEligibility.V1.Decision;

namespace Imet.Cli.Touring;

/// <summary>
/// The main job, from the first question to the last event, on the running services. Every run makes classes, units and students of its own
/// and lifts the suspension it makes, so that it can be repeated on the same stack.
/// </summary>
public sealed class Tour(People people, OutsideSubscriber outside, TimeProvider clock, Telling tell)
{
    private const string Source = "imet-tour";
    private const string Program = "IMET";

    private static readonly Person Scheduler = new("tour.course-scheduler", "catalog.read catalog.write", null);
    private static readonly Person Proposer = new("tour.desk-officer", "eligibility.read eligibility.propose", null);
    private static readonly Person Approver = new("tour.assistant-secretary", "eligibility.read eligibility.propose eligibility.approve", null);
    private static readonly Person School = new("tour.school", "enrollment.read enrollment.write", null);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly string run = Guid.CreateVersion7().ToString()[^12..];
    private readonly DateOnly today = Washington.Today(clock);
    private readonly HashSet<string> subjects = [];
    private int students;

    private static Person Desk(string country) => new($"tour.office-{country.ToLowerInvariant()}", "eligibility.read catalog.read enrollment.read enrollment.write enrollment.personal enrollment.gates enrollment.orders", country);

    private string Surname => $"Sample-{run}";

    public async Task RunAsync(CancellationToken cancel)
    {
        tell.Say($"Run {run} on {today.Text()} (Washington). Names of students are invented; one queue of an outside subscriber is listening.");

        var prep = await ScheduleAsync("B900102", today.AddDays(60), 10, 10, cancel);
        var human = await ScheduleAsync("P900401", today.AddDays(45), 18, 1, cancel);
        var begun = await ScheduleAsync("B900101", today, 22, 10, cancel);

        await EnrolledAsync(prep, cancel);
        await RefusedAsync(prep, cancel);
        await LastSeatAsync(human, cancel);
        await SuspendedAsync(prep, begun, cancel);
        await EventsAsync(cancel);
    }

    private async Task EnrolledAsync(Offering offering, CancellationToken cancel)
    {
        tell.Chapter("1. An officer of an eligible country is enrolled");
        var desk = Desk("COL");
        var verdict = await MayAsync(desk, Question("COL", offering, Stage.New), today, 0, cancel);
        tell.Promise(verdict.Outcome == Outcome.Eligible, "Colombia may train with IMET money in this course on this day");

        var student = await StudentAsync(desk, cancel);
        tell.Asked($"a seat for an officer of Colombia in {Name(offering)}, IMET money");
        var line = (await people.As(desk).Enrollment.EnrollStudentAsync(Ask(desk, student, offering), cancellationToken: cancel)).Line;
        subjects.Add($"training-line/{line.Id}");
        tell.Answered($"line {line.Id}, WCN {line.Wcn}, {Words(line.State)}, {Words(line.Price)} at rate {line.TuitionRate}");
        tell.Because($"{Words(line.Judgement.Outcome)} at revision {line.Judgement.Revision} of the country, class version {line.OfferingVersion}");
        tell.Promise(line.State == TrainingLine.Types.State.SeatConfirmed, "the seat is confirmed in one step");

        var foreign = await AttemptAsync(async () => await people.As(Desk("JOR")).Enrollment.GetTrainingLineAsync(new() { LineId = line.Id }, cancellationToken: cancel));
        tell.Promise(foreign?.Code == StatusCode.NotFound, "to another country's office the line does not exist (NOT_FOUND)");
    }

    private async Task RefusedAsync(Offering offering, CancellationToken cancel)
    {
        tell.Chapter("2. An officer of a suspended country is refused, with the legal basis");
        var desk = Desk("NER");
        var verdict = await MayAsync(desk, Question("NER", offering, Stage.New), today, 0, cancel);
        tell.Promise(verdict.Outcome == Outcome.NotEligible, "Niger may not: the coup of July 2023 was determined on 10 October 2023");

        var student = await StudentAsync(desk, cancel);
        tell.Asked($"a seat for an officer of Niger in {Name(offering)}, IMET money");
        var refused = await AttemptAsync(async () => await people.As(desk).Enrollment.EnrollStudentAsync(Ask(desk, student, offering), cancellationToken: cancel));
        tell.Answered(refused is null ? "enrolled" : $"{Words(refused.Code)} {refused.Reason}: {refused.Message}");
        foreach (var violation in refused?.InTheWay ?? [])
            tell.Because($"{violation.Type} {violation.Subject}: {violation.Description}");
        tell.Promise(refused is { Code: StatusCode.FailedPrecondition, Reason: "COUNTRY_NOT_ELIGIBLE" }, "refused as COUNTRY_NOT_ELIGIBLE");
        tell.Promise(refused?.InTheWay.Any(violation => $"{violation.Type} {violation.Subject} {violation.Description}".Contains("7008", StringComparison.Ordinal)) == true, "the refusal cites section 7008");
    }

    private async Task LastSeatAsync(Offering offering, CancellationToken cancel)
    {
        tell.Chapter("3. The last seat is taken once, although two ask");
        Person[] desks = [Desk("JOR"), Desk("KEN")];
        var asks = new List<EnrollStudentRequest>();
        foreach (var desk in desks)
            asks.Add(Ask(desk, await StudentAsync(desk, cancel), offering));
        tell.Asked($"Jordan and Kenya, at the same moment, the only seat in {Name(offering)}");
        // Both wait for the same signal, so that neither has its call on the wire before the other is ready.
        var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var answers = desks.Zip(asks, async (desk, ask) =>
        {
            await go.Task;
            try
            {
                return ((await people.As(desk).Enrollment.EnrollStudentAsync(ask, cancellationToken: cancel)).Line, Refused: (Refused?)null);
            }
            catch (RpcException e)
            {
                return (Line: (TrainingLine?)null, Refused: Refused.From(e));
            }
        }).ToList();
        go.SetResult();
        var results = await Task.WhenAll(answers);
        foreach (var (desk, (line, refused)) in desks.Zip(results))
        {
            tell.Answered(line is not null ? $"{desk.Country}: line {line.Id}, {Words(line.State)}" : $"{desk.Country}: {Words(refused!.Code)} {refused.Reason}: {refused.Message}");
            if (line is not null)
                subjects.Add($"training-line/{line.Id}");
        }
        tell.Promise(results.Count(result => result.Line is not null) == 1, "one of the two has the seat");
        tell.Promise(results.Count(result => result.Refused?.Reason == "OFFERING_FULL") == 1, "the other is told OFFERING_FULL");
        var seats = (await people.As(School).Enrollment.GetOfferingSeatsAsync(new() { OfferingId = offering.Id }, cancellationToken: cancel)).Seats;
        tell.Promise(seats is { Capacity: 1, Taken: 1 }, $"the class counts {seats.Taken} of {seats.Capacity} seats taken");
    }

    private async Task SuspendedAsync(Offering ahead, Offering begun, CancellationToken cancel)
    {
        tell.Chapter("4. A country is suspended: one proposes, another approves");
        var desk = Desk("THA");
        var inTraining = await OrderedAsync(desk, await EnrollAsync(desk, begun, cancel), cancel);
        await people.As(School).Enrollment.ReportArrivalAsync(new ReportArrivalRequest { LineId = inTraining.Id, ArrivedOn = today.ToProto() }.WithNewRequestId(), cancellationToken: cancel);
        inTraining = (await people.As(School).Enrollment.ReportStartAsync(new ReportStartRequest { LineId = inTraining.Id, StartedOn = today.ToProto() }.WithNewRequestId(), cancellationToken: cancel)).Line;
        var notBegun = await EnrollAsync(desk, ahead, cancel);
        tell.Say($"Thailand has one officer in training ({Name(begun)}) and one who is to come ({Name(ahead)}).");

        // From tomorrow: who starts today has begun before it, and may finish.
        var from = today.AddDays(1);
        var restriction = new Restriction
        {
            Country = "THA",
            LegalBasis = "COUP_7008",
            Effect = Effect.Suspend,
            Scope = await ScopeAsync(cancel),
            EffectiveFrom = from.ToProto(),
        };
        var proposed = await ProposeAsync(new() { Document = $"Exercise memorandum {run}, not a real document", Reason = "Exercise of the tour: a suspension as after a military coup.", Restrictions = { restriction } }, cancel);
        tell.Asked($"{Proposer.Subject} proposes: SUSPEND Thailand under COUP_7008 from {from.Text()}");
        var self = await AttemptAsync(async () => await people.As(Approver with { Subject = Proposer.Subject }).CountryEligibility.ApproveDecisionAsync(Approval(proposed), cancellationToken: cancel));
        tell.Answered($"{Proposer.Subject} tries to approve it too: {(self is null ? "approved" : $"{Words(self.Code)} {self.Reason}")}");
        tell.Promise(self?.Reason == "SELF_APPROVAL", "nobody approves a decision of his own");
        var watch = Stopwatch.StartNew();
        var approved = await people.As(Approver).CountryEligibility.ApproveDecisionAsync(Approval(proposed), cancellationToken: cancel);
        subjects.Add("country/THA");
        var suspended = approved.Revisions.Single(each => each.Country == "THA").Revision;
        tell.Answered($"{Approver.Subject} approves: revision {suspended} of Thailand");
        var restrictionId = approved.Decision.Restrictions.Single().Id;
        long lifted;
        try
        {
            var cancelled = await UntilAsync(notBegun.Id, desk, line => line.State == TrainingLine.Types.State.Cancelled, cancel);
            var took = watch.ElapsedMilliseconds;
            var still = (await people.As(desk).Enrollment.GetTrainingLineAsync(new() { LineId = inTraining.Id }, cancellationToken: cancel)).Line;
            tell.Table(["line", "course", "before", "after", "why"],
            [
                [notBegun.Id, notBegun.Course.Title, Words(notBegun.State), Words(cancelled.State), Words(cancelled.CancelCause)],
                [inTraining.Id, inTraining.Course.Title, Words(inTraining.State), Words(still.State), "FAA 617: what has begun may finish"],
            ]);
            tell.Promise(cancelled is { State: TrainingLine.Types.State.Cancelled, CancelCause: TrainingLine.Types.CancelCause.Restriction }, $"the line that had not begun is cancelled, without charge, {took} ms after the approval");
            tell.Promise(still.State == TrainingLine.Types.State.InTraining && still.Holds.Count == 0, "the officer in training goes on");
            var goesOn = await MayAsync(desk, Question("THA", begun, Stage.InTraining), from, suspended, cancel);
            tell.Promise(goesOn.Outcome == Outcome.Eligible && goesOn.Findings.Any(finding => finding.RestrictionId == restrictionId && finding.Bearing == Finding.Types.Bearing.WindingUp), "and the rules say so: for who has begun the suspension winds up");
            var refused = await AttemptAsync(async () => await EnrollAsync(desk, ahead, cancel));
            tell.Promise(refused?.Reason == "COUNTRY_NOT_ELIGIBLE", "nobody new is enrolled");
        }
        finally
        {
            // The country is left clean even when the tour is stopped here.
            lifted = await LiftAsync(restrictionId, from, CancellationToken.None);
        }
        var after = await MayAsync(desk, Question("THA", ahead, Stage.New), today, lifted, cancel);
        tell.Promise(after.Outcome == Outcome.Eligible, "Thailand is eligible again");
        var stays = (await people.As(desk).Enrollment.GetTrainingLineAsync(new() { LineId = notBegun.Id }, cancellationToken: cancel)).Line;
        tell.Promise(stays.State == TrainingLine.Types.State.Cancelled, "what was cancelled stays cancelled: a reinstatement revives nothing");
    }

    private async Task EventsAsync(CancellationToken cancel)
    {
        tell.Chapter("5. The events, as an outside AMQP subscriber received them");
        string[] changes = ["enrolled", "arrived", "started", "cancelled", "restricted", "restriction-lifted"];
        bool AllThere(IReadOnlyList<Arrived> got) =>
            subjects.All(subject => got.Any(e => e.Subject == subject)) && changes.All(change => got.Any(e => e.RoutingKey.Split('.')[1] == change));
        var mine = await PollAsync(() => Mine(), AllThere, cancel);
        tell.Table(["routing key", "version", "about", "ms after"],
            mine.Select(e => (IReadOnlyList<string>)[e.RoutingKey, $"{e.AggregateVersion}", About(e), $"{(e.At - e.Time).TotalMilliseconds:0}"]));
        tell.Promise(AllThere(mine), $"every change of this tour was told: {string.Join(", ", changes)}");
        var inOrder = mine.DistinctBy(e => e.Id).GroupBy(e => e.Subject).All(of => of.Zip(of.Skip(1)).All(two => two.First.AggregateVersion <= two.Second.AggregateVersion));
        tell.Promise(inOrder, "in order for each line and country");
        tell.Promise(!outside.Arrived.Any(e => e.Body.Contains(Surname, StringComparison.Ordinal)), $"none of {outside.Arrived.Count} events tells who a student is");
    }

    private List<Arrived> Mine() => [.. outside.Arrived.Where(e => subjects.Contains(e.Subject))];

    private async Task<Offering> ScheduleAsync(string maslNumber, DateOnly start, int days, int seats, CancellationToken cancel)
    {
        var catalog = people.As(Scheduler).CourseCatalog;
        GetCourseResponse course;
        try
        {
            course = await catalog.GetCourseAsync(new() { MaslNumber = maslNumber }, cancellationToken: cancel);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.NotFound)
        {
            throw new CouldNotRunException($"The catalogue has no course {maslNumber}: load the sample first with imet seed.");
        }
        var year = start.FiscalYear();
        var version = course.Versions.FirstOrDefault(each => each.FiscalYear == year) ?? throw new CouldNotRunException($"Course {maslNumber} has no version for FY{year}: load the sample again with imet seed.");
        var request = new CreateOfferingRequest
        {
            Offering = new()
            {
                CourseVersionId = version.Id,
                StartDate = start.ToProto(),
                EndDate = start.AddDays(days - 1).ToProto(),
                Capacity = seats,
                ExternalIds = { new ExternalId { Source = Source, Id = $"{run}/{maslNumber}" } },
            },
        };
        var offering = (await catalog.CreateOfferingAsync(request.WithNewRequestId(), cancellationToken: cancel)).Offering;
        subjects.Add($"offering/{offering.Id}");
        return offering;
    }

    private async Task<string> StudentAsync(Person desk, CancellationToken cancel)
    {
        var number = ++students;
        var enrollment = people.As(desk).Enrollment;
        var unit = await enrollment.RegisterUnitAsync(
            new RegisterUnitRequest { Unit = new() { Country = desk.Country, Name = $"Exercise unit {run}-{number}" } }.WithNewRequestId(), cancellationToken: cancel);
        var student = new Student
        {
            Country = desk.Country,
            UnitId = unit.Unit.Id,
            Personal = new() { Surname = Surname, GivenNames = $"Officer {number}", Rank = "Captain", Service = "Army", DateOfBirth = new Date { Year = 1990, Month = 1, Day = 1 } },
        };
        var registered = await enrollment.RegisterStudentAsync(new RegisterStudentRequest { Student = student }.WithNewRequestId(), cancellationToken: cancel);
        return registered.Student.Id;
    }

    private async Task<TrainingLine> EnrollAsync(Person desk, Offering offering, CancellationToken cancel)
    {
        var student = await StudentAsync(desk, cancel);
        var line = (await people.As(desk).Enrollment.EnrollStudentAsync(Ask(desk, student, offering), cancellationToken: cancel)).Line;
        subjects.Add($"training-line/{line.Id}");
        return line;
    }

    // Without them no orders: the gates of the class that began on the day of the tour.
    private async Task<TrainingLine> OrderedAsync(Person desk, TrainingLine line, CancellationToken cancel)
    {
        var enrollment = people.As(desk).Enrollment;
        var early = await AttemptAsync(async () => await enrollment.IssueOrdersAsync(new IssueOrdersRequest { LineId = line.Id, Etag = line.Etag }.WithNewRequestId(), cancellationToken: cancel));
        tell.Asked($"travel orders for {line.Id}, before anybody was vetted");
        tell.Answered($"{(early is null ? "issued" : $"{Words(early.Code)} {early.Reason}")}");
        tell.Promise(early?.Reason == "GATES_NOT_GREEN", "no orders go out before every gate is green");
        var unit = (await enrollment.GetStudentAsync(new() { StudentId = line.StudentId }, cancellationToken: cancel)).Student.UnitId;
        foreach (var gate in new[] { Gate.Types.Kind.LeahyPerson, Gate.Types.Kind.LeahyUnit, Gate.Types.Kind.Security, Gate.Types.Kind.English, Gate.Types.Kind.Medical })
        {
            var ofUnit = gate == Gate.Types.Kind.LeahyUnit;
            var result = new GateResult
            {
                Gate = gate,
                StudentId = ofUnit ? "" : line.StudentId,
                UnitId = ofUnit ? unit : "",
                Passed = true,
                DecidedOn = today.AddDays(-30).ToProto(),
                EclScore = gate == Gate.Types.Kind.English ? 85 : 0,
                Document = $"Exercise paper {run}",
            };
            await enrollment.RecordGateResultAsync(new RecordGateResultRequest { Result = result }.WithNewRequestId(), cancellationToken: cancel);
        }
        var orders = await enrollment.IssueOrdersAsync(new IssueOrdersRequest { LineId = line.Id, Etag = line.Etag }.WithNewRequestId(), cancellationToken: cancel);
        tell.Answered($"once person and unit are vetted, and data, English and health are in: orders {orders.Orders.Number}");
        return orders.Line;
    }

    private static EnrollStudentRequest Ask(Person desk, string student, Offering offering) => new EnrollStudentRequest
    {
        Country = desk.Country,
        StudentId = student,
        OfferingId = offering.Id,
        Funding = new() { Program = Program, Account = "IMET-1", FiscalYear = offering.Course.FiscalYear },
    }.WithNewRequestId();

    // A replica may be a moment behind; who has seen a revision asks for an answer that rests on it.
    private async Task<Verdict> MayAsync(Person desk, Question question, DateOnly on, long minRevision, CancellationToken cancel)
    {
        tell.Asked($"may {question.Country} train with {question.FundingProgram} money in {question.MaslNumber} from {question.StartDate.ToDateOnly().Text()}{(question.Stage == Stage.InTraining ? $", being in training, by the rules of {on.Text()}" : "")}?");
        var request = new EvaluateEligibilityRequest { Question = question, On = on.ToProto(), MinRevision = minRevision };
        var verdict = (await people.As(desk).CountryEligibility.EvaluateEligibilityAsync(request, cancellationToken: cancel)).Verdict;
        tell.Answered($"{Words(verdict.Outcome)}: {verdict.Summary}");
        foreach (var finding in verdict.Findings.Where(finding => finding.Bearing is Finding.Types.Bearing.Applies or Finding.Types.Bearing.WindingUp or Finding.Types.Bearing.FactMissing))
            tell.Because($"{finding.LegalBasis} ({finding.Citation}), {Words(finding.Effect)} from {finding.EffectiveFrom.ToDateOnly().Text()}: {finding.Explanation}");
        return verdict;
    }

    private Question Question(string country, Offering offering, Stage stage)
    {
        var question = new Question
        {
            Country = country,
            FundingProgram = Program,
            TrainingKind = offering.Course.TrainingKind,
            ImplementingAgency = offering.Course.ImplementingAgency,
            School = offering.Course.SchoolCode,
            MaslNumber = offering.Course.MaslNumber,
            Place = Place.UnitedStates,
            Stage = stage,
            StartDate = offering.StartDate,
        };
        if (stage == Stage.InTraining)
            question.TrackBegunOn = today.ToProto();
        return question;
    }

    // Lines of Thailand that are not the tour's must not suffer from an exercise: where there are any, it covers the tour's own two courses only.
    private async Task<Scope> ScopeAsync(CancellationToken cancel)
    {
        var scope = new Scope { FundingPrograms = new() { Mode = SetMode.Only, Codes = { Program } } };
        var lines = await people.As(Desk("THA")).Enrollment.ListTrainingLinesAsync(
            new() { Country = "THA", State = TrainingLine.Types.State.SeatConfirmed, PageSize = 1000 }, cancellationToken: cancel);
        if (lines.Lines.Any(line => !subjects.Contains($"training-line/{line.Id}")))
        {
            scope.Courses = new() { Mode = SetMode.Only, Codes = { "B900101", "B900102" } };
            tell.Say("Thailand has other lines here: the exercise covers the courses B900101 and B900102 only.");
        }
        return scope;
    }

    private async Task<Decision> ProposeAsync(Decision decision, CancellationToken cancel) =>
        (await people.As(Proposer).CountryEligibility.ProposeDecisionAsync(new ProposeDecisionRequest { Decision = decision }.WithNewRequestId(), cancellationToken: cancel)).Decision;

    private static ApproveDecisionRequest Approval(Decision decision) => new ApproveDecisionRequest { DecisionId = decision.Id, Etag = decision.Etag }.WithNewRequestId();

    private async Task<long> LiftAsync(string restrictionId, DateOnly from, CancellationToken cancel)
    {
        tell.Asked($"{Proposer.Subject} proposes to lift it, {Approver.Subject} approves");
        var lift = await ProposeAsync(new()
        {
            Document = $"End of exercise {run}, not a real document",
            Reason = "The exercise is over.",
            Lifts = { new Lift { RestrictionId = restrictionId, EffectiveFrom = from.ToProto() } },
        }, cancel);
        var approved = await people.As(Approver).CountryEligibility.ApproveDecisionAsync(Approval(lift), cancellationToken: cancel);
        var revision = approved.Revisions.Single(each => each.Country == "THA").Revision;
        tell.Answered($"lifted: revision {revision} of Thailand");
        return revision;
    }

    private Task<TrainingLine> UntilAsync(string lineId, Person desk, Func<TrainingLine, bool> reached, CancellationToken cancel) =>
        PollAsync(async () => (await people.As(desk).Enrollment.GetTrainingLineAsync(new() { LineId = lineId }, cancellationToken: cancel)).Line, reached, cancel);

    private static Task<T> PollAsync<T>(Func<T> read, Func<T, bool> reached, CancellationToken cancel) => PollAsync(() => Task.FromResult(read()), reached, cancel);

    // The last reading is returned, whether it is what was hoped for or not: the promise that follows says which.
    private static async Task<T> PollAsync<T>(Func<Task<T>> read, Func<T, bool> reached, CancellationToken cancel)
    {
        var watch = Stopwatch.StartNew();
        while (true)
        {
            var value = await read();
            if (reached(value) || watch.Elapsed > Patience)
                return value;
            await Task.Delay(20, cancel);
        }
    }

    private static async Task<Refused?> AttemptAsync(Func<Task> call)
    {
        try
        {
            await call();
            return null;
        }
        catch (RpcException e)
        {
            return Refused.From(e);
        }
    }

    private static string About(Arrived e) => e.RoutingKey.Split('.')[0] switch
    {
        "training-line" => $"line {e.Subject.Split('/')[1]}, {Inner(e, "line", "courseTitle")}",
        "offering" => $"class of {Inner(e, "offering", "course", "title")}",
        _ => e.Data.TryGetProperty("document", out var document) ? document.GetString()! : e.Subject,
    };

    private static string Inner(Arrived e, params string[] path)
    {
        var at = e.Data;
        foreach (var name in path)
        {
            if (!at.TryGetProperty(name, out at))
                return "";
        }
        return at.GetString() ?? "";
    }

    private static string Name(Offering offering) => $"{offering.Course.MaslNumber} \"{offering.Course.Title}\", {offering.StartDate.ToDateOnly().Text()}, {offering.Capacity} {(offering.Capacity == 1 ? "seat" : "seats")}";

    private static string Words(Money? price) => price is null ? "no price" : $"{price.Units:#,0} {price.CurrencyCode}";

    // NotEligible reads NOT ELIGIBLE: the contract's words, without its underscores.
    private static string Words(Enum value) =>
        string.Concat($"{value}".Select((letter, i) => i > 0 && char.IsUpper(letter) ? $" {letter}" : $"{letter}")).ToUpperInvariant();
}
