using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Imet.Cli;

/// <summary>An issuer of bearer tokens for development and tests: an ES256 key pair in a folder, with the public half as the JWKS file that the services read.</summary>
public sealed class Tokens : IDisposable
{
    public const string Issuer = "https://imet.local";

    public static readonly IReadOnlyList<string> Audiences = ["imet.country-eligibility", "imet.course-catalog", "imet.enrollment"];

    public static readonly IReadOnlyList<string> AllScopes =
    [
        "eligibility.read", "eligibility.propose", "eligibility.approve", "eligibility.emergency", "eligibility.preview", "eligibility.unannounced", "eligibility.history", "eligibility.reference", "eligibility.admin",
        "catalog.read", "catalog.write", "catalog.publish", "enrollment.read", "enrollment.write", "enrollment.personal", "enrollment.gates", "enrollment.orders", "enrollment.operate", "enrollment.preview",
        "enrollment.bars", "enrollment.purge", "enrollment.funds", "enrollment.audit", "events.read",
    ];

    private readonly ECDsa key;
    private readonly SigningCredentials credentials;
    private readonly TimeProvider clock;

    private Tokens(string keysFile, ECDsa key, string keyId, TimeProvider clock)
    {
        KeysFile = keysFile;
        this.key = key;
        this.clock = clock;
        credentials = new SigningCredentials(new ECDsaSecurityKey(key) { KeyId = keyId }, SecurityAlgorithms.EcdsaSha256);
    }

    /// <summary>The JWKS file, for the services' setting Auth:KeysFile.</summary>
    public string KeysFile { get; }

    /// <summary>The issuer whose key is in the folder; the key is made when there is none.</summary>
    public static Tokens Open(string folder, TimeProvider clock)
    {
        Directory.CreateDirectory(folder);
        var (secret, published) = (Path.Combine(folder, "signing.pem"), Path.Combine(folder, "jwks.json"));
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        if (File.Exists(secret))
            key.ImportFromPem(File.ReadAllText(secret));
        else
            Write(secret, key.ExportPkcs8PrivateKeyPem());

        var point = key.ExportParameters(includePrivateParameters: false).Q;
        var (x, y) = (Base64UrlEncoder.Encode(point.X!), Base64UrlEncoder.Encode(point.Y!));
        var keyId = Base64UrlEncoder.Encode(SHA256.HashData([.. point.X!, .. point.Y!]))[..16];
        var keys = JsonSerializer.Serialize(new { keys = new[] { new { kty = "EC", crv = "P-256", use = "sig", alg = "ES256", kid = keyId, x, y } } });
        if (!File.Exists(published) || File.ReadAllText(published) != keys)
            Write(published, keys);
        return new Tokens(published, key, keyId, clock);
    }

    /// <param name="countries">The countries that the caller is limited to; none means all.</param>
    public string Mint(string subject, IEnumerable<string> scopes, IEnumerable<string> countries, IEnumerable<string> audiences, TimeSpan lifetime)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        var claims = new Dictionary<string, object> { ["sub"] = subject, ["scope"] = string.Join(' ', scopes), ["jti"] = Guid.CreateVersion7().ToString() };
        if (string.Join(' ', countries) is { Length: > 0 } limited)
            claims["country"] = limited;
        var descriptor = new SecurityTokenDescriptor
        {
            Issuer = Issuer,
            Claims = claims,
            IssuedAt = now,
            NotBefore = now,
            Expires = now + lifetime,
            SigningCredentials = credentials,
        };
        foreach (var audience in audiences)
            descriptor.Audiences.Add(audience);
        return new JsonWebTokenHandler().CreateToken(descriptor);
    }

    public void Dispose() => key.Dispose();

    // Whole or not at all, and never readable by others, not even for a moment.
    private static void Write(string file, string text)
    {
        var half = file + ".new";
        File.Delete(half);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var writer = new StreamWriter(half, options))
            writer.Write(text);
        File.Move(half, file, overwrite: true);
    }
}
