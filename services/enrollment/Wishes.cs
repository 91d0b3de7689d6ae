using System.Globalization;
using Google.Type;
using Imet.Chassis;
using Imet.Enrollment.V1;
using Imet.Enrollment.Waitlist;
using Imet.Options.V1;

namespace Imet.Enrollment;

/// <summary>Requests as values, checked as far as no knowledge of the world is needed.</summary>
public static class Wishes
{
    public static Outcome<Wish> Of(EnrollStudentRequest request)
    {
        var refusal = Refusal.Of(CommonReason.InvalidFields, "The request is not complete or not consistent.");
        if (request.WhoCase == EnrollStudentRequest.WhoOneofCase.None)
            refusal = refusal.Field("student_id", "Give student_id or headcount.");
        if (request.QuotedPrice is { Units: < 0 } or { Nanos: < 0 })
            refusal = refusal.Field("quoted_price", "Must not be negative.");
        if (request is { StartDate: { } start, EndDate: { } end } && end.ToDateOnly() < start.ToDateOnly())
            refusal = refusal.Field("end_date", "Must not be before start_date.");
        if (refusal.Fields.Count > 0)
            return refusal;
        return new Wish
        {
            Country = request.Country,
            StudentId = IdOrNull(request.StudentId),
            Headcount = request.WhoCase == EnrollStudentRequest.WhoOneofCase.Headcount ? request.Headcount : 1,
            OfferingId = Guid.Parse(request.OfferingId),
            Funding = request.Funding,
            TrackId = IdOrNull(request.TrackId),
            QuotedPrice = request.QuotedPrice is { } price ? new Price(price.CurrencyCode, price.Units, price.Nanos) : null,
            ExternalIds = request.ExternalIds,
            StartDate = request.StartDate?.ToDateOnly(),
            EndDate = request.EndDate?.ToDateOnly(),
            WaitlistPriority = WaitlistPriority(request.WaitlistIfFull, request.WaitlistPriority),
        };
    }

    public static Outcome<Wish> Of(NominateStudentRequest request)
    {
        var enroll = new EnrollStudentRequest
        {
            Country = request.Country,
            OfferingId = request.OfferingId,
            Funding = request.Funding,
            TrackId = request.TrackId,
            QuotedPrice = request.QuotedPrice,
            ExternalIds = { request.ExternalIds },
            StartDate = request.StartDate,
            EndDate = request.EndDate,
        };
        if (request.WhoCase == NominateStudentRequest.WhoOneofCase.StudentId)
            enroll.StudentId = request.StudentId;
        else if (request.WhoCase == NominateStudentRequest.WhoOneofCase.Headcount)
            enroll.Headcount = request.Headcount;
        return Of(enroll);
    }

    public static Outcome<Price> PriceOf(Money money, string field) => money is { Units: < 0 } or { Nanos: < 0 }
        ? Refusal.Of(CommonReason.InvalidFields, "The request is not complete or not consistent.").Field(field, "Must not be negative.")
        : new Price(money.CurrencyCode, money.Units, money.Nanos);

    /// <summary>Null = nobody waits.</summary>
    public static int? WaitlistPriority(bool ifFull, int priority) => !ifFull ? null : priority == 0 ? WaitlistDecisions.UsualPriority : priority;

    public static Guid? IdOrNull(string id) => id.Length == 0 ? null : Guid.Parse(id);

    /// <summary>A worksheet control number: seven digits, more when ten million are used up.</summary>
    public static string Wcn(long number) => number.ToString("D7", CultureInfo.InvariantCulture);
}
