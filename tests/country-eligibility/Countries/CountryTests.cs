using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Xunit;
using Client = Imet.CountryEligibility.V1.CountryEligibilityService.CountryEligibilityServiceClient;

namespace Imet.CountryEligibility.Tests.Countries;

public sealed class CountryTests(SharedStack shared) : IClassFixture<SharedStack>
{
    private readonly Stack _stack = shared.Stack;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private Client Office => _stack.Caller("rosa", "read reference");

    [Fact]
    public async Task A_code_is_added_and_changed_with_its_etag_and_each_change_is_told()
    {
        var created = await CreateAsync(new Country { Code = "XXA", Name = "Ruritania", Alpha2 = "XA", NumericCode = "901", DscaCode = "X1", Names = { "Ruritania, Kingdom of" } });
        Assert.Equal((1, "Ruritania, Kingdom of"), (created.Revision, Assert.Single(created.Names)));
        Assert.Equal(created, (await _stack.Reader.GetCountryAsync(new GetCountryRequest { Country = "XXA" }, cancellationToken: Cancel)).Country);

        var change = created.Clone();
        change.Name = "Republic of Ruritania";
        change.Names.Add("Ruritania");
        var updated = (await Office.UpdateCountryAsync(new UpdateCountryRequest { RequestId = Stack.NewId(), Country = change, Etag = created.Etag }, cancellationToken: Cancel)).Country;
        Assert.Equal((2, "Republic of Ruritania", "Ruritania; Ruritania, Kingdom of"), (updated.Revision, updated.Name, string.Join("; ", updated.Names)));
        await Stack.AssertRefusedAsync("ETAG_MISMATCH", StatusCode.Aborted, () => Office.UpdateCountryAsync(new UpdateCountryRequest { RequestId = Stack.NewId(), Country = change, Etag = created.Etag }).ResponseAsync);
        await Stack.AssertRefusedAsync("NOT_FOUND", StatusCode.NotFound, () => Office.UpdateCountryAsync(
            new UpdateCountryRequest { RequestId = Stack.NewId(), Country = new Country { Code = "XXZ", Name = "Nowhere" }, Etag = "1" }).ResponseAsync);

        Assert.Equal(1, (await _stack.Outside.WaitForAsync(e => e.RoutingKey == "country.created.XXA", Cancel)).AggregateVersion);
        var told = await _stack.Outside.WaitForAsync(e => e.RoutingKey == "country.updated.XXA", Cancel);
        Assert.Equal((2, "Republic of Ruritania"), (told.AggregateVersion, told.Data.GetProperty("details").GetProperty("name").GetString()));
        // A country is known to every replica before a question can name it.
        Assert.Equal(2, (await _stack.AskAsync("XXA", _stack.Caller("carla", "read", replica: 1), request => request.MinRevision = 2)).Revision);
    }

    [Fact]
    public async Task A_code_or_a_name_is_one_countrys_at_one_time_and_may_be_anothers_at_another()
    {
        await CreateAsync(new Country { Code = "XXB", Name = "Freedonia", Alpha2 = "XB", NumericCode = "902", ValidTo = new DateOnly(1990, 1, 1).ToProto() });
        var next = new Country { Code = "XXC", Name = "Freedonia", Alpha2 = "XB", NumericCode = "902", ValidFrom = new DateOnly(1990, 1, 1).ToProto() };
        await CreateAsync(next);
        await Stack.AssertRefusedAsync("COUNTRY_CODE_TAKEN", StatusCode.AlreadyExists, () => CreateAsync(next));

        var overlapping = new Country { Code = "XXD", Name = "Sylvania", Alpha2 = "XB", ValidFrom = new DateOnly(1989, 1, 1).ToProto() };
        var codeTaken = await Stack.RefusalAsync(() => CreateAsync(overlapping));
        Assert.Equal(("COUNTRY_CODE_TAKEN", "alpha2"), (codeTaken.Info.Reason, codeTaken.Info.Metadata["field"]));
        overlapping.Alpha2 = "";
        overlapping.Names.Add("  freedonia ");
        var nameTaken = await Stack.RefusalAsync(() => CreateAsync(overlapping));
        Assert.Equal(("COUNTRY_NAME_TAKEN", "Freedonia"), (nameTaken.Info.Reason, nameTaken.Info.Metadata["name"]));

        Assert.Equal(["XXB", "XXC"], [await ResolveAsync("FREEDONIA", new DateOnly(1989, 12, 31)), await ResolveAsync("Freedonia", new DateOnly(1990, 1, 1))]);
    }

    [Theory]
    [InlineData("SCG", "2003-07-22", false)]
    [InlineData("SCG", "2003-07-23", true)]
    [InlineData("SCG", "2006-09-25", true)]
    [InlineData("SCG", "2006-09-26", false)]
    [InlineData("SRB", "2006-09-25", false)]
    [InlineData("SRB", "2006-09-26", true)]
    [InlineData("SSD", "2011-08-08", false)]
    [InlineData("YMD", "1990-08-13", true)]
    [InlineData("YMD", "1990-08-14", false)]
    [InlineData("XKX", "2026-01-01", true)]
    public async Task A_code_answers_only_in_its_time(string code, string on, bool answers)
    {
        Task<Verdict> Ask() => _stack.AskAsync(code, more: request => request.On = DateOnly.ParseExact(on, "yyyy-MM-dd").ToProto());
        if (answers)
            Assert.NotEqual(V1.Outcome.Unspecified, (await Ask()).Outcome);
        else
            await Stack.AssertRefusedAsync("COUNTRY_CODE_INVALID", StatusCode.InvalidArgument, Ask);
    }

    [Theory]
    [InlineData("Burma", "1985-06-01", "BUR")]
    [InlineData("Burma", "2014-06-01", "MMR")]
    [InlineData("Serbia and Montenegro", "2005-06-01", "SCG")]
    [InlineData("Serbia and Montenegro", "2010-06-01", "")]
    [InlineData("Zaire", "1990-01-01", "ZAR")]
    [InlineData("Zaire", "2010-01-01", "COD")]
    [InlineData("Yugoslavia", "1999-01-01", "YUG")]
    [InlineData("korea,  republic of SOUTH", "2020-01-01", "KOR")]
    [InlineData("Cote D’Ivoire, Republic of", "2020-01-01", "CIV")]
    [InlineData("*KS", "2020-01-01", "XKX")]
    [InlineData("NAM", "2020-01-01", "NAM")]
    [InlineData("NA", "2020-01-01", "")]
    [InlineData("KS", "2020-01-01", "")]
    public async Task A_name_means_the_country_that_has_it_on_the_day(string name, string on, string country) =>
        Assert.Equal(country, await ResolveAsync(name, DateOnly.ParseExact(on, "yyyy-MM-dd")));

    [Fact]
    public async Task An_unknown_name_is_answered_with_the_nearest_and_never_with_one_of_them()
    {
        var resolved = (await _stack.Reader.ResolveCountryNamesAsync(new ResolveCountryNamesRequest { Names = { "Colombiaa", "Congo", "Serbia and Montenegro", "Atlantis Beyond The Sea", "Norway" } }, cancellationToken: Cancel)).Names;
        Assert.Equal(["", "", "", "", "NOR"], resolved.Select(name => name.Country));
        Assert.Equal("COL", resolved[0].Candidates[0].Country);
        Assert.Subset(resolved[1].Candidates.Select(candidate => candidate.Country).ToHashSet(), new HashSet<string> { "COD", "COG" });
        Assert.Equal("SCG", resolved[2].Candidates[0].Country);
        Assert.Empty(resolved[3].Candidates);
    }

    [Fact]
    public async Task A_status_has_dates_ends_and_is_read_as_it_was_known()
    {
        var added = await DesignateAsync("TON", DesignationKind.MajorNonNatoAlly, new DateOnly(2012, 7, 6));
        await Stack.AssertRefusedAsync("DESIGNATION_OVERLAPS", StatusCode.FailedPrecondition, () => DesignateAsync("TON", DesignationKind.MajorNonNatoAlly, new DateOnly(2015, 1, 1)));
        await Stack.AssertRefusedAsync("COUNTRY_CODE_INVALID", StatusCode.InvalidArgument, () => DesignateAsync("QQQ", DesignationKind.NatoMember, new DateOnly(2015, 1, 1)));

        Task<Designation> EndAsync(string etag, DateOnly to) => Once(Office.EndDesignationAsync(new EndDesignationRequest
        {
            RequestId = Stack.NewId(), DesignationId = added.Id, Etag = etag, ValidTo = to.ToProto(), Source = "Determination, rescinded",
        }).ResponseAsync, response => response.Designation);
        var ended = await EndAsync(added.Etag, new DateOnly(2022, 9, 23));
        await Stack.AssertRefusedAsync("ETAG_MISMATCH", StatusCode.Aborted, () => EndAsync(added.Etag, new DateOnly(2023, 1, 1)));
        await Stack.AssertRefusedAsync("INVALID_FIELDS", StatusCode.InvalidArgument, () => EndAsync(ended.Etag, new DateOnly(2012, 7, 6)));
        await DesignateAsync("TON", DesignationKind.MajorNonNatoAlly, new DateOnly(2022, 9, 23));

        async Task<IEnumerable<Google.Type.Date>> ListAsync(DateOnly on, Timestamp? known = null) =>
            (await _stack.Reader.ListDesignationsAsync(new ListDesignationsRequest { Country = "TON", InForceOn = on.ToProto(), KnownTime = known })).Designations.Select(one => one.ValidFrom);
        Assert.Equal([new DateOnly(2012, 7, 6).ToProto()], await ListAsync(new DateOnly(2022, 9, 22)));
        Assert.Equal([new DateOnly(2022, 9, 23).ToProto()], await ListAsync(new DateOnly(2022, 9, 23)));
        Assert.Equal([new DateOnly(2012, 7, 6).ToProto()], await ListAsync(new DateOnly(2024, 1, 1), added.KnownFromTime));
        Assert.Equal(1, (await _stack.Outside.WaitForAsync(e => e.RoutingKey == "country.designated.TON", Cancel)).AggregateVersion);
        Assert.Equal(2, (await _stack.Outside.WaitForAsync(e => e.RoutingKey == "country.designation-ended.TON", Cancel)).AggregateVersion);
    }

    [Fact]
    public async Task Status_is_not_eligibility()
    {
        async Task<(V1.Outcome, string)> AskAsync(string country) => (await _stack.AskAsync(country)) is var verdict ? (verdict.Outcome, verdict.Summary) : default;
        await _stack.DecideAsync(Stack.Suspend("VUT", more: restriction => restriction.LegalBasis = "ASSISTANCE_SUSPENSION"));
        var (barred, free) = (await AskAsync("VUT"), await AskAsync("WSM"));
        Assert.Equal((V1.Outcome.NotEligible, V1.Outcome.Eligible), (barred.Item1, free.Item1));
        foreach (var kind in System.Enum.GetValues<DesignationKind>().Where(kind => kind != DesignationKind.Unspecified))
        {
            await DesignateAsync("VUT", kind, new DateOnly(2004, 6, 16));
            await DesignateAsync("WSM", kind, new DateOnly(2004, 6, 16));
        }
        var asked = new EvaluateEligibilityRequest { MinRevision = 5, Question = new Question { Country = "VUT", FundingProgram = "IMET" } };
        Assert.Equal(V1.Outcome.NotEligible, (await _stack.Reader.EvaluateEligibilityAsync(asked, cancellationToken: Cancel)).Verdict.Outcome);
        Assert.Equal((barred, free), (await AskAsync("VUT"), await AskAsync("WSM")));
    }

    [Fact]
    public async Task What_is_only_validated_is_refused_for_the_same_reasons_and_leaves_no_trace()
    {
        var country = new Country { Code = "XXE", Name = "Grand Fenwick", Alpha2 = "XE" };
        var request = new CreateCountryRequest { RequestId = Stack.NewId(), Country = country, ValidateOnly = true };
        Assert.Equal(1, (await Office.CreateCountryAsync(request, cancellationToken: Cancel)).Country.Revision);
        await Stack.AssertRefusedAsync("NOT_FOUND", StatusCode.NotFound, () => _stack.Reader.GetCountryAsync(new GetCountryRequest { Country = "XXE" }).ResponseAsync);
        request.Country.Alpha2 = "FR";
        await Stack.AssertRefusedAsync("COUNTRY_CODE_TAKEN", StatusCode.AlreadyExists, () => Office.CreateCountryAsync(request).ResponseAsync);
        // The request id is still free: nothing was stored for it.
        request.ValidateOnly = false;
        request.Country.Alpha2 = "XE";
        await Office.CreateCountryAsync(request, cancellationToken: Cancel);
    }

    [Fact]
    public async Task All_that_is_wrong_with_a_country_is_named_at_once()
    {
        var refusal = await Stack.RefusalAsync(() => CreateAsync(new Country
        {
            Code = "XXF", Name = "Ruritania", Alpha2 = "X1", NumericCode = "12", DscaCode = "A", ValidFrom = new DateOnly(2000, 1, 1).ToProto(), ValidTo = new DateOnly(2000, 1, 1).ToProto(), Names = { " ruritania" },
        }));
        Assert.Equal(["country.alpha2", "country.numeric_code", "country.dsca_code", "country.valid_to", "country.names[0]"], refusal.Fields!.FieldViolations.Select(field => field.Field));
        await Stack.AssertRefusedAsync("INVALID_FIELDS", StatusCode.InvalidArgument, () => CreateAsync(new Country { Code = "ХХЕ", Name = "Letters that only look like capitals" }));
        await Stack.AssertRefusedAsync("INVALID_FIELDS", StatusCode.InvalidArgument, () => CreateAsync(new Country { Code = "XXG", Name = "A\0B" }));
    }

    [Fact]
    public async Task Reference_data_needs_its_scope_and_a_caller_of_one_country_touches_its_own()
    {
        var request = new AddDesignationRequest { RequestId = Stack.NewId(), Designation = Status("PLW", DesignationKind.NatoMember, new DateOnly(2000, 1, 1)) };
        await Stack.AssertRefusedAsync("SCOPE_REQUIRED", StatusCode.PermissionDenied, () => _stack.Caller("anna", "read propose approve").AddDesignationAsync(request).ResponseAsync);
        var bound = _stack.Caller("otto", "read reference", 0, "FSM");
        await Stack.AssertRefusedAsync("COUNTRY_NOT_PERMITTED", StatusCode.PermissionDenied, () => bound.AddDesignationAsync(request).ResponseAsync);
        var others = await DesignateAsync("PLW", DesignationKind.NatoMember, new DateOnly(2000, 1, 1));
        await Stack.AssertRefusedAsync("NOT_FOUND", StatusCode.NotFound, () => bound.EndDesignationAsync(
            new EndDesignationRequest { RequestId = Stack.NewId(), DesignationId = others.Id, Etag = others.Etag, ValidTo = new DateOnly(2001, 1, 1).ToProto(), Source = "None" }).ResponseAsync);
        Assert.DoesNotContain((await bound.ListDesignationsAsync(new ListDesignationsRequest(), cancellationToken: Cancel)).Designations, one => one.Country != "FSM");
        Assert.Equal("", (await bound.ResolveCountryNamesAsync(new ResolveCountryNamesRequest { Names = { "Palau" } }, cancellationToken: Cancel)).Names[0].Country);
    }

    private async Task<Country> CreateAsync(Country country) =>
        (await Office.CreateCountryAsync(new CreateCountryRequest { RequestId = Stack.NewId(), Country = country })).Country;

    private async Task<Designation> DesignateAsync(string country, DesignationKind kind, DateOnly from) =>
        (await Office.AddDesignationAsync(new AddDesignationRequest { RequestId = Stack.NewId(), Designation = Status(country, kind, from) })).Designation;

    private static Designation Status(string country, DesignationKind kind, DateOnly from) => new() { Country = country, Kind = kind, ValidFrom = from.ToProto(), Source = "Determination of the President" };

    private async Task<string> ResolveAsync(string name, DateOnly on) =>
        (await _stack.Reader.ResolveCountryNamesAsync(new ResolveCountryNamesRequest { Names = { name }, On = on.ToProto() })).Names[0].Country;

    private static async Task<TTo> Once<TFrom, TTo>(Task<TFrom> answer, Func<TFrom, TTo> part) => part(await answer);
}
