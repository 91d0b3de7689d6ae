using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Dapper;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Imet.Options.V1;
using Npgsql;
using NpgsqlTypes;

namespace Imet.Chassis;

/// <summary>Gives a repeated request its first answer: the answer is stored in the transaction that makes the change, a refusal is not stored.</summary>
public sealed class Writes(Database database)
{
    private static readonly ConcurrentDictionary<MessageDescriptor, bool> Personal = new();

    private const string ClaimSql = "select request_hash, salt, response from request_claim($1, $2, $3, $4)";

    private const string FindSql = """
        select request_hash, salt, response from request_log
        where caller = @Caller and method = @Method and request_id = @Id
        """;

    private const string StoreSql = """
        insert into request_log (caller, method, request_id, request_hash, salt, response)
        values ($1, $2, $3, $4, $5, $6)
        """;

    public Task<TResponse> RunAsync<TRequest, TResponse>(TRequest request, ServerCallContext context, Func<Transaction, Task<TResponse>> work)
        where TRequest : IMessage<TRequest>
        where TResponse : IMessage<TResponse>, new() =>
        RunAsync(request, Caller.Of(context).Subject, context.Method, work, context.CancellationToken);

    /// <summary>The same for work that begins with a batch of reads or locks: they go in the round trip that claims the request.</summary>
    public Task<TResponse> RunAsync<TRequest, TResponse, TRead>(
        TRequest request, ServerCallContext context, Action<NpgsqlBatch> ask, Func<NpgsqlDataReader, Task<TRead>> read, Func<Transaction, TRead, Task<TResponse>> work)
        where TRequest : IMessage<TRequest>
        where TResponse : IMessage<TResponse>, new() =>
        RunAsync(request, Caller.Of(context).Subject, context.Method, ask, read, work, context.CancellationToken);

    /// <summary>
    /// For a handler that asks its peers before it opens the transaction. A repeated request may be refused there for what has changed since its first answer, or because nobody answers: it gets the first
    /// answer all the same. Looked up only then, since nearly every request is the first of its id.
    /// </summary>
    public async Task<TResponse> RepeatableAsync<TRequest, TResponse>(TRequest request, ServerCallContext context, Func<Task<TResponse>> handle)
        where TRequest : IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>, new()
    {
        try
        {
            return await handle();
        }
        catch (RpcException)
        {
            if (await ReplayAsync<TRequest, TResponse>(request, Caller.Of(context).Subject, context.Method, context.CancellationToken) is { } first)
                return first;
            throw;
        }
    }

    internal Task<TResponse> RunAsync<TRequest, TResponse>(
        TRequest request, string caller, string method, Func<Transaction, Task<TResponse>> work, CancellationToken cancel)
        where TRequest : IMessage<TRequest>
        where TResponse : IMessage<TResponse>, new() =>
        RunAsync(request, caller, method, static _ => { }, static _ => Task.FromResult(true), (tx, _) => work(tx), cancel);

    private async Task<TResponse> RunAsync<TRequest, TResponse, TRead>(
        TRequest request, string caller, string method, Action<NpgsqlBatch> ask, Func<NpgsqlDataReader, Task<TRead>> read, Func<Transaction, TRead, Task<TResponse>> work, CancellationToken cancel)
        where TRequest : IMessage<TRequest>
        where TResponse : IMessage<TResponse>, new()
    {
        var claim = new Claim(caller, method, RequestId(request));
        var answer = await database.WriteAsync(async tx =>
        {
            TRead found;
            await using (var batch = new NpgsqlBatch(tx.Connection, tx.Npgsql))
            {
                batch.BatchCommands.Add(new NpgsqlBatchCommand(ClaimSql)
                {
                    Parameters =
                    {
                        new NpgsqlParameter<string> { TypedValue = claim.Caller },
                        new NpgsqlParameter<string> { TypedValue = claim.Method },
                        new NpgsqlParameter<Guid> { TypedValue = claim.Id },
                        new NpgsqlParameter<long> { TypedValue = claim.Lock },
                    },
                });
                ask(batch);
                await using var reader = await batch.ExecuteReaderAsync(cancel);
                if (await reader.ReadAsync(cancel))
                {
                    var stored = new StoredAnswer
                    {
                        RequestHash = reader.GetFieldValue<byte[]>(0),
                        Salt = reader.IsDBNull(1) ? null : reader.GetFieldValue<byte[]>(1),
                        Response = reader.GetFieldValue<byte[]>(2),
                    };
                    return Answer<TResponse>(stored, request);
                }
                await reader.NextResultAsync(cancel);
                found = await read(reader);
            }
            var response = await work(tx, found);
            var salt = IsPersonal(request.Descriptor) ? RandomNumberGenerator.GetBytes(16) : null;
            tx.Enqueue(StoreSql, claim.Caller, claim.Method, claim.Id, Hash(request, salt), Sql.Of(NpgsqlDbType.Bytea, salt), response.ToByteArray());
            return response;
        }, cancel);
        await Failpoints.HitAsync("writes.between-commit-and-reply");
        return answer;
    }

    internal Task<TResponse?> ReplayAsync<TRequest, TResponse>(TRequest request, string caller, string method, CancellationToken cancel)
        where TRequest : IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>, new()
    {
        var claim = new Claim(caller, method, RequestId(request));
        return database.ReadAsync(async connection =>
            await connection.QuerySingleOrDefaultAsync<StoredAnswer>(new CommandDefinition(FindSql, claim, cancellationToken: cancel)) is { } stored
                ? Answer<TResponse>(stored, request)
                : null, cancel);
    }

    private static TResponse Answer<TResponse>(StoredAnswer stored, IMessage request) where TResponse : IMessage<TResponse>, new()
    {
        if (!CryptographicOperations.FixedTimeEquals(stored.RequestHash, Hash(request, stored.Salt)))
            throw Refusal
                .Of(CommonReason.RequestIdReused, "This request_id was used before for another request. Use a new UUID for a new request.")
                .Field("request_id", "was used before with another body")
                .ToException();
        var response = new TResponse();
        response.MergeFrom(stored.Response);
        return response;
    }

    private static Guid RequestId(IMessage request)
    {
        var field = request.Descriptor.FindFieldByName("request_id")
            ?? throw new InvalidOperationException($"{request.Descriptor.FullName} has no field request_id.");
        return Guid.Parse((string)field.Accessor.GetValue(request));
    }

    private static byte[] Hash(IMessage request, byte[]? salt) => SHA256.HashData([.. salt ?? [], .. request.ToByteArray()]);

    private static bool IsPersonal(MessageDescriptor message) => Personal.GetOrAdd(message, static root =>
    {
        var seen = new HashSet<MessageDescriptor>();
        return Visit(root);

        bool Visit(MessageDescriptor descriptor) => seen.Add(descriptor) && descriptor.Fields.InDeclarationOrder().Any(field =>
            field.GetOptions()?.GetExtension(OptionsExtensions.Personal) == true || (field.FieldType == FieldType.Message && Visit(field.MessageType)));
    });

    private sealed record Claim(string Caller, string Method, Guid Id)
    {
        public long Lock { get; } = BinaryPrimitives.ReadInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes($"{Caller}\n{Method}\n{Id}")));
    }

    private sealed record StoredAnswer
    {
        public required byte[] RequestHash { get; init; }
        public byte[]? Salt { get; init; }
        public required byte[] Response { get; init; }
    }
}
