using Google.Rpc;
using Grpc.Core;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.Countries;
using Imet.Enrollment.Offerings;
using CatalogClient = Imet.CourseCatalog.V1.CourseCatalogService.CourseCatalogServiceClient;
using EligibilityClient = Imet.CountryEligibility.V1.CountryEligibilityService.CountryEligibilityServiceClient;
using ErrorReason = Imet.Enrollment.V1.ErrorReason;

namespace Imet.Enrollment;

/// <summary>Asks the owners of the facts that enrollment does not own. When one can't be asked, the chassis' UNAVAILABLE naming it goes to the caller as it is.</summary>
public sealed class EnrollmentFacts(EligibilityClient eligibility, CatalogClient catalog)
{
    public static Question QuestionFor(Wish wish, OfferingCopy offering, DateOnly start, DateOnly? trackBegunOn, DateOnly today) =>
        Question(wish.Country, wish.Funding.Program, wish.Funding.FiscalYear, offering, start, today, trackBegunOn is null ? Stage.New : Stage.Continuing, trackBegunOn);

    /// <summary>May the line, as far as it has come, go on?</summary>
    public static Question QuestionFor(Line line, OfferingCopy offering, DateOnly today) =>
        Question(line.Country, line.FundingProgram, line.FiscalYear, offering, line.StartDate, today,
            line.HasBegun ? Stage.InTraining : line.TrackBegunOn is null ? Stage.New : Stage.Continuing,
            line.HasBegun ? line.TrackBegunOn ?? line.ArrivedOn : line.TrackBegunOn);

    /// <summary>May the line of somebody who came on a day go on? Coming is the beginning: what is restricted after that day finds a track that has begun.</summary>
    public static Question QuestionForArrival(Line line, OfferingCopy offering, DateOnly arrivedOn, DateOnly today) =>
        Question(line.Country, line.FundingProgram, line.FiscalYear, offering, line.StartDate, today, Stage.Continuing,
            line.TrackBegunOn is { } begun && begun < arrivedOn ? begun : arrivedOn);

    public async Task<Verdict> AskAsync(Question question, long minimumRevision, CancellationToken cancel)
    {
        try
        {
            var response = await eligibility.EvaluateEligibilityAsync(
                new EvaluateEligibilityRequest { Question = question, MinRevision = minimumRevision }, cancellationToken: cancel);
            return response.Verdict;
        }
        catch (RpcException e) when (CodeUnknown(e) is { } unknown)
        {
            throw unknown.ToException();
        }
    }

    public async Task<IReadOnlyList<Verdict>> AskAsync(IReadOnlyList<Question> questions, string country, long minimumRevision, CancellationToken cancel)
    {
        var request = new BatchEvaluateEligibilityRequest { Questions = { questions }, MinRevisions = { new CountryRevision { Country = country, Revision = minimumRevision } } };
        return (await eligibility.BatchEvaluateEligibilityAsync(request, cancellationToken: cancel)).Verdicts;
    }

    /// <summary>As if a proposed decision were approved.</summary>
    public async Task<IReadOnlyList<Verdict>> AskAsIfAsync(string proposalId, IReadOnlyList<Question> questions, CancellationToken cancel) =>
        (await OfProposalAsync(eligibility.BatchEvaluateEligibilityAsync(new BatchEvaluateEligibilityRequest { Questions = { questions }, ProposalId = proposalId }, cancellationToken: cancel))).Verdicts;

    /// <summary>Every restriction that the record has of a country, in force or not: what is not there never took effect.</summary>
    public async Task<(SeenRevision Answer, IReadOnlySet<string> Restrictions)> RestrictionsAsync(string country, long minimumRevision, string? proposalId, CancellationToken cancel)
    {
        var request = new EvaluateEligibilityRequest { Question = new Question { Country = country }, MinRevision = minimumRevision, ProposalId = proposalId ?? "", FindingsView = FindingsView.All };
        var verdict = (await OfProposalAsync(eligibility.EvaluateEligibilityAsync(request, cancellationToken: cancel))).Verdict;
        return (new SeenRevision(verdict.Epoch, verdict.Revision), verdict.Findings.Select(finding => finding.RestrictionId).ToHashSet());
    }

    private static async Task<T> OfProposalAsync<T>(AsyncUnaryCall<T> call)
    {
        try
        {
            return await call;
        }
        catch (RpcException e) when (e.StatusCode is StatusCode.NotFound or StatusCode.FailedPrecondition or StatusCode.InvalidArgument)
        {
            throw Refusal.Of(ErrorReason.ProposalUnknown, "country-eligibility has no such proposal that waits for approval, or its record refuses it.")
                .With("reason", e.GetRpcStatus()?.GetDetail<ErrorInfo>()?.Reason ?? $"{e.StatusCode}").ToException();
        }
    }

    public async Task<IReadOnlyDictionary<string, SeenRevision>> RevisionsAsync(CancellationToken cancel)
    {
        var response = await eligibility.ListCountryRevisionsAsync(new ListCountryRevisionsRequest(), cancellationToken: cancel);
        return response.Revisions.ToDictionary(revision => revision.Country, revision => new SeenRevision(response.Epoch, revision.Revision));
    }

    /// <summary>The class as the catalogue has it now; null when it has none.</summary>
    public async Task<CatalogueOffering?> FindOfferingAsync(Guid offeringId, CancellationToken cancel)
    {
        try
        {
            var request = new GetOfferingRequest { OfferingId = offeringId.ToString() };
            var found = await catalog.GetOfferingAsync(request, cancellationToken: cancel);
            return new CatalogueOffering(OfferingCopy.Of(found.Offering), found.Quotas);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.NotFound)
        {
            return null;
        }
    }

    public async Task<IReadOnlyDictionary<Guid, long>> OfferingVersionsAsync(IEnumerable<Guid> offeringIds, CancellationToken cancel)
    {
        var request = new BatchGetOfferingVersionsRequest { OfferingIds = { offeringIds.Select(id => id.ToString()) } };
        var response = await catalog.BatchGetOfferingVersionsAsync(request, cancellationToken: cancel);
        return response.OfferingVersions.ToDictionary(version => Guid.Parse(version.OfferingId), version => version.Version);
    }

    private static Question Question(
        string country, string program, int fiscalYear, OfferingCopy offering, DateOnly start, DateOnly today, Stage stage, DateOnly? trackBegunOn) => new()
        {
            Country = country,
            FundingProgram = program,
            FiscalYear = fiscalYear,
            TrainingKind = offering.Course.TrainingKind,
            ImplementingAgency = offering.Course.ImplementingAgency,
            // A course at no school is known to be at none; a school without a code is not known by one.
            School = offering.Course.SchoolId.Length == 0 ? "NONE" : offering.Course.SchoolCode,
            MaslNumber = offering.Course.MaslNumber,
            Place = offering.HostCountry == country ? Place.InCountry : Place.UnitedStates,
            Stage = stage,
            TrackBegunOn = trackBegunOn?.ToProto(),
            ActionDate = today.ToProto(),
            StartDate = start.ToProto(),
        };

    private static Refusal? CodeUnknown(RpcException e) => e.GetRpcStatus()?.GetDetail<ErrorInfo>()?.Reason switch
    {
        "COUNTRY_CODE_INVALID" => Refusal.Of(ErrorReason.CodeUnknown, "country-eligibility knows no such country today.")
            .With("field", "country").Field("country", "Must be a country code that country-eligibility lists."),
        "FUNDING_PROGRAM_UNKNOWN" => Refusal.Of(ErrorReason.CodeUnknown, "country-eligibility knows no such funding program.")
            .With("field", "funding.program").Field("funding.program", "Must be a code that country-eligibility lists as a funding program."),
        _ => null,
    };
}
