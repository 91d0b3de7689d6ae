using Google.Protobuf.WellKnownTypes;
using Imet.Chassis;
using Imet.Cli.Sample;
using Imet.Cli.Seeding;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Testing;
using Xunit;

namespace Imet.CountryEligibility.Tests.History;

/// <summary>One record for all tests of the past: they only ask.</summary>
[CollectionDefinition(Past.Collection)]
public sealed class PastCollection : ICollectionFixture<Past>;

/// <summary>The record of the past, imported as it ships. Questions are asked as of a day, and answered by what was known and announced on that day, unless a test says otherwise.</summary>
public sealed class Past(Servers servers) : IAsyncLifetime
{
    public const string Collection = "The past";

    public Stack Stack { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Stack = await Stack.StartAsync(servers, 1, CancellationToken.None);
        var load = new HistoryLoad(Stack.Caller("hanna", "read propose history unannounced"), Stack.Approver, CancellationToken.None);
        Assert.Equal(SampleData.Read().Decisions.Count, await load.RunAsync(SampleData.Read().Decisions));
    }

    public ValueTask DisposeAsync() => Stack.DisposeAsync();

    /// <summary>New classroom training in the United States of a member of the armed forces, with IMET money, that is not Expanded IMET; facts change that.</summary>
    public async Task<Verdict> AskAsync(string country, string on, Action<Question>? facts = null, string? known = null, string? proposal = null)
    {
        var request = new EvaluateEligibilityRequest
        {
            On = Given.Day(on).ToProto(),
            KnownTime = proposal is null ? EndOf(known ?? on) : null,
            ProposalId = proposal ?? "",
            Question = new Question
            {
                Country = country,
                FundingProgram = "IMET",
                FiscalYear = Given.Day(on) is var day && day.Month >= 10 ? day.Year + 1 : day.Year,
                TrainingKind = TrainingKind.Classroom,
                ImplementingAgency = ImplementingAgency.Army,
                School = "CGSC",
                Platform = "NONE",
                Purpose = "NONE",
                EImet = false,
                Place = Place.UnitedStates,
                NomineeKind = NomineeKind.Military,
                Stage = Stage.New,
            },
        };
        facts?.Invoke(request.Question);
        var caller = proposal is null ? Stack.Reader : Stack.Caller("hanna", "read propose unannounced");
        return (await caller.EvaluateEligibilityAsync(request)).Verdict;
    }

    public async Task<V1.Outcome> OutcomeAsync(string country, string on, Action<Question>? facts = null, string? known = null) => (await AskAsync(country, on, facts, known)).Outcome;

    /// <summary>The legal basis that decides.</summary>
    public async Task<string> BasisAsync(string country, string on, Action<Question>? facts = null) =>
        (await AskAsync(country, on, facts)).Findings.FirstOrDefault(finding => finding.Bearing == Finding.Types.Bearing.Applies)?.LegalBasis ?? "";

    /// <summary>A later line of a track whose first line began on a day; or a line in training.</summary>
    public static Action<Question> Track(string begun, Stage stage = Stage.Continuing, string? starts = null) => question =>
    {
        question.Stage = stage;
        question.TrackBegunOn = Given.Day(begun).ToProto();
        question.StartDate = starts is null ? null : Given.Day(starts).ToProto();
    };

    private static Timestamp EndOf(string day) => Timestamp.FromDateTimeOffset(Washington.Midnight(Given.Day(day).AddDays(1)).AddTicks(-1));
}
