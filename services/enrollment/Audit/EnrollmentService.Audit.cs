using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Imet.Chassis;
using Imet.Enrollment.V1;
using Imet.Options.V1;

namespace Imet.Enrollment;

public sealed partial class EnrollmentService
{
    public override async Task<ListSealedEntriesResponse> ListSealedEntries(ListSealedEntriesRequest request, ServerCallContext context)
    {
        if (Caller.Of(context).Countries is { } only)
            throw Refusal.Of(CommonReason.CountryNotPermitted, "The one chain runs over all countries: a token for some can't check it.").With("country", string.Join(", ", only)).ToException();
        var page = pages.Open(request, context);
        var after = page.After is [var last] ? long.Parse(last, CultureInfo.InvariantCulture) : 0;
        return await database.ReadAsync(async connection =>
        {
            var entries = await audit.ListAsync(connection, after, page.Size + 1, context.CancellationToken);
            var more = entries.Count > page.Size;
            if (more)
                entries.RemoveAt(page.Size);
            // Once for all pages, since it looks at every entry.
            var (unsealed, oldest) = more ? (0, null) : await audit.UnsealedAsync(connection, context.CancellationToken);
            return new ListSealedEntriesResponse
            {
                Entries = { entries },
                NextPageToken = more ? pages.Next(page, entries[^1].Position.ToString(CultureInfo.InvariantCulture)) : "",
                Unsealed = unsealed,
                OldestUnsealedTime = oldest is { } time ? Timestamp.FromDateTime(time) : null,
            };
        }, context.CancellationToken);
    }
}
