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
        Data = Data(change, Facts(change.After, offering)),
    };

    public static TrainingLine Resource(Line line, OfferingCopy offering) => new()
    {
        Id = line.Id.ToString(),
        Country = line.Country,
        TrackId = line.TrackId.ToString(),
        Wcn = line.Wcn,
        StudentId = line.StudentId?.ToString() ?? "",
        Headcount = line.Headcount,
        OfferingId = line.OfferingId.ToString(),
        OfferingVersion = line.OfferingVersion,
        Course = offering.Course,
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
        Judgement = line.Judgement,
        ExternalIds = { line.ExternalIds },
        Version = line.Version,
        Etag = line.Etag,
        CreateTime = Timestamp.FromDateTime(line.RecordedAt),
        UpdateTime = Timestamp.FromDateTime(line.ChangedAt),
    };

    private static IMessage Data(LineChange change, LineFacts facts) => change.Change switch
    {
        "enrolled" => new TrainingLineEnrolled { Line = facts },
        "cancelled" => new TrainingLineCancelled
        {
            Line = facts,
            Cause = (TrainingLine.Types.CancelCause)(change.After.CancelCause ?? 0),
            SourceId = change.SourceId,
            Reason = change.Cause,
        },
        "held" => new TrainingLineHeld { Line = facts },
        "released" => new TrainingLineReleased { Line = facts },
        "arrived" => new TrainingLineArrived { Line = facts, ArrivedOn = change.After.ArrivedOn?.ToProto() },
        "started" => new TrainingLineStarted { Line = facts, StartedOn = change.After.StartedOn?.ToProto() },
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
    };

    private static Hold Resource(LineHold hold) => new()
    {
        Cause = (Hold.Types.Cause)hold.Cause,
        SourceId = hold.SourceId,
        SinceTime = Timestamp.FromDateTime(hold.Since),
    };

    private static Funding FundingOf(Line line) => new() { Program = line.FundingProgram, Account = line.FundingAccount, FiscalYear = line.FiscalYear };
}
