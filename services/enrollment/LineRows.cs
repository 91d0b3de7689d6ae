using Imet.CourseCatalog.V1;
using Imet.Enrollment.V1;
using Imet.Enrollment.Waitlist;
using Npgsql;

namespace Imet.Enrollment;

/// <summary>How a line is read, whichever statement finds it. By hand: a page may hold a thousand, and an examination reads all of a country's.</summary>
internal static class LineRows
{
    public const string Sql = """
        select l.line_id, l.country, l.track_id, t.wcn, t.begun_on, l.student_id, l.headcount, l.offering_id, l.offering_version,
               l.funding_program, l.funding_account, l.fiscal_year, l.state, l.cancel_cause, l.report_date, l.start_date, l.end_date,
               l.arrived_on, l.started_on, l.tuition_rate, l.price_currency, l.price_units, l.price_nanos, l.quoted_on,
               l.judged_in, j.judgement, l.version, l.digest, l.recorded_at, l.changed_at,
               h.causes, h.source_ids, h.sinces, x.sources, x.external_ids,
               l.kind, l.of_line_id, l.ended_on, l.cancel_source_id, l.progress, l.orders_number, l.not_restored, l.cancelled_from, w.priority, w.since, w.expires_at, l.charge
        from training_lines l
        join tracks t on t.track_id = l.track_id
        join line_history j on j.line_id = l.line_id and j.version = l.judged_in
        left join waitlist w on w.line_id = l.line_id
        left join lateral (select array_agg(cause order by cause, source_id) as causes, array_agg(source_id order by cause, source_id) as source_ids,
                                  array_agg(since order by cause, source_id) as sinces
                           from line_holds where line_holds.line_id = l.line_id) h on true
        left join lateral (select array_agg(source order by source, external_id) as sources, array_agg(external_id order by source, external_id) as external_ids
                           from external_ids where resource_id = l.line_id) x on true

        """;

    public static async Task<List<Line>> ReadAsync(NpgsqlCommand command, CancellationToken cancel)
    {
        await using var reader = await command.ExecuteReaderAsync(cancel);
        return await ReadAsync(reader, cancel);
    }

    public static async Task<List<Line>> ReadAsync(NpgsqlDataReader reader, CancellationToken cancel)
    {
        List<Line> lines = [];
        while (await reader.ReadAsync(cancel))
            lines.Add(ReadLine(reader));
        return lines;
    }

    private static Line ReadLine(NpgsqlDataReader r) => new()
    {
        Id = r.GetGuid(0),
        Country = r.GetString(1),
        TrackId = r.GetGuid(2),
        Wcn = r.GetString(3),
        TrackBegunOn = OrNull<DateOnly>(r, 4),
        StudentId = OrNull<Guid>(r, 5),
        Headcount = r.GetInt32(6),
        OfferingId = r.GetGuid(7),
        OfferingVersion = r.GetInt64(8),
        FundingProgram = r.GetString(9),
        FundingAccount = r.GetString(10),
        FiscalYear = r.GetInt32(11),
        State = LineStates.Parse(r.GetString(12)),
        CancelCause = r.IsDBNull(13) ? null : CancelCauses.Parse(r.GetString(13)),
        ReportDate = r.GetFieldValue<DateOnly>(14),
        StartDate = r.GetFieldValue<DateOnly>(15),
        EndDate = r.GetFieldValue<DateOnly>(16),
        ArrivedOn = OrNull<DateOnly>(r, 17),
        StartedOn = OrNull<DateOnly>(r, 18),
        TuitionRate = r.GetString(19),
        Price = r.IsDBNull(20) ? null : new Price(r.GetString(20), r.GetInt64(21), r.GetInt32(22)),
        QuotedOn = OrNull<DateOnly>(r, 23),
        JudgedIn = r.GetInt64(24),
        Judgement = r.IsDBNull(25) ? null : Judgement.Parser.ParseFrom(r.GetFieldValue<byte[]>(25)),
        Version = r.GetInt64(26),
        Digest = r.GetFieldValue<byte[]>(27),
        RecordedAt = r.GetDateTime(28),
        ChangedAt = r.GetDateTime(29),
        Holds = ReadHolds(r),
        ExternalIds = ReadExternalIds(r),
        Kind = LineKinds.Parse(r.GetString(35)),
        OfLineId = OrNull<Guid>(r, 36),
        EndedOn = OrNull<DateOnly>(r, 37),
        CancelSourceId = r.IsDBNull(38) ? null : r.GetString(38),
        Progress = r.IsDBNull(39) ? TrainingLine.Types.Progress.Unspecified : Progresses.Parse(r.GetString(39)),
        OrdersNumber = r.IsDBNull(40) ? null : r.GetString(40),
        Waiting = r.IsDBNull(43) ? null : new Wait(r.GetInt32(43), r.GetDateTime(44), OrNull<DateTime>(r, 45)),
        NotRestored = r.GetBoolean(41),
        CancelledFrom = r.IsDBNull(42) ? null : LineStates.Parse(r.GetString(42)),
        Charge = r.IsDBNull(46) ? null : CancellationCharge.Parser.ParseFrom(r.GetFieldValue<byte[]>(46)),
    };

    private static LineHold[] ReadHolds(NpgsqlDataReader r)
    {
        if (r.IsDBNull(30))
            return [];
        var (causes, sources, sinces) = (r.GetFieldValue<string[]>(30), r.GetFieldValue<string[]>(31), r.GetFieldValue<DateTime[]>(32));
        var holds = new LineHold[causes.Length];
        for (var i = 0; i < holds.Length; i++)
            holds[i] = new LineHold(Holds.Parse(causes[i]), sources[i], sinces[i]);
        return holds;
    }

    private static ExternalId[] ReadExternalIds(NpgsqlDataReader r)
    {
        if (r.IsDBNull(33))
            return [];
        var (sources, ids) = (r.GetFieldValue<string[]>(33), r.GetFieldValue<string[]>(34));
        var external = new ExternalId[ids.Length];
        for (var i = 0; i < external.Length; i++)
            external[i] = new ExternalId { Source = sources[i], Id = ids[i] };
        return external;
    }

    public static TrackRow ReadTrack(NpgsqlDataReader r) => new(r.GetString(0), OrNull<Guid>(r, 1), r.GetString(2), OrNull<DateOnly>(r, 3));

    private static T? OrNull<T>(NpgsqlDataReader r, int ordinal) where T : struct => r.IsDBNull(ordinal) ? null : r.GetFieldValue<T>(ordinal);
}
