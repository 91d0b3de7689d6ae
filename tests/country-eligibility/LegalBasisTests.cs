using Grpc.Core;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Xunit;

namespace Imet.CountryEligibility.Tests;

/// <summary>Each legal basis, as data: where it stands in the law, what it does unless a decision says otherwise, what may waive it and for how long.</summary>
public sealed class LegalBasisTests(SharedStack shared) : IClassFixture<SharedStack>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("FAA_541", "22 USC 2347", Effect.Suspend, WaiverTerm.None)]
    [InlineData("FAA_544", "22 USC 2347c", Effect.Unspecified, WaiverTerm.None)]
    [InlineData("FAA_546", "22 USC 2347e", Effect.Suspend, WaiverTerm.None)]
    [InlineData("GNP_PER_HEAD", "FY1991, FY1993", Effect.ConditionCarried, WaiverTerm.Open)]
    [InlineData("FAA_620A", "22 USC 2371", Effect.Suspend, WaiverTerm.Open)]
    [InlineData("FAA_620H", "22 USC 2378", Effect.Suspend, WaiverTerm.Open)]
    [InlineData("FAA_620Q", "22 USC 2370(q)", Effect.Suspend, WaiverTerm.FiscalYear)]
    [InlineData("COUP_7008", "Section 7008", Effect.Suspend, WaiverTerm.FiscalYear)]
    [InlineData("FAA_620M", "22 USC 2378d", Effect.Suspend, WaiverTerm.Open)]
    [InlineData("USC10_362", "10 USC 362", Effect.Suspend, WaiverTerm.Open)]
    [InlineData("FAA_502B", "22 USC 2304", Effect.Suspend, WaiverTerm.Open)]
    [InlineData("CSPA_404", "22 USC 2370c-1", Effect.Suspend, WaiverTerm.FiscalYear)]
    [InlineData("TVPA_110", "22 USC 7107(d)", Effect.Suspend, WaiverTerm.FiscalYear)]
    [InlineData("FAA_660", "22 USC 2420", Effect.Suspend, WaiverTerm.Open)]
    [InlineData("FAA_490", "22 USC 2291j", Effect.Ceiling, WaiverTerm.Open)]
    [InlineData("FAA_620_F", "22 USC 2370(f)", Effect.Suspend, WaiverTerm.Open)]
    [InlineData("FAA_620_A_CUBA", "22 USC 2370(a)", Effect.Suspend, WaiverTerm.None)]
    [InlineData("FAA_620_T", "22 USC 2370(t)", Effect.Suspend, WaiverTerm.None)]
    [InlineData("ASPA", "P.L. 107-206", Effect.Suspend, WaiverTerm.Open)]
    [InlineData("FAA_614", "22 USC 2364", Effect.Unspecified, WaiverTerm.None)]
    [InlineData("FAA_617", "22 USC 2367", Effect.Unspecified, WaiverTerm.None)]
    [InlineData("ASSISTANCE_SUSPENSION", "Executive decision", Effect.Suspend, WaiverTerm.Open)]
    [InlineData("OPERATIONAL_STANDDOWN", "Department of Defense", Effect.PauseTraining, WaiverTerm.Open)]
    [InlineData("AECA_21", "22 USC 2761", Effect.Unspecified, WaiverTerm.None)]
    [InlineData("POLICY_PAUSE", "Executive decision", Effect.Hold, WaiverTerm.Open)]
    [InlineData("YEARLY_ACT", "Foreign operations act", Effect.Suspend, WaiverTerm.None)]
    [InlineData("NOTIFICATION", "Foreign operations act", Effect.ConditionBlocking, WaiverTerm.None)]
    [InlineData("WEAPONS_PROGRAM", "Secretary of Defense", Effect.Stop, WaiverTerm.Open)]
    public async Task A_legal_basis_has_its_citation_its_trigger_its_effect_and_what_may_waive_it(string code, string citation, Effect effect, WaiverTerm term)
    {
        var basis = (await shared.Stack.Reader.ListLegalBasesAsync(new ListLegalBasesRequest(), cancellationToken: Cancel)).LegalBases.Single(one => one.Code == code);
        Assert.Contains(citation, basis.Citation, StringComparison.Ordinal);
        Assert.NotEmpty(basis.Trigger);
        Assert.NotEmpty(basis.Authority);
        Assert.Equal((effect, term, term == WaiverTerm.None), (basis.DefaultEffect, basis.WaiverTerm, basis.Waiver.Length == 0));
    }

    [Theory]
    [InlineData("CSPA_404", "2020-10-14", "2021-10-01", true)]
    [InlineData("CSPA_404", "2020-10-14", "2021-10-02", false)]
    [InlineData("CSPA_404", "2020-10-14", null, false)]
    [InlineData("TVPA_110", "2021-09-30", "2021-10-01", true)]
    [InlineData("FAA_620Q", "2021-09-30", "2022-09-30", false)]
    [InlineData("COUP_7008", "2023-10-01", "2024-10-01", true)]
    [InlineData("ASSISTANCE_SUSPENSION", "2020-01-03", null, true)]
    public async Task A_waiver_by_fiscal_year_ends_with_it(string basis, string from, string? to, bool good)
    {
        Task Propose() => shared.Stack.ProposeAsync(new Decision
        {
            Document = "A determination", Reason = "To see whether it may be.",
            Waivers = { new Waiver { Country = "TCD", LegalBasis = basis, EffectiveFrom = Given.Day(from).ToProto(), EffectiveTo = to is null ? null : Given.Day(to).ToProto() } },
        });
        if (good)
            await Propose();
        else
            Assert.Equal("decision.waivers[0].effective_to", Assert.Single((await Stack.RefusalAsync(Propose)).Fields!.FieldViolations).Field);
    }

    [Fact]
    public async Task A_waiver_of_620A_begins_no_earlier_than_15_days_after_it_is_announced()
    {
        Task Propose(int days) => shared.Stack.ProposeAsync(new Decision
        {
            Document = "A determination", Reason = "To see whether it may be.", AnnouncedOn = Stack.Today.ToProto(),
            Waivers = { new Waiver { Country = "SYR", LegalBasis = "FAA_620A", EffectiveFrom = Stack.Today.AddDays(days).ToProto() } },
        });
        Assert.Equal("decision.waivers[0].effective_from", Assert.Single((await Stack.RefusalAsync(() => Propose(14))).Fields!.FieldViolations).Field);
        await Propose(15);
    }

    [Fact]
    public async Task Half_of_a_drug_countrys_aid_is_withheld_and_a_certification_frees_it()
    {
        var decision = await shared.Stack.DecideAsync(new Decision
        {
            Document = "List of major illicit drug countries", Reason = "Half of the aid is withheld until certification.",
            Restrictions =
            {
                new Restriction
                {
                    Country = "PAN", LegalBasis = "FAA_490", Effect = Effect.Ceiling, EffectiveFrom = Stack.Today.AddDays(-1).ToProto(),
                    Ceiling = new Ceiling { FiscalYear = Washington.FiscalYear(Stack.Today), SharePercent = 50 },
                },
            },
        });
        Action<EvaluateEligibilityRequest> money = request => (request.Question.FiscalYear, request.MinRevision) = (Washington.FiscalYear(Stack.Today), 1);
        var withheld = await shared.Stack.AskAsync("PAN", more: money);
        Assert.Equal((V1.Outcome.EligibleWithConditions, 50), (withheld.Outcome, Assert.Single(withheld.Ceilings).SharePercent));
        var certified = await shared.Stack.DecideAsync(Stack.Lift(decision.Decision.Restrictions[0].Id, Stack.Today));
        Assert.Equal(V1.Outcome.Eligible, (await shared.Stack.AskAsync("PAN", more: request =>
        {
            money(request);
            request.MinRevision = certified.Revisions[0].Revision;
        })).Outcome);
    }

    [Fact]
    public async Task Police_may_not_train_with_assistance_but_customs_and_law_enforcement_at_sea_may()
    {
        NomineeKind[] barred = [NomineeKind.Police, NomineeKind.Prison, NomineeKind.LawEnforcement];
        await shared.Stack.DecideAsync(Stack.Suspend("CRI", Stack.Today.AddDays(-1), restriction =>
        {
            restriction.LegalBasis = "FAA_660";
            restriction.Scope = new Scope { NomineeKinds = new NomineeKindSet { Mode = SetMode.Only, NomineeKinds = { barred } }, FundingPrograms = new CodeSet { Mode = SetMode.Only, Codes = { "IMET" } } };
        }));
        async Task<V1.Outcome> AskAsync(NomineeKind nominee, string program = "IMET") => (await shared.Stack.AskAsync("CRI", more: request =>
            (request.Question.NomineeKind, request.Question.FundingProgram, request.MinRevision) = (nominee, program, 1))).Outcome;
        foreach (var nominee in barred)
            Assert.Equal(V1.Outcome.NotEligible, await AskAsync(nominee));
        Assert.Equal([V1.Outcome.Eligible, V1.Outcome.Eligible, V1.Outcome.Eligible, V1.Outcome.Eligible, V1.Outcome.Depends],
            [await AskAsync(NomineeKind.Military), await AskAsync(NomineeKind.Customs), await AskAsync(NomineeKind.MaritimeLawEnforcement), await AskAsync(NomineeKind.Police, "FMS"), await AskAsync(NomineeKind.Unspecified)]);
    }
}
