using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Google.Type;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.Enrollment.Countries;
using Imet.Enrollment.Offerings;
using Imet.Enrollment.Reexamination;
using Imet.Enrollment.V1;

namespace Imet.Enrollment.Preview;

/// <summary>What a proposal would do to one country: the lines looked at, and those that would change.</summary>
public sealed record CountryPreview(string Country, SeenRevision Answer, IReadOnlyList<Line> Looked, IReadOnlyList<LineChange> Changes, IReadOnlyDictionary<(Guid, long), OfferingCopy> Offerings);

/// <summary>The examination of a country as it would run if a proposal were approved: the same questions, the same decisions, and nothing written.</summary>
public sealed class Previewing(Database database, TimeProvider clock, EnrollmentFacts facts, EnrollmentStore store, RestoreStore restores, OfferingCopies offerings)
{
    private const int MostQuestions = 1000;

    public async Task<CountryPreview> RunAsync(string proposalId, string country, CancellationToken cancel)
    {
        var (today, now) = (Washington.Today(clock), clock.GetUtcNow().UtcDateTime);
        var (answer, known) = await facts.RestrictionsAsync(country, 0, proposalId, cancel);
        var read = await database.SnapshotAsync(async connection =>
        {
            var open = await store.PageOfCountryAsync(connection, country, Guid.Empty, int.MaxValue, cancel);
            var sources = await restores.SourcesAsync(connection, country, today, cancel);
            string[] never = [.. sources.Where(source => !known.Contains(source))];
            var stopped = never.Length == 0 ? [] : await restores.PageAsync(connection, country, today, never, Guid.Empty, int.MaxValue, cancel);
            var (seats, students) = await restores.ReadAsync(connection, [.. stopped.Select(line => line.Id)], cancel);
            return (Open: open, Stopped: stopped, Seats: seats, Students: students, Copies: await offerings.OfAsync(connection, open.Concat(stopped), cancel));
        }, cancel);
        Dictionary<Guid, OfferingCopy> latest = [];
        foreach (var line in read.Stopped)
            latest[line.OfferingId] = await offerings.LatestAsync(line.OfferingId, cancel) ?? read.Copies[(line.OfferingId, line.OfferingVersion)];

        List<LineChange> changes = [];
        Dictionary<Guid, int> taken = [];
        foreach (var page in read.Open.Chunk(MostQuestions))
        {
            var verdicts = await AskAsync(proposalId, answer, [.. page.Select(line => EnrollmentFacts.QuestionFor(line, read.Copies[(line.OfferingId, line.OfferingVersion)], today))], cancel);
            changes.AddRange(page.Select((line, i) => EnrollmentDecisions.Reexamine(line, verdicts[i], today, Actors.Service, now)).OfType<LineChange>());
        }
        // The run frees seats before it gives seats back.
        foreach (var change in changes)
            taken[change.After.OfferingId] = taken.GetValueOrDefault(change.After.OfferingId) - change.SeatsFreed;
        var classes = latest.ToDictionary(copy => copy.Key, copy => (copy.Value, read.Seats[copy.Key]));
        foreach (var page in read.Stopped.Chunk(MostQuestions))
        {
            var verdicts = await AskAsync(proposalId, answer, [.. page.Select(line => EnrollmentFacts.QuestionFor(line, latest[line.OfferingId], today))], cancel);
            changes.AddRange(Restoring.DecideAll(page, verdicts, classes, read.Students, taken, today, Actors.Service, now).Where(change => change.Before!.Judgement?.Epoch == answer.Epoch));
        }
        return new CountryPreview(country, answer, [.. read.Open, .. read.Stopped], changes, read.Copies);
    }

    private async Task<IReadOnlyList<Verdict>> AskAsync(string proposalId, SeenRevision answer, Question[] questions, CancellationToken cancel)
    {
        var verdicts = await facts.AskAsIfAsync(proposalId, questions, cancel);
        return verdicts.All(verdict => new SeenRevision(verdict.Epoch, verdict.Revision) == answer)
            ? verdicts
            : throw Refusal.Of(V1.ErrorReason.CountryChanging, "The country's rules changed while the preview was made. Nothing was written; try again.").RetryAfter(TimeSpan.FromSeconds(1)).ToException();
    }

    /// <summary>Of the decision, the rules and every line looked at: what is equal in all of them meets the same fate.</summary>
    public static string Etag(string proposalId, IEnumerable<CountryPreview> previews)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(proposalId));
        Span<byte> number = stackalloc byte[8];
        foreach (var preview in previews.OrderBy(preview => preview.Country, StringComparer.Ordinal))
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"/{preview.Country}/{preview.Answer.Epoch}/"));
            BinaryPrimitives.WriteInt64BigEndian(number, preview.Answer.Revision);
            hash.AppendData(number);
            foreach (var line in preview.Looked)
            {
                hash.AppendData(line.Id.ToByteArray(bigEndian: true));
                BinaryPrimitives.WriteInt64BigEndian(number, line.Version);
                hash.AppendData(number);
            }
        }
        return $"\"{Convert.ToHexStringLower(hash.GetHashAndReset())}\"";
    }

    public static LineFate Fate(LineChange change, OfferingCopy offering) => new()
    {
        LineId = change.After.Id.ToString(),
        Country = change.After.Country,
        Wcn = change.After.Wcn,
        SchoolCode = offering.Course.SchoolCode,
        StateBefore = (TrainingLine.Types.State)change.Before!.State,
        StateAfter = (TrainingLine.Types.State)change.After.State,
        HoldsAfter = { change.After.Holds.Select(EnrollmentEvents.Resource) },
        Change = change.Change,
        Reason = change.Cause,
        SourceId = change.SourceId,
        SeatsReleased = Math.Max(0, change.SeatsFreed),
        RevokedOrdersNumber = change.After.OrdersNumber is null ? change.Before.OrdersNumber ?? "" : "",
    };

    public static ImpactTotals Totals(IEnumerable<CountryPreview> previews)
    {
        var totals = new ImpactTotals();
        Dictionary<string, Int128> freed = [];
        foreach (var preview in previews)
        {
            totals.Lines += preview.Looked.Count;
            totals.Changed += preview.Changes.Count;
            foreach (var change in preview.Changes)
            {
                totals.Cancelled += change.Change == "cancelled" ? 1 : 0;
                totals.Held += change.Change == "held" ? 1 : 0;
                totals.Released += change.Change == "released" ? 1 : 0;
                totals.Ended += change.Change == "returned-early" ? 1 : 0;
                totals.Restored += change.Change == "restored" ? 1 : 0;
                totals.NotRestored += change.Change == "not-restored" ? 1 : 0;
                totals.SeatsReleased += Math.Max(0, change.SeatsFreed);
                totals.OrdersRevoked += change.Before!.OrdersNumber is not null && change.After.OrdersNumber is null ? 1 : 0;
                if (change is { Change: "cancelled", Before.Price: { } price })
                    freed[price.Currency] = freed.GetValueOrDefault(price.Currency) + ((Int128)price.Units * 1_000_000_000) + price.Nanos;
            }
        }
        totals.Freed.AddRange(freed.OrderBy(sum => sum.Key, StringComparer.Ordinal).Select(sum =>
            new Money { CurrencyCode = sum.Key, Units = (long)(sum.Value / 1_000_000_000), Nanos = (int)(sum.Value % 1_000_000_000) }));
        return totals;
    }
}
