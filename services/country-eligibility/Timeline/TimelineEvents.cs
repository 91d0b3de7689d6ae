using Google.Protobuf.WellKnownTypes;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using EntryChange = Imet.CountryEligibility.V1.TimelineEntry.Types.Change;

namespace Imet.CountryEligibility;

/// <summary>Versions of anything in the record as entries of a country's timeline.</summary>
public static class TimelineEvents
{
    public static TimelineEntry ToEntry(VersionRow row, string document)
    {
        var entry = new TimelineEntry
        {
            Change = ToChange(row.Change),
            DecisionId = row.ChangedBy.ToString(),
            Document = document,
            AnnouncedOn = row.AnnouncedOn.ToProto(),
            KnownFromTime = Timestamp.FromDateTime(row.KnownFrom),
            RecordedTime = Timestamp.FromDateTime(row.RecordedAt),
            ImportedHistory = row.Imported,
            Sentence = Sentence(row),
        };
        switch (row)
        {
            case RestrictionRow restriction:
                entry.Restriction = restriction.ToResource();
                break;
            case ReliefRow { Kind: ReliefRow.Waiver } waiver:
                entry.Waiver = waiver.ToWaiver();
                break;
            case ReliefRow { Kind: ReliefRow.SpecialAuthority } authority:
                entry.SpecialAuthority = authority.ToSpecialAuthority();
                break;
            case ReliefRow { Kind: ReliefRow.Fulfilment } fulfilment:
                entry.Fulfilment = fulfilment.ToFulfilment();
                break;
            case ReliefRow { Kind: ReliefRow.ConditionMet } met:
                entry.ConditionMet = met.ToConditionMet();
                break;
            case ReliefRow lift:
                entry.Lift = lift.ToLift();
                break;
        }
        return entry;
    }

    private static string Sentence(VersionRow row)
    {
        var from = Evaluation.Iso(row.EffectiveFrom);
        var until = row.EffectiveTo is { } to ? $" until before {Evaluation.Iso(to)}" : "";
        var what = row switch
        {
            RestrictionRow restriction => $"{restriction.Effect} on {restriction.LegalBasis} from {from}{until}",
            ReliefRow { Kind: ReliefRow.Waiver } waiver => $"Waiver of {waiver.LegalBases![0]} from {from}{until}",
            ReliefRow { Kind: ReliefRow.SpecialAuthority } authority => $"Special authority over {string.Join(", ", authority.LegalBases!)} from {from}{until}",
            ReliefRow { Kind: ReliefRow.Fulfilment } fulfilment => $"Condition fulfilled on {from} ({fulfilment.Document})",
            ReliefRow { Kind: ReliefRow.ConditionMet } met => $"{met.ImplementingAgency} has met its condition of a lift from {from}",
            _ => $"Lift of a part from {from}",
        };
        return row.Change switch
        {
            Change.Lifted => $"{what}: lifted.",
            Change.Corrected => $"{what}: so it should have been from the beginning.",
            Change.Voided => $"{what}: it never took effect.",
            Change.Restored => $"{what}: what had changed it never took effect.",
            Change.Lapsed => $"{what}: nobody confirmed it in time.",
            _ => $"{what}.",
        };
    }

    private static EntryChange ToChange(string text) => text switch
    {
        Change.Made => EntryChange.Made,
        Change.Lifted => EntryChange.Lifted,
        Change.Corrected => EntryChange.Corrected,
        Change.Voided => EntryChange.Voided,
        Change.Restored => EntryChange.Restored,
        Change.Lapsed => EntryChange.Lapsed,
        _ => throw new ArgumentOutOfRangeException(nameof(text), text, "The table's check holds every change."),
    };
}
