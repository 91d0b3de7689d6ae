using Google.Rpc;
using Grpc.Core;
using Imet.Cli.Replay;
using Imet.CountryEligibility.V1;
using static Imet.CountryEligibility.V1.CountryEligibilityService;

namespace Imet.Cli.Importing;

public sealed record ImportCount(string What)
{
    public int New { get; set; }
    public int Changed { get; set; }
    public int Unchanged { get; set; }

    public override string ToString() => $"{What}: {New} new, {Changed} changed, {Unchanged} as they were";
}

/// <summary>
/// Brings what tables say into the record: only what differs from it is written, so a second run changes nothing; what a service refuses is told with its row, and the rest lands.
/// </summary>
public sealed class CountryImport(CountryEligibilityServiceClient eligibility, bool dryRun, CancellationToken cancel)
{
    private const int PageSize = 1000;
    private readonly Dictionary<string, Country> countries = [];
    private readonly List<Designation> designations = [];
    private readonly HashSet<string> made = [];

    public ImportCount Countries { get; } = new("countries");
    public ImportCount Designations { get; } = new("designations");
    public List<Fault> Faults { get; } = [];

    public async Task RunAsync(IReadOnlyCollection<Said> said)
    {
        await ReadAsync();
        var settled = await SettleAsync(said);
        foreach (var about in settled.Where(pair => pair.Said is not SaidStatus).GroupBy(pair => pair.Code, pair => pair.Said))
            await CountryAsync(about.Key, [.. about]);
        foreach (var (status, code) in settled.Where(pair => pair.Said is SaidStatus).Select(pair => ((SaidStatus)pair.Said, pair.Code)))
            await StatusAsync(status, code);
    }

    private async Task ReadAsync()
    {
        for (var page = ""; ;)
        {
            var answer = await eligibility.ListCountriesAsync(new() { PageSize = PageSize, PageToken = page }, cancellationToken: cancel);
            foreach (var country in answer.Countries)
                countries[country.Code] = country;
            if ((page = answer.NextPageToken).Length == 0)
                break;
        }
        for (var page = ""; ;)
        {
            var answer = await eligibility.ListDesignationsAsync(new() { PageSize = PageSize, PageToken = page }, cancellationToken: cancel);
            designations.AddRange(answer.Designations);
            if ((page = answer.NextPageToken).Length == 0)
                break;
        }
    }

    // A code that is there or made by these tables is taken as it stands; anything else must be a name on record.
    private async Task<List<(Said Said, string Code)>> SettleAsync(IReadOnlyCollection<Said> said)
    {
        var codes = countries.Keys.Concat(said.OfType<SaidDetails>().Where(details => details.Name is not null && IsCode(details.Country)).Select(details => details.Country)).ToHashSet();
        var resolved = new Dictionary<string, ResolvedCountryName>();
        foreach (var names in said.Select(each => each.Country).Where(name => !codes.Contains(name) && name.Length <= 200).Distinct().Chunk(1000))
        {
            foreach (var name in (await eligibility.ResolveCountryNamesAsync(new() { Names = { names } }, cancellationToken: cancel)).Names)
                resolved[name.Name] = name;
        }
        var settled = new List<(Said, string)>();
        foreach (var each in said)
        {
            if (codes.Contains(each.Country))
                settled.Add((each, each.Country));
            else if (resolved.GetValueOrDefault(each.Country) is { Country.Length: > 0 } found)
                settled.Add((each, found.Country));
            else if (each is not SaidStatus { YearOnly: true })
                Faults.Add(each.Row.Fault(each.CountryColumn, "is neither a country's code nor a name on record" + Near(resolved.GetValueOrDefault(each.Country))));
        }
        return settled;
    }

    private async Task CountryAsync(string code, List<Said> said)
    {
        var before = countries.GetValueOrDefault(code);
        while (true)
        {
            var country = before?.Clone() ?? new Country { Code = code };
            foreach (var row in said.ToList())
            {
                if (Contradiction(country, before, row, said) is not { } fault)
                    Apply(country, row);
                else
                    LeaveOut(said, row, fault);
            }
            if (before is not null && country.Equals(before))
            {
                Countries.Unchanged += said.Count > 0 ? 1 : 0;
                return;
            }
            try
            {
                countries[code] = before is null
                    ? (await eligibility.CreateCountryAsync(new CreateCountryRequest { Country = country, ValidateOnly = dryRun }.WithRequestId(), cancellationToken: cancel)).Country
                    : (await eligibility.UpdateCountryAsync(new UpdateCountryRequest { Country = country, Etag = before.Etag, ValidateOnly = dryRun }.WithRequestId(), cancellationToken: cancel)).Country;
                if (before is null)
                    made.Add(code);
                Countries.New += before is null ? 1 : 0;
                Countries.Changed += before is null ? 0 : 1;
                return;
            }
            catch (RpcException e) when (IsAboutTheRow(e))
            {
                // The row that brought what is refused is left out, and the others are tried again.
                var guilty = Guilty(e, said) is { Count: > 0 } found ? found : [.. said];
                foreach (var row in guilty)
                    LeaveOut(said, row, row.Row.Fault(ColumnOf(e, row), Why(e)));
                if (said.Count == 0)
                    return;
            }
        }
    }

    private async Task StatusAsync(SaidStatus said, string code)
    {
        var current = designations.FirstOrDefault(one => one.Country == code && one.Kind == said.Kind && (said.YearOnly ? one.ValidFrom.Year == said.From.Year : Day(one.ValidFrom) == said.From));
        try
        {
            if (current is null && made.Contains(code) && dryRun)
            {
                Designations.New++;
            }
            else if (current is null)
            {
                var designation = new Designation { Country = code, Kind = said.Kind, ValidFrom = said.From.ToProto(), ValidTo = said.To?.ToProto(), Source = said.Source };
                designations.Add((await eligibility.AddDesignationAsync(new AddDesignationRequest { Designation = designation, ValidateOnly = dryRun }.WithRequestId(), cancellationToken: cancel)).Designation);
                Designations.New++;
            }
            else if (said.To is null || (current.ValidTo is { } ends && (said.YearOnly ? ends.Year == said.To.Value.Year : Day(ends) == said.To)))
            {
                Designations.Unchanged++;
            }
            else
            {
                var end = new EndDesignationRequest { DesignationId = current.Id, Etag = current.Etag, ValidTo = said.To.Value.ToProto(), Source = said.Source, ValidateOnly = dryRun };
                designations[designations.IndexOf(current)] = (await eligibility.EndDesignationAsync(end.WithRequestId(), cancellationToken: cancel)).Designation;
                Designations.Changed++;
            }
        }
        catch (RpcException e) when (IsAboutTheRow(e))
        {
            Faults.Add(said.Row.Fault("", Why(e)));
        }
    }

    private static void Apply(Country country, Said said)
    {
        if (said is SaidName { Name: var name })
        {
            if (!Names(country).Any(known => Spellings.Key(known) == Spellings.Key(name)))
                country.Names.Add(name);
        }
        else if (said is SaidDetails details)
        {
            if (details.Name is { } own && own != country.Name)
            {
                // A name that was used is still understood.
                var names = Names(country).Where(known => known.Length > 0 && Spellings.Key(known) != Spellings.Key(own)).ToList();
                country.Name = own;
                country.Names.Clear();
                country.Names.Add(names);
            }
            country.Alpha2 = details.Alpha2 ?? country.Alpha2;
            country.NumericCode = details.NumericCode ?? country.NumericCode;
            country.DscaCode = details.DscaCode ?? country.DscaCode;
            country.Region = details.Region ?? country.Region;
            country.CombatantCommand = details.CombatantCommand ?? country.CombatantCommand;
            country.ValidFrom = details.ValidFrom?.ToProto() ?? country.ValidFrom;
            country.ValidTo = details.ValidTo?.ToProto() ?? country.ValidTo;
        }
    }

    // Two rows that say different things of one country: which is right is not ours to choose, so the second is left out.
    private static Fault? Contradiction(Country country, Country? before, Said said, List<Said> all)
    {
        if (said is not SaidDetails details)
            return null;
        if (before is null && details.Name is null && country.Name.Length == 0)
            return said.Row.Fault("name", "is needed for a country that is not on record");
        var first = all.OfType<SaidDetails>().TakeWhile(other => other != details).FirstOrDefault(other => Differ(other.Name, details.Name) || Differ(other.Alpha2, details.Alpha2)
            || Differ(other.NumericCode, details.NumericCode) || Differ(other.DscaCode, details.DscaCode) || Differ(other.ValidFrom, details.ValidFrom) || Differ(other.ValidTo, details.ValidTo));
        return first is null ? null : said.Row.Fault(said.CountryColumn, $"{first.Row.File}:{first.Row.Line} says something else of this country");

        static bool Differ<T>(T one, T other) => one is not null && other is not null && !one.Equals(other);
    }

    private static List<Said> Guilty(RpcException e, List<Said> said)
    {
        var info = e.GetRpcStatus()?.GetDetail<ErrorInfo>();
        if (info?.Reason == "COUNTRY_NAME_TAKEN" && info.Metadata.TryGetValue("name", out var taken))
            return [.. said.Where(row => row is SaidName { Name: var name } && Spellings.Key(name) == Spellings.Key(taken) || row is SaidDetails { Name: { } own } && Spellings.Key(own) == Spellings.Key(taken))];
        return [.. said.Where(row => row is SaidDetails)];
    }

    // The column whose cell is refused, where the service says which.
    private static string ColumnOf(RpcException e, Said said)
    {
        var status = e.GetRpcStatus();
        var field = status?.GetDetail<BadRequest>()?.FieldViolations.FirstOrDefault()?.Field.Split('.')[^1]
            ?? (status?.GetDetail<ErrorInfo>()?.Metadata is { } facts && facts.TryGetValue("field", out var named) ? named : "name");
        return said is SaidName ? "spelling" : said.Row.Cells.Keys.FirstOrDefault(column => CountryTables.IsOf(column, field)) ?? said.CountryColumn;
    }

    private static bool IsAboutTheRow(RpcException e) =>
        e.StatusCode is StatusCode.InvalidArgument or StatusCode.AlreadyExists or StatusCode.FailedPrecondition or StatusCode.Aborted or StatusCode.NotFound
        || e.GetRpcStatus()?.GetDetail<ErrorInfo>()?.Reason == "COUNTRY_NOT_PERMITTED";

    private static string Why(RpcException e) =>
        $"{e.GetRpcStatus()?.GetDetail<ErrorInfo>()?.Reason ?? e.StatusCode.ToString()}: {e.Status.Detail}" +
        string.Concat(e.GetRpcStatus()?.GetDetail<BadRequest>()?.FieldViolations.Select(violation => $" {violation.Field}: {violation.Description}") ?? []);

    private static string Near(ResolvedCountryName? name) =>
        name is { Candidates.Count: > 0 } ? $"; nearest: {string.Join(", ", name.Candidates.Select(candidate => $"{candidate.Name} ({candidate.Country})"))}" : "";

    private static IEnumerable<string> Names(Country country) => country.Names.Prepend(country.Name);

    private static bool IsCode(string text) => text.Length == 3 && text.All(char.IsAsciiLetterUpper);

    private static DateOnly Day(Google.Type.Date date) => new(date.Year, date.Month, date.Day);

    private void LeaveOut(List<Said> said, Said row, Fault fault)
    {
        said.Remove(row);
        Faults.Add(fault);
    }
}
