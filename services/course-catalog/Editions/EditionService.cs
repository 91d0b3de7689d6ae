using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Imet.Options.V1;

namespace Imet.CourseCatalog;

internal sealed partial class CourseCatalogService
{
    public override Task<OpenEditionResponse> OpenEdition(OpenEditionRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(EveryCountry);
        var (actor, cancel) = (Caller.Of(context).Subject, context.CancellationToken);
        return writes.RunAsync(request, context, async tx =>
        {
            var from = await EditionStore.YearBeforeAsync(tx.Connection, request.FiscalYear, cancel);
            var edition = await EditionStore.AddAsync(tx, new() { FiscalYear = request.FiscalYear, State = "OPEN", CopiedFrom = from, CopiedCount = 0, OpenedBy = actor, Version = 1 }, cancel)
                ?? throw Refusal.Of(ErrorReason.EditionExists, $"Fiscal year {request.FiscalYear} has an edition already.").ToException();
            if (from is { } year)
            {
                edition = edition with { CopiedCount = await EditionStore.CopyForwardAsync(tx, year, request.FiscalYear, Today, actor, () => Guid.CreateVersion7(clock.GetUtcNow()), cancel) };
                await EditionStore.CopiedAsync(tx, request.FiscalYear, edition.CopiedCount, cancel);
            }
            tx.Publish(EditionEvents.Opened(edition));
            return new OpenEditionResponse { Edition = edition.ToResource() };
        });
    }

    public override Task<PublishEditionResponse> PublishEdition(PublishEditionRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(EveryCountry);
        return writes.RunAsync(request, context, async tx =>
        {
            var edition = await EditionStore.LockAsync(tx, request.FiscalYear, context.CancellationToken);
            var published = await EditionStore.PublishAsync(tx, EditionDecisions.Publish(edition, request.Etag, Caller.Of(context).Subject).OrThrow(), context.CancellationToken);
            tx.Publish(EditionEvents.Published(published));
            return new PublishEditionResponse { Edition = published.ToResource() };
        });
    }

    public override async Task<ListEditionsResponse> ListEditions(ListEditionsRequest request, ServerCallContext context) => new()
    {
        Editions = { (await database.ReadAsync(connection => EditionStore.EditionsAsync(connection, context.CancellationToken), context.CancellationToken)).Select(row => row.ToResource()) },
    };

    public override async Task<ListEditionChangesResponse> ListEditionChanges(ListEditionChangesRequest request, ServerCallContext context)
    {
        var page = pages.Open(request, context);
        var cancel = context.CancellationToken;
        var (changes, rows) = await database.SnapshotAsync(async connection =>
        {
            var edition = await EditionStore.EditionAsync(connection, request.FiscalYear, cancel) ?? throw CatalogDecisions.NotFound("edition").ToException();
            var found = await EditionStore.ChangesAsync(connection, edition.CopiedFrom ?? 0, request.FiscalYear, page.After?[0] ?? "", page.Size + 1, cancel);
            Guid[] ids = [.. found.SelectMany(change => new[] { change.Before, change.After }).OfType<Guid>()];
            return (found, await EditionStore.LatestAsync(connection, ids, cancel));
        }, cancel);
        var (shown, next) = Cut(page, changes, last => [last.MaslNumber]);
        return new()
        {
            Changes = { shown.Select(change => EditionEvents.Change(change.MaslNumber, change.Before is { } before ? rows[before] : null, change.After is { } after ? rows[after] : null)) },
            NextPageToken = next,
        };
    }

    public override async Task<ListTuitionRatesResponse> ListTuitionRates(ListTuitionRatesRequest request, ServerCallContext context) => new()
    {
        TuitionRates = { await database.ReadAsync(connection => TuitionRateStore.RatesAsync(connection, context.CancellationToken), context.CancellationToken) },
    };

    public override Task<CreateTuitionRateResponse> CreateTuitionRate(CreateTuitionRateRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(EveryCountry);
        return writes.RunAsync(request, context, async tx => await TuitionRateStore.AddAsync(tx, request.TuitionRate, context.CancellationToken)
            ? new CreateTuitionRateResponse { TuitionRate = request.TuitionRate }
            : throw Refusal.Of(ErrorReason.TuitionRateExists, $"There is a rate {request.TuitionRate.Code} already.").ToException());
    }
}

internal static class EditionDecisions
{
    public static Outcome<EditionRow> Publish(EditionRow? edition, string etag, string actor) => edition switch
    {
        null => CatalogDecisions.NotFound("edition"),
        _ when etag != edition.Etag => Refusal.Of(CommonReason.EtagMismatch, "The edition has changed since it was read.").With("etag", edition.Etag),
        { IsPublished: true } => Refusal.Of(ErrorReason.EditionPublished, $"The catalogue of fiscal year {edition.FiscalYear} is published already.").With("fiscal_year", $"{edition.FiscalYear}"),
        _ => edition with { State = "PUBLISHED", PublishedBy = actor, Version = edition.Version + 1 },
    };
}

internal static class EditionEvents
{
    public static OutboundEvent Opened(EditionRow edition) => Event(edition, new EditionOpened { Edition = edition.ToResource() });

    public static OutboundEvent Published(EditionRow edition) => Event(edition, new EditionPublished { Edition = edition.ToResource() });

    public static CatalogEdition ToResource(this EditionRow row) => new()
    {
        FiscalYear = row.FiscalYear,
        State = CatalogEvents.Value<CatalogEdition.Types.State>(row.State),
        CopiedFrom = row.CopiedFrom ?? 0,
        CopiedCount = row.CopiedCount,
        OpenedBy = row.OpenedBy,
        OpenTime = CatalogEvents.Time(row.OpenedAt),
        PublishedBy = row.PublishedBy ?? "",
        PublishTime = row.PublishedAt is { } at ? Timestamp.FromDateTime(at) : null,
        Etag = row.Etag,
    };

    public static EditionChange Change(string maslNumber, CourseVersionRow? before, CourseVersionRow? after)
    {
        var change = new EditionChange
        {
            Kind = before is null ? EditionChange.Types.Kind.Added : after is null ? EditionChange.Types.Kind.Retired : EditionChange.Types.Kind.Changed,
            MaslNumber = maslNumber,
            Before = before?.ToResource(),
            After = after?.ToResource(),
        };
        if (before is not null && after is not null)
            change.Fields.Add(VersionDecisions.Differences(before, after));
        return change;
    }

    private static OutboundEvent Event(EditionRow edition, Google.Protobuf.IMessage data) => new() { AggregateId = $"{edition.FiscalYear}", AggregateVersion = edition.Version, Data = data };
}
