using System.Globalization;
using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.Enrollment.Gates;
using Imet.Enrollment.Offerings;
using Imet.Enrollment.V1;

namespace Imet.Enrollment.Orders;

public static class OrdersDecisions
{
    /// <param name="report">Every gate, under the locks that keep it so until the commit.</param>
    public static Outcome<LineChange> Issue(Line line, string etag, GateReport report, Verdict verdict, string number, string actor, DateTime now)
    {
        if (EnrollmentDecisions.RefusalOfEtag(line, etag) is { } stale)
            return stale;
        var transition = LineStates.Find(line, LineCommand.IssueOrders);
        if (!transition.IsAccepted)
            return transition.Refusal;
        if (!report.AllGreen)
            return GateDecisions.NotGreen(line, report);
        var change = LineChange.Of(line, transition.Value, actor, number, now);
        return (change with { After = change.After with { OrdersNumber = number } }).On(EnrollmentDecisions.JudgementOf(verdict));
    }

    public static Outcome<LineChange> Amend(Line line, string etag, string reason, string actor, DateTime now)
    {
        if (EnrollmentDecisions.RefusalOfEtag(line, etag) is { } stale)
            return stale;
        var transition = LineStates.Find(line, LineCommand.AmendOrders);
        return transition.IsAccepted ? LineChange.Of(line, transition.Value, actor, reason, now) : transition.Refusal;
    }

    /// <summary>Holds that only a line with orders has go with them.</summary>
    public static Outcome<LineChange> Revoke(Line line, string etag, string reason, string actor, DateTime now)
    {
        if (EnrollmentDecisions.RefusalOfEtag(line, etag) is { } stale)
            return stale;
        var transition = LineStates.Find(line, LineCommand.RevokeOrders);
        if (!transition.IsAccepted)
            return transition.Refusal;
        var change = LineChange.Of(line, transition.Value, actor, reason, now);
        return change with { After = change.After with { OrdersNumber = null, Holds = [.. line.Holds.Where(hold => hold.Cause != HoldCause.GateRed)] } };
    }

    /// <summary>Country, department, program and year of the money, track, and a count within the track: names nobody.</summary>
    public static string Number(Line line, OfferingCopy offering, int count)
    {
        var department = Addressees.Letter(offering.Course.ImplementingAgency);
        return string.Create(CultureInfo.InvariantCulture,
            $"{line.Country}-{(department.Length == 0 ? "X" : department)}-{line.FundingProgram}{line.FiscalYear % 100:D2}-{line.Wcn}-{count:D2}");
    }
}
