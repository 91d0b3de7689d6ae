using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Dapper;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Imet.Options.V1;
using NpgsqlTypes;

namespace Imet.Chassis;

/// <summary>Gives a repeated request its first answer: the answer is stored in the transaction that makes the change, a refusal is not stored.</summary>
public sealed class Writes(Database database)
{
    private static readonly ConcurrentDictionary<MessageDescriptor, bool> Personal = new();

    private const string ClaimSql = "select request_hash, salt, response from request_claim(@Caller, @Method, @Id, @Lock)";

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

    /// <summary>The first answer if there is one: for a handler that asks its peers before it opens the transaction.</summary>
    public Task<TResponse?> ReplayAsync<TRequest, TResponse>(TRequest request, ServerCallContext context)
        where TRequest : IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>, new() =>
        ReplayAsync<TRequest, TResponse>(request, Caller.Of(context).Subject, context.Method, context.CancellationToken);

    internal async Task<TResponse> RunAsync<TRequest, TResponse>(
        TRequest request, string caller, string method, Func<Transaction, Task<TResponse>> work, CancellationToken cancel)
        where TRequest : IMessage<TRequest>
        where TResponse : IMessage<TResponse>, new()
    {
        var claim = new Claim(caller, method, RequestId(request));
        var answer = await database.WriteAsync(async tx =>
        {
            var stored = await tx.Connection.QuerySingleOrDefaultAsync<StoredAnswer>(new CommandDefinition(ClaimSql, claim, tx.Npgsql, cancellationToken: cancel));
            if (stored is not null)
                return Answer<TResponse>(stored, request);
            var response = await work(tx);
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
