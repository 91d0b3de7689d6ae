using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Imet.CountryEligibility.Tests;

/// <summary>A wire to a server that can be cut and mended: what goes through it stops, and nobody gets through.</summary>
public sealed class Wire : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly ConcurrentDictionary<TcpClient, bool> _open = new();
    private readonly Task _accepting;
    private volatile bool _isCut;

    public Wire(string host, int port)
    {
        _listener.Start();
        _accepting = AcceptAsync(host, port);
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public void Cut()
    {
        _isCut = true;
        foreach (var client in _open.Keys)
            client.Dispose();
    }

    public void Mend() => _isCut = false;

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        Cut();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _end.Dispose();
    }

    private async Task AcceptAsync(string host, int port)
    {
        while (true)
        {
            var near = await _listener.AcceptTcpClientAsync(_end.Token);
            _ = CarryAsync(near, host, port);
        }
    }

    private async Task CarryAsync(TcpClient near, string host, int port)
    {
        using var far = new TcpClient();
        using (near)
        {
            if (_isCut)
                return;
            try
            {
                await far.ConnectAsync(host, port, _end.Token);
                (_open[near], _open[far]) = (true, true);
                if (!_isCut)
                    await Task.WhenAny(near.GetStream().CopyToAsync(far.GetStream(), _end.Token), far.GetStream().CopyToAsync(near.GetStream(), _end.Token));
            }
            catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or OperationCanceledException)
            {
                // Cut, or ended by either side.
            }
            _open.TryRemove(near, out _);
            _open.TryRemove(far, out _);
        }
    }
}
