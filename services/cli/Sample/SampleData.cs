using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using CsvHelper;
using Imet.Cli.Importing;
using Imet.CourseCatalog.V1;

namespace Imet.Cli.Sample;

/// <summary>The sample data that ships inside the program (Sample/README.md says where each figure comes from).</summary>
public sealed class SampleData
{
    public const string Source = "imet-sample";

    public required IReadOnlyList<SchoolRow> Schools { get; init; }
    public required IReadOnlyList<CourseRow> Courses { get; init; }
    public required TableFile Designations { get; init; }
    public required IReadOnlyList<DecisionEntry> Decisions { get; init; }

    public static SampleData Read() => new()
    {
        Schools = Csv("schools.csv", row => new SchoolRow
        {
            Code = row("code"),
            Name = row("name"),
            Location = row("location"),
            Agency = ContractName<ImplementingAgency>.Parse(row("agency")),
        }),
        Courses = Csv("courses.csv", row => new CourseRow
        {
            MaslNumber = row("masl_number"),
            Title = row("title"),
            School = row("school"),
            Kind = ContractName<TrainingKind>.Parse(row("kind")),
            Days = Number(row("days")),
            GrantPrice = row("grant_price_usd") is { Length: > 0 } price ? Number(price) : null,
            EclMinimum = Number(row("ecl")),
            Dedicated = row("dedicated") == "yes",
            Capacity = Number(row("capacity")),
            Starts = [.. row("starts").Split(';', StringSplitOptions.RemoveEmptyEntries)],
        }),
        Designations = TableFile.Read("designations.csv", Resource("designations.csv")),
        // What builds on an earlier decision may stand in another file.
        Decisions = [.. Names("Sample/History/").SelectMany(name => JsonSerializer.Deserialize<DecisionEntry[]>(Resource(name), Json)!).OrderBy(decision => decision.AnnouncedOn)],
    };

    /// <summary>The class days of a fiscal year: each start day of the year, moved to the Monday on or after it.</summary>
    public static IEnumerable<DateOnly> StartDays(CourseRow course, int fiscalYear) => course.Starts.Select(start =>
    {
        var (month, day) = (Number(start[..2]), Number(start[3..]));
        var date = new DateOnly(month >= 10 ? fiscalYear - 1 : fiscalYear, month, day);
        return date.AddDays(((int)DayOfWeek.Monday - (int)date.DayOfWeek + 7) % 7);
    });

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

    private static List<T> Csv<T>(string name, Func<Func<string, string>, T> row)
    {
        using var csv = CsvReader.Create(Resource(name), new CsvReaderOptions(), leaveOpen: false);
        var rows = new List<T>();
        while (csv.Read())
            rows.Add(row(csv.GetString));
        return rows;
    }

    private static IEnumerable<string> Names(string folder) =>
        typeof(SampleData).Assembly.GetManifestResourceNames().Where(name => name.StartsWith(folder, StringComparison.Ordinal)).Order(StringComparer.Ordinal).Select(name => name["Sample/".Length..]);

    private static Stream Resource(string name) =>
        typeof(SampleData).Assembly.GetManifestResourceStream("Sample/" + name) ?? throw new InvalidOperationException($"{name} is not embedded");

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}

public sealed record SchoolRow
{
    public required string Code { get; init; }
    public required string Name { get; init; }
    public required string Location { get; init; }
    public required ImplementingAgency Agency { get; init; }
}

public sealed record CourseRow
{
    public required string MaslNumber { get; init; }
    public required string Title { get; init; }
    public required string School { get; init; }
    public required TrainingKind Kind { get; init; }
    public required int Days { get; init; }
    public required int? GrantPrice { get; init; }
    public required int EclMinimum { get; init; }
    public required bool Dedicated { get; init; }
    public required int Capacity { get; init; }
    public required IReadOnlyList<string> Starts { get; init; }
}
