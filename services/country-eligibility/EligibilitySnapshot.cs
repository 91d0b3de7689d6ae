using System.Collections.Frozen;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Imet.CountryEligibility;

/// <summary>The whole record at one revision. Never changed: a newer one takes its place.</summary>
public sealed record Picture
{
    public required long Revision { get; init; }
    public required Guid Epoch { get; init; }
    public required FrozenDictionary<string, CountryRecord> Countries { get; init; }
    public required FrozenDictionary<string, LegalBasisRow> LegalBases { get; init; }
    public required FrozenSet<string> FundingPrograms { get; init; }
}

/// <summary>Holds this replica's picture of the record and keeps it young, so that a question costs no round trip. Who reads it takes no lock.</summary>
public sealed class EligibilitySnapshot : IDisposable
{
    public static readonly TimeSpan PollEvery = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan StaleAfter = TimeSpan.FromSeconds(5);

    private readonly Database _database;
    private readonly EligibilityStore _store;
    private readonly TimeProvider _clock;
    private readonly SemaphoreSlim _oneRefresh = new(1, 1);
    private readonly Signal _changed = new();
    private volatile Picture? _picture;
    private long _refreshedAt;

    public EligibilitySnapshot(Database database, EligibilityStore store, TimeProvider clock)
    {
        (_database, _store, _clock) = (database, store, clock);
        Telemetry.Meter.CreateObservableGauge("imet.eligibility.snapshot.age", () => Age.TotalSeconds, "s", "Time since this replica last saw the record.");
        Telemetry.Meter.CreateObservableGauge("imet.eligibility.snapshot.revision", () => _picture?.Revision ?? 0, description: "The record's revision as this replica sees it.");
    }

    private TimeSpan Age => _picture is null ? TimeSpan.MaxValue : _clock.GetElapsedTime(Volatile.Read(ref _refreshedAt));

    /// <summary>The picture, unless it is too old to answer from: who can't see a suspension must not say that there is none.</summary>
    public Outcome<Picture> Current => _picture is { } picture && Age <= StaleAfter
        ? picture
        : Refusal.Of(ErrorReason.SnapshotStale, "This replica has lost sight of the record; another may answer.").RetryAfter(PollEvery);

    /// <summary>The picture with at least this revision of a country. Looks once at the record itself where the picture is behind.</summary>
    public async ValueTask<Outcome<Picture>> AtLeastAsync(string country, long revision, CancellationToken cancel)
    {
        if (Current is not { IsAccepted: true } current)
            return Current;
        if (Sees(current.Value, unknown: false))
            return current;
        await RefreshAsync(cancel);
        return Current is { IsAccepted: true } fresh && Sees(fresh.Value, unknown: true)
            ? fresh
            : Refusal.Of(ErrorReason.RevisionNotYetSeen, $"Revision {revision} of {country} is not in the record as this replica sees it.")
                .With("country", country).RetryAfter(PollEvery);

        // A country that this replica does not know may have just been added; one that the record does not know either is the question's mistake.
        bool Sees(Picture picture, bool unknown) => picture.Countries.TryGetValue(country, out var record) ? record.Revision >= revision : unknown;
    }

    /// <summary>After a commit of this process: look now, not at the next poll.</summary>
    public void Changed() => _changed.Set();

    public Task WaitAsync(CancellationToken cancel) => _changed.WaitAsync(PollEvery, cancel);

    public async Task RefreshAsync(CancellationToken cancel)
    {
        await _oneRefresh.WaitAsync(cancel);
        try
        {
            // From before the look: what is committed while it lasts may be missing from it.
            var lookedAt = _clock.GetTimestamp();
            var seen = _picture;
            var record = await _database.ReadAsync(connection => _store.RecordAsync(connection, cancel), cancel);
            if (seen is null || seen.Epoch != record.Epoch)
                _picture = await LoadAsync(cancel);
            else if (seen.Revision != record.Revision)
                _picture = await LoadChangesAsync(seen, cancel);
            Volatile.Write(ref _refreshedAt, lookedAt);
        }
        finally
        {
            _oneRefresh.Release();
        }
    }

    public void Dispose() => _oneRefresh.Dispose();

    private Task<Picture> LoadAsync(CancellationToken cancel) => _database.SnapshotAsync(async connection =>
    {
        var bases = (await _store.LegalBasesAsync(connection, cancel)).ToFrozenDictionary(row => row.Code);
        var programs = (await _store.FundingProgramsAsync(connection, cancel)).Select(row => row.Code).ToFrozenSet();
        var record = await _store.RecordAsync(connection, cancel);
        var changed = await _store.ChangedAsync(connection, -1, cancel);
        return new Picture
        {
            Revision = record.Revision,
            Epoch = record.Epoch,
            LegalBases = bases,
            FundingPrograms = programs,
            Countries = changed.Countries.Select(row => CountryRecord.Of(row, changed.Restrictions[row.Code], changed.Reliefs[row.Code], record.Epoch.ToString(), bases)).ToFrozenDictionary(country => country.Code),
        };
    }, cancel);

    private Task<Picture> LoadChangesAsync(Picture seen, CancellationToken cancel) => _database.SnapshotAsync(async connection =>
    {
        var record = await _store.RecordAsync(connection, cancel);
        var changed = await _store.ChangedAsync(connection, seen.Revision, cancel);
        var countries = new Dictionary<string, CountryRecord>(seen.Countries);
        foreach (var row in changed.Countries)
            countries[row.Code] = CountryRecord.Of(row, changed.Restrictions[row.Code], changed.Reliefs[row.Code], record.Epoch.ToString(), seen.LegalBases);
        return seen with { Revision = record.Revision, Countries = countries.ToFrozenDictionary() };
    }, cancel);
}

/// <summary>Looks at the record's revision four times a second, and loads only what changed.</summary>
public sealed partial class SnapshotPolling(EligibilitySnapshot snapshot, ILogger<SnapshotPolling> log) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var failing = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await snapshot.RefreshAsync(stoppingToken);
                if (failing)
                    Recovered();
                failing = false;
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                if (!failing)
                    Failing(e);
                failing = true;
            }
            await snapshot.WaitAsync(stoppingToken);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The record can't be read; questions are refused when the picture is older than 5 s.")]
    private partial void Failing(Exception e);

    [LoggerMessage(Level = LogLevel.Information, Message = "The record can be read again.")]
    private partial void Recovered();
}

public sealed class SnapshotReadiness(EligibilitySnapshot snapshot) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(snapshot.Current.IsAccepted ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("SNAPSHOT_STALE"));
}
