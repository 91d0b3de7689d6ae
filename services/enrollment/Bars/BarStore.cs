using Dapper;
using Imet.Chassis;
using Imet.Enrollment.Audit;
using Npgsql;
using NpgsqlTypes;

namespace Imet.Enrollment.Bars;

public sealed record BarRow
{
    public required Guid BarId { get; init; }
    public required string Country { get; init; }
    public required string Cause { get; init; }
    public required DateOnly BarredFrom { get; init; }
    public required DateOnly? BarredUntil { get; init; }
    public required string Document { get; init; }
    public required string RecordedBy { get; init; }
    public required DateTime RecordedAt { get; init; }
    public Guid? RemovedStudentId { get; init; }
    public long Version { get; init; }
    public byte[]? Digest { get; init; }
    public Guid[]? StudentIds { get; init; }

    public AuditTip Tip => new(Version, Digest);
}

/// <summary>Its text is never to be logged: a record prints its values.</summary>
public sealed record BarredIdentityRow
{
    public required Guid BarId { get; init; }
    public required string Surname { get; init; }
    public required string GivenNames { get; init; }
    public required DateOnly? DateOfBirth { get; init; }
    public required string ServiceNumber { get; init; }
    public required string PassportNumber { get; init; }

    public override string ToString() => nameof(BarredIdentityRow);
}

public sealed record FlagRow
{
    public required Guid FlagId { get; init; }
    public required string Country { get; init; }
    public required Guid UnitId { get; init; }
    public required string Cause { get; init; }
    public required DateOnly FlaggedFrom { get; init; }
    public required DateOnly? FlaggedUntil { get; init; }
    public required string Document { get; init; }
    public required string RecordedBy { get; init; }
    public required DateTime RecordedAt { get; init; }
    public long Version { get; init; }
    public byte[]? Digest { get; init; }

    public AuditTip Tip => new(Version, Digest);
}

public sealed class BarStore
{
    // A bar and a student with a key in common, recorded at the same moment, must find each other: whichever comes second waits here and then sees the first.
    private const string LockKeysSql = "select pg_advisory_xact_lock(hashtextextended(key, 10)) from (select unnest($1::text[]) as key order by 1) keys";

    private const string LockKeysOfSql = "select pg_advisory_xact_lock(hashtextextended(key, 10)) from (select key from person_keys where owner = 'STUDENT' and owner_id = $1 order by key) keys";

    private const string ForgetKeysSql = "delete from person_keys where owner = $1 and owner_id = $2";

    private const string InsertKeysSql = "insert into person_keys (key, owner, owner_id) select unnest($1::text[]), $2, $3";

    private const string ForgetMatchesSql = "delete from bar_matches where student_id = $1";

    private const string MatchStudentSql = """
        insert into bar_matches (student_id, bar_id)
        select distinct s.owner_id, b.owner_id from person_keys s join person_keys b on b.key = s.key and b.owner = 'BAR'
        where s.owner = 'STUDENT' and s.owner_id = $1
        """;

    private const string MatchBarSql = """
        insert into bar_matches (student_id, bar_id)
        select distinct s.owner_id, b.owner_id from person_keys b join person_keys s on s.key = b.key and s.owner = 'STUDENT'
        where b.owner = 'BAR' and b.owner_id = $1
        """;

    private const string MatchesSql = "select bar_id from bar_matches where student_id = $1 order by bar_id";

    // A seat or orders for one of them wait for the bar, or come before it.
    private const string LockMatchedSql = "select student_id from students where student_id in (select student_id from bar_matches where bar_id = $1) order by student_id for no key update";

    /// <summary>Records what a student is matched by, and gives the bars that match.</summary>
    public async Task<Guid[]> MatchStudentAsync(Transaction tx, Guid studentId, IReadOnlyList<string> keys, CancellationToken cancel)
    {
        tx.Enqueue(LockKeysSql, (object)keys.ToArray());
        tx.Enqueue(ForgetKeysSql, "STUDENT", studentId);
        tx.Enqueue(ForgetMatchesSql, studentId);
        tx.Enqueue(InsertKeysSql, keys.ToArray(), "STUDENT", studentId);
        await tx.FlushAsync(cancel);
        // A statement of its own after the lock was got, so that it sees what the one before committed.
        tx.Enqueue(MatchStudentSql, studentId);
        await tx.FlushAsync(cancel);
        return await IdsAsync(tx, MatchesSql, studentId, cancel);
    }

    public void ForgetStudent(Transaction tx, Guid studentId)
    {
        tx.Enqueue(ForgetKeysSql, "STUDENT", studentId);
        // Matches stay: they name nobody, and a barred person remains barred.
    }

    private const string InsertBarSql = """
        insert into person_bars (bar_id, country, cause, barred_from, barred_until, document, recorded_by, recorded_at, removed_student_id, version, digest)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """;

    private const string InsertIdentitySql = """
        insert into person_bar_identities (bar_id, surname, given_names, date_of_birth, service_number, passport_number) values ($1, $2, $3, $4, $5, $6)
        """;

    /// <summary>Records a bar, and gives the students it matches, locked.</summary>
    public async Task<Guid[]> AddAsync(Transaction tx, BarRow bar, Identity identity, CancellationToken cancel)
    {
        string[] keys = [.. PersonKeys.Of(identity)];
        tx.Enqueue(LockKeysSql, (object)keys);
        Insert(tx, bar);
        tx.Enqueue(InsertIdentitySql, bar.BarId, identity.Surname, identity.GivenNames, Sql.Of(NpgsqlDbType.Date, identity.DateOfBirth), identity.ServiceNumber, identity.PassportNumber);
        tx.Enqueue(InsertKeysSql, keys, "BAR", bar.BarId);
        return await MatchAsync(tx, bar.BarId, cancel);
    }

    private const string CopyIdentitySql = """
        insert into person_bar_identities (bar_id, surname, given_names, date_of_birth, service_number, passport_number)
        select $1, surname, given_names, date_of_birth, service_number, passport_number from student_personal where student_id = $2
        """;

    private const string CopyKeysSql = "insert into person_keys (key, owner, owner_id) select key, 'BAR', $1 from person_keys where owner = 'STUDENT' and owner_id = $2";

    /// <summary>The bar that follows from a removal. What tells who the person is goes from table to table.</summary>
    public Task<Guid[]> AddOfRemovedAsync(Transaction tx, BarRow bar, CancellationToken cancel)
    {
        var student = bar.RemovedStudentId ?? throw new ArgumentException("Nobody was removed.", nameof(bar));
        tx.Enqueue(LockKeysOfSql, student);
        Insert(tx, bar);
        tx.Enqueue(CopyIdentitySql, bar.BarId, student);
        tx.Enqueue(CopyKeysSql, bar.BarId, student);
        return MatchAsync(tx, bar.BarId, cancel);
    }

    private static async Task<Guid[]> MatchAsync(Transaction tx, Guid barId, CancellationToken cancel)
    {
        await tx.FlushAsync(cancel);
        tx.Enqueue(MatchBarSql, barId);
        await tx.FlushAsync(cancel);
        return await IdsAsync(tx, LockMatchedSql, barId, cancel);
    }

    private static void Insert(Transaction tx, BarRow bar) => tx.Enqueue(InsertBarSql, bar.BarId, bar.Country, bar.Cause, bar.BarredFrom, Sql.Of(NpgsqlDbType.Date, bar.BarredUntil), bar.Document,
        bar.RecordedBy, bar.RecordedAt, Sql.Of(NpgsqlDbType.Uuid, bar.RemovedStudentId), bar.Version, bar.Digest!);

    private const string RemovalBarSql = "select exists (select from person_bars where removed_student_id = $1)";

    public async Task<bool> HasBarOfRemovalAsync(Transaction tx, Guid studentId, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(RemovalBarSql, tx.Connection, tx.Npgsql) { Parameters = { Value(studentId) } };
        return (bool)(await command.ExecuteScalarAsync(cancel))!;
    }

    private const string BarSql = """
        select b.bar_id, b.country, b.cause, b.barred_from, b.barred_until, b.document, b.recorded_by, b.recorded_at, b.removed_student_id, b.version, b.digest,
               (select array_agg(m.student_id order by m.student_id) from bar_matches m where m.bar_id = b.bar_id) as student_ids
        from person_bars b

        """;

    private const string LockBarSql = BarSql + "where b.bar_id = @id and (@countries::text[] is null or b.country = any(@countries)) for no key update of b";

    public Task<BarRow?> LockBarAsync(Transaction tx, Guid id, string[]? countries, CancellationToken cancel) =>
        tx.Connection.QueryFirstOrDefaultAsync<BarRow>(new CommandDefinition(LockBarSql, new { id, countries }, tx.Npgsql, cancellationToken: cancel));

    private const string ListBarsSql = BarSql + "where b.country = @country and (@before::uuid is null or b.bar_id < @before) order by b.bar_id desc limit @size";

    public async Task<List<BarRow>> ListBarsAsync(NpgsqlConnection connection, string country, Guid? before, int size, CancellationToken cancel) =>
        [.. await connection.QueryAsync<BarRow>(new CommandDefinition(ListBarsSql, new { country, before, size }, cancellationToken: cancel))];

    private const string IdentitiesSql = "select bar_id, surname, given_names, date_of_birth, service_number, passport_number from person_bar_identities where bar_id = any(@ids)";

    public async Task<IReadOnlyDictionary<Guid, BarredIdentityRow>> IdentitiesAsync(NpgsqlConnection connection, Guid[] ids, CancellationToken cancel) =>
        (await connection.QueryAsync<BarredIdentityRow>(new CommandDefinition(IdentitiesSql, new { ids }, cancellationToken: cancel))).ToDictionary(row => row.BarId);

    private const string EndBarSql = "update person_bars set barred_until = $2, version = $3, digest = $4 where bar_id = $1";

    public void End(Transaction tx, BarRow bar, DateOnly until, AuditTip tip) => tx.Enqueue(EndBarSql, bar.BarId, until, tip.Version, tip.Digest!);

    private const string InsertFlagSql = """
        insert into unit_flags (flag_id, country, unit_id, cause, flagged_from, flagged_until, document, recorded_by, recorded_at, version, digest)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """;

    public void Add(Transaction tx, FlagRow flag) => tx.Enqueue(InsertFlagSql, flag.FlagId, flag.Country, flag.UnitId, flag.Cause, flag.FlaggedFrom, Sql.Of(NpgsqlDbType.Date, flag.FlaggedUntil),
        flag.Document, flag.RecordedBy, flag.RecordedAt, flag.Version, flag.Digest!);

    private const string FlagSql = "select flag_id, country, unit_id, cause, flagged_from, flagged_until, document, recorded_by, recorded_at, version, digest from unit_flags ";

    private const string LockFlagSql = FlagSql + "where flag_id = @id and (@countries::text[] is null or country = any(@countries)) for no key update";

    public Task<FlagRow?> LockFlagAsync(Transaction tx, Guid id, string[]? countries, CancellationToken cancel) =>
        tx.Connection.QueryFirstOrDefaultAsync<FlagRow>(new CommandDefinition(LockFlagSql, new { id, countries }, tx.Npgsql, cancellationToken: cancel));

    private const string ListFlagsSql = FlagSql + "where country = @country and (@before::uuid is null or flag_id < @before) order by flag_id desc limit @size";

    public async Task<List<FlagRow>> ListFlagsAsync(NpgsqlConnection connection, string country, Guid? before, int size, CancellationToken cancel) =>
        [.. await connection.QueryAsync<FlagRow>(new CommandDefinition(ListFlagsSql, new { country, before, size }, cancellationToken: cancel))];

    private const string EndFlagSql = "update unit_flags set flagged_until = $2, version = $3, digest = $4 where flag_id = $1";

    public void End(Transaction tx, FlagRow flag, DateOnly until, AuditTip tip) => tx.Enqueue(EndFlagSql, flag.FlagId, until, tip.Version, tip.Digest!);

    private const string LinesOfStudentsSql = "select line_id from training_lines where student_id = any($1) and orders_number is not null and is_open";

    /// <summary>Lines with orders of any of the students.</summary>
    public async Task<Guid[]> LinesOfAsync(Transaction tx, Guid[] studentIds, CancellationToken cancel) => await IdsAsync(tx, LinesOfStudentsSql, studentIds, cancel);

    /// <summary>Bars or flags as the views barred_students and flagged_units give them: four columns from the ordinal on.</summary>
    public static IReadOnlyList<Restraint> Read(NpgsqlDataReader reader, int first)
    {
        if (reader.IsDBNull(first))
            return [];
        var (ids, froms, untils, causes) = (reader.GetFieldValue<Guid[]>(first), reader.GetFieldValue<DateOnly[]>(first + 1), reader.GetFieldValue<DateOnly[]>(first + 2), reader.GetFieldValue<string[]>(first + 3));
        return [.. ids.Select((id, i) => new Restraint(id, froms[i], untils[i], causes[i]))];
    }

    private static async Task<Guid[]> IdsAsync<T>(Transaction tx, string sql, T value, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(sql, tx.Connection, tx.Npgsql) { Parameters = { Value(value) } };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        List<Guid> ids = [];
        while (await reader.ReadAsync(cancel))
            ids.Add(reader.GetGuid(0));
        return [.. ids];
    }

    private static NpgsqlParameter<T> Value<T>(T value) => new() { TypedValue = value };
}
