using Google.Protobuf.WellKnownTypes;
using Imet.Cli.Sample;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Decision = Imet.CountryEligibility.V1.Decision;
using static Imet.CountryEligibility.V1.CountryEligibilityService;

namespace Imet.Cli.Seeding;

/// <summary>
/// Imports decisions of the past as history: proposed by one, approved by another, known from the day on which they were announced. A decision whose document is on record is left as it is.
/// </summary>
public sealed class HistoryLoad(CountryEligibilityServiceClient proposer, CountryEligibilityServiceClient approver, CancellationToken cancel)
{
    private const int PageSize = 1000;
    private const string ForeignAssistance = "foreign-assistance";

    private readonly Dictionary<string, string> decisions = [];
    private readonly Dictionary<string, string> restrictions = [];
    private readonly Dictionary<string, string> lifts = [];
    private List<string> assistance = [];

    /// <summary>How many were not there yet.</summary>
    public async Task<int> RunAsync(IReadOnlyList<DecisionEntry> entries)
    {
        var programs = await proposer.ListFundingProgramsAsync(new(), cancellationToken: cancel);
        assistance = [.. programs.FundingPrograms.Where(program => program.ForeignAssistance).Select(program => program.Code)];
        var known = await KnownAsync();
        var made = 0;
        foreach (var entry in entries)
        {
            if (!known.TryGetValue(entry.Document, out var decision))
            {
                var proposal = new ProposeDecisionRequest { Decision = Proposal(entry) };
                decision = (await proposer.ProposeDecisionAsync(proposal.WithRequestId(), cancellationToken: cancel)).Decision;
                made++;
            }
            if (decision.State == Decision.Types.State.Proposed)
            {
                var approval = new ApproveDecisionRequest { DecisionId = decision.Id, Etag = decision.Etag };
                decision = (await approver.ApproveDecisionAsync(approval.WithRequestId(), cancellationToken: cancel)).Decision;
            }
            decisions[entry.Key] = decision.Id;
            foreach (var ((key, _), restriction) in entry.Restrictions.SelectMany(row => row.Each).Zip(decision.Restrictions))
                restrictions[key] = restriction.Id;
            foreach (var (row, lift) in entry.Lifts.Zip(decision.Lifts).Where(pair => pair.First.Key is not null))
                lifts[row.Key!] = lift.Id;
        }
        return made;
    }

    private async Task<Dictionary<string, Decision>> KnownAsync()
    {
        var known = new Dictionary<string, Decision>();
        for (var page = ""; ;)
        {
            var answer = await proposer.ListDecisionsAsync(new() { PageSize = PageSize, PageToken = page }, cancellationToken: cancel);
            foreach (var decision in answer.Decisions.Where(decision => decision.KnownFromTime is not null && decision.State is Decision.Types.State.Proposed or Decision.Types.State.Approved))
                known[decision.Document] = decision;
            if ((page = answer.NextPageToken).Length == 0)
                return known;
        }
    }

    private Decision Proposal(DecisionEntry entry) => new()
    {
        Document = entry.Document,
        Reason = entry.Reason,
        AnnouncedOn = entry.AnnouncedOn.ToProto(),
        KnownFromTime = Timestamp.FromDateTimeOffset(Washington.Midnight(entry.AnnouncedOn)),
        Restrictions =
        {
            from row in entry.Restrictions
            from each in row.Each
            select new Restriction
            {
                Country = each.Country,
                LegalBasis = row.LegalBasis,
                Effect = row.Effect,
                Scope = ToScope(row.Scope),
                EffectiveFrom = row.From.ToProto(),
                EffectiveTo = row.To?.ToProto(),
                Condition = row.Condition is { } requirement ? new Condition { Requirement = requirement } : null,
            }
        },
        Lifts =
        {
            entry.Lifts.Select(row => new Lift
            {
                RestrictionId = restrictions[row.Restriction],
                EffectiveFrom = row.From.ToProto(),
                Conditions = { row.Conditions.Select(condition => new LiftCondition { ImplementingAgency = ContractName<ImplementingAgency>.Parse(condition.Key), Requirement = condition.Value }) },
            })
        },
        Waivers =
        {
            from row in entry.Waivers
            from country in row.Each
            select new Waiver { Country = country, LegalBasis = row.LegalBasis, Scope = ToScope(row.Scope), EffectiveFrom = row.From.ToProto(), EffectiveTo = row.To?.ToProto() }
        },
        ConditionsMet = { entry.ConditionsMet.Select(row => new ConditionMet { LiftId = lifts[row.Lift], ImplementingAgency = row.Agency, MetOn = row.On.ToProto() }) },
        Voids = { entry.Voids.Select(key => new Imet.CountryEligibility.V1.Void { DecisionId = decisions[key] }) },
    };

    private Scope? ToScope(ScopeEntry? entry)
    {
        if (entry is null)
            return null;
        var scope = new Scope { EImet = entry.EImet };
        if (entry.Programs.Count > 0)
            scope.FundingPrograms = new() { Mode = SetMode.Only, Codes = { entry.Programs.SelectMany(code => code == ForeignAssistance ? assistance : [code]) } };
        if (entry.Kinds.Count > 0)
            scope.TrainingKinds = new() { Mode = SetMode.Only, TrainingKinds = { entry.Kinds } };
        if (entry.Agencies.Count > 0)
            scope.ImplementingAgencies = new() { Mode = SetMode.Only, ImplementingAgencies = { entry.Agencies } };
        if (entry.Schools.Count > 0)
            scope.Schools = new() { Mode = SetMode.Only, Codes = { entry.Schools } };
        if (entry.ExceptSchools.Count > 0)
            scope.Schools = new() { Mode = SetMode.Except, Codes = { entry.ExceptSchools } };
        if (entry.Platforms.Count > 0)
            scope.Platforms = new() { Mode = SetMode.Only, Codes = { entry.Platforms } };
        return scope;
    }
}
