using Imet.Chassis;

namespace Imet.CountryEligibility;

/// <summary>Ends what one person decided alone in an emergency and nobody else has confirmed in time. While no service runs it holds: that it waits a little longer is the safe side.</summary>
public sealed class EmergencyLapse(Database database, EligibilityStore store, EligibilitySnapshot snapshot, DueWork due, TimeProvider clock) : IDueWorkHandler
{
    public static string Kind => "emergency-lapse";

    public static void Add(DueWork due, Transaction tx, Guid decision, DateTime confirmBy) => due.Add(tx, Kind, decision.ToString(), confirmBy);

    public async Task HandleAsync(string key, CancellationToken cancel) => await database.WriteAsync(async tx =>
    {
        var record = await store.LockRecordAsync(tx, cancel);
        var decision = await DecisionStore.LockAsync(tx, Guid.Parse(key), null, cancel);
        if (decision is not { ConfirmBy: { } confirmBy, ConfirmedAt: null })
            return false;
        if (clock.GetUtcNow() < confirmBy)
        {
            Add(due, tx, decision.Id, confirmBy);
            return false;
        }
        var ids = decision.Proposed.Restrictions.Select(restriction => Guid.Parse(restriction.Id)).ToArray();
        var lapse = Enacting.Lapse(decision, await DecisionStore.CurrentRestrictionsAsync(tx.Connection, ids, cancel), record, Washington.Today(clock));
        if (lapse.Restrictions.IsEmpty)
            return false;
        DecisionStore.Enact(tx, lapse);
        var countries = await store.CountriesAsync(tx.Connection, lapse.Countries, cancel);
        foreach (var country in lapse.Countries)
            tx.Publish(DecisionEvents.Lapsed(decision, country, countries[country].Revision + 1, lapse.Restrictions.Where(row => row.Country == country), record));
        store.Raise(tx, lapse.RecordRevision, lapse.RecordedAt, lapse.Countries.Select(country => (country, countries[country].Revision + 1)));
        tx.AfterCommit(snapshot.Changed);
        return true;
    }, cancel);
}
