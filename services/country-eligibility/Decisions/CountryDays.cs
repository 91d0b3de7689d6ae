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
            var rows = await DecisionStore.TakeDayAsync(tx, country, day, cancel);
            if (rows.Count == 0)
                return false;
            var before = (await store.CountriesAsync(tx.Connection, [country], cancel))[country].Revision;
            var revision = before;
            var announced = rows.Where(row => row.Change == CountryDayRow.Announced).Select(row => row.DecisionId).ToArray();
            foreach (var decision in await DecisionStore.ToAnnounceAsync(tx, announced, cancel))
            {
                var (restrictions, reliefs) = await DecisionStore.ChangesOfAsync(tx, decision.Id, country, cancel);
                foreach (var e in DecisionEvents.Of(decision, country, revision, restrictions, reliefs, decision.AnnouncedOn!.Value, decision.RecordedAt!.Value, record.Epoch))
                {
                    tx.Publish(e);
                    revision = e.AggregateVersion;
                }
            }
            if (rows.Any(row => row.Change == CountryDayRow.Changed))
            {
                var changes = DayChanges.On(day, await DecisionStore.RestrictionsOfAsync(tx.Connection, [country], cancel), await DecisionStore.ReliefsOfAsync(tx.Connection, [country], cancel));
                if (changes.Count > 0)
                    tx.Publish(DecisionEvents.ChangedOnDate(country, ++revision, record.Epoch, day, changes));
            }
            // What was to change on this day was lifted, voided or corrected since.
            if (revision == before)
                return false;
            store.Raise(tx, record.Revision + 1, record.RecordedAt, [(country, revision)]);
            tx.AfterCommit(snapshot.Changed);
            return true;
        }, cancel);
    }

    private static string Key(string country, DateOnly day) => string.Create(CultureInfo.InvariantCulture, $"{country}/{day:yyyy-MM-dd}");
}
