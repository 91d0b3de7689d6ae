using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Imet.Cli.EventLog;

/// <summary>Puts messages into one named queue, each confirmed by the broker; never through an exchange of ours, where others listen.</summary>
public sealed class Republisher : IAsyncDisposable
{
    private readonly IConnection connection;

    private Republisher(IConnection connection, IChannel channel) => (this.connection, Channel) = (connection, channel);

    public IChannel Channel { get; }

    public static async Task<Republisher> ConnectAsync(Uri broker, CancellationToken cancel)
    {
        IConnection connection;
        try
        {
            connection = await new ConnectionFactory { Uri = broker, ClientProvidedName = "imet" }.CreateConnectionAsync(cancel);
        }
        catch (BrokerUnreachableException e)
        {
            throw new CouldNotRunException($"No RabbitMQ answers at {broker.Host}:{broker.Port} ({e.InnerException?.Message ?? e.Message}). Start the local stack with ./dev up, or give --amqp.");
        }
        return new Republisher(connection, await connection.CreateChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true), cancel));
    }

    /// <summary>Messages in the queue; null when there is none of this name.</summary>
    public async Task<uint?> CountAsync(string queue, CancellationToken cancel)
    {
        // An answer that there is none closes the channel.
        await using var channel = await connection.CreateChannelAsync(cancellationToken: cancel);
        try
        {
            return (await channel.QueueDeclarePassiveAsync(queue, cancel)).MessageCount;
        }
        catch (OperationInterruptedException e) when (e.ShutdownReason?.ReplyCode == Constants.NotFound)
        {
            return null;
        }
    }

    /// <summary>Returns when the broker has it; throws when the queue takes it no more.</summary>
    public async Task SendAsync(string queue, string id, string type, ReadOnlyMemory<byte> body, CancellationToken cancel)
    {
        try
        {
            // No headers: what a message went through before counts no more.
            await Channel.BasicPublishAsync("", queue, mandatory: true, new BasicProperties { ContentType = "application/cloudevents+json", MessageId = id, Type = type, Persistent = true }, body, cancel);
        }
        catch (PublishException e)
        {
            throw new CouldNotRunException(e.IsReturn ? $"There is no queue {queue} any more." : $"The queue {queue} takes no more.");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Channel.DisposeAsync();
        await connection.DisposeAsync();
    }
}
