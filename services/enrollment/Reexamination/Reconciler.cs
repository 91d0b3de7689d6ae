using Imet.Chassis;
using Imet.Enrollment.Countries;
using Imet.Enrollment.Offerings;

namespace Imet.Enrollment.Reexamination;

/// <summary>
/// Compares what is known here with what the owners have, and makes the work that a lost event would have made. It also makes each country's work once a day, since rules change by date alone.
/// </summary>
public sealed partial class Reconciler(
    Database database,
    TimeProvider clock,
    IConfiguration settings,
    EnrollmentFacts facts,
    CountryStore countries,
    CountryLearning learning,
    OfferingStore offerings,
    DueWork dueWork,
    ILogger<Reconciler> log) : BackgroundService
{
    private const int BatchSize = 1000;

    private readonly TimeSpan _interval = settings.GetValue("Reconciliation:Interval", TimeSpan.FromSeconds(30));

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(_interval, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            await TryAsync("country-eligibility", CompareCountriesAsync, stoppingToken);
            await TryAsync("course-catalog", CompareOfferingsAsync, stoppingToken);
        }
    }

    public async Task CompareCountriesAsync(CancellationToken cancel)
    {
        var known = await database.ReadAsync(connection => countries.AllSeenAsync(connection, cancel), cancel);
        if (known.Count == 0)
            return;
        var today = Washington.Today(clock);
        var revisions = await facts.RevisionsAsync(cancel);
        foreach (var (country, seen) in known)
        {
            if (revisions.TryGetValue(country, out var revision) && revision.IsNewsTo(seen.Seen) && await learning.LearnAsync(country, revision, cancel))
                Missed("country", country);
            else if (seen.ExaminedOn is not { } examined || examined < today)
                await AddCountryAsync(country, cancel);
        }
    }

    public async Task CompareOfferingsAsync(CancellationToken cancel)
    {
        var today = Washington.Today(clock);
        var after = Guid.Empty;
        while (await database.ReadAsync(connection => offerings.WatchedAsync(connection, today, after, BatchSize, cancel), cancel) is [.., var last] page)
        {
            var versions = await facts.OfferingVersionsAsync(page.Select(offering => offering.Id), cancel);
            foreach (var (id, version) in page)
            {
                if (!versions.TryGetValue(id, out var current) || current <= version)
                    continue;
                Missed("offering", id.ToString());
                await AddAsync(OfferingReexamination.Kind, id.ToString(), cancel);
            }
            after = last.Id;
        }
    }

    // Vetting and examinations run out by date alone, as rules do.
    private async Task AddCountryAsync(string country, CancellationToken cancel)
    {
        await AddAsync(CountryReexamination.Kind, country, cancel);
        await AddAsync(GateReexamination.Kind, country, cancel);
    }

    private Task<bool> AddAsync(string kind, string key, CancellationToken cancel) => database.WriteAsync(tx =>
    {
        dueWork.Add(tx, kind, key);
        return Task.FromResult(true);
    }, cancel);

    private async Task TryAsync(string peer, Func<CancellationToken, Task> compare, CancellationToken cancel)
    {
        try
        {
            await compare(cancel);
        }
        catch (Exception e) when (!cancel.IsCancellationRequested)
        {
            NotCompared(peer, e);
        }
    }

    [LoggerMessage(LogLevel.Warning, "A change of {Kind} {Key} was not heard of by event")]
    private partial void Missed(string kind, string key);

    [LoggerMessage(LogLevel.Warning, "What is known here could not be compared with {Peer}")]
    private partial void NotCompared(string peer, Exception e);
}
