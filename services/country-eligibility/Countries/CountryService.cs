using Grpc.Core;
using Imet.Chassis;
using Imet.CountryEligibility.V1;

namespace Imet.CountryEligibility;

public sealed partial class CountryEligibilityService
{
    public override async Task<GetCountryResponse> GetCountry(GetCountryRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(request.Country);
        var cancel = context.CancellationToken;
        var row = await database.ReadAsync(connection => CountryStore.FindAsync(connection, request.Country, cancel), cancel);
        return new GetCountryResponse { Country = row?.ToResource() ?? throw CountryDecisions.NoCountry().ToException() };
    }

    public override async Task<ListCountriesResponse> ListCountries(ListCountriesRequest request, ServerCallContext context)
    {
        var cancel = context.CancellationToken;
        var page = pages.Open(request, context);
        var rows = await database.ReadAsync(connection => CountryStore.ListAsync(connection, page.After is [var after] ? after : "", Permitted(context), page.Size + 1, cancel), cancel);
        var response = new ListCountriesResponse { Countries = { rows.Take(page.Size).Select(row => row.ToResource()) } };
        if (rows.Count > page.Size)
            response.NextPageToken = pages.Next(page, rows[page.Size - 1].Code);
        return response;
    }

    public override Task<CreateCountryResponse> CreateCountry(CreateCountryRequest request, ServerCallContext context) => WriteAsync(request, request.ValidateOnly, context, async tx =>
    {
        Caller.Of(context).Require(request.Country.Code);
        var cancel = context.CancellationToken;
        var country = CountryDecisions.Check(request.Country).OrThrow();
        var record = await store.LockRecordAsync(tx, cancel);
        var created = CountryDecisions.Create(country, await CountryStore.FindAsync(tx.Connection, country.Code, cancel), await CountryStore.TakenAsync(tx, country, cancel), record).OrThrow();
        if (!request.ValidateOnly)
        {
            CountryStore.Add(tx, created);
            Change(tx, record, created.Code, created.Revision, CountryEvents.Created(created, record));
        }
        return new CreateCountryResponse { Country = created.ToResource() };
    });

    public override Task<UpdateCountryResponse> UpdateCountry(UpdateCountryRequest request, ServerCallContext context) => WriteAsync(request, request.ValidateOnly, context, async tx =>
    {
        Caller.Of(context).Require(request.Country.Code);
        var cancel = context.CancellationToken;
        var country = CountryDecisions.Check(request.Country).OrThrow();
        var record = await store.LockRecordAsync(tx, cancel);
        var current = await CountryStore.FindAsync(tx.Connection, country.Code, cancel);
        var updated = CountryDecisions.Update(country, request.Etag, current, await CountryStore.TakenAsync(tx, country, cancel), record).OrThrow();
        if (!request.ValidateOnly)
        {
            CountryStore.Update(tx, updated);
            Change(tx, record, updated.Code, updated.Revision, CountryEvents.Updated(updated, record));
        }
        return new UpdateCountryResponse { Country = updated.ToResource() };
    });

    public override async Task<ResolveCountryNamesResponse> ResolveCountryNames(ResolveCountryNamesRequest request, ServerCallContext context)
    {
        var cancel = context.CancellationToken;
        var rows = await database.ReadAsync(connection => CountryStore.NamesAsync(connection, Permitted(context), cancel), cancel);
        var names = new CountryNames(rows, request.On?.ToDateOnly() ?? Washington.Today(clock));
        return new ResolveCountryNamesResponse { Names = { request.Names.Select(names.Resolve) } };
    }

    public override async Task<ListDesignationsResponse> ListDesignations(ListDesignationsRequest request, ServerCallContext context)
    {
        var cancel = context.CancellationToken;
        if (request.Country.Length > 0)
            Caller.Of(context).Require(request.Country);
        var page = pages.Open(request, context);
        (string, DateOnly, Guid)? after = page.After is [var country, var day, var id]
            ? (country, DateOnly.FromDayNumber(int.Parse(day, System.Globalization.CultureInfo.InvariantCulture)), Guid.Parse(id))
            : null;
        var filter = new DesignationFilter(request.Country.Length == 0 ? null : request.Country, CountryEvents.ToText(request.Kind), request.InForceOn?.ToDateOnly(),
            KnownTime(request.KnownTime), Permitted(context));
        var rows = await database.ReadAsync(connection => CountryStore.DesignationsAsync(connection, filter, after, page.Size + 1, cancel), cancel);
        var response = new ListDesignationsResponse { Designations = { rows.Take(page.Size).Select(row => row.ToResource()) } };
        if (rows.Count > page.Size && rows[page.Size - 1] is var last)
            response.NextPageToken = pages.Next(page, last.Country, $"{last.ValidFrom.DayNumber}", last.Id.ToString());
        return response;
    }

    public override Task<AddDesignationResponse> AddDesignation(AddDesignationRequest request, ServerCallContext context) => WriteAsync(request, request.ValidateOnly, context, async tx =>
    {
        var caller = Caller.Of(context);
        caller.Require(request.Designation.Country);
        var cancel = context.CancellationToken;
        if (CountryDecisions.CheckPeriod(request.Designation) is { } invalid)
            throw invalid.ToException();
        var record = await store.LockRecordAsync(tx, cancel);
        var row = request.Designation.ToRow(caller.Subject, record);
        var country = await CountryStore.FindAsync(tx.Connection, row.Country, cancel);
        var added = CountryDecisions.Add(row, country, await CountryStore.CurrentDesignationsAsync(tx, row.Country, row.Kind, cancel)).OrThrow();
        if (!request.ValidateOnly)
        {
            CountryStore.Add(tx, added);
            var revision = country!.Revision + 1;
            Change(tx, record, added.Country, revision, CountryEvents.Designated(added, revision, record));
        }
        return new AddDesignationResponse { Designation = added.ToResource() };
    });

    public override Task<EndDesignationResponse> EndDesignation(EndDesignationRequest request, ServerCallContext context) => WriteAsync(request, request.ValidateOnly, context, async tx =>
    {
        var cancel = context.CancellationToken;
        var record = await store.LockRecordAsync(tx, cancel);
        var current = await CountryStore.CurrentDesignationAsync(tx, Guid.Parse(request.DesignationId), Permitted(context), cancel);
        var others = current is null ? [] : await CountryStore.CurrentDesignationsAsync(tx, current.Country, current.Kind, cancel);
        var ended = CountryDecisions.End(current, request.Etag, request.ValidTo.ToDateOnly(), request.Source, Caller.Of(context).Subject, others, record).OrThrow();
        if (!request.ValidateOnly)
        {
            CountryStore.Add(tx, ended);
            var revision = (await CountryStore.FindAsync(tx.Connection, ended.Country, cancel))!.Revision + 1;
            Change(tx, record, ended.Country, revision, CountryEvents.Ended(ended, revision, record));
        }
        return new EndDesignationResponse { Designation = ended.ToResource() };
    });

    // What is only checked leaves no trace: no answer is stored for it either.
    private Task<TResponse> WriteAsync<TRequest, TResponse>(TRequest request, bool validateOnly, ServerCallContext context, Func<Transaction, Task<TResponse>> work)
        where TRequest : Google.Protobuf.IMessage<TRequest>
        where TResponse : Google.Protobuf.IMessage<TResponse>, new() =>
        validateOnly ? database.WriteAsync(work, context.CancellationToken) : writes.RunAsync(request, context, work);

    // A change of reference data is one of the record: replicas see it by its revision, callers by its event.
    private void Change(Transaction tx, RecordRow record, string country, long revision, OutboundEvent e)
    {
        store.Raise(tx, record.Revision + 1, record.RecordedAt, [(country, revision)]);
        tx.Publish(e);
        tx.AfterCommit(snapshot.Changed);
    }
}
