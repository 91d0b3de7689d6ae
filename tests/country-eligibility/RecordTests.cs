using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Testing;
using Npgsql;
using Xunit;
using Axis = Imet.CountryEligibility.V1.ExplainEligibilityRequest.Types.Axis;
using Bearing = Imet.CountryEligibility.V1.Finding.Types.Bearing;
using EntryChange = Imet.CountryEligibility.V1.TimelineEntry.Types.Change;

namespace Imet.CountryEligibility.Tests;

/// <summary>Decisions of every kind, from the call to the answer and the event. Each test keeps to countries of its own.</summary>
public sealed class RecordTests(SharedStack shared) : IClassFixture<SharedStack>
{
    private readonly Stack _stack = shared.Stack;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_waiver_sets_aside_one_legal_basis_and_lapses_at_Washington_midnight()
    {
        var restrictions = Stack.Suspend("NGA", more: one => one.LegalBasis = "CSPA_404");
        restrictions.Restrictions.Add(Stack.Suspend("NGA", more: one => (one.LegalBasis, one.Effect) = ("POLICY_PAUSE", Effect.Hold)).Restrictions);
        await _stack.DecideAsync(restrictions);
        var end = new DateOnly(Washington.FiscalYear(Stack.Today), 10, 1);
        var waived = await _stack.DecideAsync(Because(new Waiver { Country = "NGA", LegalBasis = "CSPA_404", EffectiveFrom = Stack.Today.ToProto(), EffectiveTo = end.ToProto() }));

        var verdict = await _stack.AskAsync("NGA", more: request => request.MinRevision = waived.Revisions[0].Revision);
        Assert.Equal(V1.Outcome.OnHold, verdict.Outcome);
        var finding = Assert.Single(verdict.Findings, one => one.LegalBasis == "CSPA_404");
        Assert.Equal((Bearing.Waived, waived.Decision.Waivers[0].Id, true), (finding.Bearing, finding.Reliefs[0].Id, finding.Reliefs[0].Applies));
        Assert.Contains(end.ToProto(), verdict.NextChangeDates);
        var after = await _stack.AskAsync("NGA", more: request => request.On = end.ToProto());
        Assert.Equal((V1.Outcome.NotEligible, false), (after.Outcome, after.Findings.First(one => one.LegalBasis == "CSPA_404").Reliefs[0].Applies));
        var told = await _stack.Outside.WaitForAsync(e => e.RoutingKey == "country.waived.NGA", Cancel);
        Assert.Equal("CSPA_404", told.Data.GetProperty("waivers")[0].GetProperty("legalBasis").GetString());
        await Stack.AssertRefusedAsync("WAIVER_NOT_POSSIBLE", StatusCode.FailedPrecondition,
            () => _stack.ProposeAsync(Because(new Waiver { Country = "NGA", LegalBasis = "FAA_546", EffectiveFrom = Stack.Today.ToProto() })));
    }

    [Fact]
    public async Task A_special_authority_overrides_the_bases_that_it_names()
    {
        var restrictions = Stack.Suspend("YEM", more: one => one.LegalBasis = "FAA_620A");
        restrictions.Restrictions.Add(Stack.Suspend("YEM", more: one => one.LegalBasis = "FAA_620Q").Restrictions);
        restrictions.Restrictions.Add(Stack.Suspend("YEM", more: one => one.LegalBasis = "ASPA").Restrictions);
        await _stack.DecideAsync(restrictions);
        async Task<V1.Outcome> OverrideAsync(params string[] bases) => (await _stack.AskAsync("YEM", more: request => request.MinRevision = _stack.DecideAsync(new Decision
        {
            Document = "Determination under FAA 614", Reason = "Important to security.",
            SpecialAuthorities = { new SpecialAuthority { Country = "YEM", LegalBases = { bases }, EffectiveFrom = Stack.Today.ToProto() } },
        }).Result.Revisions[0].Revision)).Outcome;
        Assert.Equal(V1.Outcome.NotEligible, await OverrideAsync("FAA_620A", "FAA_620Q"));
        Assert.Equal(V1.Outcome.Eligible, await OverrideAsync("ASPA"));
    }

    [Fact]
    public async Task A_blocking_condition_waits_for_its_fulfilment_and_a_carried_one_goes_with_the_training()
    {
        var decision = Stack.Suspend("HTI", more: one =>
        {
            (one.Effect, one.LegalBasis) = (Effect.ConditionBlocking, "GNP_PER_HEAD");
            one.Condition = new Condition { Requirement = "Notification of the committees with a detailed description" };
        });
        decision.Restrictions.Add(Stack.Suspend("HTI", more: one =>
        {
            (one.Effect, one.LegalBasis) = (Effect.ConditionCarried, "GNP_PER_HEAD");
            one.Condition = new Condition { Requirement = "The country pays travel and living allowance", Duties = { Duty.CountryPaysTravel, Duty.CountryPaysLivingAllowance } };
        }).Restrictions);
        decision.Restrictions.Add(Stack.Suspend("HTI", more: one =>
        {
            (one.Effect, one.LegalBasis) = (Effect.Ceiling, "FAA_490");
            one.Ceiling = new Ceiling { FiscalYear = Washington.FiscalYear(Stack.Today), SharePercent = 50 };
        }).Restrictions);
        var approved = await _stack.DecideAsync(decision);
        // A ceiling of a fiscal year ends with it.
        Assert.Equal(new DateOnly(Washington.FiscalYear(Stack.Today), 10, 1).ToProto(), approved.Decision.Restrictions[2].EffectiveTo);
        var blocked = await _stack.AskAsync("HTI", more: request => request.MinRevision = approved.Revisions[0].Revision);
        Assert.Equal(V1.Outcome.NotEligible, blocked.Outcome);
        Assert.Contains("Notification of the committees", blocked.Summary, StringComparison.Ordinal);

        var fulfilled = await _stack.DecideAsync(new Decision
        {
            Document = "CN 26-101", Reason = "Notified.",
            Fulfilments = { new Fulfilment { RestrictionId = approved.Decision.Restrictions[0].Id, FulfilledOn = Stack.Today.ToProto(), Document = "CN 26-101" } },
        });
        var verdict = await _stack.AskAsync("HTI", more: request => request.MinRevision = fulfilled.Revisions[0].Revision);
        Assert.Equal(V1.Outcome.EligibleWithConditions, verdict.Outcome);
        Assert.Equal([Duty.CountryPaysTravel, Duty.CountryPaysLivingAllowance], Assert.Single(verdict.Conditions).Duties);
        Assert.Equal(50, Assert.Single(verdict.Ceilings).SharePercent);
        Assert.Contains(verdict.Findings, finding => finding.Bearing == Bearing.Fulfilled);
        await _stack.Outside.WaitForAsync(e => e.RoutingKey == "country.conditions-met.HTI", Cancel);
        await Stack.AssertRefusedAsync("CONDITION_NOT_OPEN", StatusCode.FailedPrecondition, () => _stack.ProposeAsync(new Decision
        {
            Document = "CN", Reason = "Notified.",
            Fulfilments = { new Fulfilment { RestrictionId = approved.Decision.Restrictions[1].Id, FulfilledOn = Stack.Today.ToProto(), Document = "CN" } },
        }));
    }

    [Fact]
    public async Task A_lift_with_conditions_acts_for_each_department_when_it_has_met_its_own()
    {
        var pause = (await _stack.DecideAsync(Stack.Suspend("SAU", more: one => (one.Effect, one.LegalBasis) = (Effect.PauseTraining, "OPERATIONAL_STANDDOWN")))).Decision.Restrictions[0].Id;
        var lift = Stack.Lift(pause, Stack.Today);
        foreach (var agency in new[] { ImplementingAgency.Navy, ImplementingAgency.Army })
            lift.Lifts[0].Conditions.Add(new LiftCondition { ImplementingAgency = agency, Requirement = "Firearms ban, monitoring, limited credentials" });
        var lifted = (await _stack.DecideAsync(lift)).Decision.Lifts[0].Id;
        async Task<V1.Outcome> AskAsync(ImplementingAgency agency, long revision) =>
            (await _stack.AskAsync("SAU", more: request => (request.Question.ImplementingAgency, request.MinRevision) = (agency, revision))).Outcome;
        Assert.Equal(V1.Outcome.Paused, await AskAsync(ImplementingAgency.Navy, 2));

        Decision Met(ImplementingAgency agency) => new()
        {
            Document = "ALNAV 013/20", Reason = "The conditions are met.", ConditionsMet = { new ConditionMet { LiftId = lifted, ImplementingAgency = agency, MetOn = Stack.Today.ToProto() } },
        };
        var met = await _stack.DecideAsync(Met(ImplementingAgency.Navy));
        Assert.Equal(V1.Outcome.Eligible, await AskAsync(ImplementingAgency.Navy, met.Revisions[0].Revision));
        Assert.Equal(V1.Outcome.Paused, await AskAsync(ImplementingAgency.Army, 3));
        Assert.Equal(V1.Outcome.Paused, await AskAsync(ImplementingAgency.AirForce, 3));
        Assert.Equal(V1.Outcome.Depends, await AskAsync(ImplementingAgency.Unspecified, 3));
        await Stack.AssertRefusedAsync("CONDITION_NOT_OPEN", StatusCode.FailedPrecondition, () => _stack.ProposeAsync(Met(ImplementingAgency.Navy)));
        await Stack.AssertRefusedAsync("CONDITION_NOT_OPEN", StatusCode.FailedPrecondition, () => _stack.ProposeAsync(Met(ImplementingAgency.AirForce)));
    }

    [Fact]
    public async Task A_voided_decision_never_took_effect_but_what_was_known_stays_known()
    {
        var suspended = await _stack.DecideAsync(Stack.Suspend("KHM"));
        var restriction = suspended.Decision.Restrictions[0].Id;
        var lifted = await _stack.DecideAsync(Stack.Lift(restriction, Stack.Today));
        await Stack.AssertRefusedAsync("DECISION_BUILT_UPON", StatusCode.FailedPrecondition, () => _stack.ProposeAsync(Voids(suspended.Decision.Id)));
        await Stack.AssertRefusedAsync("DECISION_NOT_VOIDABLE", StatusCode.FailedPrecondition, () => _stack.ProposeAsync(Voids(Stack.NewId())));

        // The lift was a mistake: the restriction is as it was.
        var without = await _stack.DecideAsync(Voids(lifted.Decision.Id));
        Assert.Equal(V1.Outcome.NotEligible, (await _stack.AskAsync("KHM", more: request => request.MinRevision = without.Revisions[0].Revision)).Outcome);
        var told = await _stack.Outside.WaitForAsync(e => e.RoutingKey == "country.record-corrected.KHM", Cancel);
        Assert.Equal(lifted.Decision.Id, told.Data.GetProperty("voidedDecisionIds")[0].GetString());
        Assert.Equal(restriction, told.Data.GetProperty("corrections")[0].GetProperty("restriction").GetProperty("id").GetString());
        await Stack.AssertRefusedAsync("DECISION_NOT_VOIDABLE", StatusCode.FailedPrecondition, () => _stack.ProposeAsync(Voids(lifted.Decision.Id)));

        // The suspension was one, too: there never was any.
        var all = await _stack.DecideAsync(Voids(suspended.Decision.Id));
        var verdict = await _stack.AskAsync("KHM", more: request => request.MinRevision = all.Revisions[0].Revision);
        Assert.Equal((V1.Outcome.Eligible, 0), (verdict.Outcome, verdict.Findings.Count));
        Assert.Equal(V1.Outcome.NotEligible, (await _stack.AskAsync("KHM", more: request => request.KnownTime = suspended.Decision.RecordedTime)).Outcome);
        Assert.Empty((await _stack.Reader.ListRestrictionsAsync(new ListRestrictionsRequest { Country = "KHM" }, cancellationToken: Cancel)).Restrictions);
        Assert.Equal(all.Decision.Id, (await _stack.Reader.GetDecisionAsync(new GetDecisionRequest { DecisionId = suspended.Decision.Id }, cancellationToken: Cancel)).Decision.VoidedBy);
        await Stack.AssertRefusedAsync("RESTRICTION_NOT_IN_FORCE", StatusCode.FailedPrecondition, () => _stack.ProposeAsync(Stack.Lift(restriction, Stack.Today)));

        var timeline = await TimelineAsync("KHM", 2);
        Assert.Equal([EntryChange.Made, EntryChange.Lifted, EntryChange.Restored, EntryChange.Voided], timeline.Select(entry => entry.Change));
        Assert.All(timeline, entry => Assert.False(string.IsNullOrEmpty(entry.Sentence)));
    }

    [Fact]
    public async Task A_correction_says_what_the_record_should_have_said()
    {
        var wrong = await _stack.DecideAsync(Stack.Suspend("LBN", Stack.Today.AddDays(-30)));
        var right = wrong.Decision.Restrictions[0].Clone();
        right.EffectiveFrom = Stack.Today.AddDays(-10).ToProto();
        right.Effect = Effect.Hold;
        Decision Corrects(string id, Restriction restriction) =>
            new() { Document = "Memorandum", Reason = "The date was misread.", Corrections = { new Correction { Id = id, Restriction = restriction } } };
        var corrected = await _stack.DecideAsync(Corrects(right.Id, right));

        async Task<V1.Outcome> AskAsync(int day, Timestamp? known) => (await _stack.AskAsync("LBN", more: request =>
            (request.On, request.KnownTime, request.MinRevision) = (Stack.Today.AddDays(day).ToProto(), known, corrected.Revisions[0].Revision))).Outcome;
        Assert.Equal(V1.Outcome.Eligible, await AskAsync(-20, null));
        Assert.Equal(V1.Outcome.OnHold, await AskAsync(-5, null));
        Assert.Equal(V1.Outcome.NotEligible, await AskAsync(-20, wrong.Decision.RecordedTime));
        await Stack.AssertRefusedAsync("CORRECTION_NOT_POSSIBLE", StatusCode.FailedPrecondition, () => _stack.ProposeAsync(Corrects(Stack.NewId(), right)));
        var both = Corrects(right.Id, right);
        both.Lifts.Add(new Lift { RestrictionId = right.Id, EffectiveFrom = Stack.Today.ToProto() });
        await Stack.AssertRefusedAsync("RESTRICTION_OVERLAPS", StatusCode.FailedPrecondition, () => _stack.ProposeAsync(both));
    }

    [Fact]
    public async Task In_an_emergency_one_person_makes_training_wait_and_another_confirms_it()
    {
        var alone = _stack.Caller("emil", "read emergency approve propose");
        async Task<DecideInEmergencyResponse> DecideAsync(Decision decision) => await alone.DecideInEmergencyAsync(new DecideInEmergencyRequest { RequestId = Stack.NewId(), Decision = decision });
        await Stack.AssertRefusedAsync("EMERGENCY_NOT_ALLOWED", StatusCode.FailedPrecondition, () => DecideAsync(Stack.Suspend("ERI")));
        await Stack.AssertRefusedAsync("EMERGENCY_NOT_ALLOWED", StatusCode.FailedPrecondition, () => DecideAsync(Stack.Suspend("ERI", Stack.Today.AddDays(4), one => one.Effect = Effect.Hold)));
        await Stack.AssertRefusedAsync("SCOPE_REQUIRED", StatusCode.PermissionDenied, () => _stack.Proposer.DecideInEmergencyAsync(
            new DecideInEmergencyRequest { RequestId = Stack.NewId(), Decision = Stack.Suspend("ERI", more: one => one.Effect = Effect.Hold) }).ResponseAsync);

        var made = await DecideAsync(Stack.Suspend("ERI", more: one => one.Effect = Effect.Hold));
        Assert.Equal((true, "emil", made.Decision.RecordedTime.ToDateTime().AddHours(72)), (made.Decision.Emergency, made.Decision.DecidedBy, made.Decision.ConfirmByTime.ToDateTime()));
        Assert.Equal(V1.Outcome.OnHold, (await _stack.AskAsync("ERI")).Outcome);
        await _stack.Outside.WaitForAsync(e => e.RoutingKey == "country.restricted.ERI", Cancel);
        Assert.NotNull((await _stack.Reader.ListRestrictionsAsync(new ListRestrictionsRequest { Country = "ERI" }, cancellationToken: Cancel)).Restrictions[0].ConfirmByTime);

        Task<ConfirmEmergencyDecisionResponse> ConfirmAsync(V1.CountryEligibilityService.CountryEligibilityServiceClient by, Decision decision) => by.ConfirmEmergencyDecisionAsync(
            new ConfirmEmergencyDecisionRequest { RequestId = Stack.NewId(), DecisionId = decision.Id, Etag = decision.Etag }).ResponseAsync;
        await Stack.AssertRefusedAsync("SELF_APPROVAL", StatusCode.PermissionDenied, () => ConfirmAsync(alone, made.Decision));
        var confirmed = (await ConfirmAsync(_stack.Approver, made.Decision)).Decision;
        Assert.Equal("bernd", confirmed.ConfirmedBy);
        await Stack.AssertRefusedAsync("NOT_AWAITING_CONFIRMATION", StatusCode.FailedPrecondition, () => ConfirmAsync(_stack.Approver, confirmed));
        await _stack.Outside.WaitForAsync(e => e.RoutingKey == "country.emergency-confirmed.ERI", Cancel);
        Assert.Null((await _stack.Reader.ListRestrictionsAsync(new ListRestrictionsRequest { Country = "ERI" }, cancellationToken: Cancel)).Restrictions[0].ConfirmByTime);
    }

    [Fact]
    public async Task What_nobody_confirms_in_72_hours_ends_by_itself_and_is_told()
    {
        var alone = _stack.Caller("emil", "read emergency");
        var made = await alone.DecideInEmergencyAsync(new DecideInEmergencyRequest
        {
            RequestId = Stack.NewId(), Decision = Stack.Suspend("DJI", Stack.Today.AddDays(-1), one => one.Effect = Effect.PauseTraining),
        }, cancellationToken: Cancel);
        Assert.Equal(V1.Outcome.Paused, (await _stack.AskAsync("DJI")).Outcome);
        // Three days pass.
        await Stack.ExecuteAsync(_stack.Database.Administrator, $"""
            alter table eligibility.decisions disable trigger user;
            update eligibility.decisions set confirm_by = confirm_by - interval '3 days' where id = '{made.Decision.Id}';
            alter table eligibility.decisions enable trigger user;
            update eligibility.due_work set due_at = due_at - interval '3 days' where kind = 'emergency-lapse' and key = '{made.Decision.Id}';
            """);
        var lapsed = await _stack.Outside.WaitForAsync(e => e.RoutingKey == "country.emergency-lapsed.DJI", Cancel);
        Assert.Equal((made.Decision.Id, 2L), (lapsed.Data.GetProperty("decisionId").GetString(), lapsed.AggregateVersion));
        var verdict = await _stack.AskAsync("DJI", more: request => request.MinRevision = 2);
        Assert.Equal((V1.Outcome.Eligible, Bearing.NotInForce), (verdict.Outcome, Assert.Single(verdict.Findings).Bearing));
        Assert.Equal(V1.Outcome.Paused, (await _stack.AskAsync("DJI", more: request => request.KnownTime = made.Decision.RecordedTime)).Outcome);
        await Stack.AssertRefusedAsync("NOT_AWAITING_CONFIRMATION", StatusCode.FailedPrecondition, () => _stack.Approver.ConfirmEmergencyDecisionAsync(
            new ConfirmEmergencyDecisionRequest { RequestId = Stack.NewId(), DecisionId = made.Decision.Id, Etag = made.Decision.Etag }).ResponseAsync);
        Assert.Equal([EntryChange.Made, EntryChange.Lapsed], (await TimelineAsync("DJI", 50)).Select(entry => entry.Change));
    }

    [Fact]
    public async Task Who_proposed_takes_a_decision_back_and_nobody_else()
    {
        var proposed = await _stack.ProposeAsync(Stack.Suspend("TJK"));
        Task<WithdrawDecisionResponse> WithdrawAsync(V1.CountryEligibilityService.CountryEligibilityServiceClient by) =>
            by.WithdrawDecisionAsync(new WithdrawDecisionRequest { RequestId = Stack.NewId(), DecisionId = proposed.Id, Etag = proposed.Etag }).ResponseAsync;
        await Stack.AssertRefusedAsync("NOT_THE_PROPOSER", StatusCode.PermissionDenied, () => WithdrawAsync(_stack.Caller("otto", "read propose")));
        Assert.Equal(Decision.Types.State.Withdrawn, (await WithdrawAsync(_stack.Proposer)).Decision.State);
        await Stack.AssertRefusedAsync("DECISION_NOT_PROPOSED", StatusCode.FailedPrecondition, () => _stack.ApproveAsync(proposed));
    }

    [Fact]
    public async Task An_approval_that_rests_on_an_old_preview_is_refused()
    {
        var proposed = await _stack.ProposeAsync(Stack.Suspend("UZB"));
        Task<ApproveDecisionResponse> ApproveAsync(long seen) => _stack.Approver.ApproveDecisionAsync(new ApproveDecisionRequest
        {
            RequestId = Stack.NewId(), DecisionId = proposed.Id, Etag = proposed.Etag, ImpactPreview = new ImpactPreview { Etag = "7-3", Revisions = { new CountryRevision { Country = "UZB", Revision = seen } } },
        }).ResponseAsync;
        await _stack.DecideAsync(Stack.Suspend("UZB", more: one => one.Effect = Effect.Hold));
        await Stack.AssertRefusedAsync("PREVIEW_STALE", StatusCode.Aborted, () => ApproveAsync(0));
        Assert.Equal("7-3", (await ApproveAsync(1)).Decision.ImpactPreviewEtag);
    }

    [Fact]
    public async Task A_proposal_can_be_asked_about_as_if_it_were_approved()
    {
        var proposal = Stack.Suspend("KGZ");
        proposal.AnnouncedOn = Stack.Today.AddDays(5).ToProto();
        var proposed = await _stack.ProposeAsync(proposal);
        var previewer = _stack.Caller("enrollment", "read preview");
        var asIf = await _stack.AskAsync("KGZ", previewer, request => request.ProposalId = proposed.Id);
        Assert.Equal((V1.Outcome.NotEligible, proposed.Restrictions[0].Id, 0L), (asIf.Outcome, Assert.Single(asIf.Findings).RestrictionId, asIf.Revision));
        var batch = await previewer.BatchEvaluateEligibilityAsync(new BatchEvaluateEligibilityRequest
        {
            Questions = { new Question { Country = "KGZ" }, new Question { Country = "NOR" } }, ProposalId = proposed.Id,
        }, cancellationToken: Cancel);
        Assert.Equal([V1.Outcome.NotEligible, V1.Outcome.Eligible], batch.Verdicts.Select(verdict => verdict.Outcome));
        Assert.Equal(V1.Outcome.Eligible, (await _stack.AskAsync("KGZ", previewer)).Outcome);
        await Stack.AssertRefusedAsync("SCOPE_REQUIRED", StatusCode.PermissionDenied, () => _stack.AskAsync("KGZ", more: request => request.ProposalId = proposed.Id));
        await Stack.AssertRefusedAsync("NOT_FOUND", StatusCode.NotFound, () => _stack.AskAsync("KGZ", previewer, request => request.ProposalId = Stack.NewId()));
        await _stack.ApproveAsync(proposed);
        await Stack.AssertRefusedAsync("DECISION_NOT_PROPOSED", StatusCode.FailedPrecondition, () => _stack.AskAsync("KGZ", previewer, request => request.ProposalId = proposed.Id));
    }

    [Fact]
    public async Task What_is_voided_before_its_announcement_is_never_announced()
    {
        var secret = Stack.Suspend("TKM");
        secret.AnnouncedOn = Stack.Today.AddDays(1).ToProto();
        var approved = await _stack.DecideAsync(secret);
        var voids = Voids(approved.Decision.Id);
        voids.Restrictions.Add(Stack.Suspend("TKM").Restrictions);
        await Stack.AssertRefusedAsync("INVALID_FIELDS", StatusCode.InvalidArgument, () => _stack.ProposeAsync(voids));
        var voided = await _stack.DecideAsync(Voids(approved.Decision.Id));
        // The day of the announcement comes.
        await Stack.ExecuteAsync(_stack.Database.Administrator, $"""
            alter table eligibility.decisions disable trigger user;
            update eligibility.decisions set announced_on = announced_on - 2 where id in ('{approved.Decision.Id}', '{voided.Decision.Id}');
            alter table eligibility.decisions enable trigger user;
            alter table eligibility.restrictions disable trigger user;
            update eligibility.restrictions set announced_on = announced_on - 2 where country = 'TKM';
            alter table eligibility.restrictions enable trigger user;
            update eligibility.country_days set day = day - 2 where country = 'TKM' and day = '{Stack.Today.AddDays(1):yyyy-MM-dd}';
            update eligibility.due_work set due_at = due_at - interval '3 days', key = 'TKM/{Stack.Today.AddDays(-1):yyyy-MM-dd}' where kind = 'country-day' and key = 'TKM/{Stack.Today.AddDays(1):yyyy-MM-dd}';
            """);
        await Eventually.TrueAsync(async () =>
        {
            await using var connection = new NpgsqlConnection(_stack.Database.Administrator);
            await connection.OpenAsync(Cancel);
            await using var command = new NpgsqlCommand($"select count(*) from eligibility.country_days where country = 'TKM' and day < '{Stack.Today:yyyy-MM-dd}'", connection);
            return (long)(await command.ExecuteScalarAsync(Cancel))! == 0;
        }, Cancel);
        foreach (var id in new[] { approved.Decision.Id, voided.Decision.Id })
            await Stack.AssertRefusedAsync("NOT_FOUND", StatusCode.NotFound, () => _stack.Reader.GetDecisionAsync(new GetDecisionRequest { DecisionId = id }).ResponseAsync);
        Assert.Empty(await TimelineAsync("TKM", 50));
        await _stack.DecideAsync(Stack.Suspend("KAZ"));
        await _stack.Outside.WaitForAsync(e => e.PartitionKey == "KAZ", Cancel);
        Assert.DoesNotContain(_stack.Outside.Received, e => e.PartitionKey == "TKM");
    }

    [Fact]
    public async Task An_answer_is_explained_through_time()
    {
        var from = Stack.Today.AddDays(-100);
        var suspended = await _stack.DecideAsync(Stack.Suspend("VNM", Stack.Today.AddDays(-60)));
        await _stack.DecideAsync(Stack.Lift(suspended.Decision.Restrictions[0].Id, Stack.Today.AddDays(-20)));
        async Task<IReadOnlyList<EligibilityPeriod>> ExplainAsync(Axis axis) => (await _stack.Reader.ExplainEligibilityAsync(new ExplainEligibilityRequest
        {
            Question = new Question { Country = "VNM", FundingProgram = "IMET" }, Axis = axis, FromDate = from.ToProto(), ToDate = Stack.Today.AddDays(2).ToProto(), On = Stack.Today.AddDays(-40).ToProto(), MinRevision = 2,
        })).Periods;

        var days = await ExplainAsync(Axis.Day);
        Assert.Equal([(from, V1.Outcome.Eligible), (Stack.Today.AddDays(-60), V1.Outcome.NotEligible), (Stack.Today.AddDays(-20), V1.Outcome.Eligible)],
            days.Select(period => (period.FromDate.ToDateOnly(), period.Outcome)));
        Assert.Equal((Bearing.NotInForce, Bearing.Applies), (Assert.Single(days[1].Causes).BearingBefore, days[1].Causes[0].Finding.Bearing));
        Assert.Equal(Bearing.Lifted, Assert.Single(days[2].Causes).Finding.Bearing);

        var knowledge = await ExplainAsync(Axis.Known);
        Assert.Equal([V1.Outcome.Eligible, V1.Outcome.NotEligible], knowledge.Select(period => period.Outcome));
        Assert.Equal(suspended.Decision.RecordedTime, knowledge[1].FromTime);
        await Stack.AssertRefusedAsync("INVALID_FIELDS", StatusCode.InvalidArgument, () => _stack.Reader.ExplainEligibilityAsync(new ExplainEligibilityRequest
        {
            Question = new Question { Country = "VNM" }, FromDate = from.ToProto(), ToDate = from.ToProto(),
        }).ResponseAsync);
    }

    [Fact]
    public async Task Restrictions_are_found_by_basis_effect_and_day()
    {
        await _stack.DecideAsync(Stack.Suspend("MNG"));
        await _stack.DecideAsync(Stack.Suspend("MNG", more: one => (one.LegalBasis, one.Effect) = ("POLICY_PAUSE", Effect.Hold)));
        async Task<IEnumerable<string>> ListAsync(Action<ListRestrictionsRequest> filter)
        {
            var request = new ListRestrictionsRequest { Country = "MNG" };
            filter(request);
            return (await _stack.Reader.ListRestrictionsAsync(request)).Restrictions.Select(restriction => restriction.LegalBasis);
        }
        Assert.Equal(["POLICY_PAUSE"], await ListAsync(request => request.LegalBasis = "POLICY_PAUSE"));
        Assert.Equal(["COUP_7008"], await ListAsync(request => request.Effect = Effect.Suspend));
        Assert.Empty(await ListAsync(request => request.InForceOn = Stack.Today.AddDays(-1).ToProto()));
    }

    [Fact]
    public async Task A_thousand_questions_are_answered_in_one_call()
    {
        var request = new BatchEvaluateEligibilityRequest { Questions = { Enumerable.Repeat(new Question { Country = "NOR", FundingProgram = "IMET" }, 1000) } };
        Assert.Equal(1000, (await _stack.Reader.BatchEvaluateEligibilityAsync(request, cancellationToken: Cancel)).Verdicts.Count);
        request.Questions.Add(new Question { Country = "NOR" });
        await Stack.AssertRefusedAsync("INVALID_FIELDS", StatusCode.InvalidArgument, () => _stack.Reader.BatchEvaluateEligibilityAsync(request).ResponseAsync);
    }

    public static TheoryData<string, string, StatusCode, string> BadInput => new()
    {
        { "a withdrawn code", "COUNTRY_CODE_INVALID", StatusCode.InvalidArgument, "YUG" },
        { "a Cyrillic letter that looks like a Latin one", "INVALID_FIELDS", StatusCode.InvalidArgument, "N\u041eR" },
        { "a full-width letter", "INVALID_FIELDS", StatusCode.InvalidArgument, "NO\uff32" },
        { "small letters", "INVALID_FIELDS", StatusCode.InvalidArgument, "nor" },
        { "NUL", "INVALID_FIELDS", StatusCode.InvalidArgument, "NO\0" },
        { "a code of two letters", "INVALID_FIELDS", StatusCode.InvalidArgument, "NO" },
    };

    [Theory]
    [MemberData(nameof(BadInput))]
    public async Task A_code_that_is_none_is_refused(string what, string reason, StatusCode code, string country)
    {
        Assert.NotEmpty(what);
        await Stack.AssertRefusedAsync(reason, code, () => _stack.AskAsync(country));
    }

    [Fact]
    public async Task Dates_that_are_none_are_refused_by_field()
    {
        foreach (var date in new[] { new Google.Type.Date { Year = 2026, Month = 2, Day = 29 }, new Google.Type.Date { Year = 0, Month = 1, Day = 1 }, new Google.Type.Date { Year = 2026, Month = 13, Day = 1 }, new Google.Type.Date() })
        {
            var refusal = await Stack.RefusalAsync(() => _stack.AskAsync("NOR", more: request => (request.On, request.Question.StartDate) = (date, date)));
            Assert.Equal("INVALID_FIELDS", refusal.Info.Reason);
            Assert.Equal(["on", "question.start_date"], refusal.Fields!.FieldViolations.Select(field => field.Field).Order());
        }
        await Stack.AssertRefusedAsync("INVALID_FIELDS", StatusCode.InvalidArgument, () => _stack.AskAsync("NOR", more: request => request.KnownTime = Timestamp.FromDateTime(DateTime.UtcNow.AddDays(1))));
    }

    [Fact]
    public async Task Every_part_of_a_decision_that_does_not_fit_is_named_at_once()
    {
        var decision = Stack.Suspend("NOR", more: one => (one.Effect, one.Ceiling) = (Effect.ConditionBlocking, new Ceiling { FiscalYear = 2026 }));
        decision.Restrictions.Add(Stack.Suspend("NOR", more: one => (one.Effect, one.WindUp) = (Effect.Stop, WindUp.FinishBegun)).Restrictions);
        decision.Restrictions.Add(Stack.Suspend("NOR", more: one => (one.Effect, one.Ceiling) = (Effect.Ceiling, new Ceiling { FiscalYear = 2026, SharePercent = 101 })).Restrictions);
        decision.Waivers.Add(new Waiver { Country = "NOR", LegalBasis = "COUP_7008", EffectiveFrom = Stack.Today.ToProto(), EffectiveTo = Stack.Today.AddDays(-1).ToProto() });
        decision.Corrections.Add(new Correction { Id = Stack.NewId() });
        var refusal = await Stack.RefusalAsync(() => _stack.ProposeAsync(decision));
        Assert.Equal(
        [
            "decision.corrections[0]", "decision.restrictions[0].ceiling", "decision.restrictions[0].ceiling.limit", "decision.restrictions[0].condition", "decision.restrictions[1].wind_up",
            "decision.restrictions[2].ceiling.limit", "decision.waivers[0].effective_to",
        ], refusal.Fields!.FieldViolations.Select(field => field.Field).Order(StringComparer.Ordinal));
        var unknown = Stack.Suspend("QQQ");
        unknown.Restrictions.Add(Stack.Suspend("QQR").Restrictions);
        var countries = await Stack.RefusalAsync(() => _stack.ProposeAsync(unknown));
        Assert.Equal(("COUNTRY_CODE_INVALID", 2), (countries.Info.Reason, countries.Fields!.FieldViolations.Count));
        // A decision rests on a document and says why.
        var bare = await Stack.RefusalAsync(() => _stack.ProposeAsync(new Decision { Restrictions = { Stack.Suspend("NOR").Restrictions } }));
        Assert.Equal(["decision.document", "decision.reason"], bare.Fields!.FieldViolations.Select(field => field.Field));
    }

    private static Decision Because(Waiver waiver) => new() { Document = "Presidential Determination 2021-01", Reason = "In the national interest.", Waivers = { waiver } };

    private static Decision Voids(string decision) => new() { Document = "Memorandum", Reason = "It was made in error.", Voids = { new V1.Void { DecisionId = decision } } };

    private async Task<IReadOnlyList<TimelineEntry>> TimelineAsync(string country, int size)
    {
        List<TimelineEntry> entries = [];
        var request = new ListCountryTimelineRequest { Country = country, PageSize = size };
        do
        {
            var page = await _stack.Reader.ListCountryTimelineAsync(request, cancellationToken: Cancel);
            entries.AddRange(page.Entries);
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
        return entries;
    }
}
