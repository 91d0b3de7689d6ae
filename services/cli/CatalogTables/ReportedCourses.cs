using Imet.Cli.Replay;
using Imet.CourseCatalog.V1;

namespace Imet.Cli.CatalogTables;

/// <summary>
/// The courses that a training report names: one row for each title, school and fiscal year of a class's start, at the report's first line of it. What a report does not say is left open and told as not placed; nothing is guessed.
/// </summary>
public static class ReportedCourses
{
    private const int Title = 3, School = 4, Start = 5, End = 6, Location = 7;

    private sealed class Said(int line)
    {
        public int Line => line;
        public Dictionary<int, int> Days { get; } = [];
        public HashSet<string> Places { get; } = [];
    }

    public static bool IsReport(IReadOnlyList<string> columns) => columns.Contains(ReportFile.Columns[Title], StringComparer.OrdinalIgnoreCase) && columns.Contains(ReportFile.Columns[School], StringComparer.OrdinalIgnoreCase);

    public static IReadOnlyList<CatalogRow> Read(string path)
    {
        var courses = new Dictionary<(CourseKey Course, int Year), Said>();
        var faulty = new List<CatalogRow>();
        foreach (var raw in ReportFile.Open(path).Lines())
        {
            var faults = Add(raw, courses);
            if (faults.Count > 0)
                faulty.Add(new CatalogRow(raw.Number, null, faults));
        }
        return [.. courses.Select(course => Row(course.Key.Course, course.Key.Year, course.Value)).Concat(faulty).OrderBy(row => row.Line)];
    }

    private static List<Fault> Add(RawLine raw, Dictionary<(CourseKey, int), Said> courses)
    {
        var cells = raw.Cells;
        if (cells.Length != ReportFile.Columns.Length)
            return [new Fault("", "", $"{ReportFile.Columns.Length} tab-separated cells are expected, {cells.Length} found")];
        var faults = new List<Fault>();
        if (cells[Title].Length == 0)
            faults.Add(new Fault(ReportFile.Columns[Title], "", "blank"));
        var (start, wrong) = ReportLine.ReadDate(cells[Start]);
        if (wrong is not null)
            faults.Add(new Fault(ReportFile.Columns[Start], cells[Start], wrong));
        if (faults.Count > 0)
            return faults;
        var key = (new CourseKey(cells[Title], Said(cells[School])), start!.Value.FiscalYear());
        if (!courses.TryGetValue(key, out var said))
            courses[key] = said = new Said(raw.Number);
        if (ReportLine.ReadDate(cells[End]).Value is { } end && end >= start)
        {
            var days = end.DayNumber - start.Value.DayNumber + 1;
            said.Days[days] = said.Days.GetValueOrDefault(days) + 1;
        }
        if (Said(cells[Location]) is { } place)
            said.Places.Add(place);
        return [];

        static string? Said(string cell) => cell is "" or "-" or "N/A" ? null : cell;
    }

    private static CatalogRow Row(CourseKey course, int year, Said said)
    {
        // The length that most of its lines have; the shorter of two that are as common.
        var days = said.Days.Count == 0 ? 0 : said.Days.MinBy(one => (-one.Value, one.Key)).Key;
        var kind = Spellings.Kind(course.Title);
        var row = new CourseImport
        {
            FiscalYear = year,
            MaslNumber = Names.MaslReference(course),
            Title = course.Title,
            SchoolName = course.School ?? "",
            Location = said.Places.Count == 1 ? said.Places.Single() : "",
            TrainingKind = kind,
            DurationDays = days,
        };
        (bool Open, string What)[] open =
        [
            (course.School is null, "no school"), (said.Places.Count == 0, "no place"), (said.Places.Count > 1, "several places"), (kind == TrainingKind.Unspecified, "kind not known from the title"), (days == 0, "no length"),
        ];
        return new CatalogRow(said.Line, row, []) { Unplaced = [.. open.Where(one => one.Open).Select(one => one.What)] };
    }
}
