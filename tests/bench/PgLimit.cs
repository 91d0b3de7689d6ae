using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Dapper;
using Npgsql;

namespace Imet.Bench;

/// <summary>
/// The limit that enrolling is held against: pgbench calling one function that writes, in one round trip, the rows that one real enrollment wrote:
/// the same tables, indexes, constraints and sizes, in a database of its own that no service touches.
/// </summary>
internal sealed partial class PgLimit(NpgsqlConnectionStringBuilder limit)
{
    private const string SevenUuid = """
        create or replace function bench_uuid() returns uuid language sql volatile as $$
            select (substr(t, 1, 8) || '-' || substr(t, 9, 4) || '-7' || substr(gen_random_uuid()::text, 16))::uuid
            from (select lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0') as t) as now
        $$
        """;

    /// <summary>Copies what one enrolled line left in <paramref name="shipped"/> into a function here, each value a constant but for the keys.</summary>
    public async Task PrepareAsync(string shipped, Guid line, int offerings)
    {
        await using var source = new NpgsqlConnection(shipped);
        await source.OpenAsync();
        await using var target = new NpgsqlConnection(limit.ConnectionString);
        await target.OpenAsync();
        await target.ExecuteAsync("set search_path = enrollment; " + SevenUuid);

        var lineRow = $"line_id = '{line}'";
        var offeringRow = $"offering_id = (select offering_id from enrollment.training_lines where {lineRow})";
        await CopyOfferingsAsync(source, target, offeringRow, offerings);
        await target.ExecuteAsync(await InsertAsync(source, "country_seen", $"country = (select country from enrollment.training_lines where {lineRow})", []));

        string[] writes =
        [
            await InsertAsync(source, "tracks", $"track_id = (select track_id from enrollment.training_lines where {lineRow})",
                new() { ["track_id"] = "track", ["wcn"] = "nextval('wcn_numbers')::text" }),
            await InsertAsync(source, "training_lines", lineRow, new() { ["line_id"] = "line", ["track_id"] = "track", ["offering_id"] = "offering" }),
            await InsertAsync(source, "line_history", lineRow, new() { ["line_id"] = "line" }),
            await InsertAsync(source, "outbox", $"aggregate_id = '{line}'",
                new() { ["id"] = "bench_uuid()", ["aggregate_id"] = "line::text", ["position"] = "null", ["published_at"] = "null", ["unrouted"] = "false", ["attempts"] = "0" }),
            await InsertAsync(source, "request_log", $"method like '%EnrollStudent' and position('{line}'::bytea in response) > 0", new() { ["request_id"] = "gen_random_uuid()" }),
        ];
        await target.ExecuteAsync($"""
            create or replace function bench_enroll(number integer) returns void language plpgsql as $body$
            declare
                offering uuid := (select offering_id from bench_offerings where bench_offerings.number = bench_enroll.number);
                line uuid := bench_uuid();
                track uuid := bench_uuid();
            begin
                perform from country_seen for share;
                {string.Join("\n    ", writes)}
                update offerings set taken = taken + 1 where offering_id = offering;
            end
            $body$
            """);
    }

    /// <summary>Calls per second, as pgbench says them.</summary>
    public async Task<double> RunAsync(int clients, TimeSpan time, int offerings)
    {
        var script = Path.GetTempFileName();
        await File.WriteAllTextAsync(script, $"\\set n random(1, {offerings})\nselect enrollment.bench_enroll(:n);\n");
        var start = new ProcessStartInfo("pgbench")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            ArgumentList =
            {
                "-n", "-M", "prepared", "-f", script, "-c", $"{clients}", "-j", "2", "-T", time.TotalSeconds.ToString("F0", CultureInfo.InvariantCulture),
                "-h", limit.Host!, "-p", $"{limit.Port}", "-U", limit.Username!, limit.Database!,
            },
            Environment = { ["PGPASSWORD"] = limit.Password ?? "", ["PGOPTIONS"] = "-c search_path=enrollment" },
        };
        using var pgbench = Process.Start(start)!;
        var output = pgbench.StandardOutput.ReadToEndAsync();
        var error = await pgbench.StandardError.ReadToEndAsync();
        await pgbench.WaitForExitAsync();
        File.Delete(script);
        return Tps().Match(await output) is { Success: true } tps
            ? double.Parse(tps.Groups[1].Value, CultureInfo.InvariantCulture)
            : throw new InvalidOperationException($"pgbench gave no figure: {error}");
    }

    private static async Task CopyOfferingsAsync(NpgsqlConnection source, NpgsqlConnection target, string offeringRow, int offerings)
    {
        await target.ExecuteAsync("create table bench_offerings (number integer primary key, offering_id uuid not null)");
        var version = await InsertAsync(source, "offering_versions", offeringRow, new() { ["offering_id"] = "id", ["capacity"] = "100000" });
        var offering = await InsertAsync(source, "offerings", offeringRow, new() { ["offering_id"] = "id", ["capacity"] = "100000", ["taken"] = "0" });
        await target.ExecuteAsync($"""
            do $body$
            declare id uuid;
            begin
                for number in 1..{offerings} loop
                    id := bench_uuid();
                    {version}
                    {offering}
                    insert into bench_offerings values (number, id);
                end loop;
            end
            $body$
            """);
    }

    private static async Task<string> InsertAsync(NpgsqlConnection source, string table, string where, Dictionary<string, string> keys)
    {
        var columns = (await source.QueryAsync<string>("""
            select column_name from information_schema.columns
            where table_schema = 'enrollment' and table_name = @table and is_identity = 'NO' and is_generated = 'NEVER' order by ordinal_position
            """, new { table })).ToList();
        var literals = string.Join(" || ', ' || ", columns.Select(column => keys.TryGetValue(column, out var key) ? $"'{key.Replace("'", "''", StringComparison.Ordinal)}'" : $"quote_nullable({column})"));
        var values = await source.QuerySingleAsync<string>($"select {literals} from enrollment.{table} where {where} limit 1");
        return $"insert into {table} ({string.Join(", ", columns)}) values ({values});";
    }

    [GeneratedRegex(@"tps = ([0-9.]+)")]
    private static partial Regex Tps();
}
