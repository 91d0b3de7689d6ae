using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.Enrollment.Countries;

namespace Imet.Enrollment.Reexamination;

/// <summary>Hears that a country's rules changed. It asks nobody and decides nothing: it notes how far the rules have come, and the work.</summary>
public sealed class CountryChanges(CountryStore countries, CountryLearning learning) : IEventConsumer
{
    public async Task ReceiveAsync(Transaction tx, ReceivedEvent e, CancellationToken cancel)
    {
        var (country, told) = Read(e);
        if (told is { } revision)
            await countries.LearnWithinEpochAsync(tx, country, revision, cancel);
        if (await countries.HasLinesAsync(tx, country, cancel))
            learning.AddWork(tx, country);
    }

    private static (string Country, SeenRevision? Told) Read(ReceivedEvent e)
    {
        if (e.Type == CountryRestricted.Descriptor.FullName)
        {
            var restricted = e.Data<CountryRestricted>();
            return (restricted.Country, new SeenRevision(restricted.Epoch, restricted.Revision));
        }
        if (e.Type == CountryRestrictionLifted.Descriptor.FullName)
        {
            var lifted = e.Data<CountryRestrictionLifted>();
            return (lifted.Country, new SeenRevision(lifted.Epoch, lifted.Revision));
        }
        if (e.Type == CountryChangedOnDate.Descriptor.FullName)
        {
            var changed = e.Data<CountryChangedOnDate>();
            return (changed.Country, new SeenRevision(changed.Epoch, changed.Revision));
        }
        // A kind of change from a later release: the work asks anew, so it needs no more than the country.
        return (e.AggregateId, null);
    }
}
