using System.Text;

namespace Imet.Cli.Replay;

/// <summary>Rows in error, one a line: line number in the report, column, value, why. A row with several wrong cells lists them all, parted by "; ".</summary>
public sealed class ErrorsFile : IDisposable
{
    private readonly StreamWriter writer;
    private readonly Lock gate = new();
    private readonly bool keepEmpty;
    private int rows;

    /// <summary>The file that the user named; or one named after the report in the current folder, which stays only if a row is in error.</summary>
    public ErrorsFile(FileInfo? named, FileInfo report)
    {
        Path = named?.FullName ?? System.IO.Path.GetFullPath(System.IO.Path.GetFileNameWithoutExtension(report.Name) + ".errors.tsv");
        keepEmpty = named is not null;
        try
        {
            writer = new StreamWriter(Path, false, new UTF8Encoding(false));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CouldNotRunException($"Can't write the errors file {Path}: {e.Message} Name another with --errors.");
        }
        writer.WriteLine("line\tcolumn\tvalue\twhy");
    }

    public string Path { get; }

    public void Add(int line, IReadOnlyList<Fault> faults)
    {
        lock (gate)
        {
            rows++;
            writer.WriteLine($"{line}\t{Joined(faults, fault => fault.Column.Length == 0 ? "-" : fault.Column)}\t{Joined(faults, fault => fault.Value)}\t{Joined(faults, fault => fault.Why)}");
        }
    }

    public void Dispose()
    {
        writer.Dispose();
        if (rows == 0 && !keepEmpty)
            File.Delete(Path);
    }

    private static string Joined(IReadOnlyList<Fault> faults, Func<Fault, string> part) =>
        string.Concat(string.Join("; ", faults.Select(part)).Select(letter => char.IsControl(letter) ? ' ' : letter));
}
