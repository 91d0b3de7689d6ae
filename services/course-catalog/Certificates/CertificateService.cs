using Grpc.Core;
using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Imet.Options.V1;

namespace Imet.CourseCatalog;

internal sealed partial class CourseCatalogService
{
    public override Task<CreateEImetCertificateResponse> CreateEImetCertificate(CreateEImetCertificateRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(EveryCountry);
        var (wanted, cancel) = (request.Certificate, context.CancellationToken);
        return writes.RunAsync(request, context, async tx =>
        {
            var row = await CertifyAsync(tx, Guid.Parse(wanted.CourseId), wanted.CertifiedOn.ToDateOnly(), wanted.Percent, wanted.Document, cancel);
            return new CreateEImetCertificateResponse { Certificate = row.OrThrow().ToResource() };
        });
    }

    public override Task<RevokeEImetCertificateResponse> RevokeEImetCertificate(RevokeEImetCertificateRequest request, ServerCallContext context)
    {
        Caller.Of(context).Require(EveryCountry);
        return writes.RunAsync(request, context, async tx =>
        {
            var before = await CertificateStore.LockAsync(tx, Guid.Parse(request.CertificateId), context.CancellationToken);
            var row = CertificateDecisions.Revoke(before, request.Etag, request.RevokedOn?.ToDateOnly() ?? Today, request.Reason, Today).OrThrow();
            var course = await CertificateStore.RevokeAsync(tx, row, context.CancellationToken);
            tx.Publish(CertificateDecisions.Revoked(row, course));
            await TakeOverCertificatesAsync(tx, row.CourseId, context.CancellationToken);
            return new RevokeEImetCertificateResponse { Certificate = row.ToResource() };
        });
    }

    public override async Task<CheckEImetResponse> CheckEImet(CheckEImetRequest request, ServerCallContext context)
    {
        Check(CatalogDecisions.ExactlyOne(("course_id", request.CourseId.Length > 0), ("masl_number", request.MaslNumber.Length > 0)));
        var rows = await database.ReadAsync(async connection =>
        {
            var course = request.MaslNumber.Length > 0
                ? await CourseStore.CourseAsync(connection, request.MaslNumber, context.CancellationToken)
                : await CourseStore.CourseAsync(connection, Guid.Parse(request.CourseId), context.CancellationToken);
            return course is null ? throw CatalogDecisions.NotFound("course").ToException() : await CertificateStore.OfCourseAsync(connection, course.Id, context.CancellationToken);
        }, context.CancellationToken);
        var on = request.On.ToDateOnly();
        var holding = rows.FirstOrDefault(row => row.CertifiedOn <= on && on < row.HoldsUntil);
        return new() { EImet = holding is not null, Certificate = holding?.ToResource(), Certificates = { rows.Select(row => row.ToResource()) } };
    }

    private async Task<Outcome<CertificateRow>> CertifyAsync(Transaction tx, Guid courseId, DateOnly certifiedOn, int percent, string document, CancellationToken cancel)
    {
        var row = CertificateDecisions.New(Guid.CreateVersion7(clock.GetUtcNow()), courseId, certifiedOn, percent, document, await CertificateStore.ValidityAsync(tx.Connection, certifiedOn, cancel));
        if (!row.IsAccepted)
            return row;
        var added = await CertificateStore.AddAsync(tx, row.Value, cancel);
        if (added.MissingReference is { } missing)
            return CatalogDecisions.NoReference(missing.Field, missing.Id);
        if (added.KeyHolder is { } holder)
            return Refusal.Of(ErrorReason.CertificateExists, $"The course has a certificate of {certifiedOn:yyyy-MM-dd} already.").With("id", holder.ToString());
        tx.Publish(CertificateDecisions.Certified(row.Value, added.Row!.Version));
        await TakeOverCertificatesAsync(tx, courseId, cancel);
        return row;
    }

    private async Task TakeOverCertificatesAsync(Transaction tx, Guid courseId, CancellationToken cancel)
    {
        foreach (var version in await CertificateStore.VersionsWithClassesToComeAsync(tx.Connection, courseId, Today, cancel))
            TakeOver.Due(tx, dueWork, version, Today);
    }
}

/// <summary>How long a certificate holds is the rule of the day on which it is given; a later rule does not lengthen it.</summary>
internal static class CertificateDecisions
{
    public static Outcome<CertificateRow> New(Guid id, Guid courseId, DateOnly certifiedOn, int percent, string document, ValidityRow? rule) => rule is null
        ? Refusal.Of(CommonReason.InvalidFields, "No rule says how long such a certificate holds.").Field("certificate.certified_on", "must not be before the first rule on certificates, 1990-11-05")
        : new CertificateRow
        {
            Id = id, CourseId = courseId, CertifiedOn = certifiedOn, Percent = percent, Document = document, Version = 1,
            ValidTo = certifiedOn.AddYears(percent == 100 ? rule.YearsWhole : rule.YearsPartly),
        };

    public static Outcome<CertificateRow> Revoke(CertificateRow? before, string etag, DateOnly on, string reason, DateOnly today) => before switch
    {
        null => CatalogDecisions.NotFound("certificate"),
        _ when etag != before.Etag => Refusal.Of(CommonReason.EtagMismatch, "The certificate has changed since it was read.").With("etag", before.Etag),
        { RevokedOn: not null } => Refusal.Of(CommonReason.InvalidFields, "The certificate is revoked already.").Field("certificate_id", $"was revoked on {before.RevokedOn:yyyy-MM-dd}"),
        _ when on >= before.ValidTo => Refusal.Of(CommonReason.InvalidFields, "The certificate has ended by then.").Field("revoked_on", $"must be before {before.ValidTo:yyyy-MM-dd}"),
        _ => VersionDecisions.TooEarly(on, before.CertifiedOn > today ? before.CertifiedOn : today) ?? (Outcome<CertificateRow>)(before with { RevokedOn = on, RevokeReason = reason, Version = before.Version + 1 }),
    };

    public static OutboundEvent Certified(CertificateRow row, long courseRevision) =>
        CatalogEvents.Event(row.CourseId, courseRevision, null, new EImetCertified { Certificate = row.ToResource() });

    public static OutboundEvent Revoked(CertificateRow row, long courseRevision) =>
        CatalogEvents.Event(row.CourseId, courseRevision, null, new EImetCertificateRevoked { Certificate = row.ToResource() });

    public static EImetCertificate ToResource(this CertificateRow row) => new()
    {
        Id = row.Id.ToString(),
        CourseId = row.CourseId.ToString(),
        CertifiedOn = row.CertifiedOn.ToProto(),
        Percent = row.Percent,
        ValidTo = row.ValidTo.ToProto(),
        Document = row.Document,
        RevokedOn = row.RevokedOn?.ToProto(),
        RevokeReason = row.RevokeReason ?? "",
        Etag = row.Etag,
    };
}
