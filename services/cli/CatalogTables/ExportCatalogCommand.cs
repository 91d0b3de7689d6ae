using System.CommandLine;
using CsvHelper;
using Imet.Cli.Replay;
using Imet.CourseCatalog.V1;
using static Imet.CourseCatalog.V1.CourseCatalogService;

namespace Imet.Cli.CatalogTables;

/// <summary>imet export catalog --year N: a year's catalogue as the table that imet import catalog takes.</summary>
public static class ExportCatalogCommand
{
    private const int PageSize = 200;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    public static Command Command()
    {
        var connection = new ConnectionOptions("catalog.read");
        var year = new Option<int>("--year") { Description = "The fiscal year.", HelpName = "N", Required = true };
        var asOf = new Option<DateOnly?>("--as-of") { Description = "As the catalogue said on this day. Else today.", HelpName = "YYYY-MM-DD" };
        var retired = new Option<bool>("--with-retired") { Description = "Also courses that are no longer in the year's catalogue." };
        var output = new Option<FileInfo?>("--output", "-o") { Description = "The table, CSV in UTF-8. Else standard output." };
        var command = new Command("catalog", """
            A fiscal year's catalogue as CSV, a row for each course: what imet import catalog takes (docs/import-catalog.md), and importing it changes nothing.
            What a spreadsheet would run as a formula has an apostrophe in front, which an import takes off.
            """) { year, asOf, retired, output };
        connection.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            await using var clients = connection.Open(parsed);
            var file = parsed.GetValue(output);
            var half = file is null ? null : file.FullName + ".new";
            try
            {
                await using (var stream = half is null ? Console.OpenStandardOutput() : File.Create(half))
                {
                    var request = new ListCourseVersionsRequest { FiscalYear = parsed.GetValue(year), AsOf = parsed.GetValue(asOf)?.ToProto(), WithRetired = parsed.GetValue(retired), PageSize = PageSize };
                    var rows = await WriteAsync(clients.CourseCatalog, new PatientCalls(Patience), request, stream, cancel);
                    Console.Error.WriteLine($"{rows:N0} courses");
                }
                // A file is there whole or not at all.
                if (half is not null)
                    File.Move(half, file!.FullName, overwrite: true);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new CouldNotRunException($"Can't write the table: {e.Message}");
            }
            return ExitCode.Done;
        });
        return command;
    }

    private static async Task<int> WriteAsync(CourseCatalogServiceClient catalog, PatientCalls calls, ListCourseVersionsRequest request, Stream stream, CancellationToken cancel)
    {
        var schools = await SchoolsAsync(catalog, calls, cancel);
        var rates = (await AskAsync(calls, options => catalog.ListTuitionRatesAsync(new(), options), cancel)).TuitionRates.Select(rate => rate.Code);
        CatalogColumn[] columns = [.. CatalogColumn.All, .. rates.Order(StringComparer.Ordinal).Select(CatalogColumn.Price)];
        var day = request.AsOf ?? new DateOnly(request.FiscalYear, 9, 30).ToProto();
        await using var csv = CsvWriter.Create(stream, new CsvWriterOptions(), leaveOpen: true);
        foreach (var column in columns)
            csv.WriteField(column.Name);
        csv.EndRecord();
        var rows = 0;
        do
        {
            var page = await AskAsync(calls, options => catalog.ListCourseVersionsAsync(request, options), cancel);
            var certificates = await Task.WhenAll(page.CourseVersions.Select(async version => (await AskAsync(calls, options => catalog.CheckEImetAsync(new CheckEImetRequest { CourseId = version.CourseId, On = day }, options), cancel)).Certificates));
            foreach (var (version, ofCourse) in page.CourseVersions.Zip(certificates))
            {
                var row = Row(version, schools.GetValueOrDefault(version.SchoolId), ofCourse, day);
                foreach (var column in columns)
                    csv.WriteField(Formula.Escape(column.Write(row)));
                csv.EndRecord();
                rows++;
            }
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
        csv.Flush();
        return rows;
    }

    private static CourseImport Row(CourseVersion version, School? school, IEnumerable<EImetCertificate> certificates, Google.Type.Date day)
    {
        // The latest that was certified by then: a revoked one would be certified anew by an import.
        var certificate = certificates.Where(one => one.RevokedOn is null && one.CertifiedOn.ToDateOnly() <= day.ToDateOnly()).MaxBy(one => one.CertifiedOn.ToDateOnly());
        return new CourseImport
        {
            MaslNumber = version.MaslNumber,
            FiscalYear = version.FiscalYear,
            Title = version.Title,
            SchoolCode = school?.Code ?? "",
            SchoolName = school?.Name ?? "",
            SchoolLocation = school?.Location ?? "",
            Location = version.Location,
            TrainingKind = version.TrainingKind,
            Platform = version.Platform,
            Purpose = version.Purpose,
            AnalysisCode = version.AnalysisCode,
            DurationDays = version.DurationDays,
            EclMinimum = version.EclMinimum,
            OpiMinimum = version.OpiMinimum,
            Prerequisites = { version.Prerequisites },
            Prices = { version.Prices },
            Dedicated = version.Dedicated,
            Charge = version.Charge,
            EImetCertifiedOn = certificate?.CertifiedOn,
            EImetPercent = certificate?.Percent ?? 0,
            EImetDocument = certificate?.Document ?? "",
            Retired = version.Retired,
        };
    }

    private static async Task<Dictionary<string, School>> SchoolsAsync(CourseCatalogServiceClient catalog, PatientCalls calls, CancellationToken cancel)
    {
        var schools = new Dictionary<string, School>();
        for (var request = new ListSchoolsRequest { PageSize = 1000 }; ;)
        {
            var page = await AskAsync(calls, options => catalog.ListSchoolsAsync(request, options), cancel);
            foreach (var school in page.Schools)
                schools[school.Id] = school;
            if ((request.PageToken = page.NextPageToken).Length == 0)
                return schools;
        }
    }

    private static async Task<T> AskAsync<T>(PatientCalls calls, Func<Grpc.Core.CallOptions, Grpc.Core.AsyncUnaryCall<T>> call, CancellationToken cancel) where T : class
    {
        var answer = await calls.AskAsync(call, cancel);
        return answer.Value ?? throw new CouldNotRunException($"{answer.Reason}: {answer.Message}");
    }
}
