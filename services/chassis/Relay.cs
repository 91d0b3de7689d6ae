using System.Diagnostics.Metrics;
using Imet.Options.V1;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Imet.Chassis;

public sealed record RelaySettings
{
    public required Uri Broker { get; init; }
    /// <summary>Topic exchange of the service's events, e.g. "imet.enrollment.v1".</summary>
    public required string Exchange { get; init; }
    /// <summary>Routing keys (with * and #) of events that one of our own consumers must get: one that comes back stops its aggregate until it can be routed.</summary>
    public IReadOnlyList<string> RequiredRoutes { get; init; } = [];
    public TimeSpan HeartbeatEvery { get; init; } = TimeSpan.FromMinutes(1);
}

public static class RelayRegistration
{
    public static IServiceCollection AddRelay(this IServiceCollection services, RelaySettings settings) => services
        .AddSingleton(settings)
        .AddSingleton<RelayMeasures>()
        .AddHostedService<Relay>();
}

/// <summary>
/// Sends the events of a schema. Of all replicas one is active, by a lock that dies with its session; the others stand by and tell it of their commits.
/// </summary>
internal sealed partial class Relay(
    RelaySettings settings, DatabaseSettings database, Signals signals, RelayMeasures measures, TimeProvider clock, ILogger<Relay> log) : BackgroundService
{
    private const int BatchSize = 500;
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan MostPatience = TimeSpan.FromSeconds(5);
    // The longest wave takes five seconds more, and a holder silent for ten loses its session.
    private static readonly TimeSpan BatchLimit = TimeSpan.FromSeconds(2);

    private readonly Dictionary<string, (int Failures, DateTimeOffset Until)> _stopped = [];

    protected override async Task ExecuteAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await using var session = await OutboxSession.OpenAsync(database, stopping);
                await StandByAsync(session, stopping);
                await LeadAsync(session, stopping);
            }
            catch (Exception e) when (!stopping.IsCancellationRequested)
            {
                LogSessionLost(Faults.Describe(e));
                await Task.Delay(Poll, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch
            {
                return;
            }
        }
    }

    // A notification takes a lock that all of the server's commits share: one for many commits, and outside of them.
    private async Task StandByAsync(OutboxSession session, CancellationToken stopping)
    {
        while (!await session.TryLockAsync(stopping))
        {
            if (!await signals.Outbox.WaitAsync(2 * Poll, stopping))
                continue;
            await session.NotifyAsync(stopping);
            await Task.Delay(5, stopping);
        }
    }

    private async Task LeadAsync(OutboxSession session, CancellationToken stopping)
    {
        LogActive(database.Schema);
        measures.Active = true;
        using var leading = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var listening = ListenAsync(leading.Token);
        await using var broker = new Broker(settings, database, signals, log);
        _stopped.Clear();
        try
        {
            var settled = new Settlement();
            var chores = new Chores(clock);
            while (!stopping.IsCancellationRequested)
            {
                if (chores.IsDue("partitions", TimeSpan.FromHours(1)))
                    await ExtendAsync(session, stopping);
                if (chores.IsDue("beat", settings.HeartbeatEvery))
                    await session.BeatAsync(Beat, database.Service, clock, stopping);
                if (chores.IsDue("backlog", TimeSpan.FromSeconds(5)))
                    (measures.Pending, measures.OldestSeconds) = await session.BacklogAsync(stopping);

                var publisher = broker.Current;
                // Not given up half-way by a stop: what was confirmed is also written down.
                var (next, more) = await session.AdvanceAsync(settled, Stopped(), publisher is null ? 0 : BatchSize, CancellationToken.None);
                settled = publisher is null ? new Settlement() : await PublishAsync(publisher, next);
                if (!settled.IsEmpty)
                    await Failpoints.HitAsync("relay.between-confirm-and-mark");
                if (settled.IsEmpty && !(more && publisher is not null))
                    await signals.Outbox.WaitAsync(Poll, stopping);
            }
            await session.AdvanceAsync(settled, [], 0, CancellationToken.None);
        }
        finally
        {
            measures.Rest();
            await leading.CancelAsync();
            await listening;
        }
    }

    /// <summary>Sends in waves, each with at most one event of an aggregate and only after the one before it was confirmed.</summary>
    private async Task<Settlement> PublishAsync(Publisher publisher, List<Outgoing> events)
    {
        var settlement = new Settlement();
        var failed = new HashSet<string>();
        var began = clock.GetTimestamp();
        foreach (var wave in Waves(events))
        {
            wave.RemoveAll(e => failed.Contains(e.Key));
            if (wave.Count == 0 || !publisher.IsOpen || clock.GetElapsedTime(began) > BatchLimit)
                break;
            var outcomes = await publisher.PublishAsync(wave);
            foreach (var (e, outcome) in wave.Zip(outcomes))
                if (!Settle(settlement, e, outcome, clock.GetElapsedTime(began)))
                    failed.Add(e.Key);
        }
        return settlement;
    }

    private bool Settle(Settlement settlement, Outgoing e, Delivery outcome, TimeSpan took)
    {
        var required = outcome == Delivery.Returned && settings.RequiredRoutes.Any(pattern => Topic.Matches(pattern, e.RoutingKey));
        if (outcome == Delivery.Confirmed || (outcome == Delivery.Returned && !required))
        {
            settlement.Published.Add(e.Id);
            if (outcome == Delivery.Returned)
                settlement.Unrouted.Add(e.Id);
            _stopped.Remove(e.Key);
            measures.Sent(e.Type, outcome == Delivery.Returned, e.Age + took);
            return true;
        }
        settlement.Failed.Add((e.Id, outcome switch
        {
            Delivery.Returned => $"returned: no queue of ours is bound for {e.RoutingKey}",
            Delivery.Refused => "refused by the broker",
            Delivery.Unknown or Delivery.Confirmed => "not confirmed in time",
        }));
        measures.Failed(outcome);
        // An unknown outcome is the connection's fault: it is opened anew, with a back-off of its own.
        if (outcome != Delivery.Unknown)
        {
            var failures = _stopped.GetValueOrDefault(e.Key).Failures + 1;
            _stopped[e.Key] = (failures, clock.GetUtcNow() + BackOff.After(failures, MostPatience));
            LogStopped(e.Key, e.Id, outcome, failures);
        }
        return false;
    }

    private string[] Stopped()
    {
        measures.Stopped = _stopped.Count;
        if (_stopped.Count == 0)
            return [];
        var now = clock.GetUtcNow();
        return [.. _stopped.Where(stop => stop.Value.Until > now).Select(stop => stop.Key)];
    }

    private static List<List<Outgoing>> Waves(List<Outgoing> events)
    {
        var waves = new List<List<Outgoing>>();
        var depths = new Dictionary<string, int>(events.Count);
        foreach (var e in events)
        {
            var depth = depths.GetValueOrDefault(e.Key);
            depths[e.Key] = depth + 1;
            if (depth == waves.Count)
                waves.Add([]);
            waves[depth].Add(e);
        }
        return waves;
    }

    // There are two months to get this done, and a default partition after that: nothing waits for it.
    private async Task ExtendAsync(OutboxSession session, CancellationToken stopping)
    {
        try
        {
            await session.ExtendAsync(stopping);
        }
        catch (PostgresException e)
        {
            LogNotExtended(e.SqlState);
        }
    }

    private OutboundEvent Beat((long Beat, Guid Epoch, long Position) state) => new()
    {
        AggregateId = database.Service,
        AggregateVersion = state.Beat,
        Data = new Heartbeat { Service = database.Service, Epoch = state.Epoch.ToString(), Position = state.Position },
    };

    private async Task ListenAsync(CancellationToken leading)
    {
        while (!leading.IsCancellationRequested)
        {
            try
            {
                await using var session = await OutboxSession.OpenAsync(database, leading);
                await session.ListenAsync(leading);
                while (true)
                {
                    await session.WaitForNotificationAsync(leading);
                    signals.Outbox.Set();
                }
            }
            catch (Exception) when (!leading.IsCancellationRequested)
            {
                await Task.Delay(4 * Poll, leading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch
            {
                return;
            }
        }
    }

    [LoggerMessage(LogLevel.Information, "Sending the events of schema {Schema}")]
    private partial void LogActive(string schema);

    [LoggerMessage(LogLevel.Warning, "The relay lost its session, another replica may take over: {Fault}")]
    private partial void LogSessionLost(string fault);

    [LoggerMessage(LogLevel.Warning, "Partitions of the outbox could not be made ahead ({State}); tried again in an hour")]
    private partial void LogNotExtended(string state);

    [LoggerMessage(LogLevel.Warning, "{Aggregate} is stopped at event {EventId}: {Outcome}, attempt {Attempt}")]
    private partial void LogStopped(string aggregate, Guid eventId, Delivery outcome, int attempt);

    private sealed class Chores(TimeProvider clock)
    {
        private readonly Dictionary<string, long> _last = [];

        public bool IsDue(string chore, TimeSpan every)
        {
            if (_last.TryGetValue(chore, out var last) && clock.GetElapsedTime(last) < every)
                return false;
            _last[chore] = clock.GetTimestamp();
            return true;
        }
    }

    /// <summary>Keeps a publisher open without ever making the relay wait: numbering goes on while the broker is away.</summary>
    private sealed partial class Broker(RelaySettings settings, DatabaseSettings database, Signals signals, ILogger log) : IAsyncDisposable
    {
        private readonly CancellationTokenSource _closing = new();
        private Task<Publisher?>? _opening;
        private int _failures;

        public Publisher? Current
        {
            get
            {
                _opening ??= OpenAsync(TimeSpan.Zero);
                if (!_opening.IsCompleted)
                    return null;
                if (_opening.Result is { IsOpen: true } open)
                    return open;
                _opening = OpenAsync(BackOff.After(++_failures, TimeSpan.FromSeconds(2)), _opening.Result);
                return null;
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _closing.CancelAsync();
            if (_opening is not null && await _opening is { } publisher)
                await publisher.DisposeAsync();
            _closing.Dispose();
        }

        private async Task<Publisher?> OpenAsync(TimeSpan delay, Publisher? broken = null)
        {
            try
            {
                if (broken is not null)
                    await broken.DisposeAsync();
                await Task.Delay(delay, _closing.Token);
                var publisher = await Publisher.OpenAsync(settings.Broker, settings.Exchange, $"imet-{database.Service}-relay", _closing.Token);
                _failures = 0;
                return publisher;
            }
            catch (Exception e)
            {
                if (!_closing.IsCancellationRequested)
                    LogBrokerAway(log, e.Message);
                return null;
            }
            finally
            {
                signals.Outbox.Set();
            }
        }

        [LoggerMessage(LogLevel.Warning, "The broker can't be reached, events wait in the outbox: {Reason}")]
        private static partial void LogBrokerAway(ILogger log, string reason);
    }
}

internal sealed class RelayMeasures
{
    private readonly Counter<long> _published;
    private readonly Counter<long> _unrouted;
    private readonly Counter<long> _failed;
    private readonly Histogram<double> _delay;

    public RelayMeasures(IMeterFactory meters)
    {
        var meter = meters.Create("Imet");
        _published = meter.CreateCounter<long>("imet.outbox.published", description: "Events confirmed by the broker");
        _unrouted = meter.CreateCounter<long>("imet.outbox.unrouted", description: "Events confirmed that no queue wanted");
        _failed = meter.CreateCounter<long>("imet.outbox.failed", description: "Attempts to send that will be repeated");
        _delay = meter.CreateHistogram<double>("imet.outbox.delay", "s", "From the change to the broker's confirm",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60] });
        meter.CreateObservableGauge("imet.outbox.pending", () => Pending, description: "Events not yet sent, as the active relay counts them");
        meter.CreateObservableGauge("imet.outbox.oldest_age", () => OldestSeconds, "s", "Age of the oldest event not yet sent");
        meter.CreateObservableGauge("imet.outbox.stopped_aggregates", () => Stopped, description: "Aggregates whose next event can't be sent");
        meter.CreateObservableGauge("imet.relay.active", () => Active ? 1 : 0, description: "1 in the replica that sends");
    }

    public bool Active { get; set; }
    public long Pending { get; set; }
    public double OldestSeconds { get; set; }
    public int Stopped { get; set; }

    /// <summary>Another replica counts from now on.</summary>
    public void Rest() => (Active, Pending, OldestSeconds, Stopped) = (false, 0, 0, 0);

    public void Sent(string type, bool unrouted, TimeSpan delay)
    {
        _published.Add(1, new KeyValuePair<string, object?>("type", type));
        if (unrouted)
            _unrouted.Add(1);
        _delay.Record(delay.TotalSeconds);
    }

    public void Failed(Delivery outcome) => _failed.Add(1, new KeyValuePair<string, object?>("outcome", outcome.ToString()));
}
