using Imet.Enrollment.Offerings;
using Npgsql;
using Extent = Imet.Enrollment.V1.EnglishExemption.Types.Extent;

namespace Imet.Enrollment.Gates;

/// <summary>Gathers what the gates of lines are judged by. Called with a transaction it sees what the locks of that transaction keep as it is.</summary>
public sealed class GateRoom(IConfiguration settings, GateStore store, OfferingCopies offerings)
{
    private readonly GateSettings _settings = new()
    {
        LeahyValidityDays = settings.GetValue("Gates:LeahyValidityDays", new GateSettings().LeahyValidityDays),
        SecurityLeadDays = settings.GetValue("Gates:SecurityLeadDays", new GateSettings().SecurityLeadDays),
    };

    /// <summary>In the order of the lines, which are all one country's.</summary>
    public async Task<IReadOnlyList<GateFacts>> FactsAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction, IReadOnlyList<Line> lines, DateOnly today, CancellationToken cancel)
    {
        if (lines.Count == 0)
            return [];
        var copies = await offerings.OfAsync(connection, lines, cancel);
        var people = await store.PeopleAsync(connection, transaction, [.. lines.Select(line => line.StudentId).OfType<Guid>().Distinct()], cancel);
        var english = await store.EnglishAsync(connection, transaction, lines[0].Country, cancel);
        var states = await store.OfferingStatesAsync(connection, transaction, [.. lines.Select(line => line.OfferingId).Distinct()], cancel);
        return
        [
            .. lines.Select(line =>
            {
                var offering = copies[(line.OfferingId, line.OfferingVersion)];
                var person = line.StudentId is { } student ? people[student] : new PersonRead(null, null, [], [], []);
                return new GateFacts
                {
                    Today = today,
                    Line = line,
                    Offering = offering,
                    UnitId = person.UnitId,
                    Objections = [.. GateDecisions.Objections(person, today)],
                    Evidence = person.Evidence,
                    English = english.GetValueOrDefault(offering.Course.FiscalYear, Extent.None),
                    OfferingState = states[line.OfferingId],
                    Settings = _settings,
                };
            }),
        ];
    }
}
