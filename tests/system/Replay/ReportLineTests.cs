using Imet.Cli.Replay;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Xunit;

namespace Imet.SystemTests.Replay;

public sealed class ReportLineTests
{
    private static readonly string[] Good =
        ["Africa", "Angola", "IMET-1 - Fiscal Year 2014 Department of State Training", "Some Course", "DLIELC", "12/30/2013", "3/14/2014", "Lackland AFB, TX, US", "1", "$21,438"];

    private static readonly ReportedCountries Countries = new(
    [
        .. new[] { ("Angola", "AGO"), ("Germany", "DEU"), ("BRAZIL", "BRA"), ("Bosnia-Herzegovina", "BIH"), ("Philippines", "PHL"), ("Georgia", "GEO"), ("US", "USA"), ("United States", "USA") }
            .Select(known => new ResolvedCountryName { Name = known.Item1, Country = known.Item2 }),
        new ResolvedCountryName { Name = "Colombiaa", Candidates = { new CountryNameCandidate { Country = "COL", Name = "Colombia" } } },
    ]);

    [Fact]
    public void A_clean_row_is_read_as_it_stands()
    {
        var (line, faults) = ReportLine.Read(new RawLine(7, Good), Countries);
        Assert.Empty(faults);
        Assert.NotNull(line);
        Assert.Equal(
            (7, "AGO", "IMET-1", new ReportedProgram("IMET", "IMET-1"), 2014, "Some Course", "DLIELC", new DateOnly(2013, 12, 30), new DateOnly(2014, 3, 14), "Lackland AFB, TX, US", 1, 21_438m),
            (line.Number, line.Country, line.ProgramName, line.Program, line.FiscalYear, line.Title, line.School, line.Start, line.End, line.Place, line.Headcount, line.Cost));
    }

    [Theory]
    [InlineData(1, "Andorra la Vela", "country", "unknown country")]
    [InlineData(1, "Colombiaa", "country", "nearest: Colombia")]
    [InlineData(1, "", "country", "blank")]
    [InlineData(2, "IMET-1", "program", "expected \"PROGRAM - Fiscal Year NNNN")]
    [InlineData(2, "IMMET-1 - Fiscal Year 2014 Department of State Training", "program", "nearest: IMET-1")]
    [InlineData(3, "", "course_title", "blank")]
    [InlineData(5, "", "start_date", "blank")]
    [InlineData(5, "12/30/2013 1/3/2014", "start_date", "two dates in one cell")]
    [InlineData(5, "$1,177", "start_date", "an amount, not a date")]
    [InlineData(5, "1/1/1900", "start_date", "year outside 1990 to 2030")]
    [InlineData(6, "3/14/2207", "end_date", "year outside 1990 to 2030")]
    [InlineData(6, "3/14/31", "end_date", "year outside 1990 to 2030")]
    [InlineData(6, "2/30/2014", "end_date", "no such day")]
    [InlineData(6, "13/1/2014", "end_date", "no such day")]
    [InlineData(6, "soon", "end_date", "not a date")]
    [InlineData(6, "12/29/2013", "end_date", "before the start date 12/30/2013")]
    [InlineData(8, "", "quantity", "blank")]
    [InlineData(8, "0", "quantity", "0 students")]
    [InlineData(8, "N/A", "quantity", "not a whole number")]
    [InlineData(8, "-1", "quantity", "not a whole number")]
    [InlineData(8, "1.5", "quantity", "not a whole number")]
    [InlineData(8, "10,001", "quantity", "more than 10,000")]
    [InlineData(8, "99999999999", "quantity", "more than 10,000")]
    [InlineData(9, "", "total_cost", "blank")]
    [InlineData(9, "$", "total_cost", "no amount after the $")]
    [InlineData(9, "1177", "total_cost", "not an amount")]
    [InlineData(9, "$1,234 3/14/2014", "total_cost", "a date in an amount")]
    [InlineData(9, "$12,34", "total_cost", "not an amount")]
    [InlineData(9, "-$5", "total_cost", "not an amount")]
    public void A_dirty_cell_is_named_with_its_column_and_why(int column, string cell, string name, string why)
    {
        var (line, faults) = ReportLine.Read(new RawLine(2, With(column, cell)), Countries);
        Assert.Null(line);
        var fault = Assert.Single(faults);
        Assert.Equal((name, cell), (fault.Column, fault.Value));
        Assert.Contains(why, fault.Why, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_wrong_cell_of_a_row_is_named()
    {
        var cells = With(8, "0");
        cells[5] = "q";
        cells[9] = "$";
        Assert.Equal(["start_date", "quantity", "total_cost"], ReportLine.Read(new RawLine(2, cells), Countries).Faults.Select(fault => fault.Column));
    }

    [Fact]
    public void A_row_with_too_few_cells_is_in_error() =>
        Assert.Contains("10 tab-separated cells are expected, 3 found", Assert.Single(ReportLine.Read(new RawLine(2, ["a", "b", "c"]), Countries).Faults).Why, StringComparison.Ordinal);

    [Theory]
    [InlineData("9/5/14", 2014, 9, 5)]
    [InlineData("09/05/2014", 2014, 9, 5)]
    [InlineData("1/1/90", 1990, 1, 1)]
    [InlineData("2/29/2012", 2012, 2, 29)]
    [InlineData("12/31/30", 2030, 12, 31)]
    public void Dates_have_two_or_four_digits_of_the_year(string cell, int year, int month, int day) => Assert.Equal(new DateOnly(year, month, day), ReportLine.ReadDate(cell).Value);

    [Theory]
    [InlineData("$0", 0)]
    [InlineData("$1,234", 1234)]
    [InlineData("$1234.56", 1234.56)]
    public void Free_is_a_legal_cost(string cell, decimal cost)
    {
        Assert.Equal(cost, ReportLine.ReadCost(cell).Value);
        Assert.Equal(cost, EnrollLines.Dollars(cost).Units + (EnrollLines.Dollars(cost).Nanos / 1_000_000_000m));
    }

    [Theory]
    [InlineData("")]
    [InlineData("-")]
    public void A_missing_school_or_place_is_no_fault(string cell)
    {
        var cells = With(4, cell);
        cells[7] = cell;
        var line = ReportLine.Read(new RawLine(2, cells), Countries).Line;
        Assert.NotNull(line);
        Assert.Null(line.School);
        Assert.Null(line.Place);
    }

    [Theory]
    [InlineData("Lackland AFB, TX, US", null)]
    [InlineData("Washington, DC, United States", null)]
    [InlineData("MONTEREY, CA", null)]
    [InlineData("Garmisch-Partenkirchen, Germany", "DEU")]
    [InlineData("Garmisch, GY", "DEU")]
    [InlineData("Somewhere, GY", null)]
    [InlineData("BRAZIL (IN COUNTRY TRAINING)", "BRA")]
    [InlineData("Bosnia-Herzegovina (In-Country Training)", "BIH")]
    [InlineData("CONGO (IN COUNTRY TRAINING)", null)]
    [InlineData("Tbilisi, Georgia", "GEO")]
    [InlineData("Fort Benning, Georgia", null)]
    [InlineData("Bogota, CO", null)]
    [InlineData("Camp O’Donnell, Philippines", "PHL")]
    [InlineData("INFANTRY SCHOOL", null)]
    public void A_host_country_is_taken_only_where_the_place_names_it(string place, string? country) => Assert.Equal(country, Spellings.HostCountry(place, Countries));

    [Theory]
    [InlineData("American Language Course General English Training Only", TrainingKind.Language)]
    [InlineData("MET CIV-Military Relations", TrainingKind.MobileTeam)]
    [InlineData("Yemen Pilot Training MTT", TrainingKind.MobileTeam)]
    [InlineData("Metal Working", TrainingKind.Unspecified)]
    [InlineData("UH-60 Flight Simulator", TrainingKind.Operational)]
    [InlineData("Flight Safety Officer (SATP/FSO)", TrainingKind.Unspecified)]
    [InlineData("NCO Professional Development (English)", TrainingKind.Unspecified)]
    [InlineData("OJT ADMIN", TrainingKind.OnTheJob)]
    public void A_kind_of_training_is_taken_only_from_words_in_the_table(string title, TrainingKind kind) => Assert.Equal(kind, Spellings.Kind(title));

    [Fact]
    public void The_29th_of_February_moves_to_the_28th_where_the_year_has_none()
    {
        Assert.Equal(new DateOnly(2026, 2, 28), new DateOnly(2012, 2, 29).Move(14));
        Assert.Equal(new DateOnly(2028, 2, 29), new DateOnly(2012, 2, 29).Move(16));
    }

    private static string[] With(int column, string cell)
    {
        var cells = Good.ToArray();
        cells[column] = cell;
        return cells;
    }
}
