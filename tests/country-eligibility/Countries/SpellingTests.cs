using Imet.CountryEligibility.V1;
using Xunit;

namespace Imet.CountryEligibility.Tests.Countries;

public sealed class SpellingTests(SharedStack shared, ITestOutputHelper output) : IClassFixture<SharedStack>
{
    // What five years of reports write and a reader can't take for another country: held here so that it is proved without them, too.
    [Theory]
    [InlineData("Bosnia-Herzegovina", "BIH")]
    [InlineData("Congo, Democratic Republic of (Kinshasa)", "COD")]
    [InlineData("Congo, Republic of (Brazzaville)", "COG")]
    [InlineData("Cote D'Ivoire, Republic of", "CIV")]
    [InlineData("Korea, Republic of South", "KOR")]
    [InlineData("Sudan, Republic of Southern", "SSD")]
    [InlineData("Yemen (Sana)", "YEM")]
    [InlineData("Kampuchea (Cambodia)", "KHM")]
    [InlineData("Namibia", "NAM")]
    [InlineData("Kosovo", "XKX")]
    [InlineData("Brundi", "BDI")]
    [InlineData("Georgia", "GEO")]
    [InlineData("Niger", "NER")]
    [InlineData("Nigeria", "NGA")]
    public async Task A_reports_spelling_means_one_country(string spelling, string country) =>
        Assert.Equal(country, Assert.Single((await shared.Stack.Reader.ResolveCountryNamesAsync(new ResolveCountryNamesRequest { Names = { spelling } }, cancellationToken: TestContext.Current.CancellationToken)).Names).Country);

    [Fact]
    public async Task Every_spelling_of_the_real_reports_means_one_country()
    {
        var reports = Reports();
        Assert.SkipUnless(Directory.Exists(reports), "the real reports are not beside the checkout (../shared/data/fmtr, or IMET_SHARED)");
        var spellings = Directory.EnumerateFiles(reports, "training-*.tsv").SelectMany(file => File.ReadLines(file).Skip(1)).Select(line => line.Split('\t')[1])
            .Concat(File.ReadLines(Path.Combine(reports, "printed-totals.tsv")).Skip(1).Select(line => line.Split('\t')[2]))
            .Select(cell => cell.Trim()).Distinct().ToList();
        var resolved = (await shared.Stack.Reader.ResolveCountryNamesAsync(new ResolveCountryNamesRequest { Names = { spellings } }, cancellationToken: TestContext.Current.CancellationToken)).Names;
        output.WriteLine($"{spellings.Count} spellings of {resolved.Select(name => name.Country).Distinct().Count()} countries");
        Assert.Empty(resolved.Where(name => name.Country.Length == 0).Select(name => name.Name));
        Assert.True(spellings.Count > 150);
    }

    internal static string Reports()
    {
        var shared = Environment.GetEnvironmentVariable("IMET_SHARED");
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); shared is null && folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Imet.sln")))
                shared = Path.Combine(folder.FullName, "..", "shared");
        }
        return Path.Combine(shared ?? "", "data", "fmtr");
    }
}
