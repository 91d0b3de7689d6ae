using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Type;
using Imet.Chassis;
using Imet.Enrollment.Offerings;
using Imet.Enrollment.V1;

namespace Imet.Enrollment;

public static class EnrollmentEvents
{
    public static OutboundEvent Of(LineChange change, OfferingCopy offering) => new()
    {
        AggregateId = change.After.Id.ToString(),
        AggregateVersion = change.After.Version,
        Country = change.After.Country,
        Data = Data(change, Facts(change.After, offering), offering),
    };

    public static TrainingLine Resource(Line line, OfferingCopy offering)
    {
        var resource = Snapshot(line);
        resource.Course = offering.Course;
        resource.Judgement = line.Judgement;
        return resource;
    }

    /// <summary>What history keeps of a line: all but the course's facts, which its offering's version holds, and the judgement, which an entry holds.</summary>
    public static TrainingLine Snapshot(Line line) => new()
    {
        Id = line.Id.ToString(),
        Country = line.Country,
        TrackId = line.TrackId.ToString(),
        Wcn = line.Wcn,
        StudentId = line.StudentId?.ToString() ?? "",
        Headcount = line.Headcount,
        OfferingId = line.OfferingId.ToString(),
        OfferingVersion = line.OfferingVersion,
        Funding = FundingOf(line),
        State = (TrainingLine.Types.State)line.State,
        Holds = { line.Holds.Select(Resource) },
        CancelCause = (TrainingLine.Types.CancelCause)(line.CancelCause ?? 0),
        ReportDate = line.ReportDate.ToProto(),
        StartDate = line.StartDate.ToProto(),
        EndDate = line.EndDate.ToProto(),
        ArrivedOn = line.ArrivedOn?.ToProto(),
        StartedOn = line.StartedOn?.ToProto(),
        TuitionRate = line.TuitionRate,
        Price = line.Price is { } price ? new Money { CurrencyCode = price.Currency, Units = price.Units, Nanos = price.Nanos } : null,
        QuotedOn = line.QuotedOn?.ToProto(),
        ExternalIds = { line.ExternalIds },
        Version = line.Version,
        Etag = line.Etag,
        CreateTime = Timestamp.FromDateTime(line.RecordedAt),
        UpdateTime = Timestamp.FromDateTime(line.ChangedAt),
        Kind = (TrainingLine.Types.Kind)line.Kind,
        OfLineId = line.OfLineId?.ToString() ?? "",
        EndedOn = line.EndedOn?.ToProto(),
        CancelSourceId = line.CancelSourceId ?? "",
        Progress = line.Progress,
        OrdersNumber = line.OrdersNumber ?? "",
        NotRestored = line.NotRestored,
        Waiting = line.Waiting is { } waiting
            ? new V1.Waiting { Priority = waiting.Priority, SinceTime = Timestamp.FromDateTime(waiting.Since), OfferExpiresTime = waiting.ExpiresAt is { } offerExpires ? Timestamp.FromDateTime(offerExpires) : null }
            : null,
        Charge = line.Charge,
    };

    private static IMessage Data(LineChange change, LineFacts facts, OfferingCopy offering) => change.Change switch
    {
        "nominated" => new TrainingLineNominated { Line = facts },
        "approved" => new TrainingLineApproved { Line = facts },
        "enrolled" => new TrainingLineEnrolled { Line = facts },
        "seat-confirmed" => new TrainingLineSeatConfirmed { Line = facts },
        "roster-changed" => new TrainingLineRosterChanged { Line = facts },
        "charge-added" => new TrainingLineChargeAdded { Line = facts, Reason = change.Cause },
        "extension-added" => new TrainingLineExtensionAdded { Line = facts, Reason = change.Cause },
        "cancelled" => new TrainingLineCancelled
        {
            Line = facts,
            Cause = (TrainingLine.Types.CancelCause)(change.After.CancelCause ?? 0),
            SourceId = change.SourceId,
            Reason = change.Cause,
            RevokedOrdersNumber = change.Before?.OrdersNumber ?? "",
            Addressees = { Addressees.Of(change.Before ?? change.After, offering) },
        },
        "forfeited" => new TrainingLineForfeited
        {
            Line = facts,
            Charge = change.After.Charge,
            Reason = change.Cause,
            RevokedOrdersNumber = change.Before?.OrdersNumber ?? "",
            Addressees = { Addressees.Of(change.Before ?? change.After, offering) },
        },
        "charge-reversed" => new TrainingLineChargeReversed { Line = facts, Charge = change.After.Charge },
        "orders-issued" => new TrainingLineOrdersIssued { Line = facts, OrdersNumber = change.After.OrdersNumber ?? "" },
        "orders-amended" => new TrainingLineOrdersAmended { Line = facts, OrdersNumber = change.After.OrdersNumber ?? "", Reason = change.Cause },
        "orders-revoked" => new TrainingLineOrdersRevoked
        {
            Line = facts,
            OrdersNumber = change.Before?.OrdersNumber ?? "",
            Reason = change.Cause,
            Addressees = { Addressees.Of(change.Before ?? change.After, offering) },
        },
        "restored" => new TrainingLineRestored { Line = facts },
        "not-restored" => new TrainingLineNotRestored { Line = facts, Reason = change.Cause },
        "waitlisted" => new TrainingLineWaitlisted { Line = facts, Priority = change.After.Waiting?.Priority ?? 0 },
        "offered" => new TrainingLineOffered { Line = facts, ExpiresTime = change.After.Waiting?.ExpiresAt is { } expires ? Timestamp.FromDateTime(expires) : null },
        "moved" => new TrainingLineMoved
        {
            Line = facts,
            ReportDate = change.After.ReportDate.ToProto(),
            PreviousReportDate = change.Before?.ReportDate.ToProto(),
            PreviousStartDate = change.Before?.StartDate.ToProto(),
            PreviousEndDate = change.Before?.EndDate.ToProto(),
            Addressees = { Addressees.Of(change.After, offering) },
        },
        "held" => new TrainingLineHeld { Line = facts, Addressees = { Addressees.Of(change.After, offering) } },
        "released" => new TrainingLineReleased { Line = facts },
        "arrived" => new TrainingLineArrived { Line = facts, ArrivedOn = change.After.ArrivedOn?.ToProto() },
        "started" => new TrainingLineStarted { Line = facts, StartedOn = change.After.StartedOn?.ToProto() },
        "progressed" => new TrainingLineProgressed { Line = facts, Progress = change.After.Progress },
        "extended" => new TrainingLineExtended { Line = facts, Reason = change.Cause },
        "graduated" => new TrainingLineGraduated { Line = facts, EndedOn = change.After.EndedOn?.ToProto() },
        "completed" => new TrainingLineCompleted { Line = facts, EndedOn = change.After.EndedOn?.ToProto() },
        "academically-failed" => new TrainingLineAcademicallyFailed { Line = facts, EndedOn = change.After.EndedOn?.ToProto() },
        "returned-early" => new TrainingLineReturnedEarly
        {
            Line = facts,
            EndedOn = change.After.EndedOn?.ToProto(),
            Cause = (TrainingLine.Types.CancelCause)(change.After.CancelCause ?? 0),
            SourceId = change.SourceId,
            Reason = change.Cause,
        },
        "disenrolled" => new TrainingLineDisenrolled { Line = facts, EndedOn = change.After.EndedOn?.ToProto() },
        "absent" => new TrainingLineAbsent { Line = facts, AbsentSince = change.After.EndedOn?.ToProto(), Addressees = { Addressees.Of(change.After, offering) } },
        "no-show" => new TrainingLineNoShow { Line = facts },
        _ => throw new InvalidOperationException($"No event tells that a line was {change.Change}."),
    };

    private static LineFacts Facts(Line line, OfferingCopy offering) => new()
    {
        LineId = line.Id.ToString(),
        Country = line.Country,
        TrackId = line.TrackId.ToString(),
        Wcn = line.Wcn,
        Headcount = line.Headcount,
        OfferingId = line.OfferingId.ToString(),
        MaslNumber = offering.Course.MaslNumber,
        CourseTitle = offering.Course.Title,
        Funding = FundingOf(line),
        State = (TrainingLine.Types.State)line.State,
        Holds = { line.Holds.Select(Resource) },
        StartDate = line.StartDate.ToProto(),
        EndDate = line.EndDate.ToProto(),
        Version = line.Version,
        RecordedTime = Timestamp.FromDateTime(line.ChangedAt),
        Kind = (TrainingLine.Types.Kind)line.Kind,
        OfLineId = line.OfLineId?.ToString() ?? "",
        SeatsHeld = line.SeatsHeld,
    };

    public static Hold Resource(LineHold hold) => new()
    {
        Cause = (Hold.Types.Cause)hold.Cause,
        SourceId = hold.SourceId,
        SinceTime = Timestamp.FromDateTime(hold.Since),
    };

    public static Funding FundingOf(Line line) => new() { Program = line.FundingProgram, Account = line.FundingAccount, FiscalYear = line.FiscalYear };
}
