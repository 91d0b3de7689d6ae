using Imet.Chassis;
using Imet.Enrollment.Offerings;

namespace Imet.Enrollment.Reexamination;

/// <summary>Hears that a class changed, and notes the work for those whose seats are taken here.</summary>
public sealed class OfferingChanges(OfferingStore offerings, DueWork dueWork) : IEventConsumer
{
    public async Task ReceiveAsync(Transaction tx, ReceivedEvent e, CancellationToken cancel)
    {
        if (await offerings.KnownVersionAsync(tx, Guid.Parse(e.AggregateId), cancel) is not { } known || known >= e.AggregateVersion)
            return;
        dueWork.Add(tx, OfferingReexamination.Kind, e.AggregateId);
    }
}
