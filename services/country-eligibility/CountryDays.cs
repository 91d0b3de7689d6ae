using System.Globalization;
using Imet.Chassis;

namespace Imet.CountryEligibility;

/// <summary>Tells what changes by the passing of time, on its day in Washington; a day that passed while no service ran is told when one runs again.</summary>
public sealed class CountryDays(Database database, EligibilityStore store, EligibilitySnapshot snapshot, DueWork due, TimeProvider clock) : IDueWorkHandler
{
    public static string Kind => "country-day";

    public static void Add(DueWork due, Transaction tx, string country, DateOnly day) => due.Add(tx, Kind, Key(country, day), Washington.Midnight(day));

    public async Task HandleAsync(string key, CancellationToken cancel)
    {
        var country = key[..3];
        var day = DateOnly.ParseExact(key[4..], "yyyy-MM-dd", CultureInfo.InvariantCulture);
        await database.WriteAsync(async tx =>
        {
            // The clocks of database and service may differ by a moment, and nothing may be told before its day.
            if (Washington.Today(clock) < day)
            {
                due.Add(tx, Kind, key, Washington.Midnight(day));
                return false;
            }
            var record = await store.LockRecordAsync(tx, cancel);
            // Who takes the rows tells them: work that runs twice finds none.
            var rows = await store.TakeDayAsync(tx, country, day, cancel);
            if (rows.Count == 0)
                return false;
            var before = (await store.CountriesAsync(tx.Connection, [country], cancel))[country].Revision;
            var revision = before;
            var announced = rows.Where(row => row.Change == CountryDayRow.Announced).Select(row => row.DecisionId).ToArray();
            foreach (var decision in await store.ApprovedDecisionsAsync(tx, announced, cancel))
            {
                var current = await store.CurrentVersionsAsync(tx.Connection, decision.Proposed.Lifts, cancel);
                var change = new CountryChange(country, revision,
                    [.. decision.Proposed.Restrictions.Where(restriction => restriction.Country == country)],
                    [.. decision.Proposed.Lifts.Where(lift => current[Guid.Parse(lift.RestrictionId)].Country == country)]);
                foreach (var e in EligibilityEvents.Of(decision, change, record.Epoch, decision.AnnouncedOn!.Value, decision.RecordedAt!.Value))
                    tx.Publish(e);
                revision = change.After(announced: true);
            }
            if (rows.Any(row => row.Change == CountryDayRow.Changed))
                tx.Publish(EligibilityEvents.ChangedOnDate(country, ++revision, record.Epoch, day));
            store.Raise(tx, record.Revision + 1, record.RecordedAt, [(country, revision)]);
            tx.AfterCommit(snapshot.Changed);
            return true;
        }, cancel);
    }

    private static string Key(string country, DateOnly day) => string.Create(CultureInfo.InvariantCulture, $"{country}/{day:yyyy-MM-dd}");
}
