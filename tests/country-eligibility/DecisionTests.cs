using Grpc.Core;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.Testing;
using Npgsql;
using Xunit;

namespace Imet.CountryEligibility.Tests;

public sealed class DecisionTests(SharedStack shared) : IClassFixture<SharedStack>
{
    private readonly Stack _stack = shared.Stack;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_decision_proposed_by_one_and_approved_by_another_suspends_the_country()
    {
        Assert.Equal(V1.Outcome.Eligible, (await _stack.AskAsync("THA")).Outcome);

        var proposed = await _stack.ProposeAsync(Stack.Suspend("THA"));
        Assert.Equal(Decision.Types.State.Proposed, proposed.State);
        Assert.Equal("anna", proposed.ProposedBy);
        // The legal basis says that FAA 617 holds; the proposal left it open.
        Assert.Equal(WindUp.FinishBegun, Assert.Single(proposed.Restrictions).WindUp);
        Assert.Equal(V1.Outcome.Eligible, (await _stack.AskAsync("THA")).Outcome);

        var approved = await _stack.ApproveAsync(proposed);
        Assert.Equal(Decision.Types.State.Approved, approved.Decision.State);
        Assert.Equal("bernd", approved.Decision.DecidedBy);
        Assert.Equal(Stack.Today.ToProto(), approved.Decision.AnnouncedOn);
        Assert.False(approved.Decision.ImportedHistory);
        var revision = Assert.Single(approved.Revisions);
        Assert.Equal(("THA", 1L), (revision.Country, revision.Revision));

        var verdict = await _stack.AskAsync("THA", more: request => request.MinRevision = revision.Revision);
        Assert.Equal(V1.Outcome.NotEligible, verdict.Outcome);
        Assert.Equal(revision.Revision, verdict.Revision);
        var finding = Assert.Single(verdict.Findings);
        Assert.Equal((proposed.Restrictions[0].Id, proposed.Id, "COUP_7008"), (finding.RestrictionId, finding.DecisionId, finding.LegalBasis));
        Assert.Contains("7008", finding.Citation, StringComparison.Ordinal);
        Assert.Contains("Thailand", verdict.Summary, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_lift_ends_the_whole_restriction_or_a_part_of_it()
    {
        var pakistan = (await _stack.DecideAsync(Stack.Suspend("PAK", Stack.Today.AddDays(-100)))).Decision.Restrictions[0].Id;
        var onlyImet = new Scope { FundingPrograms = new CodeSet { Mode = SetMode.Only, Codes = { "IMET" } } };
        var part = await _stack.DecideAsync(Stack.Lift(pakistan, Stack.Today.AddDays(-10), onlyImet));
        Assert.Equal(2, part.Revisions[0].Revision);
        Verdict verdict = await _stack.AskAsync("PAK", more: request => request.MinRevision = 2);
        Assert.Equal(V1.Outcome.Eligible, verdict.Outcome);
        Assert.Equal(Finding.Types.Bearing.Lifted, Assert.Single(verdict.Findings).Bearing);
        Assert.Equal(V1.Outcome.NotEligible, (await _stack.AskAsync("PAK", more: request => request.Question.FundingProgram = "FMF")).Outcome);

        await _stack.DecideAsync(Stack.Lift(pakistan, Stack.Today.AddDays(-5)));
        verdict = await _stack.AskAsync("PAK", more: request => (request.MinRevision, request.Question.FundingProgram) = (3, "FMF"));
        Assert.Equal(V1.Outcome.Eligible, verdict.Outcome);
        Assert.Equal(Stack.Today.AddDays(-5).ToProto(), Assert.Single(verdict.Findings).EffectiveTo);
        await Stack.AssertRefusedAsync("RESTRICTION_NOT_IN_FORCE", StatusCode.FailedPrecondition, () => _stack.ProposeAsync(Stack.Lift(pakistan, Stack.Today)));
    }

    [Fact]
    public async Task The_record_is_read_as_it_was_known_before_and_after_an_approval()
    {
        var before = DateTime.UtcNow;
        var approved = await _stack.DecideAsync(Stack.Suspend("MLI"));
        var restriction = approved.Decision.Restrictions[0].Id;
        var between = approved.Decision.RecordedTime;
        var lifted = await _stack.DecideAsync(Stack.Lift(restriction, Stack.Today.AddDays(30)));

        Task<Verdict> AskAsync(DateTime? known, int days) => _stack.AskAsync("MLI", more: request =>
        {
            request.MinRevision = 2;
            request.On = Stack.Today.AddDays(days).ToProto();
            request.KnownTime = known is { } time ? Google.Protobuf.WellKnownTypes.Timestamp.FromDateTime(time) : null;
        });
        Assert.Equal(V1.Outcome.Eligible, (await AskAsync(before, 0)).Outcome);
        Assert.Equal(V1.Outcome.NotEligible, (await AskAsync(between.ToDateTime(), 40)).Outcome);
        Assert.Equal(V1.Outcome.NotEligible, (await AskAsync(null, 29)).Outcome);
        Assert.Equal(V1.Outcome.Eligible, (await AskAsync(null, 30)).Outcome);

        async Task<IReadOnlyList<Restriction>> ListAsync(Google.Protobuf.WellKnownTypes.Timestamp? known) =>
            (await _stack.Reader.ListRestrictionsAsync(new ListRestrictionsRequest { Country = "MLI", KnownTime = known })).Restrictions;
        Assert.Empty(await ListAsync(Google.Protobuf.WellKnownTypes.Timestamp.FromDateTime(before)));
        var first = Assert.Single(await ListAsync(between));
        Assert.Null(first.EffectiveTo);
        Assert.Equal(lifted.Decision.RecordedTime, first.KnownToTime);
        var current = Assert.Single(await ListAsync(null));
        Assert.Equal((Stack.Today.AddDays(30).ToProto(), null), (current.EffectiveTo, current.KnownToTime));
    }

    [Fact]
    public async Task The_proposer_does_not_approve()
    {
        var proposed = await _stack.ProposeAsync(Stack.Suspend("NER"));
        var both = _stack.Caller("anna", "read propose approve");
        await Stack.AssertRefusedAsync("SELF_APPROVAL", StatusCode.PermissionDenied, () => both.ApproveDecisionAsync(
            new ApproveDecisionRequest { RequestId = Stack.NewId(), DecisionId = proposed.Id, Etag = proposed.Etag }).ResponseAsync);
        Assert.Equal(V1.Outcome.Eligible, (await _stack.AskAsync("NER")).Outcome);
    }

    [Fact]
    public async Task What_was_not_read_is_not_approved_and_what_is_decided_stays_decided()
    {
        var proposed = await _stack.ProposeAsync(Stack.Suspend("BFA"));
        await Stack.AssertRefusedAsync("ETAG_MISMATCH", StatusCode.Aborted, () => _stack.Approver.ApproveDecisionAsync(
            new ApproveDecisionRequest { RequestId = Stack.NewId(), DecisionId = proposed.Id, Etag = "another" }).ResponseAsync);
        var rejected = (await _stack.Approver.RejectDecisionAsync(
            new RejectDecisionRequest { RequestId = Stack.NewId(), DecisionId = proposed.Id, Etag = proposed.Etag }, cancellationToken: Cancel)).Decision;
        Assert.Equal((Decision.Types.State.Rejected, "bernd"), (rejected.State, rejected.DecidedBy));
        await Stack.AssertRefusedAsync("DECISION_NOT_PROPOSED", StatusCode.FailedPrecondition, () => _stack.ApproveAsync(rejected));
        await Stack.AssertRefusedAsync("NOT_FOUND", StatusCode.NotFound, () => _stack.Approver.ApproveDecisionAsync(
            new ApproveDecisionRequest { RequestId = Stack.NewId(), DecisionId = Stack.NewId(), Etag = "1" }).ResponseAsync);
    }

    [Fact]
    public async Task A_replayed_request_returns_the_first_response_and_decides_once()
    {
        var propose = new ProposeDecisionRequest { RequestId = Stack.NewId(), Decision = Stack.Suspend("GIN") };
        var proposed = await _stack.Proposer.ProposeDecisionAsync(propose, cancellationToken: Cancel);
        Assert.Equal(proposed, await _stack.Proposer.ProposeDecisionAsync(propose, cancellationToken: Cancel));
        var approve = new ApproveDecisionRequest { RequestId = Stack.NewId(), DecisionId = proposed.Decision.Id, Etag = proposed.Decision.Etag };
        var approvals = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => _stack.Approver.ApproveDecisionAsync(approve).ResponseAsync));
        Assert.All(approvals, approval => Assert.Equal(approvals[0], approval));
        Assert.Equal(1, approvals[0].Revisions[0].Revision);
        await Stack.AssertRefusedAsync("REQUEST_ID_REUSED", StatusCode.InvalidArgument, () => _stack.Proposer.ProposeDecisionAsync(
            new ProposeDecisionRequest { RequestId = propose.RequestId, Decision = Stack.Suspend("SDN") }).ResponseAsync);
    }

    [Fact]
    public async Task What_the_record_does_not_know_is_refused_by_name()
    {
        Task Propose(Decision decision) => _stack.ProposeAsync(decision);
        await Stack.AssertRefusedAsync("COUNTRY_CODE_INVALID", StatusCode.InvalidArgument, () => Propose(Stack.Suspend("QQQ")));
        await Stack.AssertRefusedAsync("LEGAL_BASIS_UNKNOWN", StatusCode.InvalidArgument, () => Propose(Stack.Suspend("NOR", more: restriction => restriction.LegalBasis = "NO_SUCH_LAW")));
        await Stack.AssertRefusedAsync("FUNDING_PROGRAM_UNKNOWN", StatusCode.InvalidArgument, () => Propose(Stack.Suspend("NOR",
            more: restriction => restriction.Scope = new Scope { FundingPrograms = new CodeSet { Mode = SetMode.Only, Codes = { "IMTE" } } })));
        await Stack.AssertRefusedAsync("RESTRICTION_NOT_IN_FORCE", StatusCode.FailedPrecondition, () => Propose(Stack.Lift(Stack.NewId(), Stack.Today)));
        await Stack.AssertRefusedAsync("INVALID_FIELDS", StatusCode.InvalidArgument, () => Propose(new Decision { Document = "A memorandum", Reason = "None" }));
        await Stack.AssertRefusedAsync("COUNTRY_CODE_INVALID", StatusCode.InvalidArgument, () => _stack.AskAsync("QQQ"));
        await Stack.AssertRefusedAsync("FUNDING_PROGRAM_UNKNOWN", StatusCode.InvalidArgument, () => _stack.AskAsync("NOR", more: request => request.Question.FundingProgram = "IMTE"));
        await Stack.AssertRefusedAsync("INVALID_FIELDS", StatusCode.InvalidArgument, () => _stack.AskAsync("NOR", more: request => request.Question.Stage = Stage.Continuing));
    }

    [Fact]
    public async Task A_restriction_ends_after_it_begins_and_every_wrong_field_is_named()
    {
        var refusal = await Stack.RefusalAsync(() => _stack.ProposeAsync(Stack.Suspend("NOR", more: restriction =>
        {
            restriction.EffectiveTo = restriction.EffectiveFrom;
            restriction.Scope = new Scope();
        })));
        Assert.Equal(["decision.restrictions[0].effective_to", "decision.restrictions[0].scope"], refusal.Fields!.FieldViolations.Select(field => field.Field));
    }

    [Fact]
    public async Task Nothing_is_told_to_the_public_before_the_announcement()
    {
        var decision = Stack.Suspend("GAB");
        decision.AnnouncedOn = Stack.Today.AddDays(3).ToProto();
        var approved = await _stack.DecideAsync(decision);
        var insider = _stack.Caller("enrollment", "read unannounced");
        Assert.Equal(V1.Outcome.NotEligible, (await _stack.AskAsync("GAB", insider, request => request.MinRevision = 1)).Outcome);

        var verdict = await _stack.AskAsync("GAB", more: request => request.MinRevision = 1);
        Assert.Equal(V1.Outcome.Eligible, verdict.Outcome);
        Assert.Empty(verdict.Findings);
        Assert.Empty(verdict.NextChangeDates);
        await Stack.AssertRefusedAsync("NOT_FOUND", StatusCode.NotFound, () => _stack.Reader.GetDecisionAsync(new GetDecisionRequest { DecisionId = approved.Decision.Id }).ResponseAsync);
        Assert.Equal(approved.Decision, (await insider.GetDecisionAsync(new GetDecisionRequest { DecisionId = approved.Decision.Id }, cancellationToken: Cancel)).Decision);
        Assert.Empty((await _stack.Reader.ListDecisionsAsync(new ListDecisionsRequest { Country = "GAB" }, cancellationToken: Cancel)).Decisions);
        Assert.Empty((await _stack.Reader.ListRestrictionsAsync(new ListRestrictionsRequest { Country = "GAB" }, cancellationToken: Cancel)).Restrictions);
        Assert.Single((await insider.ListRestrictionsAsync(new ListRestrictionsRequest { Country = "GAB" }, cancellationToken: Cancel)).Restrictions);

        // The event of a later decision of another country has passed the broker, and there is still none about this one.
        await _stack.DecideAsync(Stack.Suspend("HND"));
        await _stack.Outside.WaitForAsync(e => e.PartitionKey == "HND", Cancel);
        Assert.DoesNotContain(_stack.Outside.Received, e => e.PartitionKey == "GAB");
    }

    [Fact]
    public async Task History_is_imported_under_its_own_scope_for_a_time_before_the_record()
    {
        var decision = Stack.Suspend("FJI", new DateOnly(2006, 12, 6));
        decision.AnnouncedOn = new DateOnly(2006, 12, 6).ToProto();
        decision.KnownFromTime = Google.Protobuf.WellKnownTypes.Timestamp.FromDateTime(new DateTime(2006, 12, 6, 15, 0, 0, DateTimeKind.Utc));
        await Stack.AssertRefusedAsync("KNOWN_TIME_NOT_ALLOWED", StatusCode.FailedPrecondition, () => _stack.ProposeAsync(decision));

        var historian = _stack.Caller("hanna", "read propose history");
        var late = decision.Clone();
        late.KnownFromTime = Google.Protobuf.WellKnownTypes.Timestamp.FromDateTime(DateTime.UtcNow);
        await Stack.AssertRefusedAsync("KNOWN_TIME_NOT_ALLOWED", StatusCode.FailedPrecondition, () => _stack.ProposeAsync(late, historian));

        var approved = await _stack.DecideAsync(decision, historian);
        Assert.True(approved.Decision.ImportedHistory);
        Assert.True(approved.Decision.RecordedTime > decision.KnownFromTime);
        var lift = Stack.Lift(approved.Decision.Restrictions[0].Id, new DateOnly(2014, 10, 31));
        lift.KnownFromTime = Google.Protobuf.WellKnownTypes.Timestamp.FromDateTime(new DateTime(2014, 10, 31, 15, 0, 0, DateTimeKind.Utc));
        await _stack.DecideAsync(lift, historian);

        async Task<V1.Outcome> AskAsync(int year, int known) => (await _stack.AskAsync("FJI", more: request =>
        {
            request.MinRevision = 2;
            request.On = new DateOnly(year, 6, 1).ToProto();
            request.KnownTime = Google.Protobuf.WellKnownTypes.Timestamp.FromDateTime(new DateTime(known, 7, 1, 0, 0, 0, DateTimeKind.Utc));
        })).Outcome;
        Assert.Equal(V1.Outcome.Eligible, await AskAsync(2015, 2006));
        Assert.Equal(V1.Outcome.NotEligible, await AskAsync(2015, 2010));
        Assert.Equal(V1.Outcome.Eligible, await AskAsync(2015, 2015));
        Assert.Equal(V1.Outcome.NotEligible, await AskAsync(2010, 2015));
    }

    [Fact]
    public async Task Another_replica_sees_an_approval_within_a_second()
    {
        var other = _stack.Caller("carla", "read", replica: 1);
        await _stack.DecideAsync(Stack.Suspend("MDG"));
        var approved = DateTime.UtcNow;
        await Eventually.TrueAsync(async () => (await _stack.AskAsync("MDG", other)).Outcome == V1.Outcome.NotEligible, Cancel);
        // The promise is a second; a busy test machine gets ten.
        Assert.True(DateTime.UtcNow - approved < TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task Who_demands_a_revision_gets_an_answer_that_rests_on_it_from_any_replica()
    {
        var other = _stack.Caller("carla", "read", replica: 1);
        var restriction = (await _stack.DecideAsync(Stack.Suspend("CIV"))).Decision.Restrictions[0].Id;
        for (var revision = 2; revision <= 6; revision += 2)
        {
            var lifted = await _stack.DecideAsync(Stack.Lift(restriction, Stack.Today));
            Assert.Equal(revision, lifted.Revisions[0].Revision);
            Assert.Equal(V1.Outcome.Eligible, (await _stack.AskAsync("CIV", other, request => request.MinRevision = lifted.Revisions[0].Revision)).Outcome);
            var again = await _stack.DecideAsync(Stack.Suspend("CIV"));
            restriction = again.Decision.Restrictions[0].Id;
            Assert.Equal(V1.Outcome.NotEligible, (await _stack.AskAsync("CIV", other, request => request.MinRevision = again.Revisions[0].Revision)).Outcome);
        }
        await Stack.AssertRefusedAsync("REVISION_NOT_YET_SEEN", StatusCode.Unavailable, () => _stack.AskAsync("CIV", other, request => request.MinRevision = 1000));
    }

    [Fact]
    public async Task A_batch_is_answered_in_order_from_one_picture()
    {
        var revision = (await _stack.DecideAsync(Stack.Suspend("TCD"))).Revisions[0];
        var response = await _stack.Reader.BatchEvaluateEligibilityAsync(new BatchEvaluateEligibilityRequest
        {
            Questions = { new Question { Country = "NOR" }, new Question { Country = "TCD" }, new Question { Country = "SWE" } },
            MinRevisions = { revision },
        }, cancellationToken: Cancel);
        Assert.Equal([V1.Outcome.Eligible, V1.Outcome.NotEligible, V1.Outcome.Eligible], response.Verdicts.Select(verdict => verdict.Outcome));
        var refusal = await Stack.RefusalAsync(() => _stack.Reader.BatchEvaluateEligibilityAsync(
            new BatchEvaluateEligibilityRequest { Questions = { new Question { Country = "NOR" }, new Question { Country = "QQQ" } } }).ResponseAsync);
        Assert.Equal("questions[1].country", Assert.Single(refusal.Fields!.FieldViolations).Field);
        var revisions = await _stack.Reader.ListCountryRevisionsAsync(new ListCountryRevisionsRequest(), cancellationToken: Cancel);
        Assert.Contains(revision, revisions.Revisions);
        Assert.Equal(response.Verdicts[0].Epoch, revisions.Epoch);
    }

    [Fact]
    public async Task Events_of_a_country_arrive_in_the_order_of_its_revisions()
    {
        var restriction = (await _stack.DecideAsync(Stack.Suspend("BDI"))).Decision.Restrictions[0];
        // One decision that lifts and restricts at once: two events, each with a revision of its own.
        var both = Stack.Lift(restriction.Id, Stack.Today);
        both.Restrictions.Add(Stack.Suspend("BDI", more: anew => anew.Effect = Effect.Hold).Restrictions);
        var last = (await _stack.DecideAsync(both)).Revisions[0].Revision;
        Assert.Equal(3, last);
        var events = await _stack.Outside.WaitForAsync(3, e => e.PartitionKey == "BDI", Cancel);
        Assert.Equal([1, 2, 3], events.DistinctBy(e => e.Id).Select(e => e.AggregateVersion));
        Assert.Equal(["country.restricted.BDI", "country.restricted.BDI", "country.restriction-lifted.BDI"], events.DistinctBy(e => e.Id).Select(e => e.RoutingKey));
        Assert.Equal(restriction.Id, events[0].Data.GetProperty("restrictions")[0].GetProperty("id").GetString());
        Assert.Equal("EFFECT_SUSPEND", events[0].Data.GetProperty("restrictions")[0].GetProperty("effect").GetString());
    }

    [Fact]
    public async Task The_runtime_role_can_add_to_the_record_but_not_edit_it()
    {
        var id = (await _stack.DecideAsync(Stack.Suspend("COM"))).Decision.Restrictions[0].Id;
        async Task<string?> RefusedAsync(string sql, bool administrator = false) => (await Assert.ThrowsAsync<PostgresException>(() =>
            Stack.ExecuteAsync(administrator ? _stack.Database.Administrator : _stack.Database.Runtime("eligibility"), sql))).SqlState;
        Assert.Equal("42501", await RefusedAsync($"update eligibility.restrictions set effective_to = now()::date where id = '{id}'"));
        Assert.Equal("42501", await RefusedAsync($"delete from eligibility.restrictions where id = '{id}'"));
        Assert.Equal("42501", await RefusedAsync("delete from eligibility.decisions"));
        Assert.Equal("42501", await RefusedAsync("update eligibility.reliefs set effective_from = now()"));
        Assert.Equal("42501", await RefusedAsync("update eligibility.countries set system_of_record_since = now()"));
        Assert.Equal("42501", await RefusedAsync("insert into eligibility.legal_bases select * from eligibility.legal_bases"));
        // Not even who owns the tables edits in passing, and a known time is closed once.
        Assert.Equal("23001", await RefusedAsync($"update eligibility.restrictions set effective_to = '2999-01-01', known_to = now() where id = '{id}'", administrator: true));
        Assert.Equal("23001", await RefusedAsync("update eligibility.decisions set reason = 'another'", administrator: true));
        // Two versions of one restriction never hold for the same day at the same known time.
        var second = $"""
            insert into eligibility.restrictions
                (id, version, country, legal_basis, effect, scope, wind_up, effective_from, change, made_by, changed_by, announced_on, known_from, recorded_at, imported)
            select id, 2, country, legal_basis, 'HOLD', scope, wind_up, effective_from, 'LIFTED', made_by, changed_by, announced_on, known_from, recorded_at, imported
            from eligibility.restrictions where id = '{id}'
            """;
        Assert.Equal("23P01", await RefusedAsync($"alter table eligibility.restrictions disable trigger restrictions_follow; {second}", administrator: true));
        // And a version follows the one before it, whose known time must be closed first; revisions and times only rise.
        Assert.Equal("23001", await RefusedAsync(second));
        Assert.Equal("23001", await RefusedAsync("update eligibility.record set revision = revision - 1"));
        Assert.Equal("23001", await RefusedAsync("update eligibility.record set revision = revision + 1"));
        Assert.Equal("23001", await RefusedAsync("update eligibility.countries set revision = revision - 1 where code = 'COM'"));
    }

    [Fact]
    public async Task A_caller_for_one_country_sees_and_touches_that_country_alone()
    {
        var norway = _stack.Caller("nils", "read propose", 0, "NOR");
        await Stack.AssertRefusedAsync("COUNTRY_NOT_PERMITTED", StatusCode.PermissionDenied, () => _stack.AskAsync("SWE", norway));
        await Stack.AssertRefusedAsync("COUNTRY_NOT_PERMITTED", StatusCode.PermissionDenied, () => _stack.ProposeAsync(Stack.Suspend("SWE"), norway));
        Assert.Equal(["NOR"], (await norway.ListCountriesAsync(new ListCountriesRequest(), cancellationToken: Cancel)).Countries.Select(country => country.Code));
        var decision = await _stack.ProposeAsync(Stack.Suspend("LAO"));
        await Stack.AssertRefusedAsync("NOT_FOUND", StatusCode.NotFound, () => norway.GetDecisionAsync(new GetDecisionRequest { DecisionId = decision.Id }).ResponseAsync);
    }

    [Fact]
    public async Task The_reference_data_has_the_traps_right()
    {
        async Task<Country> GetAsync(string code) => (await _stack.Reader.GetCountryAsync(new GetCountryRequest { Country = code })).Country;
        var namibia = await GetAsync("NAM");
        Assert.Equal(("NA", "516", "WA", "AFRICOM"), (namibia.Alpha2, namibia.NumericCode, namibia.DscaCode, namibia.CombatantCommand));
        var kosovo = await GetAsync("XKX");
        Assert.Equal(("XK", "", "KV", "EUCOM"), (kosovo.Alpha2, kosovo.NumericCode, kosovo.DscaCode, kosovo.CombatantCommand));
        Assert.Equal("008", (await GetAsync("ALB")).NumericCode);
        await Stack.AssertRefusedAsync("NOT_FOUND", StatusCode.NotFound, () => GetAsync("QQQ"));

        var seen = new List<string>();
        var request = new ListCountriesRequest { PageSize = 100 };
        do
        {
            var page = await _stack.Reader.ListCountriesAsync(request, cancellationToken: Cancel);
            seen.AddRange(page.Countries.Select(country => country.Code));
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
        Assert.Equal(261, seen.Count);
        Assert.Equal(seen.Order(StringComparer.Ordinal).Distinct(), seen);
        Assert.Contains((await _stack.Reader.ListLegalBasesAsync(new ListLegalBasesRequest(), cancellationToken: Cancel)).LegalBases, basis => basis is { Code: "COUP_7008", DefaultEffect: Effect.Suspend });
        Assert.Contains((await _stack.Reader.ListFundingProgramsAsync(new ListFundingProgramsRequest(), cancellationToken: Cancel)).FundingPrograms, program => program is { Code: "IMET", ForeignAssistance: true });
    }

    [Fact]
    public async Task Decisions_and_restrictions_are_listed_page_by_page()
    {
        var decisions = new List<string>();
        for (var i = 0; i < 5; i++)
            decisions.Add((await _stack.DecideAsync(Stack.Suspend("LBR", Stack.Today.AddDays(-i)))).Decision.Id);
        var listed = new List<string>();
        var decisionPage = new ListDecisionsRequest { Country = "LBR", PageSize = 2, State = Decision.Types.State.Approved };
        do
        {
            var page = await _stack.Reader.ListDecisionsAsync(decisionPage, cancellationToken: Cancel);
            listed.AddRange(page.Decisions.Select(decision => decision.Id));
            decisionPage.PageToken = page.NextPageToken;
        }
        while (decisionPage.PageToken.Length > 0);
        Assert.Equal(decisions.AsEnumerable().Reverse(), listed);

        var days = new List<DateOnly>();
        var restrictionPage = new ListRestrictionsRequest { Country = "LBR", PageSize = 2, InForceOn = Stack.Today.AddDays(-2).ToProto() };
        do
        {
            var page = await _stack.Reader.ListRestrictionsAsync(restrictionPage, cancellationToken: Cancel);
            days.AddRange(page.Restrictions.Select(restriction => restriction.EffectiveFrom.ToDateOnly()));
            restrictionPage.PageToken = page.NextPageToken;
        }
        while (restrictionPage.PageToken.Length > 0);
        Assert.Equal([Stack.Today.AddDays(-4), Stack.Today.AddDays(-3), Stack.Today.AddDays(-2)], days);
    }
}
