using System.Collections.Frozen;
using Grpc.Core;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Axis = Imet.CountryEligibility.V1.ExplainEligibilityRequest.Types.Axis;

namespace Imet.CountryEligibility;

public sealed partial class CountryEligibilityService
{
    public override async Task<EvaluateEligibilityResponse> EvaluateEligibility(EvaluateEligibilityRequest request, ServerCallContext context)
    {
        var caller = Caller.Of(context);
        caller.Require(request.Question.Country);
        var picture = (request.MinRevision == 0
            ? snapshot.Current
            : await snapshot.AtLeastAsync(request.Question.Country, request.MinRevision, context.CancellationToken)).OrThrow();
        if (request.ProposalId.Length > 0)
            picture = await AsIfApprovedAsync(picture, request.ProposalId, [request.Question.Country], request.KnownTime is not null, context);
        var on = request.On?.ToDateOnly() ?? Washington.Today(clock);
        var known = KnownTime(request.KnownTime);
        return new EvaluateEligibilityResponse { Verdict = Answer(request.Question, "question", picture, on, known, AnnouncedBy(caller, known), request.FindingsView) };
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
        if (request.ProposalId.Length > 0)
            picture = await AsIfApprovedAsync(picture, request.ProposalId, [.. request.Questions.Select(question => question.Country).Distinct()], request.KnownTime is not null, context);
        var on = request.On?.ToDateOnly() ?? Washington.Today(clock);
        var known = KnownTime(request.KnownTime);
        var announcedBy = AnnouncedBy(caller, known);
        var response = new BatchEvaluateEligibilityResponse();
        for (var i = 0; i < request.Questions.Count; i++)
            response.Verdicts.Add(Answer(request.Questions[i], $"questions[{i}]", picture, on, known, announcedBy, request.FindingsView));
        return response;
    }

    public override async Task<ExplainEligibilityResponse> ExplainEligibility(ExplainEligibilityRequest request, ServerCallContext context)
    {
        var caller = Caller.Of(context);
        var question = request.Question;
        caller.Require(question.Country);
        var picture = (await snapshot.AtLeastAsync(question.Country, request.MinRevision, context.CancellationToken)).OrThrow();
        var (from, to) = (request.FromDate.ToDateOnly(), request.ToDate.ToDateOnly());
        if (to <= from)
            throw DecisionRules.Invalid().Field("to_date", "Must be after from_date: it is the first day after the time looked at.").ToException();
        var on = request.On?.ToDateOnly() ?? Washington.Today(clock);
        var country = picture.Countries.GetValueOrDefault(question.Country);
        if (EligibilityDecisions.CheckQuestion(question, "question", country, picture.FundingPrograms, request.Axis == Axis.Known ? on : from) is { } refusal)
            throw refusal.ToException();
        var known = KnownTime(request.KnownTime);
        var (periods, next) = Explanation.Explain(question, country!, new Viewpoint(on, KnownAt(country!, known), AnnouncedBy(caller, known)), request.Axis, from, to);
        return new ExplainEligibilityResponse { Periods = { periods }, NextFromDate = next?.ToProto(), Revision = country!.Revision, Epoch = country.Epoch };
    }

    private Verdict Answer(Question question, string path, Picture picture, DateOnly on, DateTime? known, DateOnly? announcedBy, FindingsView show)
    {
        var country = picture.Countries.GetValueOrDefault(question.Country);
        if (EligibilityDecisions.CheckQuestion(question, path, country, picture.FundingPrograms, on) is { } refusal)
            throw refusal.ToException();
        return Evaluation.Evaluate(question, country!, new Viewpoint(on, KnownAt(country!, known), announcedBy), show);
    }

    // Now is never before what the picture holds: the record's time may run ahead of this process's clock.
    private DateTime KnownAt(CountryRecord country, DateTime? known)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        return known ?? (country.RecordedAt > now ? country.RecordedAt : now);
    }

    // The record of the countries asked about, as the approval of the proposal would leave it, read anew in one transaction. What it would announce later counts as announced.
    private async Task<Picture> AsIfApprovedAsync(Picture picture, string proposal, string[] countries, bool asKnown, ServerCallContext context)
    {
        if (!SeesProposals(context))
            Caller.Of(context).RequireScope("eligibility.preview");
        if (asKnown)
            throw DecisionRules.Invalid().Field("known_time", "A proposal is no part of the record yet: ask about it as of now.").ToException();
        var cancel = context.CancellationToken;
        var today = Washington.Today(clock);
        return await database.SnapshotAsync(async connection =>
        {
            var decision = await DecisionStore.FindAsync(connection, Guid.Parse(proposal), true, today, Permitted(context), cancel) ?? throw DecisionRules.NoDecision().ToException();
            var record = await store.RecordAsync(connection, cancel);
            var facts = await DecisionStore.FactsAsync(connection, decision.Proposed, NotBefore(record, clock.GetUtcNow().UtcDateTime), today, cancel);
            var enactment = DecisionRules.AsIfApproved(decision, facts).OrThrow();
            var rows = await store.CountriesAsync(connection, countries, cancel);
            var restrictions = (await DecisionStore.RestrictionsOfAsync(connection, countries, cancel)).Concat(enactment.Restrictions.Select(AnnouncedNow)).ToLookup(row => row.Country);
            var reliefs = (await DecisionStore.ReliefsOfAsync(connection, countries, cancel)).Concat(enactment.Reliefs.Select(AnnouncedNow)).ToLookup(row => row.Country);
            var asIf = rows.Values.Select(row => CountryRecord.Of(row with { RecordedAt = enactment.RecordedAt }, restrictions[row.Code], reliefs[row.Code], record.Epoch.ToString(), picture.LegalBases));
            return picture with { Countries = asIf.ToFrozenDictionary(country => country.Code) };
        }, cancel);

        T AnnouncedNow<T>(T row) where T : VersionRow => row.AnnouncedOn > today ? row with { AnnouncedOn = today } : row;
    }
}
