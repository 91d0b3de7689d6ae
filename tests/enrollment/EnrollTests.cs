using Google.Rpc;
using Grpc.Core;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.History;
using Imet.Enrollment.V1;
using Imet.Testing;
using Npgsql;
using Xunit;

namespace Imet.Enrollment.Tests;

[Collection(InOneWorld.Name)]
public sealed class EnrollTests(Servers servers, SharedWorld shared)
{
    private readonly World world = shared.World;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_headcount_is_enrolled_with_all_that_was_judged()
    {
        var offering = await world.ScheduleAsync(10);
        var line = await world.EnrollAsync(offering, "KEN", 4);
        Assert.Equal((TrainingLine.Types.State.SeatConfirmed, 4, 1L), (line.State, line.Headcount, line.Version));
        Assert.Equal((offering.Version, "GRANT", 4001L, 0), (line.OfferingVersion, line.TuitionRate, line.Price.Units, line.Price.Nanos));
        Assert.Equal(Outcome.Eligible, line.Judgement.Outcome);
        Assert.NotEmpty(line.Wcn);
        Assert.Equal(line, await world.GetAsync(line.Id));
        var seats = await world.SeatsAsync(offering);
        Assert.Equal((10, 4, false), (seats.Capacity, seats.Taken, seats.Overbooked));
    }

    [Fact]
    public async Task The_last_seat_is_taken_by_one_of_many()
    {
        var offering = await world.ScheduleAsync(1);
        var calls = await Task.WhenAll(Enumerable.Range(0, 40).Select(async _ =>
        {
            try
            {
                return (await world.EnrollAsync(offering, "GHA")).Id;
            }
            catch (RpcException e)
            {
                return e.GetRpcStatus()!.GetDetail<ErrorInfo>()!.Reason;
            }
        }));
        Assert.Equal(39, calls.Count(answer => answer == "OFFERING_FULL"));
        Assert.Equal(1, (await world.SeatsAsync(offering)).Taken);
    }

    [Fact]
    public async Task A_replayed_request_returns_the_first_response()
    {
        await using var subscriber = await Subscriber.StartAsync(world.Stack.Broker, Cancel, "imet.enrollment.v1");
        var wish = World.Wish(await world.ScheduleAsync(200), "SEN");
        var lines = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => world.EnrollAsync(wish)));
        Assert.Single(lines.Distinct());
        Assert.Equal(1, await world.SqlAsync<int>("select count(*)::int from enrollment.training_lines where offering_id = @id", new { id = Guid.Parse(wish.OfferingId) }));
        Assert.Equal(1, await world.SqlAsync<int>("select count(*)::int from enrollment.outbox where aggregate_id = @id", new { id = lines[0].Id }));
        var e = await subscriber.WaitForAsync(e => e.Subject == $"training-line/{lines[0].Id}", Cancel);
        Assert.Equal(("training-line.enrolled.SEN", TrainingLineEnrolled.Descriptor.FullName), (e.RoutingKey, e.Type));
    }

    [Fact]
    public async Task A_request_id_is_for_one_request()
    {
        var wish = World.Wish(await world.ScheduleAsync(5), "SEN");
        await world.EnrollAsync(wish);
        var (code, reason, _) = await World.RefusedAsync(world.EnrollAsync(new EnrollStudentRequest(wish) { Headcount = 2 }));
        Assert.Equal((StatusCode.InvalidArgument, "REQUEST_ID_REUSED"), (code, reason));
    }

    [Fact]
    public async Task A_suspended_country_is_refused_with_the_legal_basis()
    {
        var offering = await world.ScheduleAsync(5);
        await world.RestrictAsync("MLI", Effect.Suspend);
        var (code, reason, e) = await World.RefusedAsync(world.EnrollAsync(offering, "MLI"));
        Assert.Equal((StatusCode.FailedPrecondition, "COUNTRY_NOT_ELIGIBLE"), (code, reason));
        var violation = Assert.Single(e.GetRpcStatus()!.GetDetail<PreconditionFailure>()!.Violations);
        Assert.Equal(("COUP_7008", "MLI"), (violation.Type, violation.Subject));
        Assert.Contains("7008", violation.Description, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_peer_does_not_know_is_named_by_its_field()
    {
        var offering = await world.ScheduleAsync(5);
        var (code, reason, e) = await World.RefusedAsync(world.EnrollAsync(World.Wish(offering, "ZZZ")));
        Assert.Equal((StatusCode.InvalidArgument, "CODE_UNKNOWN", "country"), (code, reason, e.GetRpcStatus()!.GetDetail<ErrorInfo>()!.Metadata["field"]));
        var program = World.Wish(offering, "KEN");
        program.Funding.Program = "NOBODYS";
        (_, reason, e) = await World.RefusedAsync(world.EnrollAsync(program));
        Assert.Equal(("CODE_UNKNOWN", "funding.program"), (reason, e.GetRpcStatus()!.GetDetail<ErrorInfo>()!.Metadata["field"]));
        (_, reason, _) = await World.RefusedAsync(world.EnrollAsync(World.Wish(new Offering { Id = World.NewId() }, "KEN")));
        Assert.Equal("OFFERING_UNKNOWN", reason);
    }

    [Fact]
    public async Task All_that_is_wrong_with_a_request_is_told_at_once()
    {
        var request = new EnrollStudentRequest
        {
            RequestId = World.NewId(),
            Country = "KEN",
            OfferingId = World.NewId(),
            Funding = World.Wish(new Offering(), "KEN").Funding,
            StartDate = World.Today.AddDays(2).ToProto(),
            EndDate = World.Today.AddDays(1).ToProto(),
        };
        var (code, reason, e) = await World.RefusedAsync(world.Officer.Enrollment.EnrollStudentAsync(request).ResponseAsync);
        Assert.Equal((StatusCode.InvalidArgument, "INVALID_FIELDS"), (code, reason));
        Assert.Equal(["student_id", "end_date"], e.GetRpcStatus()!.GetDetail<BadRequest>()!.FieldViolations.Select(violation => violation.Field));
    }

    [Fact]
    public async Task A_student_is_in_one_place_at_a_time_also_under_parallel_calls()
    {
        var student = await world.StudentAsync("UGA");
        var offerings = new[] { await world.ScheduleAsync(5, startsIn: 30), await world.ScheduleAsync(5, startsIn: 60) };
        var answers = await Task.WhenAll(offerings.Select(async offering =>
        {
            var wish = World.Wish(offering, "UGA");
            wish.StudentId = student;
            try
            {
                return (await world.EnrollAsync(wish)).StudentId;
            }
            catch (RpcException e)
            {
                return e.GetRpcStatus()!.GetDetail<ErrorInfo>()!.Reason;
            }
        }));
        Assert.Equal([student, "STUDENT_BUSY"], answers.OrderBy(answer => answer == "STUDENT_BUSY"));
    }

    [Fact]
    public async Task A_later_line_may_follow_on_the_same_track()
    {
        var first = await world.EnrollAsync(World.Wish(await world.ScheduleAsync(5, startsIn: 10, days: 10), "TZA"));
        var wish = World.Wish(await world.ScheduleAsync(5, startsIn: 40), "TZA");
        wish.TrackId = first.TrackId;
        var second = await world.EnrollAsync(wish);
        Assert.Equal((first.TrackId, first.Wcn), (second.TrackId, second.Wcn));
        var (_, reason, _) = await World.RefusedAsync(world.EnrollAsync(new EnrollStudentRequest(wish) { RequestId = World.NewId(), Country = "KEN" }));
        Assert.Equal("TRACK_UNKNOWN", reason);
    }

    [Fact]
    public async Task An_external_id_names_one_line()
    {
        var wish = World.Wish(await world.ScheduleAsync(5), "RWA");
        wish.ExternalIds.Add(new ExternalId { Source = "san", Id = World.NewId() });
        var line = await world.EnrollAsync(wish);
        Assert.Equal(line, (await world.Officer.Enrollment.GetTrainingLineAsync(new GetTrainingLineRequest { ExternalId = wish.ExternalIds[0] })).Line);
        var (code, reason, e) = await World.RefusedAsync(world.EnrollAsync(new EnrollStudentRequest(wish) { RequestId = World.NewId() }));
        Assert.Equal((StatusCode.AlreadyExists, "EXTERNAL_ID_TAKEN", line.Id), (code, reason, e.GetRpcStatus()!.GetDetail<ErrorInfo>()!.Metadata["id"]));
        Assert.Equal(1, (await world.SeatsAsync(new Offering { Id = wish.OfferingId })).Taken);
    }

    [Fact]
    public async Task Another_countrys_line_is_as_none()
    {
        var offering = await world.ScheduleAsync(5);
        var line = await world.EnrollAsync(offering, "ETH");
        var stranger = world.Stack.Caller("attache", ["enrollment.read", "enrollment.write"], "ERI");
        async Task<string> Answer(string id)
        {
            var (code, _, e) = await World.RefusedAsync(stranger.Enrollment.GetTrainingLineAsync(new GetTrainingLineRequest { LineId = id }).ResponseAsync);
            Assert.Equal(StatusCode.NotFound, code);
            return $"{e.Status.Detail} {e.GetRpcStatus()!.GetDetail<ErrorInfo>()}";
        }
        Assert.Equal(await Answer(World.NewId()), await Answer(line.Id));
        Assert.Equal(StatusCode.NotFound, (await World.RefusedAsync(stranger.Enrollment.GetLineHistoryAsync(new GetLineHistoryRequest { LineId = line.Id }).ResponseAsync)).Code);
        Assert.Equal(StatusCode.NotFound, (await World.RefusedAsync(stranger.Enrollment.WithdrawTrainingLineAsync(
            new WithdrawTrainingLineRequest { RequestId = World.NewId(), LineId = line.Id, Etag = line.Etag, Reason = "No." }).ResponseAsync)).Code);
        Assert.Equal(StatusCode.NotFound, (await World.RefusedAsync(stranger.Enrollment.ReportArrivalAsync(
            new ReportArrivalRequest { RequestId = World.NewId(), LineId = line.Id, ArrivedOn = World.Today.ToProto() }).ResponseAsync)).Code);
        Assert.Empty((await stranger.Enrollment.ListTrainingLinesAsync(new ListTrainingLinesRequest { OfferingId = offering.Id })).Lines);
        Assert.Equal("COUNTRY_NOT_PERMITTED", (await World.RefusedAsync(stranger.Enrollment.EnrollStudentAsync(World.Wish(offering, "ETH")).ResponseAsync)).Reason);
        Assert.Equal("COUNTRY_NOT_PERMITTED", (await World.RefusedAsync(stranger.Enrollment.ListTrainingLinesAsync(new ListTrainingLinesRequest { Country = "ETH" }).ResponseAsync)).Reason);
    }

    [Fact]
    public async Task A_withdrawal_frees_the_seats_and_needs_the_etag_last_read()
    {
        var offering = await world.ScheduleAsync(5);
        var line = await world.EnrollAsync(offering, "MAR", 3);
        var request = new WithdrawTrainingLineRequest { RequestId = World.NewId(), LineId = line.Id, Etag = "\"9\"", Reason = "No longer wanted." };
        Assert.Equal("ETAG_MISMATCH", (await World.RefusedAsync(world.Officer.Enrollment.WithdrawTrainingLineAsync(request).ResponseAsync)).Reason);
        request.Etag = line.Etag;
        var withdrawn = (await world.Officer.Enrollment.WithdrawTrainingLineAsync(request)).Line;
        Assert.Equal((TrainingLine.Types.State.Cancelled, TrainingLine.Types.CancelCause.Withdrawn, 2L), (withdrawn.State, withdrawn.CancelCause, withdrawn.Version));
        Assert.Equal(0, (await world.SeatsAsync(offering)).Taken);
        Assert.Equal(withdrawn, (await world.Officer.Enrollment.WithdrawTrainingLineAsync(request)).Line);
        var again = new WithdrawTrainingLineRequest(request) { RequestId = World.NewId(), Etag = withdrawn.Etag };
        Assert.Equal("INVALID_TRANSITION", (await World.RefusedAsync(world.Officer.Enrollment.WithdrawTrainingLineAsync(again).ResponseAsync)).Reason);
    }

    [Fact]
    public async Task Lines_are_listed_by_start_date_a_page_at_a_time_each_once()
    {
        var offerings = new[] { await world.ScheduleAsync(10, startsIn: 50), await world.ScheduleAsync(10, startsIn: 45) };
        for (var i = 0; i < 7; i++)
            await world.EnrollAsync(offerings[i % 2], "ZMB");
        List<TrainingLine> listed = [];
        var request = new ListTrainingLinesRequest { Country = "ZMB", PageSize = 3, State = TrainingLine.Types.State.SeatConfirmed, StartFrom = World.Today.AddDays(40).ToProto() };
        do
        {
            var page = await world.Officer.Enrollment.ListTrainingLinesAsync(request);
            listed.AddRange(page.Lines);
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
        Assert.Equal(7, listed.DistinctBy(line => line.Id).Count());
        Assert.Equal(listed.OrderBy(line => line.StartDate.ToDateOnly()).ThenBy(line => line.Id, StringComparer.Ordinal).Select(line => line.Id), listed.Select(line => line.Id));
        Assert.Equal(7, listed.Count);
    }

    [Fact]
    public async Task Who_a_student_is_stands_in_its_own_table_alone()
    {
        const string canary = "Xylophonist";
        var unit = (await world.Officer.Enrollment.RegisterUnitAsync(new RegisterUnitRequest { RequestId = World.NewId(), Unit = new Unit { Country = "BWA", Name = "1 Infantry" } })).Unit;
        var personal = new PersonalData { Surname = canary, GivenNames = canary, Rank = canary, Service = canary, ServiceNumber = canary, PlaceOfBirth = canary, DateOfBirth = new DateOnly(1990, 1, 2).ToProto() };
        var request = new RegisterStudentRequest { RequestId = World.NewId(), Student = new Student { Country = "BWA", UnitId = unit.Id, Personal = personal } };
        var student = (await world.Officer.Enrollment.RegisterStudentAsync(request)).Student;
        Assert.Null(student.Personal);
        Assert.Equal(student, (await world.Officer.Enrollment.RegisterStudentAsync(request)).Student);
        var wish = World.Wish(await world.ScheduleAsync(5), "BWA");
        wish.StudentId = student.Id;
        await world.EnrollAsync(wish);

        Assert.Equal(personal, (await world.Officer.Enrollment.GetStudentAsync(new GetStudentRequest { StudentId = student.Id, View = StudentView.Full })).Student.Personal);
        Assert.Null((await world.Officer.Enrollment.GetStudentAsync(new GetStudentRequest { StudentId = student.Id })).Student.Personal);
        Assert.Null(Assert.Single((await world.Officer.Enrollment.ListStudentsAsync(new ListStudentsRequest { Country = "BWA" })).Students).Personal);
        var clerk = world.Stack.Caller("clerk", ["enrollment.read"]);
        Assert.Equal("SCOPE_REQUIRED", (await World.RefusedAsync(clerk.Enrollment.GetStudentAsync(new GetStudentRequest { StudentId = student.Id, View = StudentView.Full }).ResponseAsync)).Reason);

        var found = await world.SqlAsync<string>("""
            select string_agg(t.table_name, ', ') from information_schema.tables t
            where t.table_schema in ('enrollment', 'catalog', 'eligibility') and t.table_type = 'BASE TABLE'
              and (xpath('//n/text()', query_to_xml(format('select count(*) as n from %I.%I x where x::text like ''%%%s%%'' or x::text like ''%%%s%%''',
                   t.table_schema, t.table_name, @canary, @hex), false, true, '')))[1]::text::int > 0
            """, new { canary, hex = Convert.ToHexStringLower(System.Text.Encoding.UTF8.GetBytes(canary)) });
        Assert.Equal("student_personal", found);
        foreach (var service in world.Stack.Enrollment.Concat(world.Stack.CountryEligibility).Concat(world.Stack.CourseCatalog))
            Assert.DoesNotContain(canary, await File.ReadAllTextAsync(service.Log, Cancel), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_unit_is_registered_once_and_belongs_to_its_country()
    {
        var unit = new Unit { Country = "NAM", Name = "2 Engineers", ExternalIds = { new ExternalId { Source = "invest", Id = World.NewId() } } };
        var made = (await world.Officer.Enrollment.RegisterUnitAsync(new RegisterUnitRequest { RequestId = World.NewId(), Unit = unit })).Unit;
        Assert.Equal(made, (await world.Officer.Enrollment.GetUnitAsync(new GetUnitRequest { UnitId = made.Id })).Unit);
        Assert.Equal(made, Assert.Single((await world.Officer.Enrollment.ListUnitsAsync(new ListUnitsRequest { Country = "NAM" })).Units));
        var (_, reason, e) = await World.RefusedAsync(world.Officer.Enrollment.RegisterUnitAsync(
            new RegisterUnitRequest { RequestId = World.NewId(), Unit = new Unit { Country = "NAM", Name = unit.Name } }).ResponseAsync);
        Assert.Equal(("UNIT_NAME_TAKEN", made.Id), (reason, e.GetRpcStatus()!.GetDetail<ErrorInfo>()!.Metadata["id"]));
        (_, reason, _) = await World.RefusedAsync(world.Officer.Enrollment.RegisterStudentAsync(new RegisterStudentRequest
        {
            RequestId = World.NewId(), Student = new Student { Country = "AGO", UnitId = made.Id, Personal = new PersonalData { Surname = "Neto" } },
        }).ResponseAsync);
        Assert.Equal("UNIT_UNKNOWN", reason);
    }

    [Fact]
    public async Task History_verifies_and_nobody_who_runs_the_service_can_edit_it()
    {
        var line = await world.EnrollAsync(await world.ScheduleAsync(5, startsIn: 0, reportsIn: -1), "MOZ");
        await world.ArriveAsync(line, 1);
        line = await world.StartTrainingAsync(line);
        var entries = await world.HistoryAsync(line);
        Assert.Equal(["enrolled", "arrived", "started"], entries.Select(entry => entry.Change));
        Assert.All(entries, entry => Assert.Equal("officer", entry.Actor));
        Assert.Null(LineHistory.FirstBroken(Guid.Parse(line.Id), entries));

        foreach (var role in new[] { world.Stack.Database.Runtime("enrollment"), world.Stack.Database.Owner("enrollment"), world.Stack.Database.Administrator })
        {
            await using var connection = new NpgsqlConnection(role);
            await connection.OpenAsync(Cancel);
            foreach (var edit in new[] { "update enrollment.line_history set actor = 'x'", "delete from enrollment.line_history", "truncate enrollment.line_history" })
            {
                await using var command = new NpgsqlCommand(edit, connection);
                Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, (await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync(Cancel))).SqlState);
            }
        }
    }

    [Fact]
    public async Task The_database_itself_refuses_a_seat_too_many()
    {
        var offering = await world.ScheduleAsync(3);
        await world.EnrollAsync(offering, "MUS", 3);
        await using var connection = new NpgsqlConnection(world.Stack.Database.Runtime("enrollment"));
        await connection.OpenAsync(Cancel);
        await using var command = new NpgsqlCommand($"update enrollment.offerings set taken = taken + 1 where offering_id = '{offering.Id}'", connection);
        Assert.Equal("seats_never_oversold", (await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync(Cancel))).ConstraintName);
        command.CommandText = $"update enrollment.offerings set capacity = 2 where offering_id = '{offering.Id}'";
        Assert.Equal(1, await command.ExecuteNonQueryAsync(Cancel));
        Assert.True((await world.SeatsAsync(offering)).Overbooked);
    }

    [Fact]
    public async Task Without_the_catalogue_only_known_classes_go_on()
    {
        await using var alone = await World.StartAsync(servers, Cancel);
        var (known, unknown) = (await alone.ScheduleAsync(5), await alone.ScheduleAsync(5));
        await alone.EnrollAsync(known, "KEN");
        await alone.Stack.CourseCatalog[0].KillAsync(Cancel);
        await alone.EnrollAsync(known, "KEN");
        var (code, reason, _) = await World.RefusedAsync(alone.EnrollAsync(unknown, "KEN"));
        Assert.Equal((StatusCode.Unavailable, "DEPENDENCY_UNAVAILABLE"), (code, reason));
    }

    [Fact]
    public async Task Without_eligibility_nobody_is_enrolled_and_nothing_is_written()
    {
        await using var alone = await World.StartAsync(servers, Cancel);
        var offering = await alone.ScheduleAsync(5);
        await alone.EnrollAsync(offering, "KEN");
        await alone.Stack.CountryEligibility[0].KillAsync(Cancel);
        var (code, reason, e) = await World.RefusedAsync(alone.EnrollAsync(offering, "KEN"));
        Assert.Equal((StatusCode.Unavailable, "DEPENDENCY_UNAVAILABLE"), (code, reason));
        Assert.NotNull(e.GetRpcStatus()!.GetDetail<RetryInfo>());
        Assert.Equal(1, (await alone.SeatsAsync(offering)).Taken);
    }
}
