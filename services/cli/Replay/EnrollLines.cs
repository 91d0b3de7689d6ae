using Google.Type;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.V1;
using static Imet.Enrollment.V1.EnrollmentService;

namespace Imet.Cli.Replay;

/// <summary>Enrolls every good row as a headcount line in its class, many at a time, reading the file as it goes.</summary>
public sealed class EnrollLines(EnrollmentServiceClient enrollment, PatientCalls calls, int years, int concurrency, Stage progress)
{
    public async Task RunAsync(ReportFile file, ReportedCountries countries, IReadOnlyDictionary<OfferingKey, Placed> offerings, Tally tally, CancellationToken cancel)
    {
        var limits = new ParallelOptions { MaxDegreeOfParallelism = concurrency, CancellationToken = cancel };
        await Parallel.ForEachAsync(Rows(file, countries), limits, async (row, stop) =>
        {
            var (line, raw, occurrence) = row;
            var offering = offerings[OfferingKey.Of(line)];
            if (offering.Id is null)
            {
                tally.Refused(line, offering.Reason);
            }
            else
            {
                var request = Request(line, raw, occurrence, offering.Id);
                var answer = await calls.AskAsync(options => enrollment.EnrollStudentAsync(request, options), stop);
                if (answer.Value is not null || await IsThereAsync(request.ExternalIds[0], stop))
                    tally.Enrolled(line);
                else if (answer.Reason == "INTERNAL")
                    tally.InError(line, answer.Message + string.Concat(answer.Facts.Select(fact => $" {fact.Key} {fact.Value}")));
                else
                    tally.Refused(line, answer.Reason);
            }
            progress.Step();
        });
    }

    // The external id is the row's: who holds it is this row, enrolled by a run whose request log is gone. Its class may be full (with this very row) or begun by now, so any refusal is looked into.
    private async Task<bool> IsThereAsync(ExternalId id, CancellationToken cancel)
    {
        var request = new GetTrainingLineRequest { ExternalId = id };
        return (await calls.AskAsync(options => enrollment.GetTrainingLineAsync(request, options), cancel)).Value is not null;
    }

    private EnrollStudentRequest Request(ReportLine line, RawLine raw, int occurrence, string offeringId)
    {
        var request = new EnrollStudentRequest
        {
            Country = line.Country,
            Headcount = line.Headcount,
            OfferingId = offeringId,
            // The money moves with the dates: next year's class is not paid with money that lapsed.
            Funding = new Funding { Program = line.Program.Code, Account = line.Program.Account, FiscalYear = line.FiscalYear + years },
            QuotedPrice = Dollars(line.Cost),
            ExternalIds = { Names.Line(raw, occurrence, years) },
        };
        request.RequestId = Names.RequestId(request);
        return request;
    }

    private static IEnumerable<(ReportLine Line, RawLine Raw, int Occurrence)> Rows(ReportFile file, ReportedCountries countries)
    {
        var repeats = new Dictionary<UInt128, int>();
        foreach (var raw in file.Lines())
        {
            if (ReportLine.Read(raw, countries).Line is not { } line)
                continue;
            var key = Names.RepeatKey(raw);
            var occurrence = repeats[key] = repeats.GetValueOrDefault(key) + 1;
            yield return (line, raw, occurrence);
        }
    }

    public static Money Dollars(decimal amount) => new() { CurrencyCode = "USD", Units = (long)amount, Nanos = (int)((amount - Math.Truncate(amount)) * 1_000_000_000) };
}
