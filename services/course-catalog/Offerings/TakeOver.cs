using Imet.Chassis;

namespace Imet.CourseCatalog;

/// <summary>On the day on which the catalogue says something else of a course, its classes to come take it over, each as a new version: who judges a line by a class judges by what is true of it.</summary>
internal sealed class TakeOver(Database database, TimeProvider clock) : IDueWorkHandler
{
    private const int AtOnce = 200;

    public static string Kind => "course";

    public static void Due(Transaction tx, DueWork dueWork, Guid courseVersionId, DateOnly on) => dueWork.Add(tx, Kind, courseVersionId.ToString(), Washington.Midnight(on));

    public async Task HandleAsync(string key, CancellationToken cancel)
    {
        var taken = AtOnce;
        while (taken == AtOnce)
        {
            taken = await database.WriteAsync(async tx =>
            {
                var rows = await OfferingStore.TakeOverCourseAsync(tx, Guid.Parse(key), Washington.Today(clock), AtOnce, cancel);
                foreach (var row in rows)
                    tx.Publish(OfferingEvents.CourseChanged(row));
                return rows.Count;
            }, cancel);
        }
    }
}
