using CsCheck;
using Grpc.Core;
using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Imet.Local;
using Imet.Testing;
using Xunit;
using static Imet.CourseCatalog.Tests.Catalog;
using Client = Imet.CourseCatalog.V1.CourseCatalogService.CourseCatalogServiceClient;

namespace Imet.CourseCatalog.Tests;

/// <summary>Random years of a catalogue, over a service whose clock moves on: whatever is edited, amended, retired, copied or published, what was read for a day that is past is read for it for ever.</summary>
public sealed class EditionModelTests(Servers servers)
{
    private enum Verb { Create, Edit, Amend, Retire, Open, Publish, Days }

    private sealed record Step(Verb Verb, int Course, bool Next, int Days);

    private static readonly Gen<Step[]> Steps = Gen.Select(Gen.Enum<Verb>(), Gen.Int[0, 2], Gen.Bool, Gen.Int[0, 4], (verb, course, next, days) => new Step(verb, course, next, days)).Array[5, 30];

    private static int _year = 2196;

    [Fact]
    public async Task What_a_past_day_said_never_changes_and_an_amendment_says_so_from_its_day_on()
    {
        var ahead = Path.Combine(servers.Folder, $"clock-{Guid.NewGuid():N}");
        var database = await servers.NewDatabaseAsync("catalog", typeof(CatalogStore).Assembly, Cancel);
        var ports = Ports.Free(2);
        await using var service = ServiceProcess.Start(servers, House.CourseCatalog, new HouseSettings
        {
            GrpcPort = ports[0], HttpPort = ports[1], Database = database.Runtime("catalog"), OwnerDatabase = null, Broker = await servers.NewBrokerVhostAsync(Cancel), KeysFile = servers.Tokens.KeysFile,
            TokenFile = null, CountryEligibility = "http://127.0.0.1:1", CourseCatalog = "http://127.0.0.1:1",
        }, new Dictionary<string, string?> { ["Clock__AheadFile"] = ahead });
        await service.WaitUntilReadyAsync(Cancel);
        var days = 0;
        var catalog = new Client(service.Invoker(servers.Tokens.Mint("model", ["catalog.read", "catalog.write", "catalog.publish"], [], Cli.Tokens.Audiences, TimeSpan.FromHours(12))));

        await Steps.SampleAsync(async steps =>
        {
            var year = Interlocked.Add(ref _year, -2);
            var courses = new List<string>();
            for (var i = 0; i < 3; i++)
                courses.Add((await catalog.CreateCourseAsync(new() { RequestId = NewId(), Course = new() { MaslNumber = Unique("T-") } }, cancellationToken: Cancel)).Course.Id);
            var past = new Dictionary<DateOnly, string>();
            var number = 0;
            foreach (var step in steps)
            {
                var today = Washington.Today(TimeProvider.System).AddDays(days);
                var at = step.Next ? year + 1 : year;
                var version = await ReadAsync(catalog, courses[step.Course], at, today.AddDays(400));
                switch (step.Verb)
                {
                    case Verb.Create:
                        await TriedAsync(() => catalog.CreateCourseVersionAsync(new() { RequestId = NewId(), CourseVersion = new() { CourseId = courses[step.Course], FiscalYear = at, Title = $"T{++number}" } }, cancellationToken: Cancel));
                        break;
                    case Verb.Edit when version is not null:
                        await TriedAsync(() => catalog.UpdateCourseVersionAsync(new() { RequestId = NewId(), CourseVersionId = version.Id, Etag = version.Etag, CourseVersion = Titled(version, ++number) }, cancellationToken: Cancel));
                        break;
                    case Verb.Amend when version is not null:
                        var (from, title) = (today.AddDays(step.Days), ++number);
                        var before = step.Days > 0 ? (await ReadAsync(catalog, courses[step.Course], at, from.AddDays(-1)))?.Title : null;
                        if (await TriedAsync(() => catalog.AmendCourseVersionAsync(
                            new() { RequestId = NewId(), CourseVersionId = version.Id, Etag = version.Etag, CourseVersion = Titled(version, title), EffectiveFrom = from.ToProto(), Reason = "r" }, cancellationToken: Cancel)))
                        {
                            Assert.Equal($"T{title}", (await ReadAsync(catalog, courses[step.Course], at, from))!.Title);
                            if (step.Days > 0)
                                Assert.Equal(before, (await ReadAsync(catalog, courses[step.Course], at, from.AddDays(-1)))?.Title);
                        }
                        break;
                    case Verb.Retire when version is not null:
                        await TriedAsync(() => catalog.RetireCourseVersionAsync(
                            new() { RequestId = NewId(), CourseVersionId = version.Id, Etag = version.Etag, EffectiveFrom = today.AddDays(step.Days).ToProto(), Reason = "r" }, cancellationToken: Cancel));
                        break;
                    case Verb.Open:
                        await OpenAsync(catalog, courses, year, at, today);
                        break;
                    case Verb.Publish:
                        await TriedAsync(() => catalog.PublishEditionAsync(new() { RequestId = NewId(), FiscalYear = at, Etag = "\"1\"" }, cancellationToken: Cancel));
                        break;
                    case Verb.Days:
                        past[today] = await ReadAllAsync(catalog, courses, year, today);
                        days += step.Days + 1;
                        await File.WriteAllTextAsync($"{ahead}.new", TimeSpan.FromDays(days).ToString(), Cancel);
                        File.Move($"{ahead}.new", ahead, overwrite: true);
                        await Task.Delay(100, Cancel);
                        break;
                    default:
                        break;
                }
            }
            foreach (var (day, said) in past)
                Assert.Equal(said, await ReadAllAsync(catalog, courses, year, day));
        }, iter: 30, threads: 1);
    }

    // What is copied says what the year before said at last, but for courses that the new year had already or that had left.
    private static async Task OpenAsync(Client catalog, IReadOnlyList<string> courses, int year, int at, DateOnly today)
    {
        var before = new Dictionary<string, (CourseVersion? Last, CourseVersion? Own)>();
        foreach (var course in courses)
            before[course] = (await ReadAsync(catalog, course, year, today.AddDays(400)), await ReadAsync(catalog, course, at, today.AddDays(400)));
        if (!await TriedAsync(() => catalog.OpenEditionAsync(new() { RequestId = NewId(), FiscalYear = at }, cancellationToken: Cancel)) || at == year)
            return;
        if (before.Values.All(one => one.Last is null))
            return;
        foreach (var (course, (last, own)) in before)
        {
            var now = await ReadAsync(catalog, course, at, today);
            Assert.Equal(own?.Title ?? (last is { Retired: false } ? last.Title : null), now?.Title);
        }
    }

    private static async Task<CourseVersion?> ReadAsync(Client catalog, string course, int year, DateOnly asOf)
    {
        try
        {
            return (await catalog.GetCourseVersionAsync(new() { CourseId = course, FiscalYear = year, AsOf = asOf.ToProto() }, cancellationToken: Cancel)).CourseVersion;
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.NotFound)
        {
            return null;
        }
    }

    // As it is told, but for the end, which is only known when something later is said.
    private static async Task<string> ReadAllAsync(Client catalog, IReadOnlyList<string> courses, int year, DateOnly asOf)
    {
        var said = new List<string>();
        foreach (var at in new[] { year, year + 1 })
        {
            foreach (var course in courses)
                said.Add(await ReadAsync(catalog, course, at, asOf) is { } version ? $"{version.Title} {version.Revision} {version.Retired} {version.EffectiveFrom}" : "nothing");
            said.AddRange((await catalog.ListCourseVersionsAsync(new() { FiscalYear = at, AsOf = asOf.ToProto() }, cancellationToken: Cancel)).CourseVersions.Where(v => courses.Contains(v.CourseId)).Select(v => v.Title));
        }
        return string.Join('\n', said);
    }

    private static CourseVersion Titled(CourseVersion version, int number)
    {
        var titled = version.Clone();
        titled.Title = $"T{number}";
        return titled;
    }

    private static async Task<bool> TriedAsync<T>(Func<AsyncUnaryCall<T>> call)
    {
        try
        {
            await call();
            return true;
        }
        catch (RpcException e) when (e.StatusCode is StatusCode.FailedPrecondition or StatusCode.AlreadyExists or StatusCode.Aborted or StatusCode.NotFound)
        {
            return false;
        }
    }
}
