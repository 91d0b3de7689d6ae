using System.Data;
using System.Globalization;
using Google.Protobuf;
using Imet.Chassis;
using Imet.CourseCatalog.V1;
using Imet.Enrollment.Bars;
using Imet.Enrollment.Charges;
using Imet.Enrollment.Countries;
using Imet.Enrollment.Allocations;
using Imet.Enrollment.History;
using Imet.Enrollment.Offerings;
using Imet.Enrollment.Orders;
using Imet.Enrollment.Reexamination;
using Imet.Enrollment.Waitlist;
using Npgsql;
using NpgsqlTypes;

namespace Imet.Enrollment;

/// <summary>What an enrollment finds under its locks.</summary>
public sealed record EnrollRead(SeenRevision? Seen, DateTime Now, StudentRow? Student, TrackRow? Track, long WcnNumber, OfferingSeatsRow? Seats);

/// <summary>What a nomination finds under its locks when it is to be seated.</summary>
public sealed record SeatRead(SeenRevision? Seen, DateTime Now, StudentRow? Student, Line Line, OfferingSeatsRow Seats);

public sealed record LineFilter
{
    public required string[]? Countries { get; init; }
    public required Guid? OfferingId { get; init; }
    public required Guid? StudentId { get; init; }
    public required LineState? State { get; init; }
    public required DateOnly? StartFrom { get; init; }
    public required DateOnly? StartBefore { get; init; }
    public bool NotRestored { get; init; }
    public required (DateOnly Start, Guid Id)? After { get; init; }
    public required int Size { get; init; }
}

public sealed class EnrollmentStore(WaitlistStore waitlist, DueWork dueWork)
{
    // Locks are taken in one order everywhere: country, student, track, line, class. The class comes last, since its row is the one that many wait for.
    // The lock on the student keeps a second line on the same days out until this one is there to be seen.
    private const string LockStudentSql = "select country from students where student_id = $1 for no key update";

    private const string BusySql = """
        select exists (select from removals where student_id = $1),
               (select line_id from training_lines where student_id = $1 and is_open and holds_seat and start_date <= $3 and end_date >= $2 order by start_date limit 1),
               b.bar_ids, b.froms, b.untils, b.causes
        from (values ($1::uuid)) asked (student_id) left join barred_students b on b.student_id = asked.student_id
        """;

    private const string LockTrackSql = "select country, student_id, wcn, begun_on from tracks where track_id = $1 for share";

    private const string NextWcnSql = "select nextval('wcn_numbers')";

    private const string LockSeatsSql = "select version, state, capacity, taken from offerings where offering_id = $1 for no key update";

    // What others have set aside, and who waits: a statement of its own, after the lock.
    private const string OthersSql = """
        select coalesce(sum(greatest(held - taken, 0)) filter (where country <> $2 and not opened), 0)::int,
               sum(case when opened then 0 else greatest(held - taken, 0) end) filter (where country = $2)::int,
               exists (select from waitlist where offering_id = $1 and expires_at is null and not passed_over),
               exists (select from waitlist where offering_id = $1 and expires_at is null and not passed_over and country = $2)
        from quotas where offering_id = $1
        """;

    /// <summary>Everything an enrollment is decided by; <see cref="ReadForEnrollAsync"/> reads the answer.</summary>
    public static void LockForEnroll(NpgsqlBatch batch, Wish wish, DateOnly start, DateOnly end)
    {
        CountryStore.AddLock(batch, wish.Country);
        if (wish.StudentId is { } student)
        {
            Add(batch, LockStudentSql, new NpgsqlParameter<Guid> { TypedValue = student });
            Add(batch, BusySql, new NpgsqlParameter<Guid> { TypedValue = student }, new NpgsqlParameter<DateOnly> { TypedValue = start }, new NpgsqlParameter<DateOnly> { TypedValue = end });
        }
        if (wish.TrackId is { } track)
            Add(batch, LockTrackSql, new NpgsqlParameter<Guid> { TypedValue = track });
        else
            Add(batch, NextWcnSql);
        LockSeats(batch, wish.OfferingId, wish.Country);
    }

    public static async Task<EnrollRead> ReadForEnrollAsync(NpgsqlDataReader reader, Wish wish, CancellationToken cancel)
    {
        var (seen, now) = await CountryStore.ReadLockAsync(reader, cancel);
        StudentRow? studentRow = null;
        TrackRow? trackRow = null;
        var wcn = 0L;
        if (wish.StudentId is not null)
        {
            await reader.NextResultAsync(cancel);
            var country = await reader.ReadAsync(cancel) ? reader.GetString(0) : null;
            await reader.NextResultAsync(cancel);
            await reader.ReadAsync(cancel);
            studentRow = country is null ? null : new StudentRow(country, reader.IsDBNull(1) ? null : reader.GetGuid(1), reader.GetBoolean(0)) { Bars = BarStore.Read(reader, 2) };
        }
        await reader.NextResultAsync(cancel);
        if (wish.TrackId is null)
            wcn = await reader.ReadAsync(cancel) ? reader.GetInt64(0) : 0;
        else if (await reader.ReadAsync(cancel))
            trackRow = LineRows.ReadTrack(reader);
        return new EnrollRead(seen, now, studentRow, trackRow, wcn, await ReadSeatsAsync(reader, cancel));
    }

    private static void LockSeats(NpgsqlBatch batch, Guid offeringId, string country)
    {
        Add(batch, LockSeatsSql, Value(offeringId));
        Add(batch, OthersSql, Value(offeringId), Value(country));
    }

    private static async Task<OfferingSeatsRow?> ReadSeatsAsync(NpgsqlDataReader reader, CancellationToken cancel)
    {
        await reader.NextResultAsync(cancel);
        OfferingSeatsRow? seats = await reader.ReadAsync(cancel)
            ? new OfferingSeatsRow(reader.GetInt64(0), OfferingCopy.ParseState(reader.GetString(1)), reader.GetInt32(2), reader.GetInt32(3))
            : null;
        await reader.NextResultAsync(cancel);
        await reader.ReadAsync(cancel);
        return seats is { } row
            ? row with { Reserved = reader.GetInt32(0), OwnUnused = reader.IsDBNull(1) ? null : reader.GetInt32(1), AnybodyWaits = reader.GetBoolean(2), OwnCountryWaits = reader.GetBoolean(3) }
            : null;
    }

    /// <summary>Everything that a nomination is seated by, in the order of locks that enrollments take.</summary>
    public async Task<SeatRead> LockForSeatAsync(Transaction tx, Line line, DateOnly start, DateOnly end, CancellationToken cancel)
    {
        await using var batch = new NpgsqlBatch(tx.Connection, tx.Npgsql);
        CountryStore.AddLock(batch, line.Country);
        if (line.StudentId is { } student)
        {
            Add(batch, LockStudentSql, Value(student));
            Add(batch, BusySql, Value(student), Value(start), Value(end));
        }
        Add(batch, LockTracksOfSql, Value(new[] { line.Id }));
        Add(batch, LockLinesSql, Value(new[] { line.Id }));
        Add(batch, LockedLinesSql, Value(new[] { line.Id }));
        LockSeats(batch, line.OfferingId, line.Country);
        await using var reader = await batch.ExecuteReaderAsync(cancel);
        var (seen, now) = await CountryStore.ReadLockAsync(reader, cancel);
        StudentRow? studentRow = null;
        if (line.StudentId is not null)
        {
            await reader.NextResultAsync(cancel);
            await reader.NextResultAsync(cancel);
            await reader.ReadAsync(cancel);
            studentRow = new StudentRow(line.Country, reader.IsDBNull(1) ? null : reader.GetGuid(1), reader.GetBoolean(0)) { Bars = BarStore.Read(reader, 2) };
        }
        await reader.NextResultAsync(cancel);
        await reader.NextResultAsync(cancel);
        await reader.NextResultAsync(cancel);
        var current = (await LineRows.ReadAsync(reader, cancel))[0];
        var seats = await ReadSeatsAsync(reader, cancel) ?? throw new InvalidOperationException("A line's class is there.");
        return new SeatRead(seen, now, studentRow, current, seats);
    }

    // A unit is shared by its students: orders wait for who records something about it, not for each other.
    private const string LockUnitOfSql = "select unit_id from units where unit_id = (select unit_id from students where student_id = $1) for share";

    /// <summary>A line with all that its gates rest on, in the order of locks that enrollments take: what is recorded about the person or the unit waits until the orders are out, or comes before them.</summary>
    public async Task<(SeenRevision? Seen, DateTime Now, Line Line)> LockForOrdersAsync(Transaction tx, Line line, CancellationToken cancel)
    {
        await using var batch = new NpgsqlBatch(tx.Connection, tx.Npgsql);
        CountryStore.AddLock(batch, line.Country);
        Add(batch, LockStudentSql, Value(line.StudentId ?? Guid.Empty));
        Add(batch, LockUnitOfSql, Value(line.StudentId ?? Guid.Empty));
        Add(batch, LockTracksOfSql, Value(new[] { line.Id }));
        Add(batch, LockLinesSql, Value(new[] { line.Id }));
        Add(batch, LockedLinesSql, Value(new[] { line.Id }));
        await using var reader = await batch.ExecuteReaderAsync(cancel);
        var (seen, now) = await CountryStore.ReadLockAsync(reader, cancel);
        for (var result = 0; result < 5; result++)
            await reader.NextResultAsync(cancel);
        return (seen, now, (await LineRows.ReadAsync(reader, cancel))[0]);
    }

    private const string FindTrackSql = "select country, student_id, wcn, begun_on from tracks where track_id = $1";

    public async Task<TrackRow?> FindTrackAsync(NpgsqlConnection connection, Guid trackId, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(FindTrackSql, connection) { Parameters = { new NpgsqlParameter<Guid> { TypedValue = trackId } } };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        return await reader.ReadAsync(cancel) ? LineRows.ReadTrack(reader) : null;
    }

    private const string FindSql = LineRows.Sql + "where l.line_id = $1 and ($2::text[] is null or l.country = any($2))";

    public async Task<Line?> FindAsync(NpgsqlConnection connection, Guid lineId, string[]? countries, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(FindSql, connection) { Parameters = { Value(lineId), Countries(countries) } };
        return (await LineRows.ReadAsync(command, cancel)).FirstOrDefault();
    }

    private const string FindByExternalIdSql = LineRows.Sql + """
        where l.line_id = (select resource_id from external_ids where kind = 'LINE' and source = $1 and external_id = $2)
          and ($3::text[] is null or l.country = any($3))
        """;

    public async Task<Line?> FindByExternalIdAsync(NpgsqlConnection connection, ExternalId id, string[]? countries, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(FindByExternalIdSql, connection) { Parameters = { Value(id.Source), Value(id.Id), Countries(countries) } };
        return (await LineRows.ReadAsync(command, cancel)).FirstOrDefault();
    }

    private const string LockTracksOfSql = "select track_id from tracks where track_id = any(select track_id from training_lines where line_id = any($1)) order by track_id for no key update";

    private const string LockLinesSql = "select line_id from training_lines where line_id = any($1) order by line_id for no key update";

    // A statement of its own, after the locks: one that locks and joins would see the line as it is and its holds and judgement as they were.
    private const string LockedLinesSql = LineRows.Sql + "where l.line_id = any($1) order by l.line_id";

    /// <summary>Lines of one country under the country's lock and their own, with what is known of the country's revision.</summary>
    public async Task<(SeenRevision? Seen, DateTime Now, List<Line> Lines)> LockLinesAsync(Transaction tx, string country, Guid[] lineIds, bool andTracks, CancellationToken cancel)
    {
        await using var batch = new NpgsqlBatch(tx.Connection, tx.Npgsql);
        CountryStore.AddLock(batch, country);
        if (andTracks)
            Add(batch, LockTracksOfSql, Value(lineIds));
        Add(batch, LockLinesSql, Value(lineIds));
        Add(batch, LockedLinesSql, Value(lineIds));
        await using var reader = await batch.ExecuteReaderAsync(cancel);
        var (seen, now) = await CountryStore.ReadLockAsync(reader, cancel);
        if (andTracks)
            await reader.NextResultAsync(cancel);
        await reader.NextResultAsync(cancel);
        await reader.NextResultAsync(cancel);
        return (seen, now, await LineRows.ReadAsync(reader, cancel));
    }

    private const string LockLineSql = "select now() from training_lines where line_id = $1 for no key update";

    private const string LockExtensionsSql = "select line_id from training_lines where of_line_id = $1 and is_open order by line_id for no key update";

    private const string FamilySql = LineRows.Sql + "where l.line_id = $1 or (l.of_line_id = $1 and l.is_open) order by l.line_id";

    /// <summary>A course line and its open extensions. The line's own lock comes first and alone: no further extension comes while it is held.</summary>
    public async Task<(DateTime Now, List<Line> Lines)> LockFamilyAsync(Transaction tx, Guid lineId, CancellationToken cancel)
    {
        await using var batch = new NpgsqlBatch(tx.Connection, tx.Npgsql);
        Add(batch, LockLineSql, Value(lineId));
        Add(batch, LockExtensionsSql, Value(lineId));
        Add(batch, FamilySql, Value(lineId));
        await using var reader = await batch.ExecuteReaderAsync(cancel);
        await reader.ReadAsync(cancel);
        var now = reader.GetDateTime(0);
        await reader.NextResultAsync(cancel);
        await reader.NextResultAsync(cancel);
        return (now, await LineRows.ReadAsync(reader, cancel));
    }

    private const string NowSql = "select now()";

    /// <summary>Lines under their own locks alone: enough for what no rule of a country has a say in.</summary>
    public async Task<(DateTime Now, List<Line> Lines)> LockLinesAsync(Transaction tx, Guid[] lineIds, CancellationToken cancel)
    {
        await using var batch = new NpgsqlBatch(tx.Connection, tx.Npgsql);
        Add(batch, NowSql);
        Add(batch, LockLinesSql, Value(lineIds));
        Add(batch, LockedLinesSql, Value(lineIds));
        await using var reader = await batch.ExecuteReaderAsync(cancel);
        await reader.ReadAsync(cancel);
        var now = reader.GetDateTime(0);
        await reader.NextResultAsync(cancel);
        await reader.NextResultAsync(cancel);
        return (now, await LineRows.ReadAsync(reader, cancel));
    }

    private const string PageOfCountrySql = LineRows.Sql + "where l.country = $1 and l.is_open and l.line_id > $2 order by l.line_id limit $3";

    public async Task<List<Line>> PageOfCountryAsync(NpgsqlConnection connection, string country, Guid after, int size, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(PageOfCountrySql, connection) { Parameters = { Value(country), Value(after), Value(size) } };
        return await LineRows.ReadAsync(command, cancel);
    }

    private const string PageOfOfferingSql = """
        select line_id from training_lines
        where offering_id = $1 and state in ('NOMINATED', 'APPROVED', 'WAITLISTED', 'OFFERED', 'SEAT_CONFIRMED', 'ORDERS_ISSUED', 'ARRIVED') and kind = 'COURSE' and line_id > $2
        order by line_id limit $3
        """;

    public async Task<Guid[]> PageOfOfferingAsync(NpgsqlConnection connection, Guid offeringId, Guid after, int size, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(PageOfOfferingSql, connection) { Parameters = { Value(offeringId), Value(after), Value(size) } };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        List<Guid> ids = [];
        while (await reader.ReadAsync(cancel))
            ids.Add(reader.GetGuid(0));
        return [.. ids];
    }

    private const string PageToMoveSql = """
        select line_id from training_lines
        where offering_id = $1 and is_open and kind = 'COURSE' and offering_version < $2 and line_id > $3
        order by line_id limit $4
        """;

    /// <summary>Open lines of a class that were judged by an earlier version of it.</summary>
    public async Task<Guid[]> PageToMoveAsync(NpgsqlConnection connection, Guid offeringId, long version, Guid after, int size, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(PageToMoveSql, connection) { Parameters = { Value(offeringId), Value(version), Value(after), Value(size) } };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        List<Guid> ids = [];
        while (await reader.ReadAsync(cancel))
            ids.Add(reader.GetGuid(0));
        return [.. ids];
    }

    private const string LockStudentsOfSql = """
        select student_id from students where student_id = any(select student_id from training_lines where line_id = any($1)) order by student_id for no key update
        """;

    private const string OtherLinesSql = """
        select o.student_id, o.line_id, o.start_date, o.end_date from training_lines o
        where o.student_id = any(select student_id from training_lines where line_id = any($1)) and o.is_open and o.holds_seat and o.line_id <> all($1)
        """;

    /// <summary>Lines with the other seats of their students, in the order of locks that enrollments take: nobody books a student on days that are just being set.</summary>
    public async Task<(DateTime Now, List<Line> Lines, ILookup<Guid, (Guid LineId, DateOnly Start, DateOnly End)> Others)> LockToMoveAsync(Transaction tx, Guid[] lineIds, CancellationToken cancel)
    {
        await using var batch = new NpgsqlBatch(tx.Connection, tx.Npgsql);
        Add(batch, NowSql);
        Add(batch, LockStudentsOfSql, Value(lineIds));
        Add(batch, LockLinesSql, Value(lineIds));
        Add(batch, LockedLinesSql, Value(lineIds));
        Add(batch, OtherLinesSql, Value(lineIds));
        await using var reader = await batch.ExecuteReaderAsync(cancel);
        await reader.ReadAsync(cancel);
        var now = reader.GetDateTime(0);
        for (var result = 0; result < 3; result++)
            await reader.NextResultAsync(cancel);
        var lines = await LineRows.ReadAsync(reader, cancel);
        await reader.NextResultAsync(cancel);
        List<(Guid Student, (Guid, DateOnly, DateOnly) Line)> others = [];
        while (await reader.ReadAsync(cancel))
            others.Add((reader.GetGuid(0), (reader.GetGuid(1), reader.GetFieldValue<DateOnly>(2), reader.GetFieldValue<DateOnly>(3))));
        return (now, lines, others.ToLookup(other => other.Student, other => other.Line));
    }

    /// <summary>Only the conditions asked for go into the text, so that each combination gets the index it needs and not one plan for all.</summary>
    public async Task<List<Line>> ListAsync(NpgsqlConnection connection, LineFilter filter, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand { Connection = connection };
        var conditions = new List<string>();
        if (filter.Countries is [var only])
            Where("l.country = ", Value(only));
        else if (filter.Countries is { } several)
            conditions.Add($"l.country = any({Parameter(Countries(several))})");
        if (filter.OfferingId is { } offering)
            Where("l.offering_id = ", Value(offering));
        if (filter.StudentId is { } student)
            Where("l.student_id = ", Value(student));
        if (filter.State is { } state)
            Where("l.state = ", Value(LineStates.Text(state)));
        if (filter.StartFrom is { } from)
            Where("l.start_date >= ", Value(from));
        if (filter.StartBefore is { } before)
            Where("l.start_date < ", Value(before));
        if (filter.NotRestored)
            conditions.Add("l.not_restored");
        if (filter.After is { } after)
            conditions.Add($"(l.start_date, l.line_id) > ({Parameter(Value(after.Start))}, {Parameter(Value(after.Id))})");
        var where = conditions.Count == 0 ? "" : $"where {string.Join(" and ", conditions)}";
        command.CommandText = $"{LineRows.Sql}{where} order by l.start_date, l.line_id limit {Parameter(Value(filter.Size))}";
        return await LineRows.ReadAsync(command, cancel);

        void Where(string condition, NpgsqlParameter value) => conditions.Add(condition + Parameter(value));

        string Parameter(NpgsqlParameter value)
        {
            command.Parameters.Add(value);
            return string.Create(CultureInfo.InvariantCulture, $"${command.Parameters.Count}");
        }
    }

    private const string InsertTrackSql = "insert into tracks (track_id, country, wcn, student_id) values ($1, $2, $3, $4)";

    private const string InsertLineSql = """
        insert into training_lines (line_id, country, track_id, student_id, headcount, offering_id, offering_version, funding_program, funding_account, fiscal_year,
                                    state, report_date, start_date, end_date, tuition_rate, price_currency, price_units, price_nanos, quoted_on,
                                    judged_in, version, digest, recorded_at, changed_at, kind, of_line_id, arrived_on, started_on, cost)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $23, $24, $25, $26, $27, $28)
        """;

    private const string UpdateLineSql = """
        update training_lines
        set state = $2, cancel_cause = $3, arrived_on = $4, started_on = $5, judged_in = $6, version = $7, digest = $8, changed_at = $9, offering_version = $10,
            report_date = $11, start_date = $12, end_date = $13, ended_on = $14, cancel_source_id = $15, progress = $16, orders_number = $17, not_restored = $18, cancelled_from = $19, cost = $20, charge = $21
        where line_id = $1
        """;

    private const string BeginTrackSql = "update tracks set begun_on = $2 where track_id = $1 and (begun_on is null or begun_on > $2)";

    private const string InsertHistorySql = """
        insert into line_history (line_id, version, change, state, actor, cause, judgement, recorded_at, digest, line, start_date)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """;

    private const string DeleteHoldsSql = "delete from line_holds where line_id = $1";

    private const string InsertHoldSql = "insert into line_holds (line_id, cause, source_id, since) values ($1, $2, $3, $4)";

    private const string InsertExternalIdSql = "insert into external_ids (kind, source, external_id, resource_id, country) values ('LINE', $1, $2, $3, $4)";

    private const string MoveSeatsSql = "update offerings set taken = taken - $2 where offering_id = $1";

    // After the class's row, whose lock stands for this one's.
    private const string MoveQuotaSql = "update quotas set taken = taken - $3 where offering_id = $1 and country = $2";

    /// <summary>Queues all that a change writes but the seats, and gives the line as it then stands, with the new tip of its chain.</summary>
    public Line Write(Transaction tx, LineChange change, bool newTrack)
    {
        var entry = LineHistory.Entry(change, out var digest);
        var line = change.After with { Digest = digest };
        if (change.Before is null)
            Insert(tx, line, digest, newTrack);
        else
            Update(tx, change, line, digest);
        tx.Enqueue(InsertHistorySql, line.Id, line.Version, entry.Change, LineStates.Text(line.State), entry.Actor, entry.Cause,
            Sql.Of(NpgsqlDbType.Bytea, change.Judgement?.ToByteArray()), line.ChangedAt, digest, entry.Line.ToByteArray(), line.StartDate);
        return line;
    }

    /// <summary>Queues the seats that the changes free or take, and then what they cost more or less: classes before money, each in the order of their keys, so that two batches never wait for each other.</summary>
    public void MoveSeats(Transaction tx, IReadOnlyList<LineChange> changes)
    {
        foreach (var offering in changes.Where(change => change.SeatsFreed != 0).GroupBy(change => change.After.OfferingId).OrderBy(offering => offering.Key))
        {
            tx.Enqueue(MoveSeatsSql, offering.Key, offering.Sum(change => change.SeatsFreed));
            foreach (var country in offering.GroupBy(change => change.After.Country))
                tx.Enqueue(MoveQuotaSql, offering.Key, country.Key, country.Sum(change => change.SeatsFreed));
            if (offering.Any(change => change.SeatsFreed > 0))
                waitlist.Reconsider(tx, offering.Key);
        }
        AllocationStore.Commit(tx, changes);
    }

    /// <summary>The same for one new line, by who has just read whether its country has a quota.</summary>
    public void TakeSeats(Transaction tx, LineChange change, bool hasQuota)
    {
        if (change.SeatsFreed != 0)
            tx.Enqueue(MoveSeatsSql, change.After.OfferingId, change.SeatsFreed);
        if (change.SeatsFreed != 0 && hasQuota)
            tx.Enqueue(MoveQuotaSql, change.After.OfferingId, change.After.Country, change.SeatsFreed);
        AllocationStore.Commit(tx, [change]);
    }

    private static void Insert(Transaction tx, Line line, byte[] digest, bool newTrack)
    {
        var student = Sql.Of(NpgsqlDbType.Uuid, line.StudentId);
        if (newTrack)
            tx.Enqueue(InsertTrackSql, line.TrackId, line.Country, line.Wcn, Sql.Of(NpgsqlDbType.Uuid, line.StudentId));
        tx.Enqueue(InsertLineSql, line.Id, line.Country, line.TrackId, student, line.Headcount, line.OfferingId, line.OfferingVersion,
            line.FundingProgram, line.FundingAccount, line.FiscalYear, LineStates.Text(line.State), line.ReportDate, line.StartDate, line.EndDate, line.TuitionRate,
            Sql.Of(NpgsqlDbType.Text, line.Price?.Currency), Sql.Of(NpgsqlDbType.Bigint, line.Price?.Units), Sql.Of(NpgsqlDbType.Integer, line.Price?.Nanos),
            Sql.Of(NpgsqlDbType.Date, line.QuotedOn), line.JudgedIn, line.Version, digest, line.RecordedAt, LineKinds.Text(line.Kind), Sql.Of(NpgsqlDbType.Uuid, line.OfLineId),
            Sql.Of(NpgsqlDbType.Date, line.ArrivedOn), Sql.Of(NpgsqlDbType.Date, line.StartedOn), Charging.Cost(line));
        if (line.Waiting is not null)
            WaitlistStore.Put(tx, line);
        foreach (var hold in line.Holds)
            tx.Enqueue(InsertHoldSql, line.Id, Holds.Text(hold.Cause), hold.SourceId, hold.Since);
        foreach (var id in line.ExternalIds)
            tx.Enqueue(InsertExternalIdSql, id.Source, id.Id, line.Id, line.Country);
    }

    private void Update(Transaction tx, LineChange change, Line line, byte[] digest)
    {
        var before = change.Before!;
        tx.Enqueue(UpdateLineSql, line.Id, LineStates.Text(line.State), Sql.Of(NpgsqlDbType.Text, line.CancelCause is { } why ? CancelCauses.Text(why) : null),
            Sql.Of(NpgsqlDbType.Date, line.ArrivedOn), Sql.Of(NpgsqlDbType.Date, line.StartedOn), line.JudgedIn, line.Version, digest, line.ChangedAt, line.OfferingVersion,
            line.ReportDate, line.StartDate, line.EndDate, Sql.Of(NpgsqlDbType.Date, line.EndedOn), Sql.Of(NpgsqlDbType.Text, line.CancelSourceId),
            Sql.Of(NpgsqlDbType.Text, Progresses.TextOrNull(line.Progress)), Sql.Of(NpgsqlDbType.Text, line.OrdersNumber), line.NotRestored,
            Sql.Of(NpgsqlDbType.Text, line.CancelledFrom is { } from ? LineStates.Text(from) : null), Charging.Cost(line), Sql.Of(NpgsqlDbType.Bytea, line.Charge?.ToByteArray()));
        // Whatever takes a line's orders away revokes them: there is no way around the paper.
        if (before.OrdersNumber is { } revoked && line.OrdersNumber is null)
            OrdersStore.Revoke(tx, revoked, change.Cause, change.Actor);
        if (line.TrackBegunOn is { } begun && begun != before.TrackBegunOn)
            tx.Enqueue(BeginTrackSql, line.TrackId, begun);
        if (line.Waiting != before.Waiting)
            WaitlistStore.Put(tx, line);
        if (before.StudentId is not null && before.SeatsHeld > 0 && (!line.IsOpen || (line.StartDate, line.EndDate) != (before.StartDate, before.EndDate)))
            dueWork.AddWhere(tx, DateConflicts.Kind, line.Id.ToString(), "exists (select from line_holds where cause = 'DATE_CONFLICT' and source_id = $4)", line.Id.ToString());
        if (Holds.Same(before.Holds, line.Holds))
            return;
        if (line is { State: LineState.Waitlisted, Holds.Count: 0 })
            waitlist.Reconsider(tx, line.OfferingId);
        tx.Enqueue(DeleteHoldsSql, line.Id);
        foreach (var hold in line.Holds)
            tx.Enqueue(InsertHoldSql, line.Id, Holds.Text(hold.Cause), hold.SourceId, hold.Since);
    }

    private static NpgsqlParameter<T> Value<T>(T value) => new() { TypedValue = value };

    private static NpgsqlParameter Countries(string[]? countries) => Sql.Of(NpgsqlDbType.Array | NpgsqlDbType.Text, countries);

    private static void Add(NpgsqlBatch batch, string sql, params ReadOnlySpan<NpgsqlParameter> values)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var value in values)
            command.Parameters.Add(value);
        batch.BatchCommands.Add(command);
    }
}
