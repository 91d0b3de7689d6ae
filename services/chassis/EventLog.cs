using System.Diagnostics.Metrics;
using System.Globalization;
using Dapper;
using Grpc.Core;
using Imet.Events.V1;
using Imet.Options.V1;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Imet.Chassis;

public sealed record EventLogSettings
{
    /// <summary>How often a watch without events says so.</summary>
    public TimeSpan HeartbeatEvery { get; init; } = TimeSpan.FromSeconds(15);
    /// <summary>After so long a watch ends: the caller comes back with a fresh token, and to another replica where there are new ones.</summary>
    public TimeSpan LongestWatch { get; init; } = TimeSpan.FromMinutes(10);
    /// <summary>A caller who does not read for so long is cut off.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(60);
    public int MostWatches { get; init; } = 200;
}

public static class EventLogRegistration
{
    public static IServiceCollection AddEventLog(this IServiceCollection services, EventLogSettings settings) => services
        .AddSingleton(settings)
        .AddSingleton<EventLogStore>()
        .AddSingleton<EventLogTail>()
        .AddSingleton<Watches>();
}

/// <summary>Where the log of events stands.</summary>
internal sealed record LogState(long Position, Guid Epoch, long PurgedPosition);

/// <summary>What a caller wants of the log, and may see of it.</summary>
internal sealed record LogFilter(string[]? Countries, string[]? Aggregates)
{
    public static LogFilter Of(Caller caller, IReadOnlyCollection<string> aggregates) => new(
        caller.Countries is { } countries ? [.. countries, CloudEvents.AllCountries] : null,
        aggregates.Count > 0 ? [.. aggregates] : null);
}

internal sealed class EventLogStore(Database database) : IDisposable
{
    // Positions have no gaps, so a window of them bounds the work of a call, whatever its filter leaves of it.
    private const int Window = 2000;
    // Clients of gRPC take messages of 4 MB, and one event has at most 1: two that cross this bound and what came before fit.
    public const int MostBytes = 1_000_000;

    private const string StateSql = "select position, epoch, purged_position from outbox_state";

    private const string PositionSql = """
        select position from outbox
        where id = @id and position is not null and (@Countries::text[] is null or country = any(@Countries))
        """;

    private const string ReadSql = """
        select position, routing_key, cloud_event, rows
        from (
            select *, sum(octet_length(cloud_event)) over (order by position) as bytes, count(*) over () as rows
            from (
                select position, routing_key, body as cloud_event from outbox
                where position > @after and position <= @upTo
                    and (@Countries::text[] is null or country = any(@Countries)) and (@Aggregates::text[] is null or aggregate = any(@Aggregates))
                order by position limit @limit
            ) as next
        ) as page
        where bytes - octet_length(cloud_event) < @MostBytes
        order by position
        """;

    // Those who follow the log leave most connections to those who write it.
    private readonly SemaphoreSlim _readers = new(4);

    public void Dispose() => _readers.Dispose();

    public Task<LogState> StateAsync(CancellationToken cancel) =>
        database.ReadAsync(c => c.QuerySingleAsync<LogState>(new CommandDefinition(StateSql, cancellationToken: cancel)), cancel);

    public Task<long?> PositionAsync(Guid id, LogFilter filter, CancellationToken cancel) =>
        database.ReadAsync(c => c.QuerySingleOrDefaultAsync<long?>(new CommandDefinition(PositionSql, new { id, filter.Countries }, cancellationToken: cancel)), cancel);

    /// <summary>The next events after a position, and the position up to which these are all.</summary>
    public async Task<(List<LoggedEvent> Events, long UpTo)> ReadAsync(long after, long latest, int limit, LogFilter filter, CancellationToken cancel)
    {
        var upTo = Math.Min(latest, after + Window);
        await _readers.WaitAsync(cancel);
        try
        {
            var rows = await database.ReadAsync(async c => (await c.QueryAsync<LoggedEvent, long, (LoggedEvent Event, long Rows)>(
                new CommandDefinition(ReadSql, new { after, upTo, filter.Countries, filter.Aggregates, limit, MostBytes }, cancellationToken: cancel),
                (e, rows) => (e, rows), splitOn: "rows")).AsList(), cancel);
            var isAll = rows.Count == 0 || (rows.Count < limit && rows.Count == rows[0].Rows);
            return (rows.ConvertAll(row => row.Event), isAll ? upTo : rows[^1].Event.Position);
        }
        finally
        {
            _readers.Release();
        }
    }
}

/// <summary>Looks for new positions on behalf of all who watch: one small query at a time, none when nobody watches.</summary>
internal sealed class EventLogTail(EventLogStore store, TimeProvider clock)
{
    private static readonly TimeSpan Every = TimeSpan.FromMilliseconds(100);

    private readonly Lock _gate = new();
    private Task<LogState>? _next;

    /// <summary>The state of the log, a moment from now.</summary>
    public Task<LogState> NextAsync()
    {
        lock (_gate)
            return _next is { IsCompleted: false } ? _next : _next = LookAsync();
    }

    private async Task<LogState> LookAsync()
    {
        await Task.Delay(Every, clock);
        return await store.StateAsync(CancellationToken.None);
    }
}

/// <summary>How many follow the log.</summary>
internal sealed class Watches
{
    private int _count;

    public Watches(IMeterFactory meters) => meters.Create("Imet").CreateObservableGauge("imet.events.watches", () => Count, description: "Callers who follow the log of events");

    public int Count => Volatile.Read(ref _count);

    public int Begin() => Interlocked.Increment(ref _count);

    public void End() => Interlocked.Decrement(ref _count);
}

/// <summary>The log of a service's events, served beside its own methods. A reader is served from the table, never from a buffer, so a slow one costs nothing.</summary>
internal sealed class EventLog(EventLogStore store, EventLogTail tail, EventLogSettings settings, Watches watches, Pages pages, IHostApplicationLifetime lifetime, TimeProvider clock) : EventService.EventServiceBase
{
    // A page is looked for in so many windows before one that is not full is answered.
    private const int WindowsAtOnce = 50;
    private const int Batch = 200;

    public override async Task<ListEventsResponse> ListEvents(ListEventsRequest request, ServerCallContext context)
    {
        var page = pages.Open(request, context);
        var filter = LogFilter.Of(Caller.Of(context), request.Aggregates);
        var state = await store.StateAsync(context.CancellationToken);
        var begin = request.AfterCase switch
        {
            _ when page.After is [var last] => Allowed(long.Parse(last, CultureInfo.InvariantCulture), state),
            ListEventsRequest.AfterOneofCase.AfterEventId => await PositionOfAsync(request.AfterEventId, filter, context),
            ListEventsRequest.AfterOneofCase.AfterPosition => Allowed(request.AfterPosition, state),
            _ => 0,
        };
        RequireEpoch(request.Epoch, state);

        var response = new ListEventsResponse { Position = state.Position, Epoch = state.Epoch.ToString() };
        var at = Math.Max(begin, state.PurgedPosition);
        for (var window = 0; window < WindowsAtOnce && response.Events.Count < page.Size && response.CalculateSize() < EventLogStore.MostBytes && at < state.Position; window++)
        {
            var (events, upTo) = await store.ReadAsync(at, state.Position, page.Size - response.Events.Count, filter, context.CancellationToken);
            response.Events.Add(events);
            at = upTo;
        }
        if (at < state.Position)
            response.NextPageToken = pages.Next(page, at.ToString(CultureInfo.InvariantCulture));
        return response;
    }

    public override async Task WatchEvents(WatchEventsRequest request, IServerStreamWriter<WatchEventsResponse> responseStream, ServerCallContext context)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        ending.CancelAfter(settings.LongestWatch);
        try
        {
            if (watches.Begin() > settings.MostWatches)
                throw Refusal.Of(CommonReason.Overloaded, $"{settings.MostWatches} watch already.").RetryAfter(TimeSpan.FromSeconds(10)).ToException();
            await FollowAsync(request, responseStream, context, ending.Token);
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested && !context.CancellationToken.IsCancellationRequested)
        {
            throw Refusal.Of(ErrorReason.WatchEnded, "Watch again after the last position that was read.").RetryAfter(TimeSpan.FromMilliseconds(250)).ToException();
        }
        finally
        {
            watches.End();
        }
    }

    private async Task FollowAsync(WatchEventsRequest request, IServerStreamWriter<WatchEventsResponse> responseStream, ServerCallContext context, CancellationToken ending)
    {
        var filter = LogFilter.Of(Caller.Of(context), request.Aggregates);
        var state = await store.StateAsync(ending);
        RequireEpoch(request.Epoch, state);
        var at = request.AfterCase switch
        {
            WatchEventsRequest.AfterOneofCase.AfterEventId => await PositionOfAsync(request.AfterEventId, filter, context),
            WatchEventsRequest.AfterOneofCase.AfterPosition => Math.Max(Allowed(request.AfterPosition, state), state.PurgedPosition),
            _ => state.Position,
        };
        var epoch = state.Epoch;
        await SendAsync([]);
        var spoke = clock.GetTimestamp();
        while (true)
        {
            RequireEpoch(epoch.ToString(), state);
            _ = Allowed(at, state);
            if (at < state.Position)
            {
                var (events, upTo) = await store.ReadAsync(at, state.Position, Batch, filter, ending);
                at = upTo;
                if (events.Count > 0)
                {
                    await SendAsync(events);
                    spoke = clock.GetTimestamp();
                }
            }
            if (clock.GetElapsedTime(spoke) >= settings.HeartbeatEvery)
            {
                await SendAsync([]);
                spoke = clock.GetTimestamp();
            }
            if (at >= state.Position)
                state = await tail.NextAsync().WaitAsync(ending);
        }

        async Task SendAsync(List<LoggedEvent> events)
        {
            try
            {
                await responseStream.WriteAsync(new WatchEventsResponse { Events = { events }, Position = at, Epoch = epoch.ToString() }, CancellationToken.None).WaitAsync(settings.Patience, clock, ending);
            }
            catch (TimeoutException)
            {
                throw Refusal.Of(ErrorReason.ReaderTooSlow, "Nothing was read for too long. Watch again after the last position that was read.").ToException();
            }
        }
    }

    private async Task<long> PositionOfAsync(string id, LogFilter filter, ServerCallContext context) =>
        await store.PositionAsync(Guid.Parse(id), filter, context.CancellationToken)
        ?? throw Refusal.Of(ErrorReason.EventUnknown, "The log has no such event: it was purged, is another service's, or is not yours to see.").ToException();

    private static long Allowed(long after, LogState state)
    {
        if (after > 0 && after < state.PurgedPosition)
            throw Refusal.Of(ErrorReason.EventsPurged, $"Events up to position {state.PurgedPosition} were purged.").With("purged_position", Text(state.PurgedPosition)).ToException();
        return after <= state.Position
            ? after
            : throw Refusal.Of(ErrorReason.PositionUnknown, $"The latest position is {state.Position}.").With("position", Text(state.Position)).ToException();
    }

    private static void RequireEpoch(string epoch, LogState state)
    {
        if (epoch.Length > 0 && Guid.Parse(epoch) != state.Epoch)
            throw Refusal.Of(ErrorReason.EpochChanged, "The database was restored since: positions of that epoch mean nothing any more.").With("epoch", state.Epoch.ToString()).ToException();
    }

    private static string Text(long position) => position.ToString(CultureInfo.InvariantCulture);
}
