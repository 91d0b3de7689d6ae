using Imet.Chassis;
using Imet.Enrollment.V1;
using Imet.Options.V1;
using ErrorReason = Imet.Enrollment.V1.ErrorReason;

namespace Imet.Enrollment.Students;

public static class StudentDecisions
{
    /// <summary>What no descriptor can say of personal data. The texts name fields, never values.</summary>
    public static Refusal? RefusalOf(PersonalData personal)
    {
        var refusal = Refusal.Of(CommonReason.InvalidFields, "The personal data is not consistent.");
        if (personal.Sex is not ("" or "F" or "M" or "X"))
            refusal = refusal.Field("student.personal.sex", "Must be F, M or X.");
        if (personal.Citizenship is not ("" or [>= 'A' and <= 'Z', >= 'A' and <= 'Z', >= 'A' and <= 'Z']))
            refusal = refusal.Field("student.personal.citizenship", "Must be an ISO 3166-1 alpha-3 code: three capitals.");
        return refusal.Fields.Count > 0 ? refusal : null;
    }

    public static Refusal? RefusalOfCountry(string current, string sent, string what) => current == sent
        ? null
        : Refusal.Of(CommonReason.InvalidFields, $"A {what} stays its country's.").Field($"{what}.country", $"Must be {current}, as it is.");

    public static Refusal? RefusalToUpdate(StudentRecord student, string etag, string country) =>
        Bars.BarDecisions.RefusalOfEtag(student.Tip.Etag, etag, "student") ?? RefusalOfPurged(student) ?? RefusalOfCountry(student.Country, country, "student");

    /// <summary>Personal data is needed until the last line has ended.</summary>
    public static Refusal? RefusalToPurge(StudentRecord student, string etag, Guid? openLine) =>
        Bars.BarDecisions.RefusalOfEtag(student.Tip.Etag, etag, "student") ?? RefusalOfPurged(student) ?? (openLine is { } line
            ? Refusal.Of(ErrorReason.StudentInUse, "The student has a line that has not ended: the personal data is still needed.").With("line_id", $"{line}")
            : null);

    /// <summary>All that was given, or those that differ.</summary>
    public static IReadOnlyList<(string Name, string Value)> Changed(IReadOnlyList<(string Name, string Value)>? before, IReadOnlyList<(string Name, string Value)> after) => before is null
        ? [.. after.Where(field => field.Value.Length > 0)]
        : [.. after.Where((field, i) => field.Value != before[i].Value)];

    public static string Joined(string[]? sources, string[]? ids) => sources is null || ids is null ? "" : string.Join('\n', sources.Zip(ids, (source, id) => $"{source} {id}").Order(StringComparer.Ordinal));

    private static Refusal? RefusalOfPurged(StudentRecord student) =>
        student.PurgedAt is null ? null : Refusal.Of(ErrorReason.StudentPurged, "The student's personal data was deleted for good.");
}
