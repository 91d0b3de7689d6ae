using Imet.Chassis;
using Imet.Enrollment.Reexamination;

namespace Imet.Enrollment.Countries;

/// <summary>The facts that a change rests on were overtaken before it could be committed. Nothing was written.</summary>
/// <param name="seen">What is known of the country's revision by now; null when nothing was ever known.</param>
public sealed class FactsOvertakenException(SeenRevision? seen) : Exception("The facts were overtaken before the commit.")
{
    public SeenRevision? Seen { get; } = seen;
}

public sealed class CountryLearning(Database database, CountryStore store, DueWork dueWork)
{
    /// <summary>Commits, first and alone, a revision that is news, with the work of examining the country's lines anew. From then on nobody commits on less.</summary>
    public Task<bool> LearnAsync(string country, SeenRevision answer, CancellationToken cancel) => database.WriteAsync(async tx =>
    {
        if (!await store.LearnAsync(tx, country, answer, cancel))
            return false;
        if (await store.HasLinesAsync(tx, country, cancel))
            AddWork(tx, country);
        return true;
    }, cancel);

    public void AddWork(Transaction tx, string country) => dueWork.Add(tx, CountryReexamination.Kind, country);
}
