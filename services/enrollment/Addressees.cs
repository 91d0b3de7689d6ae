using Imet.CourseCatalog.V1;
using Imet.Enrollment.Offerings;
using Imet.Enrollment.V1;

namespace Imet.Enrollment;

/// <summary>Who must be told when a line is stopped: without orders only the office that sends, with orders also the school that expects the student and the department whose course it is.</summary>
public static class Addressees
{
    public static IEnumerable<Addressee> Of(Line line, OfferingCopy offering)
    {
        yield return new Addressee { Role = Addressee.Types.Role.Office, Code = line.Country };
        if (line.OrdersNumber is null && !line.HasBegun && line.State != LineState.Absent)
            yield break;
        if (offering.Course.SchoolCode.Length > 0 || offering.Course.SchoolId.Length > 0)
            yield return new Addressee { Role = Addressee.Types.Role.School, Code = offering.Course.SchoolCode.Length > 0 ? offering.Course.SchoolCode : offering.Course.SchoolId };
        if (Letter(offering.Course.ImplementingAgency) is { Length: > 0 } department)
            yield return new Addressee { Role = Addressee.Types.Role.Department, Code = department };
    }

    /// <summary>The letter that course and order numbers begin with.</summary>
    public static string Letter(ImplementingAgency agency) => agency switch
    {
        ImplementingAgency.Army => "B",
        ImplementingAgency.AirForce => "D",
        ImplementingAgency.Navy => "P",
        _ => "",
    };
}
