using Imet.CountryEligibility.V1;
using static Imet.CountryEligibility.V1.CountryEligibilityService;

namespace Imet.Cli.Replay;

/// <summary>What the texts of a report mean as countries. country-eligibility owns the names and is asked once for a whole file; what it does not know is not guessed.</summary>
public sealed class ReportedCountries(IEnumerable<ResolvedCountryName> answers)
{
    // As much as fits into a message with the longest of names.
    private const int NamesInACall = 1000;
    private const int LongestName = 200;

    private readonly Dictionary<string, ResolvedCountryName> known = answers.ToDictionary(answer => answer.Name);

    public static Task<ReportedCountries> AskAsync(CountryEligibilityServiceClient eligibility, PatientCalls calls, ReportFile file, CancellationToken cancel) =>
        AskAsync(eligibility, calls, NamesIn(file), cancel);

    public static async Task<ReportedCountries> AskAsync(CountryEligibilityServiceClient eligibility, PatientCalls calls, IEnumerable<string> texts, CancellationToken cancel)
    {
        var answers = new List<ResolvedCountryName>();
        foreach (var names in texts.Where(name => name.Length is > 0 and <= LongestName && !name.Any(char.IsControl)).Distinct().Chunk(NamesInACall))
        {
            var answer = await calls.AskAsync(options => eligibility.ResolveCountryNamesAsync(new ResolveCountryNamesRequest { Names = { names } }, options), cancel);
            answers.AddRange(answer.Value?.Names ?? throw new CouldNotRunException($"country-eligibility does not tell what the names of countries mean: {answer.Message}"));
        }
        return new ReportedCountries(answers);
    }

    /// <summary>Alpha-3 code, or null for a name that is not on record.</summary>
    public string? Code(string name) => known.TryGetValue(name, out var found) && found.Country.Length > 0 ? found.Country : null;

    public IReadOnlyList<string> Like(string name) => known.TryGetValue(name, out var found) ? [.. found.Candidates.Select(candidate => candidate.Name)] : [];

    private static IEnumerable<string> NamesIn(ReportFile file)
    {
        foreach (var raw in file.Lines().Where(raw => raw.Cells.Length == ReportFile.Columns.Length))
        {
            yield return raw.Cells[1];
            foreach (var part in Spellings.CountryParts(raw.Cells[7]))
                yield return part;
        }
    }
}
