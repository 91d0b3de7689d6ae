using Grpc.Core;
using Imet.Chassis;
using Imet.CountryEligibility.V1;

namespace Imet.CountryEligibility;

public sealed partial class CountryEligibilityService
{
    public override Task<ProposeDecisionResponse> ProposeDecision(ProposeDecisionRequest request, ServerCallContext context) => writes.RunAsync(request, context, async tx =>
    {
        var caller = Caller.Of(context);
        var cancel = context.CancellationToken;
        var record = await store.RecordAsync(tx.Connection, cancel);
        var facts = await DecisionStore.FactsAsync(tx.Connection, request.Decision, NotBefore(record, clock.GetUtcNow().UtcDateTime), Washington.Today(clock), cancel);
        RequireAll(caller, facts);
        var proposal = DecisionRules.Propose(request.Decision, await KnownCodesAsync(tx, cancel), facts, caller.Has("eligibility.history")).OrThrow();
        var row = await DecisionStore.AddAsync(tx, proposal.Decision, proposal.Countries, caller.Subject, emergency: false, cancel);
        return new ProposeDecisionResponse { Decision = row.ToResource() };
    });

    public override async Task<ApproveDecisionResponse> ApproveDecision(ApproveDecisionRequest request, ServerCallContext context)
    {
        var response = await writes.RunAsync(request, context, async tx =>
        {
            var cancel = context.CancellationToken;
            var record = await store.LockRecordAsync(tx, cancel);
            var decision = await LockAsync(tx, request.DecisionId, context);
            var facts = await DecisionStore.FactsAsync(tx.Connection, decision.Proposed, record, Washington.Today(clock), cancel);
            var approver = Caller.Of(context).Subject;
            var enactment = DecisionRules.Approve(decision, request.Etag, approver, request.ImpactPreview, facts).OrThrow();
            var revisions = Enact(tx, decision, enactment, facts, approver, null, request.ImpactPreview?.Etag);
            return new ApproveDecisionResponse { Decision = await ReadAsync(tx, decision.Id, cancel), Revisions = { revisions } };
        });
        await SeeAsync(response.Revisions, context);
        return response;
    }

    public override Task<RejectDecisionResponse> RejectDecision(RejectDecisionRequest request, ServerCallContext context) => writes.RunAsync(request, context, async tx =>
    {
        var decision = await LockAsync(tx, request.DecisionId, context);
        DecisionRules.Reject(decision, request.Etag).OrThrow();
        DecisionStore.Reject(tx, decision.Id, Caller.Of(context).Subject);
        return new RejectDecisionResponse { Decision = await ReadAsync(tx, decision.Id, context.CancellationToken) };
    });

    public override Task<WithdrawDecisionResponse> WithdrawDecision(WithdrawDecisionRequest request, ServerCallContext context) => writes.RunAsync(request, context, async tx =>
    {
        var decision = await LockAsync(tx, request.DecisionId, context);
        DecisionRules.Withdraw(decision, request.Etag, Caller.Of(context).Subject).OrThrow();
        DecisionStore.Withdraw(tx, decision.Id, decision.ProposedBy);
        return new WithdrawDecisionResponse { Decision = await ReadAsync(tx, decision.Id, context.CancellationToken) };
    });

    public override async Task<DecideInEmergencyResponse> DecideInEmergency(DecideInEmergencyRequest request, ServerCallContext context)
    {
        var response = await writes.RunAsync(request, context, async tx =>
        {
            var caller = Caller.Of(context);
            var cancel = context.CancellationToken;
            var record = await store.LockRecordAsync(tx, cancel);
            var facts = await DecisionStore.FactsAsync(tx.Connection, request.Decision, record, Washington.Today(clock), cancel);
            RequireAll(caller, facts);
            var proposal = DecisionRules.ProposeInEmergency(request.Decision, await KnownCodesAsync(tx, cancel), facts).OrThrow();
            var decision = await DecisionStore.AddAsync(tx, proposal.Decision, proposal.Countries, caller.Subject, emergency: true, cancel);
            var enactment = DecisionRules.AsIfApproved(decision, facts).OrThrow();
            var confirmBy = record.RecordedAt + DecisionRules.TimeToConfirm;
            var revisions = Enact(tx, decision, enactment, facts, caller.Subject, confirmBy, null);
            EmergencyLapse.Add(due, tx, decision.Id, confirmBy);
            return new DecideInEmergencyResponse { Decision = await ReadAsync(tx, decision.Id, cancel), Revisions = { revisions } };
        });
        await SeeAsync(response.Revisions, context);
        return response;
    }

    public override Task<ConfirmEmergencyDecisionResponse> ConfirmEmergencyDecision(ConfirmEmergencyDecisionRequest request, ServerCallContext context) => writes.RunAsync(request, context, async tx =>
    {
        var cancel = context.CancellationToken;
        var record = await store.LockRecordAsync(tx, cancel);
        var decision = await LockAsync(tx, request.DecisionId, context);
        var by = Caller.Of(context).Subject;
        DecisionRules.Confirm(decision, request.Etag, by, record.RecordedAt).OrThrow();
        DecisionStore.Confirm(tx, decision.Id, by, record.RecordedAt);
        var countries = await store.CountriesAsync(tx.Connection, await DecisionStore.CountriesOfAsync(tx.Connection, decision.Id, cancel), cancel);
        foreach (var country in countries.Values)
            tx.Publish(DecisionEvents.Confirmed(decision, country.Code, country.Revision + 1, record));
        store.Raise(tx, record.Revision + 1, record.RecordedAt, countries.Values.Select(country => (country.Code, country.Revision + 1)));
        tx.AfterCommit(snapshot.Changed);
        return new ConfirmEmergencyDecisionResponse { Decision = await ReadAsync(tx, decision.Id, cancel) };
    });

    public override async Task<GetDecisionResponse> GetDecision(GetDecisionRequest request, ServerCallContext context)
    {
        var cancel = context.CancellationToken;
        var row = await database.ReadAsync(connection =>
            DecisionStore.FindAsync(connection, Guid.Parse(request.DecisionId), SeesProposals(context), Washington.Today(clock), Permitted(context), cancel), cancel);
        return row is null ? throw DecisionRules.NoDecision().ToException() : new GetDecisionResponse { Decision = row.ToResource() };
    }

    public override async Task<ListDecisionsResponse> ListDecisions(ListDecisionsRequest request, ServerCallContext context)
    {
        var cancel = context.CancellationToken;
        var page = pages.Open(request, context);
        Guid? after = page.After is [var last] ? Guid.Parse(last) : null;
        var country = request.Country.Length == 0 ? null : request.Country;
        var rows = await database.ReadAsync(connection => DecisionStore.ListAsync(connection, after, request.State.ToText(), SeesProposals(context), Washington.Today(clock),
            country, Permitted(context), page.Size + 1, cancel), cancel);
        var response = new ListDecisionsResponse { Decisions = { rows.Take(page.Size).Select(row => row.ToResource()) } };
        if (rows.Count > page.Size)
            response.NextPageToken = pages.Next(page, rows[page.Size - 1].Id.ToString());
        return response;
    }

    private List<CountryRevision> Enact(Transaction tx, DecisionRow decision, Enactment enactment, RecordFacts facts, string by, DateTime? confirmBy, string? previewEtag)
    {
        DecisionStore.Approved(tx, decision, enactment, by, confirmBy, previewEtag);
        DecisionStore.Enact(tx, enactment);
        List<CountryRevision> revisions = [];
        foreach (var country in enactment.Countries)
        {
            var before = facts.Countries[country].Revision;
            IReadOnlyList<OutboundEvent> events = enactment.IsAnnounced
                ? DecisionEvents.Of(decision, country, before, enactment.Restrictions, enactment.Reliefs, enactment.AnnouncedOn, enactment.RecordedAt, facts.Record.Epoch)
                : [];
            foreach (var e in events)
                tx.Publish(e);
            // An approval that is not announced yet has a revision of its own too.
            revisions.Add(new CountryRevision { Country = country, Revision = before + Math.Max(events.Count, 1) });
        }
        store.Raise(tx, enactment.RecordRevision, enactment.RecordedAt, revisions.Select(one => (one.Country, one.Revision)));
        foreach (var (country, day) in enactment.Days.Select(row => (row.Country, row.Day)).Distinct())
            CountryDays.Add(due, tx, country, day);
        tx.AfterCommit(snapshot.Changed);
        return revisions;
    }

    // Who decides and then asks this replica must be answered from what was decided; all its countries entered the record together.
    private async Task SeeAsync(IEnumerable<CountryRevision> revisions, ServerCallContext context)
    {
        var seen = revisions.First();
        await snapshot.AtLeastAsync(seen.Country, seen.Revision, context.CancellationToken);
    }

    // The record at the next moment: what an approval just now would be recorded at, as near as it can be said without the record's lock.
    private static RecordRow NotBefore(RecordRow record, DateTime now) => record with { RecordedAt = record.RecordedAt < now ? now : record.RecordedAt.AddMicroseconds(1) };

    private static async Task<DecisionRow> LockAsync(Transaction tx, string id, ServerCallContext context) =>
        await DecisionStore.LockAsync(tx, Guid.Parse(id), Permitted(context), context.CancellationToken) ?? throw DecisionRules.NoDecision().ToException();

    private static async Task<Decision> ReadAsync(Transaction tx, Guid id, CancellationToken cancel)
    {
        await tx.FlushAsync(cancel);
        return (await DecisionStore.LockAsync(tx, id, null, cancel))!.ToResource();
    }

    private async Task<KnownCodes> KnownCodesAsync(Transaction tx, CancellationToken cancel) => new()
    {
        LegalBases = (await store.LegalBasesAsync(tx.Connection, cancel)).ToDictionary(row => row.Code),
        FundingPrograms = (await store.FundingProgramsAsync(tx.Connection, cancel)).Select(row => row.Code).ToHashSet(),
    };

    private static void RequireAll(Caller caller, RecordFacts facts)
    {
        foreach (var country in facts.Countries.Keys)
            caller.Require(country);
    }
}
