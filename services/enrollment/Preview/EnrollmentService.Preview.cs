using Grpc.Core;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.Enrollment.Preview;
using Imet.Enrollment.V1;

namespace Imet.Enrollment;

public sealed partial class EnrollmentService
{
    public override async Task<PreviewRestrictionResponse> PreviewRestriction(PreviewRestrictionRequest request, ServerCallContext context)
    {
        foreach (var country in request.Countries)
            Caller.Of(context).Require(country);
        var page = pages.Open(request, context);
        List<CountryPreview> previews = [];
        foreach (var country in request.Countries.Distinct().Order(StringComparer.Ordinal))
            previews.Add(await previewing.RunAsync(request.DecisionId, country, context.CancellationToken));
        var fates = previews.SelectMany(preview => preview.Changes.OrderBy(change => change.After.Id)
            .Select(change => Previewing.Fate(change, preview.Offerings[(change.After.OfferingId, change.After.OfferingVersion)])));
        if (page.After is [var lastCountry, var lastId])
            fates = fates.SkipWhile(fate => (string.CompareOrdinal(fate.Country, lastCountry), string.CompareOrdinal(fate.LineId, lastId)) is ( < 0, _) or (0, <= 0));
        var shown = fates.Take(page.Size + 1).ToList();
        var more = shown.Count > page.Size;
        if (more)
            shown.RemoveAt(page.Size);
        return new PreviewRestrictionResponse
        {
            Fates = { shown },
            NextPageToken = more ? pages.Next(page, shown[^1].Country, shown[^1].LineId) : "",
            Totals = Previewing.Totals(previews),
            Revisions = { previews.Select(preview => new CountryRevision { Country = preview.Country, Revision = preview.Answer.Revision }) },
            Etag = Previewing.Etag(request.DecisionId, previews),
        };
    }
}
