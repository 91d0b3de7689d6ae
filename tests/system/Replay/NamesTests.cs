using CsCheck;
using Imet.Cli.Replay;
using Imet.CourseCatalog.V1;
using Xunit;

namespace Imet.SystemTests.Replay;

public sealed class NamesTests
{
    [Fact]
    public void The_same_request_has_the_same_id_and_any_other_another() => Gen.Select(Gen.String, Gen.Int[1, 9]).Array[2, 2].Sample(two =>
    {
        var (a, b) = (Request(two[0]), Request(two[1]));
        Assert.Equal(Names.RequestId(a), Names.RequestId(a.Clone()));
        Assert.Equal(a.Equals(b), Names.RequestId(a) == Names.RequestId(b));
        Assert.Matches("^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", Names.RequestId(a));

        static CreateOfferingRequest Request((string Place, int Seats) said) => new() { Offering = new Offering { Location = said.Place, Capacity = said.Seats } };
    });

    [Fact]
    public void Repeats_of_a_row_are_lines_of_their_own_and_so_is_each_number_of_years()
    {
        var row = new RawLine(2, ["a", "b"]);
        var ids = from occurrence in Enumerable.Range(1, 3) from years in Enumerable.Range(14, 3) select Names.Line(row, occurrence, years).Id;
        Assert.Equal(9, ids.Distinct().Count());
        Assert.Equal(Names.Line(row, 1, 14), Names.Line(row with { Number = 99 }, 1, 14));
        Assert.Equal(Names.RepeatKey(row), Names.RepeatKey(row with { Number = 99 }));
        Assert.NotEqual(Names.RepeatKey(row), Names.RepeatKey(new RawLine(2, ["ab", ""])));
    }

    [Fact]
    public void A_reference_cannot_be_taken_for_a_real_MASL_number() =>
        Assert.Matches("^FMTR-[0-9A-F]{12}$", Names.MaslReference(new CourseKey("American Language Course", "DLIELC")));
}
