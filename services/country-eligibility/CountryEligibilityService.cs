using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.Options.V1;

namespace Imet.CountryEligibility;

/// <summary>Decisions and answers; countries and their designations stand in a room of their own.</summary>
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

    public override Task<ProposeDecisionResponse> ProposeDecision(ProposeDecisionRequest request, ServerCallContext context) => writes.RunAsync(request, context, async tx =>
    {
        var caller = Caller.Of(context);
        var cancel = context.CancellationToken;
        var decision = request.Decision.Clone();
        var facts = new ProposalFacts
        {
            LegalBases = (await store.LegalBasesAsync(tx.Connection, cancel)).ToDictionary(row => row.Code),
            FundingPrograms = (await store.FundingProgramsAsync(tx.Connection, cancel)).Select(row => row.Code).ToHashSet(),
            Current = await store.CurrentVersionsAsync(tx.Connection, decision.Lifts, cancel),
            Countries = new Dictionary<string, CountryRow>(),
        };
        facts = facts with
        {
            Countries = await store.CountriesAsync(tx.Connection,
                decision.Restrictions.Select(restriction => restriction.Country).Concat(facts.Current.Values.Select(restriction => restriction.Country)).Distinct(), cancel),
        };
        var countries = EligibilityDecisions.Propose(decision, facts, caller.Has("eligibility.history")).OrThrow();
        foreach (var country in countries)
            caller.Require(country);
        // Settled now, so that what is approved is what was read.
        foreach (var restriction in decision.Restrictions)
        {
            restriction.Id = Guid.CreateVersion7().ToString();
            restriction.DecisionId = "";
            restriction.KnownFromTime = null;
            restriction.KnownToTime = null;
            if (restriction.WindUp == WindUp.Unspecified)
                restriction.WindUp = EligibilityEvents.ToWindUp(facts.LegalBases[restriction.LegalBasis].DefaultWindUp);
        }
        var row = await store.AddDecisionAsync(tx, decision, countries, caller.Subject, cancel);
        return new ProposeDecisionResponse { Decision = row.ToResource() };
    });

    public override async Task<ApproveDecisionResponse> ApproveDecision(ApproveDecisionRequest request, ServerCallContext context)
    {
        var response = await writes.RunAsync(request, context, async tx =>
        {
            var cancel = context.CancellationToken;
            var id = Guid.Parse(request.DecisionId);
            var record = await store.LockRecordAsync(tx, cancel);
            var decision = await store.LockDecisionAsync(tx, id, Permitted(context), cancel) ?? throw EligibilityDecisions.NoDecision().ToException();
            var approval = EligibilityDecisions.Approve(decision, request.Etag, Caller.Of(context).Subject, new ApprovalFacts
            {
                Countries = await store.CountriesOfDecisionAsync(tx.Connection, id, cancel),
                Current = await store.CurrentVersionsAsync(tx.Connection, decision.Proposed.Lifts, cancel),
                Today = Washington.Today(clock),
                Record = record,
            }).OrThrow();

            store.Approve(tx, approval);
            var revisions = approval.Countries.Select(change => (change.Country, Revision: change.After(approval.IsAnnounced))).ToList();
            store.Raise(tx, approval.RecordRevision, approval.RecordedAt, revisions);
            if (approval.IsAnnounced)
            {
                foreach (var e in approval.Countries.SelectMany(change => EligibilityEvents.Of(decision, change, record.Epoch, approval.AnnouncedOn, approval.RecordedAt)))
                    tx.Publish(e);
            }
            foreach (var (country, day) in approval.Days.Select(row => (row.Country, row.Day)).Distinct())
                CountryDays.Add(due, tx, country, day);
            tx.AfterCommit(snapshot.Changed);
            await tx.FlushAsync(cancel);
            var approved = await store.LockDecisionAsync(tx, id, null, cancel);
            return new ApproveDecisionResponse
            {
                Decision = approved!.ToResource(),
                Revisions = { revisions.Select(country => new CountryRevision { Country = country.Country, Revision = country.Revision }) },
            };
        });
        // Who approves and then asks this replica must be answered from what was approved; all its countries entered the record together.
        var seen = response.Revisions[0];
        await snapshot.AtLeastAsync(seen.Country, seen.Revision, context.CancellationToken);
        return response;
    }

    public override Task<RejectDecisionResponse> RejectDecision(RejectDecisionRequest request, ServerCallContext context) => writes.RunAsync(request, context, async tx =>
    {
        var cancel = context.CancellationToken;
        var id = Guid.Parse(request.DecisionId);
        var decision = await store.LockDecisionAsync(tx, id, Permitted(context), cancel) ?? throw EligibilityDecisions.NoDecision().ToException();
        EligibilityDecisions.Reject(decision, request.Etag).OrThrow();
        store.Reject(tx, id, Caller.Of(context).Subject);
        await tx.FlushAsync(cancel);
        var rejected = await store.LockDecisionAsync(tx, id, null, cancel);
        return new RejectDecisionResponse { Decision = rejected!.ToResource() };
    });

    public override async Task<GetDecisionResponse> GetDecision(GetDecisionRequest request, ServerCallContext context)
    {
        var cancel = context.CancellationToken;
        var row = await database.ReadAsync(connection =>
            store.FindDecisionAsync(connection, Guid.Parse(request.DecisionId), SeesProposals(context), Washington.Today(clock), Permitted(context), cancel), cancel);
        return row is null ? throw EligibilityDecisions.NoDecision().ToException() : new GetDecisionResponse { Decision = row.ToResource() };
    }

    public override async Task<ListDecisionsResponse> ListDecisions(ListDecisionsRequest request, ServerCallContext context)
    {
        var cancel = context.CancellationToken;
        var page = pages.Open(request, context);
        Guid? after = page.After is [var last] ? Guid.Parse(last) : null;
        var country = request.Country.Length == 0 ? null : request.Country;
        var rows = await database.ReadAsync(connection => store.ListDecisionsAsync(connection, after, request.State.ToText(), SeesProposals(context), Washington.Today(clock),
            country, Permitted(context), page.Size + 1, cancel), cancel);
        var response = new ListDecisionsResponse { Decisions = { rows.Take(page.Size).Select(row => row.ToResource()) } };
        if (rows.Count > page.Size)
            response.NextPageToken = pages.Next(page, rows[page.Size - 1].Id.ToString());
        return response;
    }

    public override async Task<ListRestrictionsResponse> ListRestrictions(ListRestrictionsRequest request, ServerCallContext context)
    {
        var caller = Caller.Of(context);
        var cancel = context.CancellationToken;
        if (request.Country.Length > 0)
            caller.Require(request.Country);
        var page = pages.Open(request, context);
        (string, DateOnly, Guid)? after = page.After is [var afterCountry, var afterDate, var afterId]
            ? (afterCountry, DateOnly.FromDayNumber(int.Parse(afterDate, System.Globalization.CultureInfo.InvariantCulture)), Guid.Parse(afterId))
            : null;
        var known = KnownTime(request.KnownTime);
        var rows = await database.ReadAsync(connection => store.ListRestrictionsAsync(connection, known ?? DateTime.MaxValue, AnnouncedBy(caller, known),
            request.Country.Length == 0 ? null : request.Country, Permitted(context), request.InForceOn?.ToDateOnly(), after, page.Size + 1, cancel), cancel);
        var response = new ListRestrictionsResponse { Restrictions = { rows.Take(page.Size).Select(row => row.ToResource()) } };
        if (rows.Count > page.Size && rows[page.Size - 1] is var lastRow)
            response.NextPageToken = pages.Next(page, lastRow.Country, $"{lastRow.EffectiveFrom.DayNumber}", lastRow.Id.ToString());
        return response;
    }

    public override async Task<EvaluateEligibilityResponse> EvaluateEligibility(EvaluateEligibilityRequest request, ServerCallContext context)
    {
        var caller = Caller.Of(context);
        caller.Require(request.Question.Country);
        var picture = (request.MinRevision == 0
            ? snapshot.Current
            : await snapshot.AtLeastAsync(request.Question.Country, request.MinRevision, context.CancellationToken)).OrThrow();
        var on = request.On?.ToDateOnly() ?? Washington.Today(clock);
        var known = KnownTime(request.KnownTime);
        return new EvaluateEligibilityResponse { Verdict = Answer(request.Question, "question", picture, on, known, AnnouncedBy(caller, known)) };
    }

    public override async Task<BatchEvaluateEligibilityResponse> BatchEvaluateEligibility(BatchEvaluateEligibilityRequest request, ServerCallContext context)
    {
        var caller = Caller.Of(context);
        foreach (var question in request.Questions)
            caller.Require(question.Country);
        foreach (var demand in request.MinRevisions)
            (await snapshot.AtLeastAsync(demand.Country, demand.Revision, context.CancellationToken)).OrThrow();
        // One picture for all: the answers are of one moment. It never grows older, so it still holds every revision demanded.
        var picture = snapshot.Current.OrThrow();
        var on = request.On?.ToDateOnly() ?? Washington.Today(clock);
        var known = KnownTime(request.KnownTime);
        var announcedBy = AnnouncedBy(caller, known);
        var response = new BatchEvaluateEligibilityResponse();
        for (var i = 0; i < request.Questions.Count; i++)
            response.Verdicts.Add(Answer(request.Questions[i], $"questions[{i}]", picture, on, known, announcedBy));
        return response;
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

    private Verdict Answer(Question question, string path, Picture picture, DateOnly on, DateTime? known, DateOnly? announcedBy)
    {
        var country = picture.Countries.GetValueOrDefault(question.Country);
        if (EligibilityDecisions.CheckQuestion(question, path, country, picture.FundingPrograms, on) is { } refusal)
            throw refusal.ToException();
        // The database's clock, which stamps the record, may be ahead of ours: what the picture holds is known.
        var now = clock.GetUtcNow().UtcDateTime;
        var knownAt = known ?? (country!.RecordedAt > now ? country.RecordedAt : now);
        return Evaluation.Evaluate(question, country!, new Viewpoint(on, knownAt, announcedBy));
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
