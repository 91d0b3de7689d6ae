using System.Text;
using Dapper;
using Google.Rpc;
using Grpc.Core;
using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.Bars;
using Imet.Enrollment.V1;
using Imet.Testing;
using Npgsql;
using Xunit;
using Date = Google.Type.Date;
using State = Imet.Enrollment.V1.TrainingLine.Types.State;

namespace Imet.Enrollment.Tests;

[Collection(InOneWorld.Name)]
public sealed class PeopleTests(Servers servers, SharedWorld shared)
{
    private readonly World world = shared.World;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private V1.EnrollmentService.EnrollmentServiceClient Enrollment => world.Officer.Enrollment;

    [Fact]
    public async Task Personal_data_is_read_only_by_its_own_scope_and_its_writes_answer_id_and_etag()
    {
        var unit = await world.UnitAsync("FJI");
        var student = new Student { Country = "FJI", UnitId = unit, Personal = Somebody("Rabuka"), ExternalIds = { new ExternalId { Source = "SAN", Id = World.NewId() } } };
        var made = (await Enrollment.RegisterStudentAsync(new RegisterStudentRequest { RequestId = World.NewId(), Student = student })).Student;
        Assert.Equal(new Student { Id = made.Id, Etag = "\"1\"" }, made);
        student.Personal.Rank = "Major";
        var changed = (await Enrollment.UpdateStudentAsync(new UpdateStudentRequest { RequestId = World.NewId(), StudentId = made.Id, Etag = made.Etag, Student = student })).Student;
        Assert.Equal(new Student { Id = made.Id, Etag = "\"2\"" }, changed);
        Assert.Equal("ETAG_MISMATCH", (await World.RefusedAsync(Enrollment.UpdateStudentAsync(
            new UpdateStudentRequest { RequestId = World.NewId(), StudentId = made.Id, Etag = made.Etag, Student = student }).ResponseAsync)).Reason);

        var full = (await Enrollment.GetStudentAsync(new GetStudentRequest { ExternalId = student.ExternalIds[0], View = StudentView.Full })).Student;
        Assert.Equal((student.Personal, unit, made.Id), (full.Personal, full.UnitId, full.Id));
        var clerk = world.Stack.Caller("clerk", ["enrollment.read"]).Enrollment;
        Assert.Null((await clerk.GetStudentAsync(new GetStudentRequest { StudentId = made.Id })).Student.Personal);
        Assert.Equal("SCOPE_REQUIRED", (await World.RefusedAsync(clerk.GetStudentAsync(new GetStudentRequest { StudentId = made.Id, View = StudentView.Full }).ResponseAsync)).Reason);
        Assert.Equal(StatusCode.NotFound, (await World.RefusedAsync(world.Stack.Caller("attache", ["enrollment.read"], "TON").Enrollment.GetStudentAsync(new GetStudentRequest { StudentId = made.Id }).ResponseAsync)).Code);

        student.Personal.Sex = "Q";
        student.Personal.Citizenship = "fji";
        var (_, reason, e) = await World.RefusedAsync(Enrollment.UpdateStudentAsync(new UpdateStudentRequest { RequestId = World.NewId(), StudentId = made.Id, Etag = changed.Etag, Student = student }).ResponseAsync);
        Assert.Equal(("INVALID_FIELDS", "student.personal.sex, student.personal.citizenship"), (reason, string.Join(", ", e.GetRpcStatus()!.GetDetail<BadRequest>()!.FieldViolations.Select(field => field.Field))));
    }

    [Fact]
    public async Task Units_change_by_etag_and_are_found_by_their_id_in_another_system()
    {
        var unit = new Unit { Country = "TON", Name = $"Guard {World.NewId()}", ExternalIds = { new ExternalId { Source = "INVEST", Id = World.NewId() } } };
        var made = (await Enrollment.RegisterUnitAsync(new RegisterUnitRequest { RequestId = World.NewId(), Unit = unit })).Unit;
        unit.Name += ", 2nd company";
        var changed = (await Enrollment.UpdateUnitAsync(new UpdateUnitRequest { RequestId = World.NewId(), UnitId = made.Id, Etag = made.Etag, Unit = unit })).Unit;
        Assert.Equal((unit.Name, "\"2\""), (changed.Name, changed.Etag));
        Assert.Equal(changed, (await Enrollment.GetUnitAsync(new GetUnitRequest { ExternalId = unit.ExternalIds[0] })).Unit);
        Assert.Equal("ETAG_MISMATCH", (await World.RefusedAsync(Enrollment.UpdateUnitAsync(new UpdateUnitRequest { RequestId = World.NewId(), UnitId = made.Id, Etag = made.Etag, Unit = unit }).ResponseAsync)).Reason);
    }

    [Theory]
    // Case, accents, order, hyphens, apostrophes
    [InlineData("Müller-Lüdenscheidt", "Jörg", "MULLER LUDENSCHEIDT", "jorg")]
    [InlineData("N'Diaye", "Ibrahima", "Ndiaye", "IBRAHIMA")]
    [InlineData("Nguyễn", "Văn Hùng", "Hung Van", "Nguyen")]
    [InlineData("Đặng", "Østergård", "Dang", "Ostergard")]
    // Cyrillic, Greek and full-width letters that look like Latin ones
    [InlineData("Mu\u0308ller", "I\u0307smail", "MÜLLER", "ismail")]
    [InlineData("РОМЕО", "Тома", "POMEO", "TOMA")]
    [InlineData("ΚΑΤΟ", "Ｍａｒｋ", "KATO", "MARK")]
    public void A_name_is_the_same_however_it_is_written(string surname, string given, string otherSurname, string otherGiven) =>
        Assert.Equal(PersonKeys.Of(Person(surname, given)), PersonKeys.Of(Person(otherSurname, otherGiven)));

    [Fact]
    public void Numbers_are_the_same_where_no_reader_can_tell_them_apart_and_different_names_countries_and_birthdays_stay_apart()
    {
        Assert.Equal(PersonKeys.Of(new Identity("MLI", "", "", null, "AO-10 22l", "")), PersonKeys.Of(new Identity("MLI", "", "", null, "ao1O221", "")));
        Assert.Empty(PersonKeys.Of(new Identity("MLI", "Keita", "Modibo", null, "", " - ")));
        Identity[] others = [Person("Keita", "Modibo") with { Country = "GIN" }, Person("Keita", "Modibo") with { DateOfBirth = new DateOnly(1980, 1, 2) }, Person("Keita", "Moussa"), Person("Keyta", "Modibo")];
        Assert.All(others, other => Assert.Empty(PersonKeys.Of(other).Intersect(PersonKeys.Of(Person("Keita", "Modibo")))));
    }

    [Fact]
    public async Task A_bar_matches_whoever_was_registered_before_and_after_and_refuses_the_seat_under_every_program()
    {
        var before = await RegisterAsync("WSM", Somebody("Tuimaleali'ifano"));
        var written = Somebody("TUIMALEALIIFANO");
        written.ServiceNumber = written.PassportNumber = "";
        var bar = await BarAsync("WSM", written);
        Assert.Equal([before.Id], bar.Bar.StudentIds);
        var after = await RegisterAsync("WSM", Somebody("Tuimalealiʼifano"));
        Assert.Equal([bar.Bar.Id], after.MatchedBarIds);
        var offering = await world.ScheduleAsync(5);
        foreach (var (student, program) in new[] { (before, "IMET"), (after, "FMS") })
        {
            var wish = World.Wish(offering, "WSM");
            (wish.StudentId, wish.Funding.Program) = (student.Id, program);
            var (_, reason, e) = await World.RefusedAsync(world.EnrollAsync(wish));
            Assert.Equal(("PERSON_BARRED", bar.Bar.Id), (reason, e.GetRpcStatus()!.GetDetail<ErrorInfo>()!.Metadata["bar_ids"]));
        }
        var ended = await Enrollment.EndPersonBarAsync(new EndPersonBarRequest
        {
            RequestId = World.NewId(), BarId = bar.Bar.Id, Etag = bar.Bar.Etag, Until = World.Today.AddDays(-1).ToProto(), Document = "A ruling",
        });
        Assert.Equal("\"2\"", ended.Bar.Etag);
        Assert.Equal(State.SeatConfirmed, (await world.EnrollStudentAsync(offering, before.Id, "WSM")).State);
        Assert.Null(Assert.Single((await Enrollment.ListPersonBarsAsync(new ListPersonBarsRequest { Country = "WSM" })).Bars).Identity);
        Assert.Equal("TUIMALEALIIFANO", Assert.Single((await Enrollment.ListPersonBarsAsync(new ListPersonBarsRequest { Country = "WSM", View = StudentView.Full })).Bars).Identity.Surname);
    }

    [Fact]
    public async Task A_bar_and_a_flag_hold_lines_with_orders_at_once_and_let_them_go()
    {
        var student = await RegisterAsync("KIR", Somebody("Tong"));
        var line = await world.EnrollStudentAsync(await world.ScheduleAsync(5), student.Id, "KIR");
        await world.ClearAsync(student.Id);
        line = await world.IssueOrdersAsync(line);
        var bar = await BarAsync("KIR", Somebody("Tong"));
        var touched = Assert.Single(bar.Lines);
        Assert.Equal((line.Id, "BARS_AND_FLAGS"), (touched.Line.Id, Assert.Single(touched.Line.Holds).SourceId));
        Assert.NotEmpty(touched.Addressees);
        Assert.Empty(Assert.Single((await EndAsync(bar.Bar)).Lines).Line.Holds);

        var flag = await Enrollment.AddUnitFlagAsync(new AddUnitFlagRequest
        {
            RequestId = World.NewId(), Flag = new UnitFlag { UnitId = await world.UnitOfAsync(student.Id), Cause = "A report", From = World.Today.ToProto(), Document = "A cable" },
        });
        Assert.Equal(line.Id, Assert.Single(flag.Lines).Line.Id);
        Assert.Equal(flag.Flag, Assert.Single((await Enrollment.ListUnitFlagsAsync(new ListUnitFlagsRequest { Country = "KIR" })).Flags));
        var over = await Enrollment.EndUnitFlagAsync(new EndUnitFlagRequest { RequestId = World.NewId(), FlagId = flag.Flag.Id, Etag = flag.Flag.Etag, Until = World.Today.ToProto(), Document = "An inquiry" });
        Assert.Empty(over.Lines);
        Assert.NotEmpty((await world.GetAsync(line.Id)).Holds);
    }

    [Fact]
    public async Task A_disenrolled_person_who_is_registered_anew_is_refused_under_every_program()
    {
        var first = await RegisterAsync("TUV", Somebody("Sopoaga"));
        await Enrollment.DisenrollStudentAsync(new DisenrollStudentRequest { RequestId = World.NewId(), StudentId = first.Id, EndedOn = World.Today.ToProto(), Cause = "Conduct", Document = "A board" });
        var again = Somebody("SOPOAGA");
        again.PassportNumber = "Q9O9O9";
        var second = await RegisterAsync("TUV", again);
        Assert.Single(second.MatchedBarIds);
        foreach (var program in new[] { "IMET", "FMS", "CTFP" })
        {
            var wish = World.Wish(await world.ScheduleAsync(5), "TUV");
            (wish.StudentId, wish.Funding.Program) = (second.Id, program);
            Assert.Equal("PERSON_BARRED", (await World.RefusedAsync(world.EnrollAsync(wish))).Reason);
        }
    }

    [Fact]
    public async Task A_bar_and_a_student_recorded_at_the_same_moment_find_each_other()
    {
        for (var round = 0; round < 10; round++)
        {
            var person = Somebody($"Person {World.NewId()}");
            var (bar, student) = (BarAsync("NRU", person), RegisterAsync("NRU", person));
            await Task.WhenAll(bar, student);
            Assert.Contains((await bar).Bar.Id, (await Enrollment.GetStudentAsync(new GetStudentRequest { StudentId = (await student).Id })).Student.MatchedBarIds);
        }
    }

    [Fact]
    public async Task A_purge_deletes_values_and_salts_but_no_entry_and_waits_for_the_last_line()
    {
        var student = await RegisterAsync("PLW", Somebody("Remengesau"));
        var line = await world.EnrollStudentAsync(await world.ScheduleAsync(5, startsIn: 90), student.Id, "PLW");
        PurgeStudentRequest Request() => new() { RequestId = World.NewId(), StudentId = student.Id, Etag = student.Etag, Reason = "No longer needed." };
        var (_, reason, e) = await World.RefusedAsync(Enrollment.PurgeStudentAsync(Request()).ResponseAsync);
        Assert.Equal(("STUDENT_IN_USE", line.Id), (reason, e.GetRpcStatus()!.GetDetail<ErrorInfo>()!.Metadata["line_id"]));
        await Enrollment.WithdrawTrainingLineAsync(new WithdrawTrainingLineRequest { RequestId = World.NewId(), LineId = line.Id, Etag = line.Etag, Reason = "Another will go." });
        Assert.Equal("SCOPE_REQUIRED", (await World.RefusedAsync(world.Stack.Caller("clerk", ["enrollment.personal", "enrollment.write"]).Enrollment.PurgeStudentAsync(Request()).ResponseAsync)).Reason);
        await Enrollment.PurgeStudentAsync(Request());
        var purged = (await Enrollment.GetStudentAsync(new GetStudentRequest { StudentId = student.Id, View = StudentView.Full })).Student;
        Assert.Null(purged.Personal);
        Assert.NotNull(purged.PurgeTime);
        var left = await world.SqlAsync<long>("select (select count(*) from enrollment.student_personal where student_id = @id) + (select count(*) from enrollment.person_keys where owner_id = @id) + (select count(*) from enrollment.audit_salts where resource_id = @id)", new { id = Guid.Parse(student.Id) });
        Assert.Equal((0, 2L), (left, await world.SqlAsync<long>("select count(*) from enrollment.audit_entries where resource_id = @id", new { id = Guid.Parse(student.Id) })));
        Assert.Equal("STUDENT_PURGED", (await World.RefusedAsync(Enrollment.UpdateStudentAsync(new UpdateStudentRequest
        {
            RequestId = World.NewId(), StudentId = student.Id, Etag = purged.Etag, Student = new Student { Country = "PLW", Personal = Somebody("Remengesau") },
        }).ResponseAsync)).Reason);
    }

    [Fact]
    public async Task Who_is_outlived_is_purged_by_the_retention_job()
    {
        await using var alone = await World.StartAsync(servers, Cancel, ("Retention__Years", "5"), ("Retention__Every", "00:00:01"));
        var (old, recent) = (await alone.StudentAsync("FSM", "Old"), await alone.StudentAsync("FSM", "Recent"));
        await alone.SqlAsync<int>("update enrollment.students set recorded_at = now() - interval '6 years' where student_id = @id", new { id = Guid.Parse(old) });
        await Eventually.TrueAsync(async () => (await alone.Officer.Enrollment.GetStudentAsync(new GetStudentRequest { StudentId = old })).Student.PurgeTime is not null, Cancel);
        Assert.Null((await alone.Officer.Enrollment.GetStudentAsync(new GetStudentRequest { StudentId = recent })).Student.PurgeTime);
    }

    [Fact]
    public async Task Planted_personal_data_is_found_nowhere_outside_its_tables()
    {
        await using var alone = await World.StartAsync(servers, Cancel);
        await using var subscriber = await Subscriber.StartAsync(alone.Stack.Broker, Cancel, "imet.enrollment.v1");
        var officer = alone.Officer.Enrollment;
        var canary = Somebody("Kanarienvogel");
        canary.GivenNames = "Zwitschernd";
        (canary.Rank, canary.Service, canary.PlaceOfBirth, canary.UsEquivalentRank) = ("Rangkanarie", "Dienstkanarie", "Ortkanarie", "Usrangkanarie");
        (canary.ServiceNumber, canary.PassportNumber, canary.VisaNumber) = ("SNKANARIE77", "PPKANARIE88", "VVKANARIE99");
        var request = new RegisterStudentRequest { RequestId = World.NewId(), Student = new Student { Country = "MHL", Personal = canary } };
        var made = (await officer.RegisterStudentAsync(request)).Student;
        await officer.RegisterStudentAsync(request);
        // What goes wrong must not tell either: another body, a duplicate, a field too long.
        await World.RefusedAsync(officer.RegisterStudentAsync(new RegisterStudentRequest(request) { Student = new Student { Country = "MHL", Personal = Somebody("Kanarienvogel") } }).ResponseAsync);
        var tooLong = new PersonalData(canary) { Surname = string.Concat(Enumerable.Repeat("Kanarienvogel", 20)) };
        var (_, _, refused) = await World.RefusedAsync(officer.RegisterStudentAsync(new RegisterStudentRequest { RequestId = World.NewId(), Student = new Student { Country = "MHL", Personal = tooLong } }).ResponseAsync);
        Assert.DoesNotContain("anarie", $"{refused.Status.Detail} {refused.GetRpcStatus()}", StringComparison.OrdinalIgnoreCase);
        await officer.UpdateStudentAsync(new UpdateStudentRequest { RequestId = World.NewId(), StudentId = made.Id, Etag = made.Etag, Student = new Student { Country = "MHL", Personal = canary } });
        await officer.AddPersonBarAsync(new AddPersonBarRequest { RequestId = World.NewId(), Bar = Bar("MHL", canary) });
        await officer.DisenrollStudentAsync(new DisenrollStudentRequest { RequestId = World.NewId(), StudentId = made.Id, EndedOn = World.Today.ToProto(), Cause = "Conduct", Document = "A board" });
        await subscriber.WaitForAsync(e => e.RoutingKey == "person-bar.added.MHL", Cancel);

        await using var connection = new NpgsqlConnection(alone.Stack.Database.Administrator);
        var tables = await connection.QueryAsync<(string Schema, string Name)>("select schemaname, tablename from pg_tables where schemaname in ('enrollment', 'catalog', 'eligibility')");
        List<string> found = [];
        foreach (var (schema, table) in tables)
        {
            // Values as text and the bytes of messages as they lie there: a name in a stored message is found by both.
            var sql = $"""select exists (select from {schema}."{table}" t where t::text ~* 'anarie|zwitschernd' or t::text ~* '{Hex("anarie")}|{Hex("witschernd")}|{Hex("ANARIE")}')""";
            if (await connection.ExecuteScalarAsync<bool>(sql))
                found.Add(table);
        }
        Assert.Equal(["person_bar_identities", "person_keys", "student_personal"], found.Order());
        Assert.All(subscriber.Received, e => Assert.DoesNotContain("anarie", e.Body.GetRawText(), StringComparison.OrdinalIgnoreCase));
        foreach (var service in alone.Stack.Enrollment)
            Assert.DoesNotContain("anarie", File.ReadAllText(service.Log), StringComparison.OrdinalIgnoreCase);
    }

    private static string Hex(string text) => Convert.ToHexStringLower(Encoding.UTF8.GetBytes(text));

    private static Identity Person(string surname, string given) => new("MLI", surname, given, new DateOnly(1980, 1, 1), "", "");

    private static PersonalData Somebody(string surname) => new()
    {
        Surname = surname, GivenNames = "Sitiveni", Rank = "Captain", Service = "Army", ServiceNumber = $"S-{surname.Length}{surname[0]}{surname[^1]}", DateOfBirth = new Date { Year = 1990, Month = 5, Day = 17 }, PlaceOfBirth = "Suva, Fiji",
        Sex = "M", UsEquivalentRank = "Captain", UsGrade = "O-3", PassportNumber = $"P{surname.Length}{surname[0]}{surname[^1]}", Citizenship = "FJI", VisaNumber = "V 123", VisaType = "A-2",
    };

    private static PersonBar Bar(string country, PersonalData person) => new()
    {
        Country = country,
        Identity = new BarredIdentity { Surname = person.Surname, GivenNames = person.GivenNames, DateOfBirth = person.DateOfBirth, ServiceNumber = person.ServiceNumber, PassportNumber = person.PassportNumber },
        Cause = "A finding",
        From = World.Today.AddDays(-10).ToProto(),
        Document = "A cable",
    };

    private async Task<Student> RegisterAsync(string country, PersonalData personal) => (await Enrollment.RegisterStudentAsync(
        new RegisterStudentRequest { RequestId = World.NewId(), Student = new Student { Country = country, UnitId = await world.UnitAsync(country), Personal = personal } })).Student;

    private async Task<AddPersonBarResponse> BarAsync(string country, PersonalData person) => await Enrollment.AddPersonBarAsync(new AddPersonBarRequest { RequestId = World.NewId(), Bar = Bar(country, person) });

    private async Task<EndPersonBarResponse> EndAsync(PersonBar bar) => await Enrollment.EndPersonBarAsync(
        new EndPersonBarRequest { RequestId = World.NewId(), BarId = bar.Id, Etag = bar.Etag, Until = World.Today.AddDays(-1).ToProto(), Document = "A ruling" });
}
