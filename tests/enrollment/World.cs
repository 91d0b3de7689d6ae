using System.Globalization;
using Dapper;
using Grpc.Core;
using Google.Rpc;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.V1;
using Imet.Testing;
using Npgsql;
using Xunit;

[assembly: AssemblyFixture(typeof(Servers))]

namespace Imet.Enrollment.Tests;

/// <summary>The three services with somebody who schedules classes, two who decide about countries and one who enrolls.</summary>
public sealed class World(TestStack stack) : IAsyncDisposable
{
    private readonly Dictionary<string, string> _courses = [];

    public TestStack Stack => stack;
    public TestCaller Officer { get; } = stack.Anybody("officer");
    public TestCaller Minister { get; } = stack.Anybody("minister");
    public static DateOnly Today => Washington.Today(TimeProvider.System);

    public static Task<World> StartAsync(Servers servers, CancellationToken cancel, params (string Name, string Value)[] settings) => StartAsync(servers, 1, settings, cancel);

    public static async Task<World> StartAsync(Servers servers, int replicas, (string Name, string Value)[] settings, CancellationToken cancel) =>
        // A call that a failpoint holds, or a machine that is busy with everything at once, may take longer than a caller would wait.
        new(await TestStack.StartAsync(servers, new TestStackOptions
        {
            Replicas = replicas,
            Settings = settings.Append(("Limits__Deadline", "00:01:00")).ToDictionary(setting => setting.Item1, setting => (string?)setting.Item2),
        }, cancel));

    public async Task<Offering> ScheduleAsync(int capacity, int startsIn = 30, int? reportsIn = null, int days = 60, TrainingKind kind = TrainingKind.Classroom, string host = "")
    {
        var version = await CourseVersionAsync(kind);
        var offering = new Offering
        {
            CourseVersionId = version,
            StartDate = Today.AddDays(startsIn).ToProto(),
            EndDate = Today.AddDays(startsIn + days).ToProto(),
            ReportDate = reportsIn is { } report ? Today.AddDays(report).ToProto() : null,
            Capacity = capacity,
            HostCountry = host,
        };
        return (await Officer.CourseCatalog.CreateOfferingAsync(new CreateOfferingRequest { RequestId = NewId(), Offering = offering })).Offering;
    }

    public static EnrollStudentRequest Wish(Offering offering, string country, int headcount = 1) => new()
    {
        RequestId = NewId(),
        Country = country,
        Headcount = headcount,
        OfferingId = offering.Id,
        Funding = new Funding { Program = "IMET", Account = "IMET-1", FiscalYear = Washington.FiscalYear(Today) },
    };

    public async Task<TrainingLine> EnrollAsync(EnrollStudentRequest wish) => (await Officer.Enrollment.EnrollStudentAsync(wish)).Line;

    public Task<TrainingLine> EnrollAsync(Offering offering, string country, int headcount = 1) => EnrollAsync(Wish(offering, country, headcount));

    public async Task<TrainingLine> ArriveAsync(TrainingLine line, int daysAgo) => (await Officer.Enrollment.ReportArrivalAsync(
        new ReportArrivalRequest { RequestId = NewId(), LineId = line.Id, ArrivedOn = Today.AddDays(-daysAgo).ToProto() })).Line;

    public async Task<TrainingLine> StartTrainingAsync(TrainingLine line, int daysAgo = 0) => (await Officer.Enrollment.ReportStartAsync(
        new ReportStartRequest { RequestId = NewId(), LineId = line.Id, StartedOn = Today.AddDays(-daysAgo).ToProto() })).Line;

    public async Task<string> StudentAsync(string country, string surname = "Somchai")
    {
        var unit = await UnitAsync(country);
        return (await Officer.Enrollment.RegisterStudentAsync(
            new RegisterStudentRequest { RequestId = NewId(), Student = new Student { Country = country, UnitId = unit, Personal = new PersonalData { Surname = surname } } })).Student.Id;
    }

    public async Task<string> UnitAsync(string country) => (await Officer.Enrollment.RegisterUnitAsync(
        new RegisterUnitRequest { RequestId = NewId(), Unit = new Unit { Country = country, Name = $"Unit {Guid.NewGuid():N}" } })).Unit.Id;

    public async Task<string> UnitOfAsync(string student) => (await Officer.Enrollment.GetStudentAsync(new GetStudentRequest { StudentId = student })).Student.UnitId;

    /// <summary>Records what one gate asks for; "passed" a month ago unless the test says otherwise.</summary>
    public async Task<RecordGateResultResponse> RecordAsync(Gate.Types.Kind gate, string student, bool passed = true, int daysAgo = 30, DateOnly? validUntil = null) =>
        await Officer.Enrollment.RecordGateResultAsync(new RecordGateResultRequest
        {
            RequestId = NewId(),
            Result = new GateResult
            {
                Gate = gate,
                StudentId = gate == Gate.Types.Kind.LeahyUnit ? "" : student,
                UnitId = gate == Gate.Types.Kind.LeahyUnit ? await UnitOfAsync(student) : "",
                Passed = passed,
                DecidedOn = Today.AddDays(-daysAgo).ToProto(),
                ValidUntil = validUntil?.ToProto(),
                EclScore = gate == Gate.Types.Kind.English ? 85 : 0,
                Document = "A paper",
            },
        });

    /// <summary>Records all that is needed before travel orders go out.</summary>
    public async Task ClearAsync(string student)
    {
        foreach (var gate in new[] { Gate.Types.Kind.LeahyPerson, Gate.Types.Kind.LeahyUnit, Gate.Types.Kind.Security, Gate.Types.Kind.English, Gate.Types.Kind.Medical })
            await RecordAsync(gate, student);
    }

    public async Task<TrainingLine> IssueOrdersAsync(TrainingLine line) =>
        (await Officer.Enrollment.IssueOrdersAsync(new IssueOrdersRequest { RequestId = NewId(), LineId = line.Id, Etag = (await GetAsync(line.Id)).Etag })).Line;

    public async Task<TrainingLine> EnrollStudentAsync(Offering offering, string student, string country)
    {
        var wish = Wish(offering, country);
        wish.StudentId = student;
        return await EnrollAsync(wish);
    }

    /// <summary>One proposes, another approves; gives the id of the restriction.</summary>
    public async Task<string> RestrictAsync(string country, Effect effect, Scope? scope = null) => (await DecideAsync(country, effect, Today, scope: scope)).Restrictions[0].Id;

    public Task<Decision> DecideAsync(string country, Effect effect, DateOnly from, DateOnly? announced = null, Scope? scope = null) =>
        ApproveAsync(Decision(country, effect, from, announced, scope));

    public static Decision Decision(string country, Effect effect, DateOnly from, DateOnly? announced = null, Scope? scope = null) => new()
    {
        Document = "Memorandum",
        Reason = "A coup.",
        AnnouncedOn = announced?.ToProto(),
        Restrictions = { new Restriction { Country = country, LegalBasis = "COUP_7008", Effect = effect, EffectiveFrom = from.ToProto(), Scope = scope } },
    };

    public Task<Decision> LiftAsync(string restrictionId, DateOnly? from = null) => ApproveAsync(new Decision
    {
        Document = "Memorandum",
        Reason = "An election.",
        Lifts = { new Lift { RestrictionId = restrictionId, EffectiveFrom = (from ?? Today).ToProto() } },
    });

    public Task<Decision> VoidAsync(string decisionId) => ApproveAsync(new Decision { Document = "Memorandum", Reason = "It was an error.", Voids = { new CountryEligibility.V1.Void { DecisionId = decisionId } } });

    /// <summary>Sets the clocks of services ahead that were started with this file.</summary>
    public static async Task SetAheadAsync(string file, int days)
    {
        await File.WriteAllTextAsync($"{file}.new", TimeSpan.FromDays(days).ToString("c", CultureInfo.InvariantCulture));
        File.Move($"{file}.new", file, overwrite: true);
        // Longer than the services keep what they read.
        await Task.Delay(100);
    }

    public async Task<Decision> ProposeAsync(Decision decision) =>
        (await Officer.CountryEligibility.ProposeDecisionAsync(new ProposeDecisionRequest { RequestId = NewId(), Decision = decision })).Decision;

    public async Task<TrainingLine> GetAsync(string lineId) => (await Officer.Enrollment.GetTrainingLineAsync(new GetTrainingLineRequest { LineId = lineId })).Line;

    public Task<TrainingLine> WhenAsync(TrainingLine line, Func<TrainingLine, bool> isSo, CancellationToken cancel) =>
        Eventually.GetAsync(async () => await GetAsync(line.Id) is var now && isSo(now) ? now : null, cancel);

    public async Task<OfferingSeats> SeatsAsync(Offering offering) =>
        (await Officer.Enrollment.GetOfferingSeatsAsync(new GetOfferingSeatsRequest { OfferingId = offering.Id })).Seats;

    public async Task<IReadOnlyList<LineHistoryEntry>> HistoryAsync(TrainingLine line) =>
        (await Officer.Enrollment.GetLineHistoryAsync(new GetLineHistoryRequest { LineId = line.Id })).Entries;

    public async Task<T> SqlAsync<T>(string sql, object? values = null)
    {
        await using var connection = new NpgsqlConnection(stack.Database.Administrator);
        return (await connection.ExecuteScalarAsync<T>(sql, values))!;
    }

    public async Task<Offering> NowAsync(Offering offering) => (await Officer.CourseCatalog.GetOfferingAsync(new GetOfferingRequest { OfferingId = offering.Id })).Offering;

    public async Task<Offering> AllocateAsync(Offering offering, params (string Country, int Seats, DateOnly? OpensOn)[] quotas) => (await Officer.CourseCatalog.AllocateQuotasAsync(new AllocateQuotasRequest
    {
        RequestId = NewId(),
        OfferingId = offering.Id,
        Etag = (await NowAsync(offering)).Etag,
        Reason = "The yearly plan",
        Allocations = { quotas.Select(quota => new QuotaAllocation { Country = quota.Country, Seats = quota.Seats, OpensOn = quota.OpensOn?.ToProto() }) },
    })).Offering;

    public async Task<Offering> ResizeAsync(Offering offering, int capacity) => (await Officer.CourseCatalog.ChangeOfferingCapacityAsync(
        new ChangeOfferingCapacityRequest { RequestId = NewId(), OfferingId = offering.Id, Etag = (await NowAsync(offering)).Etag, Capacity = capacity, Reason = "Instructors" })).Offering;

    public async Task<Offering> MoveAsync(Offering offering, int byDays, OfferingPlace? place = null) => (await Officer.CourseCatalog.MoveOfferingAsync(new MoveOfferingRequest
    {
        RequestId = NewId(),
        OfferingId = offering.Id,
        Etag = (await NowAsync(offering)).Etag,
        StartDate = offering.StartDate.ToDateOnly().AddDays(byDays).ToProto(),
        EndDate = offering.EndDate.ToDateOnly().AddDays(byDays).ToProto(),
        Place = place,
        Reason = "Floods",
    })).Offering;

    public Task WithdrawAsync(TrainingLine line) => Officer.Enrollment.WithdrawTrainingLineAsync(
        new WithdrawTrainingLineRequest { RequestId = NewId(), LineId = line.Id, Etag = line.Etag, Reason = "No longer wanted." }).ResponseAsync;

    public Task<OfferingSeats> WhenSeatsAsync(Offering offering, Func<OfferingSeats, bool> areSo, CancellationToken cancel) =>
        Eventually.GetAsync(async () => await SeatsAsync(offering) is var now && areSo(now) ? now : null, cancel);

    public static string NewId() => Guid.CreateVersion7().ToString();

    public static async Task<(StatusCode Code, string Reason, RpcException Error)> RefusedAsync(Task call)
    {
        var e = await Assert.ThrowsAsync<RpcException>(() => call);
        return (e.StatusCode, e.GetRpcStatus()?.GetDetail<ErrorInfo>()?.Reason ?? "", e);
    }

    public ValueTask DisposeAsync() => stack.DisposeAsync();

    private async Task<Decision> ApproveAsync(Decision decision) => await ApproveProposedAsync(await ProposeAsync(decision));

    public async Task<Decision> ApproveProposedAsync(Decision proposed)
    {
        var request = new ApproveDecisionRequest { RequestId = NewId(), DecisionId = proposed.Id, Etag = proposed.Etag };
        var approved = await Minister.CountryEligibility.ApproveDecisionAsync(request);
        // A replica answers from its picture of the record, which follows within moments.
        foreach (var revision in approved.Revisions)
            await Eventually.TrueAsync(() => IsSeenAsync(revision), CancellationToken.None);
        return approved.Decision;
    }

    private async Task<bool> IsSeenAsync(CountryRevision revision)
    {
        try
        {
            var question = new EvaluateEligibilityRequest { Question = new Question { Country = revision.Country }, MinRevision = revision.Revision };
            return (await Officer.CountryEligibility.EvaluateEligibilityAsync(question)).Verdict.Revision >= revision.Revision;
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.Unavailable)
        {
            return false;
        }
    }

    private async Task<string> CourseVersionAsync(TrainingKind kind)
    {
        lock (_courses)
        {
            if (_courses.TryGetValue($"{kind}", out var known))
                return known;
        }
        var course = await Officer.CourseCatalog.CreateCourseAsync(new CreateCourseRequest { RequestId = NewId(), Course = new Course { MaslNumber = $"B{Guid.NewGuid():N}"[..12].ToUpperInvariant() } });
        var version = new CourseVersion
        {
            CourseId = course.Course.Id,
            FiscalYear = Washington.FiscalYear(Today),
            Title = $"{kind} course",
            TrainingKind = kind,
            EclMinimum = 80,
            Prices = { new TuitionPrice { Rate = "GRANT", Price = new Google.Type.Money { CurrencyCode = "USD", Units = 1000, Nanos = 250_000_000 } } },
        };
        var id = (await Officer.CourseCatalog.CreateCourseVersionAsync(new CreateCourseVersionRequest { RequestId = NewId(), CourseVersion = version })).CourseVersion.Id;
        lock (_courses)
        {
            return _courses[$"{kind}"] = id;
        }
    }
}

[CollectionDefinition(Name)]
public sealed class InOneWorld : ICollectionFixture<SharedWorld>
{
    public const string Name = "In one world";
}

/// <summary>One world for all tests that leave its services as they are. Each test takes countries of its own.</summary>
public sealed class SharedWorld(Servers servers) : IAsyncLifetime
{
    private World? _world;

    public World World => _world ?? throw new InvalidOperationException("Not started.");

    public async ValueTask InitializeAsync() => _world = await World.StartAsync(servers, CancellationToken.None);

    public ValueTask DisposeAsync() => _world?.DisposeAsync() ?? ValueTask.CompletedTask;
}
