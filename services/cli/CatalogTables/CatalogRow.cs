using System.Globalization;
using Imet.Cli.Replay;
using Imet.CourseCatalog.V1;

namespace Imet.Cli.CatalogTables;

/// <summary>A course in a year, as one line of a file says it; or what is wrong with the line.</summary>
/// <param name="Course">Null where something is wrong with the line.</param>
public sealed record CatalogRow(int Line, CourseImport? Course, IReadOnlyList<Fault> Faults)
{
    /// <summary>What the file does not say of the course, so that the catalogue can't place it: no school, for example.</summary>
    public IReadOnlyList<string> Unplaced { get; init; } = [];

    /// <summary>What a service says of a field, told of its column and what stands there. A price has a column for each rate.</summary>
    public Fault Fault(string field, string why)
    {
        var name = field.Split('.', '[');
        var column = name is ["prices", var index, ..] && int.TryParse(index.TrimEnd(']'), CultureInfo.InvariantCulture, out var price) && price < Course!.Prices.Count
            ? CatalogColumn.Price(Course.Prices[price].Rate)
            : CatalogColumn.All.FirstOrDefault(one => one.Name == name[0]);
        return new Fault(column?.Name ?? "", column?.Write(Course!) ?? "", why);
    }
}
