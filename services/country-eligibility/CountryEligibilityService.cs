using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.Options.V1;

namespace Imet.CountryEligibility;

/// <summary>Reference data, and who may see what; countries, decisions, answers and timelines stand in rooms of their own.</summary>
public sealed partial class CountryEligibilityService(Database database, Writes writes, Pages pages, DueWork due, EligibilityStore store, EligibilitySnapshot snapshot, TimeProvider clock)
    : V1.CountryEligibilityService.CountryEligibilityServiceBase
{
    private const string Unannounced = "eligibility.unannounced";
    // A known time a little ahead is the difference between two clocks; more is a mistake.
    private static readonly TimeSpan ClockDifference = TimeSpan.FromSeconds(5);

    public override async Task<ListLegalBasesResponse> ListLegalBases(ListLegalBasesRequest request, ServerCallContext context)
    {
        var rows = await database.ReadAsync(connection => store.LegalBasesAsync(connection, context.CancellationToken), context.CancellationToken);
        return new ListLegalBasesResponse { LegalBases = { rows.Select(row => row.ToResource()) } };
    }

    public override async Task<ListFundingProgramsResponse> ListFundingPrograms(ListFundingProgramsRequest request, ServerCallContext context)
    {
        var rows = await database.ReadAsync(connection => store.FundingProgramsAsync(connection, context.CancellationToken), context.CancellationToken);
        return new ListFundingProgramsResponse { FundingPrograms = { rows.Select(row => row.ToResource()) } };
    }

    public override async Task<ListCountryRevisionsResponse> ListCountryRevisions(ListCountryRevisionsRequest request, ServerCallContext context)
    {
        var cancel = context.CancellationToken;
        return await database.SnapshotAsync(async connection => new ListCountryRevisionsResponse
        {
            Epoch = (await store.RecordAsync(connection, cancel)).Epoch.ToString(),
            Revisions = { await store.RevisionsAsync(connection, Permitted(context), cancel) },
        }, cancel);
    }

    private DateTime? KnownTime(Timestamp? asked)
    {
        if (asked is null)
            return null;
        var known = asked.ToDateTime();
        return known <= clock.GetUtcNow().UtcDateTime + ClockDifference
            ? known
            : throw Refusal.Of(CommonReason.InvalidFields, "The record can be had as it was known in the past, not in the future.")
                .Field("known_time", "Must not lie in the future; leave it out for now.").ToException();
    }

    // What is announced is judged at the known time: an answer of that day is given again as it was given then.
    private DateOnly? AnnouncedBy(Caller caller, DateTime? known) =>
        caller.Has(Unannounced) ? null : known is { } time ? Washington.DateOf(time) : Washington.Today(clock);

    private static bool SeesProposals(ServerCallContext context) =>
        Caller.Of(context) is var caller && (caller.Has(Unannounced) || caller.Has("eligibility.propose") || caller.Has("eligibility.approve"));

    private static string[]? Permitted(ServerCallContext context) => Caller.Of(context).Countries is { } countries ? [.. countries] : null;
}
