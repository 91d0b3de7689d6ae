using Google.Protobuf;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Testing;
using Date = Google.Type.Date;

namespace Imet.Bench;

/// <summary>Answers of country-eligibility as shipped (token, checks, metrics, findings) beside a bare server that moves as many bytes.</summary>
internal sealed class EligibilityGoal(Servers servers, int rounds, Action<string> say)
{
    private const int Connections = 4;
    private const int InFlight = 16;
    private const int Countries = 250;
    private const int RestrictionsEach = 200;
    private static readonly TimeSpan Round = TimeSpan.FromSeconds(6);
    private static readonly string Method = $"/{CountryEligibilityService.Descriptor.FullName}/EvaluateEligibility";

    public async Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancel)
    {
        await using var stack = await TestStack.StartAsync(servers, new TestStackOptions(), cancel);
        var office = stack.Anybody("desk");
        await RestrictAsync(office, stack.Anybody("secretary"), ["SAU"], 3, cancel);
        var few = await MeasureAsync(stack, "evaluate", "EvaluateEligibility as shipped, 3 findings; limit: bare echo of the same sizes", Asked("SAU"), cancel);

        say($"evaluate-full: recording {Countries} countries with {RestrictionsEach} restrictions each");
        var codes = (await office.CountryEligibility.ListCountriesAsync(new() { PageSize = 1000 }, cancellationToken: cancel)).Countries.Where(country => country.Code != "SAU").Select(country => country.Code).Take(Countries).ToList();
        await Parallel.ForEachAsync(codes, new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = cancel }, async (code, stop) =>
            await RestrictAsync(office, stack.Anybody("secretary"), [code], RestrictionsEach, stop));
        var full = await MeasureAsync(stack, "evaluate-full", $"the same with {Countries} x {RestrictionsEach} restrictions in the record", Asked("SAU"), cancel);
        var deep = await MeasureAsync(stack, "evaluate-deep", $"a country with {RestrictionsEach} restrictions, {RestrictionsEach} findings; limit: bare echo of the same sizes", Asked(codes[0]), cancel);
        var least = 0.9 * few.Ratio!.Median;
        return
        [
            few with { Promise = "ratio 0.5", Kept = figure => figure.Ratio!.Median >= 0.5 },
            full with { Promise = $"ratio {least:F2}: no more than 10 % below", Kept = figure => figure.Ratio!.Median >= least },
            deep with { Promise = $"ratio {least:F2}: no more than 10 % below", Kept = figure => figure.Ratio!.Median >= least },
        ];
    }

    private async Task<Figure> MeasureAsync(TestStack stack, string goal, string what, EvaluateEligibilityRequest request, CancellationToken cancel)
    {
        var caller = stack.Caller("bench", ["eligibility.read"]);
        var answer = await caller.CountryEligibility.EvaluateEligibilityAsync(request, cancellationToken: cancel);
        await using var echo = await EchoServer.StartAsync(servers, answer.CalculateSize(), cancel);
        var ours = new GrpcLoad(new Uri(stack.CountryEligibility[0].Address).Port, Method, request.ToByteArray(), caller.Token);
        var bare = new GrpcLoad(echo.Port, $"/{Echo.Descriptor.FullName}/Echo", EchoServer.Sized(request.CalculateSize()).ToByteArray(), null);
        // Until the runtime has compiled both paths at their best.
        await ours.RunAsync(Connections, InFlight, Round, cancel);
        await bare.RunAsync(Connections, InFlight, Round, cancel);
        List<double> answered = [], echoed = [];
        for (var round = 1; round <= rounds; round++)
        {
            answered.Add(await ours.RunAsync(Connections, InFlight, Round, cancel));
            echoed.Add(await bare.RunAsync(Connections, InFlight, Round, cancel));
            say($"{goal}: round {round} of {rounds}: {answered[^1]:F0}/s beside {echoed[^1]:F0}/s, {request.CalculateSize()} and {answer.CalculateSize()} bytes, {answer.Verdict.Outcome}, {answer.Verdict.Findings.Count} findings");
        }
        return new Figure { Goal = goal, What = what, Unit = "a second", Ours = answered, Limit = echoed, Promise = "", Kept = _ => false };
    }

    private static EvaluateEligibilityRequest Asked(string country) => new()
    {
        Question = new Question
        {
            Country = country,
            FundingProgram = "IMET",
            TrainingKind = TrainingKind.Classroom,
            ImplementingAgency = ImplementingAgency.Navy,
            Place = Place.UnitedStates,
            Stage = Stage.New,
            StartDate = Day(DateTime.UtcNow.AddDays(30)),
        },
    };

    private static async Task RestrictAsync(TestCaller office, TestCaller secretary, string[] countries, int each, CancellationToken cancel)
    {
        var decision = new Decision { Document = "Memorandum of the benchmark", Reason = "To have something to look through." };
        foreach (var country in countries)
        {
            for (var i = 0; i < each; i++)
            {
                decision.Restrictions.Add(new Restriction
                {
                    Country = country,
                    LegalBasis = "OPERATIONAL_STANDDOWN",
                    Effect = Effect.PauseTraining,
                    EffectiveFrom = Day(new DateTime(2000, 1, 1).AddDays(40 * i)),
                    EffectiveTo = i % 2 == 0 ? Day(new DateTime(2000, 1, 1).AddDays(40 * i + 30)) : null,
                    Scope = new Scope { TrainingKinds = new TrainingKindSet { Mode = SetMode.Only, TrainingKinds = { TrainingKind.Operational } } },
                });
            }
        }
        var proposed = (await office.CountryEligibility.ProposeDecisionAsync(new ProposeDecisionRequest { RequestId = NewId(), Decision = decision }, cancellationToken: cancel)).Decision;
        await secretary.CountryEligibility.ApproveDecisionAsync(new ApproveDecisionRequest { RequestId = NewId(), DecisionId = proposed.Id, Etag = proposed.Etag }, cancellationToken: cancel);
    }

    private static string NewId() => Guid.CreateVersion7().ToString();

    private static Date Day(DateTime day) => new() { Year = day.Year, Month = day.Month, Day = day.Day };
}
