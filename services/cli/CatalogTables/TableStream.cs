using System.Text;

namespace Imet.Cli.CatalogTables;

/// <summary>
/// A table's text as UTF-8, a line at most LongestLine bytes and one: what a longer line has beyond is passed over, so that neither a line without an end nor a file that is no table costs memory. UTF-16 is read where the file says so.
/// </summary>
public sealed class TableStream : Stream
{
    public const int LongestLine = 64 * 1024;
    private const int Looked = 4096;
    private readonly Stream inner;
    private long length;

    private TableStream(Stream inner) => this.inner = inner;

    public static TableStream Open(string path)
    {
        try
        {
            var file = new FileStream(path, new FileStreamOptions { Share = FileShare.ReadWrite, Options = FileOptions.SequentialScan, BufferSize = 1 << 16 });
            var start = new byte[Looked];
            var read = file.ReadAtLeast(start, Looked, throwOnEndOfStream: false);
            file.Position = 0;
            return new TableStream(start.AsSpan(0, read) switch
            {
                [] => throw new CouldNotRunException($"{path} is empty."),
                [0x50, 0x4b, 0x03, 0x04, ..] => throw new CouldNotRunException($"{path} is a zip archive, as spreadsheet programs write: save it as CSV."),
                [0x1f, 0x8b, ..] => throw new CouldNotRunException($"{path} is compressed: unpack it first."),
                [0xff, 0xfe, ..] => Encoding.CreateTranscodingStream(file, Encoding.Unicode, Encoding.UTF8),
                [0xfe, 0xff, ..] => Encoding.CreateTranscodingStream(file, Encoding.BigEndianUnicode, Encoding.UTF8),
                var text when text.Contains((byte)0) => throw new CouldNotRunException($"{path} is not UTF-8 text: save it as CSV in UTF-8."),
                _ => file,
            });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new CouldNotRunException($"Can't read {path}: {e.Message}");
        }
    }

    public override int Read(Span<byte> buffer)
    {
        while (inner.Read(buffer) is > 0 and var read)
        {
            var kept = 0;
            for (var at = 0; at < read;)
            {
                var end = buffer[at..read].IndexOfAny((byte)'\n', (byte)'\r');
                var piece = end < 0 ? read - at : end;
                var room = (int)Math.Clamp(LongestLine + 1 - length, 0, piece);
                buffer.Slice(at, room).CopyTo(buffer[kept..]);
                (kept, at, length) = (kept + room, at + piece, length + piece);
                if (end >= 0)
                {
                    buffer[kept++] = buffer[at++];
                    length = 0;
                }
            }
            if (kept > 0)
                return kept;
        }
        return 0;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
    public override void Flush() { }
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            inner.Dispose();
        base.Dispose(disposing);
    }
}
