using System.Globalization;
using System.Text;
using Imet.Cli;

namespace Imet.SystemTests;

/// <summary>A training report as dirty as the real ones, small, and with every figure known beforehand. The same seed gives the same file.</summary>
public sealed record DirtyReport
{
    public const string Header = "section\tcountry\tprogram\tcourse_title\tus_unit\tstart_date\tend_date\tlocation\tquantity\ttotal_cost";
    private const int FiscalYear = 2014;

    private static readonly string[] Countries = ["Kenya", "Jordan", "Colombia ", "Philippines", "Mongolia", "Cote D'Ivoire, Republic of", "Georgia"];
    private static readonly string[] Programs = ["IMET-1", "FMF", "CTFP", "PKO"];
    // With the school, the place and the days of each: a class is all of them together.
    private static readonly (string Title, string School, string Place, int Days)[] Courses =
    [
        ("Infantry  Basic Officer", "INFANTRY SCHOOL  ", "Ft. Benning, GA, US", 135), ("Captains Career ", "USATC", "Ft. Benning, GA, US ", 40), ("Airborne", "INFANTRY SCHOOL", "Ft. Benning, GA, US", 19),
        ("Law of Armed Conflict and Human Rights", "-", "", 18), ("International Fellows Orientation", "ARMY WAR COLLEGE", "Carlisle Barracks, PA, US", 40),
    ];

    private static readonly (string Column, string Dirt)[] Faults =
    [
        ("start_date", "$12,000"), ("start_date", "1/5/1900"), ("end_date", "3/1/2207"), ("end_date", "1/5/2014 2/5/2014"), ("quantity", "two"), ("quantity", "0"), ("total_cost", "$"), ("country", "Ruritania"),
    ];

    public required string Text { get; init; }
    public required int Rows { get; init; }
    public required int Good { get; init; }
    /// <summary>Good rows of the country that is suspended, and so refused.</summary>
    public required int OfNiger { get; init; }
    public int InError => Rows - Good;

    /// <summary>How many years its dates must move to lie ahead.</summary>
    public static int YearsAhead => World.Today.FiscalYear() + 2 - FiscalYear;

    public static DirtyReport Make(int rows, int seed)
    {
        var random = new Random(seed);
        var text = new StringBuilder(Header).Append('\n');
        var (good, niger, last) = (0, 0, "");
        for (var i = 0; i < rows; i++)
        {
            var bad = random.Next(12) == 0;
            var isNiger = random.Next(20) == 0;
            // A true repeat: one more student, in the same words.
            if (last.Length > 0 && random.Next(15) == 0)
            {
                text.Append(last).Append('\n');
                good++;
                niger += last.Contains("\tNiger\t", StringComparison.Ordinal) ? 1 : 0;
                continue;
            }
            var start = new DateOnly(FiscalYear - 1, 10, 7).AddDays(42 * random.Next(7));
            var course = Pick(Courses);
            var cells = new Dictionary<string, string>
            {
                ["section"] = "Africa ",
                ["country"] = isNiger ? "Niger" : Pick(Countries),
                ["program"] = $"{Pick(Programs)} - Fiscal Year {FiscalYear} Department of State Training",
                ["course_title"] = course.Title,
                ["us_unit"] = course.School,
                ["start_date"] = Date(start),
                ["end_date"] = Date(start.AddDays(course.Days - 1)),
                ["location"] = course.Place,
                ["quantity"] = random.Next(10) == 0 ? "3 " : "1",
                ["total_cost"] = random.Next(8) == 0 ? "$0" : string.Create(CultureInfo.InvariantCulture, $"${random.Next(1000, 90000):#,0} "),
            };
            if (bad)
            {
                var (column, dirt) = Pick(Faults);
                cells[column] = dirt;
            }
            var line = string.Join('\t', Header.Split('\t').Select(column => cells[column]));
            text.Append(line).Append('\n');
            if (!bad)
            {
                good++;
                niger += isNiger ? 1 : 0;
                last = line;
            }
        }
        return new() { Text = text.ToString(), Rows = rows, Good = good, OfNiger = niger };

        T Pick<T>(T[] among) => among[random.Next(among.Length)];
        string Date(DateOnly day) => day.ToString(random.Next(3) == 0 ? "M/d/yy" : "M/d/yyyy", CultureInfo.InvariantCulture) + (random.Next(4) == 0 ? " " : "");
    }
}
