using Imet.Chassis;
using Imet.Enrollment.Audit;
using Imet.Enrollment.Bars;
using Imet.Enrollment.V1;

namespace Imet.Enrollment.Students;

/// <summary>
/// Deletes what tells who a student is: the values, what persons are matched by, and the salts of the audit entries, so that nobody can show any more what they were. Lines and entries stay.
/// </summary>
public sealed class Purging(StudentStore students, BarStore bars, AuditStore audit)
{
    /// <summary>Null when there is no such student. Without an etag, whoever is purged or in use by now is left as it is.</summary>
    public async Task<StudentRecord?> PurgeAsync(Transaction tx, Guid studentId, string[]? countries, string? etag, string actor, string reason, CancellationToken cancel)
    {
        if (await students.LockAsync(tx, studentId, countries, cancel) is not { } student)
            return null;
        if (StudentDecisions.RefusalToPurge(student, etag ?? student.Tip.Etag, await students.OpenLineAsync(tx, studentId, cancel)) is { } refusal)
            return etag is null ? student : throw refusal.ToException();
        var now = await students.NowAsync(tx, cancel);
        var tip = audit.Enter(tx, new AuditChange("student", studentId, student.Country, "purged", actor, reason, []), student.Tip, now);
        student = student with { Version = tip.Version, Digest = tip.Digest, PurgedAt = now };
        students.Purge(tx, student, now);
        bars.ForgetStudent(tx, studentId);
        audit.DeleteSalts(tx, "student", studentId);
        tx.Publish(new OutboundEvent { AggregateId = $"{studentId}", AggregateVersion = tip.Version, Country = student.Country, Data = new StudentPurged { StudentId = $"{studentId}", Country = student.Country } });
        return student;
    }
}
