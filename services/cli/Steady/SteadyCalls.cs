using System.Collections.Concurrent;
using System.Diagnostics;
using Grpc.Core;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.V1;

namespace Imet.Cli.Steady;

/// <param name="Acknowledged">Seats that an answer said were given.</param>
/// <param name="Taken">Seats that the class counts at the end.</param>
public sealed record SteadyOutcome(long Calls, IReadOnlyDictionary<string, int> Failures, int Acknowledged, int Taken, TimeSpan Slowest)
{
    /// <summary>Nothing failed, and every acknowledged seat is there once.</summary>
    public bool IsAsPromised => Calls > 0 && Failures.Count == 0 && Acknowledged == Taken;
}

/// <summary>One question, one look at the catalogue and one seat in turn, in a class of this run alone, so that its seats can be counted.</summary>
public sealed class SteadyCalls(People people, TimeProvider clock)
{
    private const string Masl = "B900102";
    private const string Country = "COL";
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);
    private static readonly Person Scheduler = new("steady.scheduler", "catalog.read catalog.write", null);
    private static readonly Person Desk = new("steady.desk", "eligibility.read catalog.read enrollment.read enrollment.write", Country);

    public async Task<SteadyOutcome> RunAsync(int rate, TimeSpan duration, CancellationToken cancel)
    {
        var offering = await ClassAsync(cancel);
        var failures = new ConcurrentDictionary<string, int>();
        var running = new List<Task>();
        var (acknowledged, slowest, calls) = (0, 0L, 0L);
        var watch = Stopwatch.StartNew();
        // Each call has its moment, whether or not those before it are answered: a stack that stands still is not spared.
        for (; watch.Elapsed < duration && !cancel.IsCancellationRequested; calls++)
        {
            if (TimeSpan.FromSeconds((double)calls / rate) - watch.Elapsed is var ahead && ahead > TimeSpan.Zero)
                await Task.Delay(ahead, cancel);
            running.Add(CallAsync(calls));
        }
        await Task.WhenAll(running);
        var seats = (await people.As(Desk).Enrollment.GetOfferingSeatsAsync(new() { OfferingId = offering.Id }, cancellationToken: cancel)).Seats;
        return new SteadyOutcome(calls, failures, acknowledged, seats.Taken, TimeSpan.FromTicks(slowest));

        async Task CallAsync(long number)
        {
            var began = Stopwatch.GetTimestamp();
            try
            {
                await ((number % 3) switch { 0 => AskAsync(offering, cancel), 1 => LookAsync(offering, cancel), _ => EnrollAsync() });
            }
            catch (RpcException e)
            {
                failures.AddOrUpdate($"{e.StatusCode} {Refused.From(e).Reason} {e.Status.Detail}", 1, (_, count) => count + 1);
            }
            var took = Stopwatch.GetElapsedTime(began).Ticks;
            for (var seen = Volatile.Read(ref slowest); took > seen; seen = Volatile.Read(ref slowest))
                Interlocked.CompareExchange(ref slowest, took, seen);
        }

        async Task EnrollAsync()
        {
            var request = new EnrollStudentRequest { Country = Country, Headcount = 1, OfferingId = offering.Id, Funding = new() { Program = "IMET", Account = "IMET-1", FiscalYear = offering.Course.FiscalYear } };
            await people.As(Desk).Enrollment.EnrollStudentAsync(request.WithNewRequestId(), deadline: DateTime.UtcNow + Deadline, cancellationToken: cancel);
            Interlocked.Increment(ref acknowledged);
        }
    }

    private async Task AskAsync(Offering offering, CancellationToken cancel) => await people.As(Desk).CountryEligibility.EvaluateEligibilityAsync(new EvaluateEligibilityRequest
    {
        Question = new() { Country = Country, FundingProgram = "IMET", TrainingKind = offering.Course.TrainingKind, ImplementingAgency = offering.Course.ImplementingAgency, School = offering.Course.SchoolCode, MaslNumber = Masl, Place = Place.UnitedStates, Stage = Stage.New, StartDate = offering.StartDate },
    }, deadline: DateTime.UtcNow + Deadline, cancellationToken: cancel);

    private async Task LookAsync(Offering offering, CancellationToken cancel) =>
        await people.As(Desk).CourseCatalog.GetOfferingAsync(new GetOfferingRequest { OfferingId = offering.Id }, deadline: DateTime.UtcNow + Deadline, cancellationToken: cancel);

    private async Task<Offering> ClassAsync(CancellationToken cancel)
    {
        var catalog = people.As(Scheduler).CourseCatalog;
        var start = Washington.Today(clock).AddDays(60);
        var course = await catalog.GetCourseAsync(new GetCourseRequest { MaslNumber = Masl }, cancellationToken: cancel);
        var version = course.Versions.FirstOrDefault(each => each.FiscalYear == start.FiscalYear()) ?? throw new CouldNotRunException($"Course {Masl} has no version for FY{start.FiscalYear()}: load the sample first with imet seed.");
        var request = new CreateOfferingRequest { Offering = new() { CourseVersionId = version.Id, StartDate = start.ToProto(), EndDate = start.AddDays(9).ToProto(), Capacity = 10_000 } };
        return (await catalog.CreateOfferingAsync(request.WithNewRequestId(), cancellationToken: cancel)).Offering;
    }
}
