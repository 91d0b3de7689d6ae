namespace Imet.Chassis;

internal sealed record OutboxRow
{
    public static OutboxRow Of(OutboundEvent e, string service, TimeProvider clock) => throw new NotSupportedException($"{e}{service}{clock}");

    public static void Enqueue(Transaction tx, IReadOnlyList<OutboxRow> rows) => throw new NotSupportedException($"{tx}{rows}");
}
