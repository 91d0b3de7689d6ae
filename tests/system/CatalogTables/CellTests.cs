using CsCheck;
using Imet.Cli.CatalogTables;
using Imet.CourseCatalog.V1;
using Xunit;

namespace Imet.SystemTests.CatalogTables;

public sealed class CellTests
{
    private static readonly Gen<string> Cell = Gen.Char["'=+-@\t\r＝aZ0 ,;\""].Array[0, 6].Select(letters => new string(letters));
    private static readonly Gen<string> Words = Gen.Char["abcXYZ 019'=@-,;\"é"].Array[0, 20].Select(letters => new string(letters));
    private static readonly Gen<string> Code = Gen.Char["ABC019_"].Array[1, 8].Select(letters => "X" + new string(letters));
    private static readonly Gen<string> CodeOrNone = Gen.OneOf(Among(""), Code);

    private static readonly Gen<Prerequisite> One = Gen.OneOf(
        Code.Select(masl => new Prerequisite { MaslNumber = masl }),
        Code.Select(clearance => new Prerequisite { Clearance = clearance }),
        Gen.Int[1, 100].Select(ecl => new Prerequisite { English = new() { EclMinimum = ecl } }),
        Gen.Int[0, 100].Select(ecl => new Prerequisite { English = new() { EclMinimum = ecl, OpiMinimum = "2+/2" } }),
        Among(("O-3", "O-5"), ("E-7", ""), ("", "W-2"), ("O-4", "O-4")).Select(rank => new Prerequisite { Rank = new() { LowestGrade = rank.Item1, HighestGrade = rank.Item2 } }));

    private static readonly Gen<PrerequisiteGroup> Group = One.Array[1, 3].Select(members => new PrerequisiteGroup { OneOf = { members } });

    private static readonly Gen<Google.Type.Money> Money = Gen.Select(Gen.Long[0, 10_000_000], Among(0, 500_000_000, 250_000_000, 1), Among("USD", "EUR"))
        .Select((units, nanos, currency) => new Google.Type.Money { Units = units, Nanos = nanos, CurrencyCode = currency });

    private static readonly Gen<CourseImport> Row =
        from row in Gen.Select(Gen.Int[1976, 2199], Code, Words, Words, Gen.Enum<TrainingKind>(), Gen.Int[0, 3650], Gen.Int[0, 100]).Select((year, masl, title, location, kind, days, ecl) =>
            new CourseImport { FiscalYear = year, MaslNumber = masl, Title = title, Location = location, TrainingKind = kind, DurationDays = days, EclMinimum = ecl })
        from codes in CodeOrNone.Array[4]
        from prerequisites in Group.Array[0, 3]
        from money in Money.Array[0, 2]
        from flags in Gen.Bool.Array[3]
        from school in Words.Array[3]
        from certified in Gen.Select(Gen.Int[0, 28], Gen.Int[1, 100]).Select((day, percent) => day == 0 ? ((int Day, int Percent)?)null : (day, percent))
        select With(row, codes, prerequisites, money, flags, school, certified);

    [Fact]
    public void What_a_spreadsheet_would_run_is_escaped_and_exactly_that_escape_is_undone() => Cell.Sample(cell =>
    {
        var written = Formula.Escape(cell);
        Assert.False(written.Length > 0 && "=+-@\t\r＝".Contains(written[0], StringComparison.Ordinal), $"{written} would run");
        Assert.Equal(cell, Formula.Unescape(written));
    });

    [Theory]
    [InlineData("'Tis a title", "'Tis a title")]
    [InlineData("=cmd()", "=cmd()")]
    [InlineData("'=cmd()", "=cmd()")]
    [InlineData("''=cmd()", "'=cmd()")]
    public void Only_the_escape_is_undone(string cell, string read) => Assert.Equal(read, Formula.Unescape(cell));

    [Fact]
    public void Every_column_reads_what_it_writes() => Row.Sample(row =>
    {
        var read = new CourseImport();
        foreach (var column in (CatalogColumn[])[.. CatalogColumn.All, CatalogColumn.Price("FULL"), CatalogColumn.Price("GRANT")])
            Assert.Null(column.Read(read, column.Write(row)));
        Assert.Equal(row, read);
    });

    [Theory]
    [InlineData("fiscal_year", "FY2027", "must be a whole number")]
    [InlineData("training_kind", "LECTURE", "must be CLASSROOM, OPERATIONAL, OBSERVER, ORIENTATION_TOUR, MOBILE_TEAM, ON_THE_JOB or LANGUAGE")]
    [InlineData("dedicated", "perhaps", "must be yes or no")]
    [InlineData("e_imet_certified_on", "1/29/2026", "must be a day written as 2026-01-29")]
    [InlineData("prerequisites", "ECL high", "must be MASL numbers, ")]
    [InlineData("prerequisites", "B100001 |", "must be MASL numbers, ")]
    [InlineData("price_GRANT", "-5", "must be an amount ")]
    [InlineData("price_GRANT", "1.2.3", "must be an amount ")]
    public void A_cell_that_can_not_be_read_says_what_it_must_be(string name, string cell, string why)
    {
        var column = CatalogColumn.All.FirstOrDefault(one => one.Name == name) ?? CatalogColumn.Price("GRANT");
        Assert.StartsWith(why, column.Read(new CourseImport(), cell), StringComparison.Ordinal);
    }

    private static Gen<T> Among<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(index => values[index]);

    private static CourseImport With(CourseImport row, string[] codes, PrerequisiteGroup[] prerequisites, Google.Type.Money[] money, bool[] flags, string[] school, (int Day, int Percent)? certified)
    {
        (row.Platform, row.Purpose, row.AnalysisCode, row.SchoolCode) = (codes[0], codes[1], codes[2], codes[3]);
        (row.Dedicated, row.Charge, row.Retired) = (flags[0], flags[1], flags[2]);
        (row.SchoolName, row.SchoolLocation) = (school[0], school[1]);
        row.Prerequisites.Add(prerequisites);
        row.Prices.Add(money.Zip(["FULL", "GRANT"], (price, rate) => new TuitionPrice { Rate = rate, Price = price }));
        if (certified is var (day, percent))
            (row.EImetCertifiedOn, row.EImetPercent, row.EImetDocument) = (new() { Year = 2026, Month = 2, Day = day }, percent, school[2]);
        return row;
    }
}
