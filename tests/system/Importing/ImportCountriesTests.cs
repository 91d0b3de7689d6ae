using Imet.Cli;
using Imet.Cli.Importing;
using Imet.Cli.Sample;
using Imet.CountryEligibility.V1;
using Imet.Testing;
using Xunit;

namespace Imet.SystemTests.Importing;

public sealed class ImportCountriesTests(Servers servers)
{
    private const string Tables = """
        country,designation,from,to,source
        Pakistan,MAJOR_NON_NATO_ALLY,2004-06-16,,Determination of the President
        Afghanistan,MAJOR_NON_NATO_ALLY,2012-07-06,2022-09-23,Determination of the President
        Pakistann,NATO_MEMBER,2004-06-16,,A slip
        NOR,MEMBER,1949-08-24,1949-08-24,
        """;

    private const string Published = """
        alpha-3,name,alpha-2,country-code,StateRegion,CombatantCommand,isTerritory,isDependent,NATOyear,MajorNonNATOentryYear,MajorNonNATOexitYear
        NAM,Namibia,NA,516,Africa,AFRICOM,0,0,NULL,NULL,NULL
        *KS,Kosovo,XK,NULL,Europe and Eurasia,EUCOM,0,0,NULL,NULL,NULL
        *AE,Eurasia Regional,NULL,NULL,Europe and Eurasia,EUCOM,NULL,NULL,NULL,NULL,NULL
        GRL,Greenland,GL,304,Europe and Eurasia,EUCOM,1,1,1949,NULL,NULL
        ESH,Western Sahara,EH,732,Near East,AFRICOM,1,0,NULL,2004,NULL
        DNK,Denmark,DK,208,Europe and Eurasia,EUCOM,0,0,1949,NULL,NULL
        XXA,Ruritania,XA,7,NA,NULL,0,0,NULL,1999,NULL
        XXB,Freedonia,FR,905,NA,NULL,0,0,NULL,NULL,NULL
        """;

    private const string Spelled = """
        spelling	country
        Rhuritania	XXA
        Slovakia	XXA
        Kingdom of Norway	Norway
        Atlantis	Lost
        """;

    [Fact]
    public async Task Good_rows_land_bad_ones_are_told_by_line_and_column_and_a_second_run_changes_nothing()
    {
        var cancel = TestContext.Current.CancellationToken;
        await using var stack = await TestStack.StartAsync(servers, new(), cancel);
        var files = await WriteAsync(("designations.csv", Tables), ("published.csv", Published), ("spellings.tsv", Spelled));
        var eligibility = stack.Anybody("test").CountryEligibility;
        async Task<string[]> StatusesAsync() => [.. (await eligibility.ListDesignationsAsync(new() { PageSize = 1000 }, cancellationToken: cancel)).Designations.Select(one => $"{one.Country} {one.Kind} {one.ValidFrom.Year}")];

        string[] wrong =
        [
            "designations.csv:4: country: is neither a country's code nor a name on record; nearest: Pakistan (PAK) (found \"Pakistann\")",
            "designations.csv:5: designation: must be NATO_MEMBER, MAJOR_NON_NATO_ALLY, TREATED_AS_MAJOR_NON_NATO_ALLY or HIGH_INCOME (found \"MEMBER\")",
            "designations.csv:5: source: is blank",
            "designations.csv:5: to: must be after from: it is the first day on which it no longer holds (found \"1949-08-24\")",
            "published.csv:4: alpha-3: is neither a country's code nor a name on record; nearest: ",
            "published.csv:9: alpha-2: COUNTRY_CODE_TAKEN: The alpha2 FR is that of FRA at an overlapping time. (found \"FR\")",
            "spellings.tsv:3: spelling: COUNTRY_NAME_TAKEN: \"Slovakia\" is a name of SVK at an overlapping time. (found \"Slovakia\")",
            "spellings.tsv:5: country: is neither a country's code nor a name on record",
        ];
        var dry = await ImportAsync([.. files, "--dry-run"]);
        Assert.Equal(ExitCode.SomeInError, dry.Code);
        AssertTold(dry.Output, wrong);
        Assert.Contains("countries: 1 new, ", dry.Output, StringComparison.Ordinal);
        Assert.Empty(await StatusesAsync());

        var first = await ImportAsync(files);
        Assert.Equal(ExitCode.SomeInError, first.Code);
        AssertTold(first.Output, wrong);
        Assert.Contains("designations: 4 new, 0 changed, 0 as they were", first.Output, StringComparison.Ordinal);
        // Denmark is a party; Greenland and Western Sahara have no part in what their rows inherit.
        Assert.Equal(["AFG MajorNonNatoAlly 2012", "DNK NatoMember 1949", "PAK MajorNonNatoAlly 2004", "XXA MajorNonNatoAlly 1999"], await StatusesAsync());
        var namibia = (await eligibility.GetCountryAsync(new() { Country = "NAM" }, cancellationToken: cancel)).Country;
        Assert.Equal(("NA", "Namibia"), (namibia.Alpha2, namibia.Name));
        var ruritania = (await eligibility.GetCountryAsync(new() { Country = "XXA" }, cancellationToken: cancel)).Country;
        Assert.Equal(("XA", "007", "", "Rhuritania"), (ruritania.Alpha2, ruritania.NumericCode, ruritania.Region, Assert.Single(ruritania.Names)));
        Assert.Equal(["XKX", "NOR", "XXA"], (await eligibility.ResolveCountryNamesAsync(new() { Names = { "Kosovo", "KINGDOM of Norway", "rhuritania" } }, cancellationToken: cancel)).Names.Select(name => name.Country));

        var revisions = await eligibility.ListCountryRevisionsAsync(new(), cancellationToken: cancel);
        var second = await ImportAsync(files);
        Assert.Equal(ExitCode.SomeInError, second.Code);
        AssertTold(second.Output, wrong);
        Assert.Contains("countries: 0 new, 0 changed, ", second.Output, StringComparison.Ordinal);
        Assert.Contains("designations: 0 new, 0 changed, 4 as they were", second.Output, StringComparison.Ordinal);
        Assert.Equal(revisions, await eligibility.ListCountryRevisionsAsync(new(), cancellationToken: cancel));

        var good = await WriteAsync(("good.csv", "spelling,country\nRuritanien,XXA\n"));
        Assert.Equal(ExitCode.Done, (await ImportAsync(good)).Code);
        var unknown = await ImportAsync([Path.Combine(servers.Folder, "absent.csv")]);
        Assert.Equal(ExitCode.CouldNotRun, unknown.Code);
        Assert.Equal(ExitCode.CouldNotRun, (await ImportAsync(await WriteAsync(("other.csv", "a,b\n1,2\n")))).Code);

        Task<(int Code, string Output)> ImportAsync(string[] arguments) => Command.RunAsync(servers, stack, cancel, ["import", "countries", .. arguments]);
    }

    [Fact]
    public void The_designations_of_the_sample_are_good_rows()
    {
        var (said, faults) = CountryTables.Read(SampleData.Read().Designations);
        Assert.Empty(faults);
        Assert.Equal(32, said.Count(row => row is SaidStatus { Kind: DesignationKind.NatoMember }));
        Assert.Equal(["AUT", "ESP", "FIN", "KOR", "SGP"], said.OfType<SaidStatus>().Where(row => row.Kind == DesignationKind.HighIncome).Select(row => row.Country).Order());
    }

    [Fact]
    public void The_designations_of_the_sample_agree_with_the_public_table_of_alliance_years()
    {
        var file = new FileInfo(Path.Combine(Repository.Root, "..", "shared", "data", "reference", "Location_CountryCodes.csv"));
        Assert.SkipUnless(file.Exists, "the public reference tables are not beside the checkout (../shared/data/reference)");
        var published = CountryTables.Read(TableFile.Read(file)).Said.OfType<SaidStatus>().Where(row => row.Country.All(char.IsAsciiLetterUpper)).Select(Year).ToHashSet();
        var ours = CountryTables.Read(SampleData.Read().Designations).Said.OfType<SaidStatus>().Where(row => row.Kind is DesignationKind.NatoMember or DesignationKind.MajorNonNatoAlly).Select(Year).ToHashSet();
        // Taiwan is treated as one and is none; Kenya's status of 2024 is not in the table.
        Assert.Equal(["TWN MajorNonNatoAlly 2003"], published.Except(ours));
        Assert.Equal(["KEN MajorNonNatoAlly 2024"], ours.Except(published));

        static string Year(SaidStatus status) => $"{status.Country} {status.Kind} {status.From.Year}";
    }

    private static void AssertTold(string output, string[] wrong)
    {
        Assert.Empty(wrong.Where(line => !output.Contains(line, StringComparison.Ordinal)).Select(line => $"{line}\nis not in\n{output}"));
        Assert.Contains($"rows in error: {wrong.Select(line => string.Join(':', line.Split(':')[..2])).Distinct().Count()}", output, StringComparison.Ordinal);
    }

    private async Task<string[]> WriteAsync(params (string Name, string Text)[] tables)
    {
        var folder = Directory.CreateDirectory(Path.Combine(servers.Folder, "tables")).FullName;
        foreach (var (name, text) in tables)
            await File.WriteAllTextAsync(Path.Combine(folder, name), text);
        return [.. tables.Select(table => Path.Combine(folder, table.Name))];
    }
}
