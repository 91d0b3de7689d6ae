using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Imet.Bench;

/// <summary>
/// Calls one method over and over by writing ready-made HTTP/2 frames: a client that costs next to nothing, so that what is measured is the server. Each call's status is read; one that is not OK ends the run.
/// </summary>
internal sealed class GrpcLoad(int port, string path, byte[] message, string? token)
{
    private const int HeaderBytes = 9;
    private const byte Data = 0x0, Headers = 0x1, Reset = 0x3, Settings = 0x4, Ping = 0x6, GoAway = 0x7, WindowUpdate = 0x8;
    private const byte EndStream = 0x1, EndHeaders = 0x4, Ack = 0x1;
    private static readonly byte[] StatusName = Encoding.ASCII.GetBytes("grpc-status");

    private readonly byte[] call = Call(port, path, message, token);

    /// <summary>Calls per second over so many connections, each with so many calls in flight.</summary>
    public async Task<double> RunAsync(int connections, int inFlight, TimeSpan time, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        var counts = await Task.WhenAll(Enumerable.Range(0, connections).Select(_ => Task.Run(() => ConnectionAsync(inFlight, clock, time, cancel), cancel)));
        return counts.Sum() / clock.Elapsed.TotalSeconds;
    }

    private async Task<long> ConnectionAsync(int inFlight, Stopwatch clock, TimeSpan time, CancellationToken cancel)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port, cancel);
        var outgoing = new List<byte>(1 << 16);
        outgoing.AddRange("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8);
        // No table of headers, so that a status stands in the bytes as it is; windows as wide as they can be.
        byte[] settings = [0, 1, 0, 0, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff];
        outgoing.AddRange([.. Frame(settings.Length, Settings, 0, 0), .. settings, .. Frame(4, WindowUpdate, 0, 0), 0x7f, 0xff, 0x00, 0x00]);
        var stream = 1;
        for (var i = 0; i < inFlight; i++, stream += 2)
            Start(outgoing, stream);

        var buffer = new byte[1 << 18];
        var (filled, open, received) = (0, inFlight, 0);
        long done = 0;
        while (open > 0)
        {
            if (outgoing.Count > 0)
            {
                var ready = outgoing.ToArray();
                outgoing.Clear();
                for (var sent = 0; sent < ready.Length;)
                    sent += await socket.SendAsync(ready.AsMemory(sent), cancel);
            }
            var read = await socket.ReceiveAsync(buffer.AsMemory(filled), cancel);
            if (read == 0)
                throw new IOException("The server closed the connection.");
            filled += read;
            var at = 0;
            while (filled - at >= HeaderBytes && Length(buffer, at) is var length && filled - at >= HeaderBytes + length)
            {
                var (type, flags, payload) = (buffer[at + 3], buffer[at + 4], buffer.AsMemory(at + HeaderBytes, length));
                at += HeaderBytes + length;
                switch (type)
                {
                    case Data:
                        received += length;
                        break;
                    case Settings when (flags & Ack) == 0:
                        outgoing.AddRange(Frame(0, Settings, Ack, 0));
                        break;
                    case Ping when (flags & Ack) == 0:
                        outgoing.AddRange([.. Frame(8, Ping, Ack, 0), .. payload.Span]);
                        break;
                    case Reset or GoAway:
                        throw new IOException($"The server ended {(type == Reset ? "a call" : "the connection")}: {Convert.ToHexString(payload.Span)}");
                    case Headers when (flags & EndStream) != 0:
                        AssertOk(payload.Span);
                        done++;
                        open--;
                        if (clock.Elapsed < time)
                        {
                            Start(outgoing, stream);
                            (stream, open) = (stream + 2, open + 1);
                        }
                        break;
                }
            }
            buffer.AsSpan(at, filled - at).CopyTo(buffer);
            filled -= at;
            if (received > 1 << 24)
            {
                outgoing.AddRange([.. Frame(4, WindowUpdate, 0, 0), (byte)(received >> 24), (byte)(received >> 16), (byte)(received >> 8), (byte)received]);
                received = 0;
            }
        }
        return done;
    }

    private void Start(List<byte> outgoing, int stream)
    {
        var at = outgoing.Count;
        outgoing.AddRange(call);
        var bytes = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(outgoing)[at..];
        BinaryPrimitives.WriteInt32BigEndian(bytes[5..], stream);
        BinaryPrimitives.WriteInt32BigEndian(bytes[(HeaderBytes + Length(bytes) + 5)..], stream);
    }

    private static void AssertOk(ReadOnlySpan<byte> trailers)
    {
        var at = trailers.IndexOf(StatusName);
        if (at < 0 || trailers[at + StatusName.Length] != 1 || trailers[at + StatusName.Length + 1] != '0')
            throw new InvalidOperationException($"A call was not answered OK: {Encoding.Latin1.GetString(trailers)}");
    }

    // HEADERS and DATA of one call; the stream's number is filled in later.
    private static byte[] Call(int port, string path, byte[] message, string? token)
    {
        var block = new List<byte>();
        Literal(block, ":method", "POST");
        Literal(block, ":scheme", "http");
        Literal(block, ":path", path);
        Literal(block, ":authority", $"127.0.0.1:{port}");
        Literal(block, "te", "trailers");
        Literal(block, "content-type", "application/grpc");
        Literal(block, "grpc-timeout", "5S");
        if (token is not null)
            Literal(block, "authorization", $"Bearer {token}");
        var prefix = new byte[5];
        BinaryPrimitives.WriteInt32BigEndian(prefix.AsSpan(1), message.Length);
        return [.. Frame(block.Count, Headers, EndHeaders, 0), .. block, .. Frame(5 + message.Length, Data, EndStream, 0), .. prefix, .. message];
    }

    private static byte[] Frame(int length, byte type, byte flags, int stream)
    {
        var frame = new byte[HeaderBytes];
        BinaryPrimitives.WriteInt32BigEndian(frame, length << 8);
        (frame[3], frame[4]) = (type, flags);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        return frame;
    }

    private static int Length(ReadOnlySpan<byte> frame) => (frame[0] << 16) | (frame[1] << 8) | frame[2];

    private static int Length(byte[] buffer, int at) => Length(buffer.AsSpan(at));

    // HPACK: a literal without indexing, name and value as they are.
    private static void Literal(List<byte> block, string name, string value)
    {
        block.Add(0);
        foreach (var text in (string[])[name, value])
        {
            if (text.Length < 127)
            {
                block.Add((byte)text.Length);
            }
            else
            {
                block.Add(127);
                var rest = text.Length - 127;
                for (; rest >= 128; rest >>= 7)
                    block.Add((byte)(rest & 127 | 128));
                block.Add((byte)rest);
            }
            block.AddRange(Encoding.ASCII.GetBytes(text));
        }
    }
}
