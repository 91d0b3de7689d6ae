namespace Imet.Cli.Replay;

/// <summary>A course as a report names it: its title and the school that teaches it, if the report says one.</summary>
public sealed record CourseKey(string Title, string? School);

/// <summary>A class as a report names it, in the report's own dates.</summary>
public sealed record OfferingKey(CourseKey Course, string? Place, DateOnly Start, DateOnly End)
{
    public static OfferingKey Of(ReportLine line) => new(new CourseKey(line.Title, line.School), line.Place, line.Start, line.End);
}

/// <summary>What a report names, from one pass over it. A class has as many seats as its rows fill: a report says seats filled and nothing of those left empty.</summary>
public sealed class CatalogPlan
{
    private readonly HashSet<string> schools = [];
    private readonly HashSet<CourseKey> courses = [];
    private readonly HashSet<string> countries = [];
    private readonly Dictionary<OfferingKey, int> seats = [];

    public IReadOnlyCollection<string> Schools => schools;
    public IReadOnlyCollection<CourseKey> Courses => courses;
    public IReadOnlyCollection<string> Countries => countries;
    public IReadOnlyDictionary<OfferingKey, int> Seats => seats;
    public int Lines { get; private set; }
    public DateOnly? FirstStart { get; private set; }

    public void Add(ReportLine line)
    {
        var offering = OfferingKey.Of(line);
        seats[offering] = seats.GetValueOrDefault(offering) + line.Headcount;
        courses.Add(offering.Course);
        countries.Add(line.Country);
        if (line.School is not null)
            schools.Add(line.School);
        if (FirstStart is null || line.Start < FirstStart)
            FirstStart = line.Start;
        Lines++;
    }
}
